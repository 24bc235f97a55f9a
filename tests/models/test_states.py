"""States of words against a plain call of the transformer, one text at a time."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from transformers import BertForSequenceClassification

from xai_lib.models.huggingface import HuggingFaceClassifier
from xai_lib.models.states import HiddenStates, States

LAYERS, WIDTH = 3, 16
TEXTS = [
    "The quick answer was not what we hoped for.",
    "i didn't feel like going out (not even once), 10:30 or re-entering",
    "good good, Good film; bad under_scored film!",
    "not good, bad film again",
    "one",
]
Make = Callable[..., HuggingFaceClassifier]


@pytest.fixture(scope="module")
def make_deep(make_bert: Make) -> Make:
    """Make BERTs of three layers, so that no two layers can be taken for one another."""
    shallow = make_bert()

    def make(seed: int = 0, name: str = "deep", **settings: Any) -> HuggingFaceClassifier:
        config = copy.deepcopy(shallow.model.config)
        config.num_hidden_layers = LAYERS
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            model = BertForSequenceClassification(config).eval()
        settings = {"precision": "float32", **settings}
        return HuggingFaceClassifier(model, shallow.tokenizer, name, device="cpu", **settings)

    return make


@pytest.fixture(scope="module")
def deep(make_deep: Make) -> HuggingFaceClassifier:
    return make_deep()


def plain_call(
    box: HuggingFaceClassifier, text: str, model: Any = None
) -> tuple[list[np.ndarray], list[tuple[int, int]]]:
    """Every layer's states of one text, (T, d) each, and the characters of each token."""
    encoded = box.tokenizer(
        text, return_offsets_mapping=True, truncation=True, max_length=box.max_length
    )
    with torch.no_grad():
        answer = (model or box.model)(
            input_ids=torch.tensor([encoded["input_ids"]]), output_hidden_states=True
        )
    return [layer[0].float().numpy() for layer in answer.hidden_states], encoded["offset_mapping"]


def tokens_of(offsets: list[tuple[int, int]], span: tuple[int, int]) -> list[int]:
    """Numbers of the tokens that share a character with a word."""
    return [t for t, (a, b) in enumerate(offsets) if set(range(a, b)) & set(range(*span))]


def check_one(box: HuggingFaceClassifier, text: str, layers: tuple[int, ...]) -> States:
    one = box.instance(text)
    found = box.word_states([one], layers)
    hidden, offsets = plain_call(box, one.read_text)
    assert len(hidden) == box.n_layers + 1
    assert found.counts.tolist() == [len(one.words)]
    assert found.first.shape == (1, len(layers), WIDTH)
    assert found.words.shape == (len(one.words), len(layers), WIDTH)
    own = [tokens_of(offsets, span) for span in one.spans]
    assert found.tokens.tolist() == [len(rows) for rows in own]
    for place, layer in enumerate(layers):
        np.testing.assert_allclose(found.first[0, place], hidden[layer][0], atol=1e-5, rtol=0)
        for word, rows in enumerate(own):
            expected = np.mean([hidden[layer][t] for t in rows], axis=0)
            np.testing.assert_allclose(found.words[word, place], expected, atol=1e-5, rtol=0)
    return found


@pytest.mark.parametrize("text", TEXTS)
def test_a_word_is_the_mean_of_its_tokens_in_every_layer(
    text: str, deep: HuggingFaceClassifier
) -> None:
    assert (deep.n_layers, deep.width) == (LAYERS, WIDTH)
    found = check_one(deep, text, tuple(range(LAYERS + 1)))
    assert (found.probabilities.dtype, found.first.dtype) == (np.float64, torch.float32)
    assert found.words.dtype == torch.float32
    assert not found.words.requires_grad
    # Layers differ, so that one in place of another would have been seen.
    for a in range(LAYERS):
        assert (found.first[0, a] - found.first[0, a + 1]).abs().max() > 0.1


def test_some_words_of_these_texts_have_several_tokens(deep: HuggingFaceClassifier) -> None:
    found = deep.word_states([deep.instance(TEXTS[1])])
    words = deep.instance(TEXTS[1]).words
    # The vocabulary has "not", the pieces of one character, and "##ing".
    assert dict(zip(words, found.tokens.tolist(), strict=True)) == {
        "i": 1, "didn't": 6, "feel": 4, "like": 4, "going": 3, "out": 3, "not": 1, "even": 4,
        "once": 4, "10": 2, "30": 2, "or": 2, "re": 2, "entering": 5,
    }  # fmt: skip


def test_the_default_is_the_last_layer(deep: HuggingFaceClassifier) -> None:
    one = deep.instance(TEXTS[0])
    last, asked = deep.word_states([one]), deep.word_states([one], (LAYERS,))
    assert torch.equal(last.words, asked.words)
    assert torch.equal(last.first, asked.first)


def test_layers_come_in_the_order_asked_for_and_count_from_the_end(
    deep: HuggingFaceClassifier,
) -> None:
    one = deep.instance(TEXTS[1])
    every = deep.word_states([one], (0, 1, 2, 3))
    some = deep.word_states([one], (2, -1, 0, -4, -3, 2))
    assert torch.equal(some.words, every.words[:, [2, 3, 0, 0, 1, 2]])
    assert torch.equal(some.first, every.first[:, [2, 3, 0, 0, 1, 2]])


@pytest.mark.parametrize("bad", [4, -5, 99])
def test_a_layer_that_is_not_there_lists_those_that_are(
    bad: int, deep: HuggingFaceClassifier
) -> None:
    before = deep.calls
    with pytest.raises(ValueError, match=rf"layer {bad}\..* 0 .*to 3.*-1 to -4"):
        deep.word_states([deep.instance("good film")], (0, bad))
    assert deep.calls == before


def test_a_byte_tokenizer_and_its_start_token(roberta: HuggingFaceClassifier) -> None:
    check_one(roberta, "we saw a good wagon, he was good", (0, 1))


def test_pieces_that_hold_the_blank_before_a_word_belong_to_the_word(make_roberta: Make) -> None:
    check_one(make_roberta(trim_offsets=False), "we saw a good wagon", (0, 1))


# Many texts -------------------------------------------------------------------------------------


def test_texts_in_a_batch_are_as_alone(deep: HuggingFaceClassifier) -> None:
    texts = [*TEXTS, "", "good bad film again not", *TEXTS[::-1]]
    instances = [deep.instance(text) for text in texts]
    together = deep.word_states(instances, (0, -1))
    assert together.counts.tolist() == [len(one.words) for one in instances]
    start = 0
    for row, one in enumerate(instances):
        alone = deep.word_states([one], (0, -1))
        own = slice(start, start := start + len(one.words))
        np.testing.assert_allclose(together.first[row], alone.first[0], atol=1e-6, rtol=0)
        np.testing.assert_allclose(together.words[own], alone.words, atol=1e-6, rtol=0)
        np.testing.assert_allclose(
            together.probabilities[row], alone.probabilities[0], atol=1e-6, rtol=0
        )
        assert together.tokens[own].tolist() == alone.tokens.tolist()
    assert start == len(together.words) == len(together.tokens)


def test_batches_of_more_than_the_token_budget(
    deep: HuggingFaceClassifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    from xai_lib.models import huggingface

    instances = [deep.instance(text) for text in TEXTS * 3]
    whole = deep.word_states(instances, (1,))
    monkeypatch.setitem(huggingface.TOKEN_BUDGET, "cpu", 20)
    pieces = deep.word_states(instances, (1,))
    np.testing.assert_allclose(pieces.words, whole.words, atol=1e-6, rtol=0)
    np.testing.assert_allclose(pieces.first, whole.first, atol=1e-6, rtol=0)


def test_probabilities_are_those_of_the_black_box(deep: HuggingFaceClassifier) -> None:
    found = deep.word_states([deep.instance(text) for text in TEXTS], (0, 2))
    np.testing.assert_allclose(found.probabilities, deep.predict_proba(TEXTS), atol=1e-6, rtol=0)
    assert np.ptp(found.probabilities, axis=0).max() > 0.1, "the test model tells texts apart"


def test_each_text_goes_through_the_model_once(make_deep: Make) -> None:
    box = make_deep()
    seen: list[int] = []
    box.model.register_forward_pre_hook(
        lambda _, __, arguments: seen.append(len(arguments["input_ids"])), with_kwargs=True
    )
    box.word_states([box.instance(text) for text in [*TEXTS, TEXTS[0]]], (0, 1, 2, 3))
    assert sum(seen) == box.calls == len(TEXTS) + 1


def test_features_of_word_types_leave_the_words_as_they_are(deep: HuggingFaceClassifier) -> None:
    text = TEXTS[2]
    assert deep.instance(text, "type").n_features < len(deep.instance(text).words)
    one, other = (deep.word_states([deep.instance(text, g)]) for g in ("position", "type"))
    assert torch.equal(one.words, other.words)
    assert one.counts.tolist() == other.counts.tolist() == [7]


# Texts at the edge ------------------------------------------------------------------------------


def test_a_truncated_text_ends_where_the_model_stops(make_deep: Make) -> None:
    box = make_deep(max_length=9)
    one = box.instance("not good, quick bad film again was not good")
    assert (len(one.words), one.truncated_words) == (6, 3)
    found = check_one(box, one.text, (0, 1, 2, 3))
    whole = box.predict_masked(one, np.ones((1, one.n_features), dtype=bool))
    np.testing.assert_allclose(found.probabilities, whole, atol=1e-6, rtol=0)


def test_texts_without_words(deep: HuggingFaceClassifier) -> None:
    texts = ["", " \t\n", "?! ..."]
    found = deep.word_states([deep.instance(text) for text in texts], (0, -1))
    assert found.counts.tolist() == [0, 0, 0]
    assert found.words.shape == (0, 2, WIDTH)
    assert found.tokens.shape == (0,)
    for row, text in enumerate(texts):
        np.testing.assert_allclose(found.first[row, 1], plain_call(deep, text)[0][-1][0], atol=1e-5)
    np.testing.assert_allclose(found.probabilities, deep.predict_proba(texts), atol=1e-6, rtol=0)


def test_no_texts(deep: HuggingFaceClassifier) -> None:
    found = deep.word_states([], (0, -1))
    assert found.probabilities.shape == (0, 3)
    assert found.first.shape == found.words.shape == (0, 2, WIDTH)
    assert found.counts.shape == found.tokens.shape == (0,)


def test_a_word_that_the_tokenizer_drops_is_zero(deep: HuggingFaceClassifier) -> None:
    one = deep.instance("good \u0301 film")  # a mark alone, which BERT's rules strip
    assert one.words == ("good", "\u0301", "film")
    found = deep.word_states([one], (0, -1))
    assert found.tokens.tolist() == [1, 0, 1]
    assert not found.words[1].any()
    hidden, _ = plain_call(deep, one.text)
    np.testing.assert_allclose(found.words[2, 1], hidden[-1][2], atol=1e-5, rtol=0)


def test_a_model_that_answers_nan_is_named(make_deep: Make) -> None:
    box = make_deep(name="broken")
    with torch.no_grad():
        box.model.classifier.bias.fill_(float("nan"))
    with pytest.raises(ValueError, match=r"'broken'.*not finite.*good film"):
        box.word_states([box.instance("good film")])


# Which black box it is --------------------------------------------------------------------------


def test_bfloat16_states_are_added_up_in_float32(make_deep: Make) -> None:
    box = make_deep(precision="bfloat16")
    rounded = copy.deepcopy(box.model).to(torch.bfloat16)
    one = box.instance(TEXTS[1])
    found = box.word_states([one], (0, -1))
    assert found.words.dtype == found.first.dtype == torch.float32
    hidden, offsets = plain_call(box, one.text, rounded)
    for word, span in enumerate(one.spans):
        for place, layer in enumerate((0, -1)):
            expected = np.mean([hidden[layer][t] for t in tokens_of(offsets, span)], axis=0)
            np.testing.assert_allclose(found.words[word, place], expected, atol=1e-5, rtol=0)


def test_identity_is_of_weights_vocabulary_and_budget(make_deep: Make, make_roberta: Make) -> None:
    box = make_deep()
    assert isinstance(box.identity, str)
    assert len(box.identity) >= 16
    for same in (make_deep(), make_deep(name="renamed"), make_deep(precision="bfloat16")):
        assert same.identity == box.identity
    other = [make_deep(seed=1).identity, make_deep(max_length=32).identity]
    tokenizer = copy.deepcopy(box.tokenizer)
    tokenizer.add_tokens(["surprise"])
    model = copy.deepcopy(box.model)
    added = HuggingFaceClassifier(model, tokenizer, "deep", device="cpu", precision="float32")
    other += [added.identity, make_roberta().identity, box.identity]
    assert len(set(other)) == 5


def test_the_classifier_keeps_to_the_protocol(deep: HuggingFaceClassifier) -> None:
    asked: HiddenStates = deep  # what mypy checks
    assert {"device", "calls", "n_layers", "width", "identity"} <= set(dir(asked))
