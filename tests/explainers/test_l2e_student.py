"""The student of L2E against a Transformer written out word by word in float64."""

from __future__ import annotations

import copy
import math
from typing import Any

import numpy as np
import pytest
import torch

from xai_lib.explainers.l2e_run import bfloat16_agreement, outputs_of
from xai_lib.explainers.l2e_student import Student, word_bytes
from xai_lib.explainers.l2e_training import Lesson, length_batches, padded_lessons
from xai_lib.models.vocabulary import WordVocabulary

WORDS = ("good", "bad", "rain", "sun", "film")
TEXT = ("sun", "bad", "rain", "sun", "film", "xyzzy", "good", "rain")
WIDTH, HEADS = 8, 2


def student(seed: int = 0, outputs: int = 3, **settings: Any) -> Student:
    vocabulary = WordVocabulary(WORDS)
    torch.manual_seed(seed)
    given: dict[str, Any] = {"blocks": 2, "heads": HEADS, "width": WIDTH, **settings}
    network = Student(*word_bytes(vocabulary), 2, outputs, **given)
    network.set_words(vocabulary)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if parameter.ndim == 1:  # So that no bias is zero and no norm is trivial.
                parameter.add_(0.3 * torch.randn(parameter.shape))
            elif "embedding" in name:
                parameter[1:].mul_(3.0)
    return network.eval().requires_grad_(False)


def norm(x: np.ndarray, scale: np.ndarray, shift: np.ndarray) -> np.ndarray:
    return (x - x.mean()) / math.sqrt(x.var() + 1e-5) * scale + shift


def slow(network: Student, words: tuple[str, ...], label: int, teacher: int | None) -> np.ndarray:
    """`<teacher> <label> words <label>`, token after token."""
    state = {k: v.double().numpy() for k, v in network.state_dict().items() if k != "words"}
    first = 2 + len(WORDS) + label
    known = {word: 2 + i for i, word in enumerate(WORDS)}
    front = [] if teacher is None else [2 + len(WORDS) + 2 + teacher]
    tokens = [*front, first, *(known.get(word, 1) for word in words), first]
    x = [state["embedding.weight"][token] for token in tokens]
    if network.projection is not None:
        x = [state["projection.weight"] @ one for one in x]
    start = len(front) + 1
    inside = range(start, start + len(words))
    if network.positions:
        for t in range(len(x)):
            place = max(0, t - len(front))  # The first label is at 0, the last behind the words.
            angles = [place / 10000 ** (2 * k / WIDTH) for k in range(WIDTH // 2)]
            wave = [turn(angle) for angle in angles for turn in (math.sin, math.cos)]
            x[t] = x[t] + math.sqrt(2 / WIDTH) * np.array(wave)
    size = WIDTH // HEADS
    for block in range(2):
        own = {k.removeprefix(f"encoder.layers.{block}."): v for k, v in state.items()}
        triple = [
            own["self_attn.in_proj_weight"] @ one + own["self_attn.in_proj_bias"] for one in x
        ]
        after = []
        for t in range(len(x)):
            mixed = []
            for head in range(HEADS):
                part = slice(head * size, (head + 1) * size)
                seen = [
                    u for u in range(len(x))
                    if not (t in inside and u in inside and abs(t - u) > network.window // 2)
                ]  # fmt: skip
                query = triple[t][:WIDTH][part]
                scores = [
                    query @ triple[u][WIDTH : 2 * WIDTH][part] / math.sqrt(size) for u in seen
                ]
                shares = np.exp(np.array(scores) - max(scores))
                shares /= shares.sum()
                values = [triple[u][2 * WIDTH :][part] for u in seen]
                mixed.append(sum(s * v for s, v in zip(shares, values, strict=True)))
            joined = own["self_attn.out_proj.weight"] @ np.concatenate(mixed)
            y = norm(
                x[t] + joined + own["self_attn.out_proj.bias"],
                own["norm1.weight"],
                own["norm1.bias"],
            )
            inner = np.maximum(own["linear1.weight"] @ y + own["linear1.bias"], 0.0)
            z = y + own["linear2.weight"] @ inner + own["linear2.bias"]
            after.append(norm(z, own["norm2.weight"], own["norm2.bias"]))
        x = after
    return np.array([state["output.weight"] @ x[t] + state["output.bias"] for t in inside])


VARIANTS: dict[str, dict[str, Any]] = {
    "plain": {},
    "positions": {"positions": True},
    "window": {"window": 4},
    "window and positions": {"window": 3, "positions": True},
    "teachers": {"n_teachers": 3, "positions": True},
    "teachers and window": {"n_teachers": 3, "window": 2},
    "black box": {"embedding_width": 5},
}
EACH = pytest.mark.parametrize("settings", VARIANTS.values(), ids=VARIANTS.keys())


@EACH
@pytest.mark.parametrize("words", [TEXT, TEXT[:1], ("xyzzy", "qwfp")])
def test_the_student_is_the_transformer_written_out(
    settings: dict[str, Any], words: tuple[str, ...]
) -> None:
    network = student(**settings)
    teacher = 1 if network.n_teachers else None
    (found,) = outputs_of(network, [network.ids(words, 1, teacher or 0)])
    np.testing.assert_allclose(found, slow(network, words, 1, teacher), atol=2e-5, rtol=0)
    # As in training, where other kernels run.
    training = network.train().requires_grad_(True)
    ids = torch.from_numpy(training.ids(words, 1, teacher or 0))[None]
    np.testing.assert_allclose(training(ids)[0].detach().numpy(), found, atol=2e-5, rtol=0)


@EACH
def test_padding_and_company_change_nothing(settings: dict[str, Any]) -> None:
    network = student(**settings)
    texts = [TEXT, TEXT[:3], TEXT[2:], TEXT[:3], TEXT[4:5], TEXT * 2, TEXT[::-1]]
    inputs = [network.ids(words, i % 2) for i, words in enumerate(texts)]
    together = outputs_of(network, inputs)
    lessons = [Lesson(ids, np.zeros(len(ids) - network.prefix, np.int64)) for ids in inputs]
    ids, _, mask, was_padded = padded_lessons(lessons, torch.device("cpu"))
    assert was_padded
    with torch.inference_mode():
        one_batch = network(torch.nn.functional.pad(ids, (0, 5)))
    for i, one in enumerate(inputs):
        (alone,) = outputs_of(network, [one])
        np.testing.assert_allclose(together[i], alone, atol=1e-5, rtol=0)
        inside = one_batch[i, : len(texts[i])].numpy()
        np.testing.assert_allclose(inside, alone, atol=1e-5, rtol=0)
        assert mask[i].sum().item() == len(texts[i])


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_without_positions_a_word_has_one_score(precision: str) -> None:
    ids = student().ids(TEXT, 0)
    (found,) = outputs_of(student(), [ids], precision)
    assert TEXT[0] == TEXT[3]
    tolerance = 1e-6 if precision == "float32" else 1e-2
    np.testing.assert_allclose(found[0], found[3], atol=tolerance, rtol=0)
    order = [3, 5, 0, 7, 1, 6, 4, 2]
    (turned,) = outputs_of(student(), [student().ids([TEXT[i] for i in order], 0)], precision)
    np.testing.assert_allclose(turned, found[order], atol=tolerance * 10, rtol=0)
    (placed,) = outputs_of(student(positions=True), [ids], precision)
    assert np.abs(placed[0] - placed[3]).max() > 0.05


def test_a_window_that_is_wide_enough_is_full_attention() -> None:
    # Eight words are seven apart at most.
    ids = [student().ids(TEXT, 0), student().ids(TEXT[:4], 1)]
    full, wide, narrow = (outputs_of(student(window=w), ids) for w in (512, 14, 12))
    for one, other in zip(full, wide, strict=True):
        np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(full[1], narrow[1])
    assert np.abs(full[0] - narrow[0]).max() > 1e-4


def test_blocks_do_not_start_as_copies_of_one_another() -> None:
    state = student().encoder.state_dict()
    for name in ("self_attn.in_proj_weight", "linear1.weight"):
        assert not torch.equal(state[f"layers.0.{name}"], state[f"layers.1.{name}"])


def test_embeddings_start_with_length_1_in_the_mean() -> None:
    vocabulary = WordVocabulary([f"w{i}" for i in range(2000)])
    torch.manual_seed(0)
    network = Student(*word_bytes(vocabulary), 4, 5, blocks=1, heads=4, width=64)
    table = network.embedding.weight.detach()
    assert (table[0] == 0).all()
    assert torch.linalg.vector_norm(table[1:], dim=1).square().mean().item() == pytest.approx(
        1.0, abs=0.02
    )
    assert table.shape == (2 + 2000 + 4, 64)


def test_words_are_kept_with_the_weights() -> None:
    network = student()
    assert network.vocabulary.words == WORDS
    blank = student(seed=1)
    blank.load_state_dict(network.state_dict())
    assert copy.deepcopy(blank).vocabulary.words == WORDS
    none = Student(*word_bytes(WordVocabulary([])), 2, 1, width=8, heads=2)
    none.set_words(WordVocabulary([]))
    assert none.vocabulary.words == ()
    assert none.ids(["good"], 1).tolist() == [3, 3, 1]


def test_bfloat16_agreement_counts_what_is_read_off(monkeypatch: pytest.MonkeyPatch) -> None:
    from xai_lib.explainers import l2e_run

    lessons = [Lesson(student().ids(TEXT[:n], 0), np.zeros(n, np.int64)) for n in (5, 3)]
    answers = {
        # Labels: of eight words one differs.
        3: {"float32": [np.eye(3)[[0, 1, 2, 0, 0]], np.eye(3)[[0, 0, 1]]],
            "bfloat16": [np.eye(3)[[0, 1, 2, 0, 1]], np.eye(3)[[0, 0, 1]]]},
        # The best 2 of 5 and the best 1 of 3: one of the two differs.
        1: {"float32": [np.array([[5.0], [4], [3], [2], [1]]), np.array([[1.0], [2], [3]])],
            "bfloat16": [np.array([[5.0], [2], [3], [2], [1]]), np.array([[2.0], [1], [3]])]},
    }  # fmt: skip
    for outputs, expected in ((3, 7 / 8), (1, 2 / 3)):
        monkeypatch.setattr(
            l2e_run, "outputs_of", lambda _, __, precision, n=outputs: answers[n][precision]
        )
        assert bfloat16_agreement(student(outputs=outputs), lessons) == pytest.approx(expected)


def test_batches_hold_each_text_once_and_not_too_many_tokens() -> None:
    rng = np.random.default_rng(0)
    lengths = rng.integers(3, 60, size=500)
    lengths[7] = 400
    batches = length_batches(lengths, 300, rng)
    assert sorted(np.concatenate(batches).tolist()) == list(range(500))
    padded = [len(batch) * lengths[batch].max() for batch in batches]
    assert all(size <= 300 for size, batch in zip(padded, batches, strict=True) if 7 not in batch)
    assert [batch.tolist() for batch in batches if 7 in batch] == [[7]]
    # Sorted in pools: little of it is padding, and few batches are small.
    assert sum(padded) < 1.1 * lengths.sum()
    assert len(batches) < 1.3 * lengths.sum() / 300
    assert length_batches(np.array([], dtype=int), 300, rng) == []
    again = length_batches(lengths, 300, np.random.default_rng(1))
    assert [batch.tolist() for batch in again] != [batch.tolist() for batch in batches]
