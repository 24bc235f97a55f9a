from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from xai_lib.explainers import make_explainer
from xai_lib.explainers.mase import Mase
from xai_lib.explainers.mase_noise import layout
from xai_lib.explainers.mase_solvers import (
    held_out_r2,
    leg,
    noise_covariance,
    odd_part,
    ridge,
    soft_threshold,
    sparse,
)
from xai_lib.explanation import Explanation
from xai_lib.models import Classifier, as_classifier
from xai_lib.models.huggingface import HuggingFaceClassifier
from xai_lib.models.perturbed import embed_each, perturbed_logits
from xai_lib.models.tiny import tiny_bert
from xai_lib.models.whitebox import Embedded, EmbeddingAccess
from xai_lib.rng import generator
from xai_lib.text import TextInstance

Network = Callable[[torch.Tensor], torch.Tensor]
DIM, N_CLASSES = 3, 2
# Embeddings of the letters a to e, of the start token, and of a letter that is all zeros.
TABLE = torch.from_numpy(np.random.default_rng(7).normal(size=(6, DIM)))
TABLE = torch.cat([TABLE, torch.zeros(1, DIM, dtype=torch.float64)])
TOKENS = {letter: i for i, letter in enumerate("abcde")} | {"z": 6}
SLOPE = torch.from_numpy(np.random.default_rng(8).normal(size=(N_CLASSES, DIM)))


class Letters(Classifier):
    """A black box in float64 with a token for each letter, and none for digits.

    It offers the least that MASE needs: embeddings in, logits out, no gradients, no padding
    embedding. The network sees embeddings that are 0 where the attention is.
    """

    precision = "float64"

    def __init__(self, network: Network, device: str = "cpu") -> None:
        super().__init__("letters", ["x", "y"])
        self.net = network
        self.device = device
        self.seen: list[torch.Tensor] = []

    def _tokens(self, one: TextInstance) -> list[tuple[int, int]]:
        tokens = [(5, -2)]
        for w, word in enumerate(one.words):
            tokens += [(TOKENS[letter], w) for letter in word if letter in TOKENS]
        return tokens

    def embed(self, instances: Sequence[TextInstance], width: int = 0) -> Embedded:
        tokens = [self._tokens(one) for one in instances]
        width = max([width, *map(len, tokens)])
        embeddings = torch.zeros(len(tokens), width, DIM, dtype=torch.float64)
        attention = torch.zeros(len(tokens), width, dtype=torch.int64)
        word = np.full((len(tokens), width), -1)
        for row, own in enumerate(tokens):
            for t, (token, w) in enumerate(own):
                embeddings[row, t], attention[row, t], word[row, t] = TABLE[token], 1, w
        return Embedded(embeddings, attention, word)

    def logits_from_embeddings(
        self, embeddings: torch.Tensor, attention: torch.Tensor
    ) -> torch.Tensor:
        self.seen.append(embeddings.clone())
        return self.net(embeddings * attention[..., None])

    def _probabilities_of_texts(self, texts: list[str]) -> np.ndarray:
        whole = [self.instance(text) for text in texts]
        self.calls += len(texts)
        logits = [self.net(self.embed([one]).embeddings) for one in whole]
        return torch.softmax(torch.cat(logits), dim=1).numpy()

    def _probabilities_of_masks(
        self, instances: list[TextInstance], masks: list[np.ndarray], removal: str
    ) -> list[np.ndarray]:
        return [
            self._probabilities_of_texts([one.render(row, removal) for row in rows])
            for one, rows in zip(instances, masks, strict=True)
        ]


class WithVocabulary(Letters):
    def vocabulary_embeddings(self) -> torch.Tensor:
        return TABLE


def linear(embeddings: torch.Tensor) -> torch.Tensor:
    return embeddings.sum(dim=1) @ SLOPE.T + 0.3


def curved(embeddings: torch.Tensor) -> torch.Tensor:
    """Neither odd nor even, and words interact."""
    hidden = torch.tanh(embeddings.sum(dim=1)) + 0.2 * (embeddings**2).sum(dim=1)
    return torch.sin(hidden @ SLOPE.T)


def tokens_of(word: str) -> torch.Tensor:
    return TABLE[[TOKENS[letter] for letter in word if letter in TOKENS]]


def gradient_x_input(network: Network, words: Sequence[str]) -> np.ndarray:
    """(C, F), by automatic differentiation of the logits."""
    parts = [TABLE[[5]], *map(tokens_of, words)]
    own = torch.cat(parts)[None].requires_grad_()
    found = []
    for c in range(N_CLASSES):
        (slope,) = torch.autograd.grad(network(own)[0, c], own)
        products = (slope * own).detach()[0].sum(dim=1)
        found.append([float(p.sum()) for p in products.split([len(p) for p in parts])[1:]])
    return np.array(found)


def unit_slopes(words: Sequence[str]) -> np.ndarray:
    """(C, F): change of the linear logits for a step of the mean norm along each embedding."""
    norms = np.array([float((tokens_of(w) ** 2).sum(dim=1).mean().sqrt()) for w in words])
    return gradient_x_input(linear, words) * norms.mean() / norms


def run(
    box: Classifier, text: str, seed: int = 0, method: str = "mase", **more: Any
) -> Explanation:
    (found,) = make_explainer(method, **more).explain([text], box, seed)
    return found


# A linear black box ---------------------------------------------------------------------------

WORDS = ["a", "bc", "d", "ea"]
LINEAR = {"response": "logit"}


def test_ridge_recovers_a_linear_model() -> None:
    found = run(Letters(linear), " ".join(WORDS), n_samples=20001, estimator="ridge", **LINEAR)
    # All that is left is the penalty, one row in 20000.
    np.testing.assert_allclose(found.weights, unit_slopes(WORDS), rtol=3e-4)
    assert found.diagnostics["r2_held_out"] == pytest.approx(1, abs=1e-6)
    assert found.diagnostics["sigma"] == 0.1


def test_rescaled_weights_of_a_linear_model_are_gradient_times_input() -> None:
    more = {"n_samples": 20001, "estimator": "ridge", "rescale": True} | LINEAR
    found = run(Letters(linear), " ".join(WORDS), **more)
    np.testing.assert_allclose(found.weights, gradient_x_input(linear, WORDS), rtol=3e-4)


@pytest.mark.parametrize("antithetic", [True, False])
def test_leg_is_unbiased_with_the_variance_of_its_formula(antithetic: bool) -> None:
    n_seeds, n_samples = 200, 41
    box, text = Letters(linear), " ".join(WORDS)
    more = {"n_samples": n_samples, "antithetic": antithetic, "estimator": "leg"} | LINEAR
    found = np.stack([run(box, text, seed, **more).weights for seed in range(n_seeds)])
    truth = unit_slopes(WORDS)
    # For white noise u and answers g'u: Var(g'u u_i) = |g|^2 + g_i^2. A pair is one draw.
    n_draws = 20 if antithetic else 40
    variance = ((truth**2).sum(axis=1, keepdims=True) + truth**2) / n_draws
    z = (found.mean(axis=0) - truth) / np.sqrt(variance / n_seeds)
    assert np.abs(z).max() < 3.5
    # The sample variance of 200 has a standard error of about 1 in 10, more with heavy tails.
    np.testing.assert_allclose(found.var(axis=0, ddof=1), variance, rtol=0.45)


@pytest.mark.parametrize(
    "noise", [{"covariance": "smooth"}, {"variant": "full"}], ids=["smooth", "full"]
)
def test_the_other_noise_is_unbiased_too(noise: dict[str, str]) -> None:
    n_seeds, text = 200, " ".join(WORDS)
    box = WithVocabulary(linear)
    more = {"n_samples": 41, "estimator": "leg"} | noise | LINEAR
    found = np.stack([run(box, text, seed, **more).weights for seed in range(n_seeds)])
    truth = gradient_x_input(linear, WORDS) if "variant" in noise else unit_slopes(WORDS)
    z = (found.mean(axis=0) - truth) / (found.std(axis=0, ddof=1) / np.sqrt(n_seeds))
    assert np.abs(z).max() < 3.5


def test_ridge_and_leg_have_the_same_limit() -> None:
    box, text = Letters(curved), "a bc d"
    one, other = (run(box, text, n_samples=60001, estimator=e) for e in ("leg", "ridge"))
    np.testing.assert_allclose(one.weights, other.weights, atol=0.03 * np.abs(one.weights).max())


def test_probabilities_come_from_the_same_inputs() -> None:
    """Weights of both responses on the same noise are linked by the slope of the softmax."""
    box, text = Letters(curved), " ".join(WORDS)
    more = {"n_samples": 31, "sigma": 1e-5}
    logit, probability = (
        run(box, text, response=r, **more).weights for r in ("logit", "probability")
    )
    p = box.predict_proba([text])[0][:, None]
    np.testing.assert_allclose(probability, p * (logit - (p * logit).sum(axis=0)), rtol=1e-4)
    np.testing.assert_allclose(probability.sum(axis=0), 0, atol=1e-9)


# sigma to 0 -----------------------------------------------------------------------------------


def test_small_noise_gives_gradient_times_input() -> None:
    box, text = Letters(curved), " ".join(WORDS)
    more = {"n_samples": 8001, "estimator": "ridge", "response": "logit", "rescale": True}
    truth = gradient_x_input(curved, WORDS)
    found = {sigma: run(box, text, sigma=sigma, **more).weights for sigma in (1e-4, 0.02, 0.04)}
    np.testing.assert_allclose(found[1e-4], truth, rtol=1e-3, atol=1e-3 * np.abs(truth).max())
    # Mirrored noise leaves a third-order error: twice the noise, four times the error.
    errors = [found[sigma] - found[1e-4] for sigma in (0.02, 0.04)]
    np.testing.assert_allclose(errors[1], 4 * errors[0], rtol=0.05)


def test_full_noise_gives_gradient_times_input() -> None:
    more = {"n_samples": 40001, "sigma": 1e-3, "variant": "full", "estimator": "leg"} | LINEAR
    found = run(WithVocabulary(curved), "a bc", **more).weights
    truth = gradient_x_input(curved, ["a", "bc"])
    np.testing.assert_allclose(found, truth, atol=0.05 * np.abs(truth).max())


@pytest.fixture(scope="module")
def tiny() -> HuggingFaceClassifier:
    words = "good bad rain dark it was a surprise don't"
    model, tokenizer = tiny_bert([words], ["x", "y", "z"], hidden=16, layers=1, heads=2, seed=1)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 2:
                parameter *= 10.0
    return HuggingFaceClassifier(model, tokenizer, "tiny", device="cpu", precision="float32")


@pytest.mark.parametrize("group", ["position", "type"])
def test_small_noise_gives_input_x_gradient_of_a_transformer(
    tiny: HuggingFaceClassifier, group: str
) -> None:
    pytest.importorskip("captum")
    text = "don't bad, it was don't rain"  # words of several pieces, a separator, one word twice
    truth = run(tiny, text, method="input_x_gradient", group=group).weights
    more = {"estimator": "ridge", "response": "logit", "rescale": True, "group": group}
    found = run(tiny, text, sigma=0.005, n_samples=2001, **more).weights
    np.testing.assert_allclose(found, truth, atol=0.01 * np.abs(truth).max())


# Pairs ----------------------------------------------------------------------------------------


def test_pairs_cancel_even_terms() -> None:
    box = Letters(linear)
    text = "a b c"
    own = box.embed([box.instance(text)]).embeddings
    box.net = lambda e: ((e - own) ** 2).sum(dim=1)[:, :N_CLASSES]
    more = {"n_samples": 21, "sigma": 0.3, "response": "logit"}
    for estimator in ("leg", "ridge"):
        found = run(box, text, estimator=estimator, **more)
        np.testing.assert_allclose(found.weights, 0, atol=1e-14)
        assert found.diagnostics["r2_held_out"] < 0.01
    assert np.abs(run(box, text, antithetic=False, **more).weights).max() > 0.01


def test_equal_answers_to_a_pair_cancel_to_the_last_bit() -> None:
    rng = np.random.default_rng(0)
    even = rng.normal(size=(9, 1, 4)).repeat(2, axis=1)
    noise = rng.normal(size=(9, 5))
    covariance = noise_covariance(5, "smooth")
    assert not leg(noise, odd_part(even), covariance).any()
    assert not ridge(noise, odd_part(even), covariance).any()
    assert odd_part(np.array([[[3.0], [1.0]]])).tolist() == [[1.0]]
    assert odd_part(np.array([[[3.0]]])).tolist() == [[3.0]]


def test_each_draw_is_used_with_both_signs() -> None:
    box = Letters(linear)
    run(box, "a bc", n_samples=7)
    (seen,) = box.seen
    moved = seen[1:] - seen[0]
    assert moved.shape == (6, 4, DIM)
    torch.testing.assert_close(moved[::2], -moved[1::2])
    assert not moved[:, 0].any()  # the start token is no word
    # One number for a word: all its pieces grow by the same factor.
    factors = moved[:, 1:] / seen[0, 1:]
    torch.testing.assert_close(factors[:, 1:], factors[:, 1:2, :1].expand(-1, 2, DIM))


def test_the_step_is_relative_to_the_mean_norm() -> None:
    box = Letters(linear)
    run(box, "a d", n_samples=20001, sigma=0.2)
    (first, *others) = [seen - box.seen[0][0] for seen in box.seen]
    moved = torch.cat([first[1:], *others])
    sizes = moved.norm(dim=2).square().mean(dim=0).sqrt()
    step = 0.2 * TABLE[[0, 3]].norm(dim=1).mean()
    np.testing.assert_allclose(sizes[1:], step, rtol=0.03)


# Sparse ---------------------------------------------------------------------------------------


def test_soft_threshold_by_hand() -> None:
    moment = np.array([[4.0, 1.0], [-2.0, 0.0], [0.3, -0.05]])
    expected = [[3.6, 0.9], [-1.6, 0.0], [0.0, 0.0]]
    np.testing.assert_allclose(soft_threshold(moment, 0.1), expected)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    st.lists(st.floats(-1, 1, allow_subnormal=False), min_size=1, max_size=12),
    st.sampled_from([0.0, 0.1, 0.3, 0.7]),
    st.sampled_from([1.0, 1e-9]),
)
def test_the_programme_is_soft_thresholding_for_white_noise(
    values: list[float], share: float, size: float
) -> None:
    moment = size * np.array(values)
    found = sparse(moment, np.eye(len(moment)), share)
    np.testing.assert_allclose(found, soft_threshold(moment, share), atol=1e-8 * size, rtol=0)


def smallest_by_enumeration(moment: np.ndarray, covariance: np.ndarray, share: float) -> float:
    """Smallest |g|_1 over all corners: where n of the planes that bound pieces meet."""
    n, limit = len(moment), share * np.abs(moment).max()
    planes = [(row, 0.0) for row in np.eye(n)]
    planes += [
        (row, c + s * limit) for row, c in zip(covariance, moment, strict=True) for s in (1, -1)
    ]
    best = np.inf
    for chosen in itertools.combinations(planes, n):
        rows = np.array([row for row, _ in chosen])
        if abs(np.linalg.det(rows)) < 1e-12:
            continue
        g = np.linalg.solve(rows, [value for _, value in chosen])
        if np.abs(moment - covariance @ g).max() <= limit + 1e-9:
            best = min(best, float(np.abs(g).sum()))
    return best


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("n", [1, 3, 4])
def test_the_programme_finds_the_smallest_model(n: int, seed: int) -> None:
    covariance = noise_covariance(n, "smooth")
    moment = np.random.default_rng(seed).normal(size=n)
    found = sparse(moment, covariance, 0.3)
    limit = 0.3 * np.abs(moment).max()
    assert np.abs(moment - covariance @ found).max() <= limit + 1e-9
    smallest = smallest_by_enumeration(moment, covariance, 0.3)
    assert np.abs(found).sum() == pytest.approx(smallest, abs=1e-9)


def test_nothing_to_explain_and_nothing_left_out() -> None:
    covariance = noise_covariance(3, "smooth")
    assert sparse(np.zeros(3), covariance, 0.1).tolist() == [0, 0, 0]
    moment = np.array([1.0, -2.0, 0.5])
    full = sparse(moment, covariance, 0.0)
    np.testing.assert_allclose(full, np.linalg.solve(covariance, moment), atol=1e-8)


@pytest.mark.parametrize("estimator", ["leg", "ridge"])
@pytest.mark.parametrize("covariance", ["isotropic", "smooth"])
def test_the_sparse_method_thresholds_the_estimate_of_the_other(
    covariance: str, estimator: str
) -> None:
    more = {"n_samples": 81, "covariance": covariance, "estimator": estimator}
    box, text = Letters(curved), " ".join(WORDS)
    full = run(box, text, **more).weights
    found = run(box, text, method="mase_sparse", penalty=0.3, **more).weights
    matrix = noise_covariance(4, covariance)
    for one, other in zip(full, found, strict=True):
        limit = 0.3 * np.abs(matrix @ one).max()
        assert np.abs(matrix @ (one - other)).max() <= limit * (1 + 1e-6)
        smallest = smallest_by_enumeration(matrix @ one, matrix, 0.3)
        assert np.abs(other).sum() == pytest.approx(smallest, rel=1e-6)
    none = run(box, text, method="mase_sparse", penalty=0.0, **more).weights
    np.testing.assert_allclose(none, full, atol=1e-6 * np.abs(full).max())


def test_the_sparse_method_leaves_words_out() -> None:
    more = {"n_samples": 2001, "estimator": "ridge", "response": "logit"}
    box, text = Letters(linear), " ".join(WORDS)
    full = run(box, text, **more).weights
    found = run(box, text, method="mase_sparse", penalty=0.3, **more).weights
    small = np.abs(full) <= 0.3 * np.abs(full).max(axis=1, keepdims=True)
    assert small.any()
    assert ((found == 0) == small).all()


# Noise ----------------------------------------------------------------------------------------


def test_covariances_by_hand() -> None:
    assert noise_covariance(2).tolist() == [[1, 0], [0, 1]]
    expected = np.array([[1, -1, 0], [-1, 2, -1], [0, -1, 1]]) + 1 / 3
    np.testing.assert_allclose(noise_covariance(3, "smooth"), expected)
    assert noise_covariance(1, "smooth").tolist() == [[1.0]]


def test_smooth_noise_has_the_covariance_that_the_estimate_is_told() -> None:
    box = Letters(linear)
    one = box.instance("a b c")
    noise = Mase(n_samples=40001, covariance="smooth")._noise(one, box.embed([one]), box, 0)
    found = noise.regressors.T @ noise.regressors / len(noise.regressors)
    assert len(noise.regressors) == 20000
    np.testing.assert_allclose(found, noise_covariance(3, "smooth"), atol=0.06)


def test_full_noise_has_the_spread_of_the_vocabulary() -> None:
    box = WithVocabulary(linear)
    run(box, "a bc", n_samples=8001, sigma=0.5, variant="full", estimator="leg")
    seen = torch.cat(box.seen)
    moved = seen[1:] - seen[0]
    assert not moved[:, 0].any()
    spread = 0.5 * TABLE.numpy().std(axis=0)
    np.testing.assert_allclose(moved[:, 1:].std(dim=0), np.tile(spread, (3, 1)), rtol=0.06)


def test_full_noise_by_hand() -> None:
    box = WithVocabulary(linear)
    settings = {"n_samples": 7, "sigma": 0.5, "variant": "full", "estimator": "leg"} | LINEAR
    found = run(box, "a bc", **settings).weights
    (seen,) = box.seen
    own, moved = seen[0], seen[1::2] - seen[0]
    variance = (0.5 * TABLE.std(dim=0, correction=0)) ** 2
    along = (own * moved / variance).sum(dim=2)
    regressors = torch.stack([along[:, 1], along[:, 2] + along[:, 3]], dim=1)
    changes = linear(seen[1::2]) - linear(seen[:1])
    np.testing.assert_allclose(found, (changes.T @ regressors) / 3, rtol=1e-5)


def test_draws_do_not_depend_on_budget_or_size() -> None:
    for more in ({}, {"variant": "full", "estimator": "leg"}):
        seen = []
        for n_samples, sigma in ((21, 0.1), (101, 0.1), (21, 0.2)):
            box = WithVocabulary(linear)
            run(box, "a bc", n_samples=n_samples, sigma=sigma, **more)
            seen.append(torch.cat(box.seen)[:21])
        torch.testing.assert_close(seen[1], seen[0], rtol=0, atol=0)
        torch.testing.assert_close(seen[2] - seen[2][0], 2 * (seen[0] - seen[0][0]))


def test_both_methods_see_the_same_noise_and_other_seeds_other_noise() -> None:
    box = Letters(linear)
    for method, seed in (("mase", 0), ("mase_sparse", 0), ("mase", 1)):
        run(box, "a bc", seed, method, n_samples=5)
    assert torch.equal(box.seen[0], box.seen[1])
    assert not torch.equal(box.seen[0], box.seen[2])


def test_layout_of_words_pieces_and_types() -> None:
    box = Letters(linear)
    size = TABLE.norm(dim=1).numpy()
    one = box.instance("bc a 7 z a")  # 7 has no token, that of z is zero
    found = layout(one, box.embed([one]))
    assert found.seen.tolist() == [0, 1, 4]
    assert found.place.tolist() == [3, 0, 0, 1, 3, 2]
    pair = np.sqrt((size[1] ** 2 + size[2] ** 2) / 2)
    np.testing.assert_allclose(found.norms, [pair, size[0], size[0]])
    assert found.scale == pytest.approx((pair + 2 * size[0]) / 3)
    types = layout(grouped := box.instance("bc a 7 z a", "type"), box.embed([grouped]))
    assert types.seen.tolist() == [0, 1]
    assert types.place.tolist() == [2, 0, 0, 1, 2, 1]


def test_a_word_that_is_not_seen_weighs_nothing() -> None:
    box = Letters(curved)
    for method in ("mase", "mase_sparse"):
        found = run(box, "a 7 z b", method=method, n_samples=9)
        assert found.weights[:, [1, 2]].tolist() == [[0, 0], [0, 0]]
        assert found.weights[:, [0, 3]].any(axis=1).all()
        assert found.model_calls == 9
    nothing = run(box, "7 z", n_samples=9)
    assert nothing.weights.tolist() == [[0, 0], [0, 0]]
    assert nothing.model_calls == 1
    assert np.isnan(nothing.diagnostics["r2_held_out"])
    np.testing.assert_allclose(nothing.probabilities, box.predict_proba(["7 z"])[0])


# Budget and batches ---------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["mase", "mase_sparse"])
@pytest.mark.parametrize("variant", ["word", "full"])
def test_calls_for_each_budget(method: str, variant: str) -> None:
    for antithetic, expected in ((True, [2, 3, 3, 5, 5, 7]), (False, [2, 3, 4, 5, 6, 7])):
        for n_samples, calls in zip(range(2, 8), expected, strict=True):
            box = WithVocabulary(curved)
            more = {"n_samples": n_samples, "antithetic": antithetic, "variant": variant}
            found = run(box, "a bc d", method=method, estimator="leg", **more)
            assert found.model_calls == calls == sum(map(len, box.seen)) == box.calls
            assert np.isfinite(found.weights).all()


def test_batches_on_a_cpu_hold_one_text_without_padding() -> None:
    box = Letters(curved)
    Mase(n_samples=1500).explain(["a bc", "d", "a bc d e"], box)
    shapes = [tuple(seen.shape[:2]) for seen in box.seen]
    # 4096 tokens a batch: 1024 inputs of 4 tokens, all of 2, 682 of 6.
    assert shapes == [(1024, 4), (475, 4), (1499, 2), (682, 6), (682, 6), (135, 6)]


def test_batches_elsewhere_have_one_shape() -> None:
    texts = ["a bc", "d", "a bc d e", "a " * 40]
    box = Letters(curved, device="cuda")
    found = Mase(n_samples=601).explain(texts, box)
    shapes = [tuple(seen.shape[:2]) for seen in box.seen]
    # 32768 tokens a batch: 1803 inputs of up to 32 tokens, then 601 of up to 64.
    assert shapes == [(1024, 32), (1024, 32), (512, 64), (512, 64)]
    assert box.calls == 4 * 601
    for one, other in zip(found, Mase(n_samples=601).explain(texts, Letters(curved)), strict=True):
        np.testing.assert_allclose(one.weights, other.weights, atol=1e-12)
        assert one.model_calls == other.model_calls == 601


def test_perturbed_logits_are_those_of_each_input_alone(tiny: HuggingFaceClassifier) -> None:
    instances = [tiny.instance(text) for text in ("good bad", "it was a dark surprise")]
    embedded = embed_each(tiny, instances)

    def grown(embeddings: torch.Tensor, rows: np.ndarray) -> torch.Tensor:
        return embeddings * (1 + torch.from_numpy(rows)[:, None, None].float())

    found = perturbed_logits(tiny, embedded, [grown, grown], [3, 2])
    for one, logits, count in zip(embedded, found, (3, 2), strict=True):
        alone = [
            tiny.logits_from_embeddings(one.embeddings * (1 + k), one.attention)
            for k in range(count)
        ]
        np.testing.assert_allclose(logits, torch.cat(alone), atol=1e-5)


def test_predictions_in_bfloat16_stay_in_bfloat16(tiny: HuggingFaceClassifier) -> None:
    rounded = HuggingFaceClassifier(tiny.model, tiny.tokenizer, "rounded", None, "cpu", "bfloat16")
    text = "it was a dark surprise"
    kinds = []
    rounded._runner.register_forward_pre_hook(
        lambda _, __, arguments: kinds.append(arguments["inputs_embeds"].dtype), with_kwargs=True
    )
    more = {"n_samples": 401, "sigma": 0.5, "precision": "prediction"}
    found, exact = (run(box, text, **more) for box in (rounded, tiny))
    assert set(kinds) == {torch.bfloat16}
    np.testing.assert_allclose(found.weights, exact.weights, atol=0.1 * np.abs(exact.weights).max())
    assert not np.array_equal(found.weights, exact.weights)


def test_small_noise_can_be_told_from_rounding(tiny: HuggingFaceClassifier) -> None:
    rounded = HuggingFaceClassifier(tiny.model, tiny.tokenizer, "rounded", None, "cpu", "bfloat16")
    text, more = "it was a dark surprise", {"n_samples": 101, "sigma": 0.01}
    exact = run(tiny, text, **more)
    found = run(rounded, text, **more)
    np.testing.assert_allclose(found.weights, exact.weights, rtol=1e-4, atol=1e-6)
    worse = run(rounded, text, precision="prediction", **more)
    assert worse.diagnostics["r2_held_out"] < 0.5
    assert found.diagnostics["r2_held_out"] > 0.9


@pytest.mark.parametrize(
    "more", [{}, {"covariance": "smooth"}, {"antithetic": False}, {"variant": "full"}]
)
def test_answers_that_are_there_are_used(more: dict[str, Any]) -> None:
    settings = {"estimator": "leg", "sigma": 0.3} | more
    box, texts = WithVocabulary(curved), ["a bc d", "e"]
    instances = [box.instance(text) for text in texts]
    answers = Mase(n_samples=61, **settings).ask(instances, box, 5)
    calls = box.calls
    for n_samples in (21, 61):
        mase = Mase(n_samples=n_samples, **settings)
        found = mase.explain_answers(instances, answers, box, 5)
        assert box.calls == calls
        assert found == mase.explain(texts, Letters(curved) if not more else box, 5)
        calls = box.calls
    with pytest.raises(ValueError, match="61 answers for the text 'a bc d', fewer than the 71"):
        Mase(n_samples=71, **settings).explain_answers(instances, answers, box, 5)


def test_noise_behind_the_embedding_layer_by_hand(tiny: HuggingFaceClassifier) -> None:
    """The blocks are run by themselves on the sum of the three tables, normalised."""
    text = "it was a dark surprise"
    instance, network = tiny.instance(text), tiny.model.bert
    mase = Mase(n_samples=5, sigma=0.7, layer="output")
    calls = tiny.calls
    (answers,) = mase.ask([instance], tiny, 3)
    assert tiny.calls == calls + 5
    ids = torch.tensor([tiny.tokenizer(text)["input_ids"]])
    table = network.embeddings
    total = table.word_embeddings(ids) + table.token_type_embeddings(torch.zeros_like(ids))
    total = total + table.position_embeddings(torch.arange(ids.shape[1]))
    spread = total.var(dim=-1, correction=0, keepdim=True) + table.LayerNorm.eps
    states = (total - total.mean(dim=-1, keepdim=True)) / spread.sqrt()
    states = (states * table.LayerNorm.weight + table.LayerNorm.bias).detach()
    norms = states[0, 1:-1].norm(dim=1)
    rng = generator(3, "mase", text, "word", "isotropic", "position")
    white = torch.from_numpy(rng.standard_normal((2, 5))).float()
    for row, draw in enumerate([None, white[0], -white[0], white[1], -white[1]]):
        factor = torch.ones(ids.shape[1])
        if draw is not None:
            factor[1:-1] += 0.7 * norms.mean() * draw / norms
        with torch.no_grad():
            hidden = network.encoder(states * factor[:, None]).last_hidden_state
            logits = tiny.model.classifier(network.pooler(hidden))
        np.testing.assert_allclose(answers[row], logits[0].numpy(), rtol=1e-4, atol=1e-5)


def test_small_noise_behind_the_embedding_layer_gives_its_gradient(
    tiny: HuggingFaceClassifier,
) -> None:
    text = "it was a dark surprise"
    settings = {"sigma": 1e-3, "response": "logit", "rescale": True, "layer": "output"}
    found = run(tiny, text, n_samples=2001, **settings)
    states: list[torch.Tensor] = []

    def keep(_: torch.nn.Module, __: object, output: torch.Tensor) -> torch.Tensor:
        states.append(output.detach().requires_grad_())
        return states[0]

    hook = tiny.model.bert.embeddings.register_forward_hook(keep)
    logits = tiny.model(torch.tensor([tiny.tokenizer(text)["input_ids"]])).logits
    hook.remove()
    for label in range(3):
        states[0].grad = None
        logits[0, label].backward(retain_graph=True)
        assert states[0].grad is not None
        true = (states[0].grad * states[0]).sum(dim=-1)[0, 1:-1].detach().numpy()
        np.testing.assert_allclose(found.weights[label], true, rtol=0.01, atol=1e-3)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_the_text_itself_has_its_prediction(tiny: HuggingFaceClassifier, precision: str) -> None:
    box = HuggingFaceClassifier(tiny.model, tiny.tokenizer, "box", None, "cpu", precision)
    text = "it was a dark, dark surprise"
    found = run(box, text, n_samples=11, precision="prediction")
    np.testing.assert_allclose(found.probabilities, box.predict_proba([text])[0], atol=1e-6)


# Fit ------------------------------------------------------------------------------------------


def test_held_out_r2_by_hand() -> None:
    def through_zero(noise: np.ndarray, answers: np.ndarray) -> np.ndarray:
        return np.linalg.lstsq(noise, answers, rcond=None)[0]

    noise = np.array([[1.0], [2.0]])
    answers = np.array([[[1.0]], [[4.0]]])
    # Slope 2 predicts 2 for 1, slope 1 predicts 2 for 4; deviations from 2.5.
    assert held_out_r2(noise, answers, through_zero) == pytest.approx(1 - (1 + 4) / 4.5)
    pairs = np.array([[[1.0], [-1.0]], [[4.0], [0.0]]])
    # Odd parts 1 and 2, so both slopes are 1: errors 0, 0, 4 - 2, 0 + 2; the mean is 1.
    assert held_out_r2(noise, pairs, through_zero) == pytest.approx(1 - 8 / 14)
    assert np.isnan(held_out_r2(noise[:1], answers[:1], through_zero))
    assert np.isnan(held_out_r2(noise, np.ones((2, 1, 1)), through_zero))


def test_held_out_r2_of_leg_is_its_sampling_error() -> None:
    """Fitted to n draws of a linear answer, leg errs by G + 1 of n shares of the variance."""
    rng = np.random.default_rng(0)
    found = []
    for _ in range(200):
        noise = rng.normal(size=(100, 9))
        answers = (noise @ np.ones((9, 1)))[:, None]
        found.append(held_out_r2(noise, answers, lambda u, y: leg(u, y, np.eye(9))))
    assert np.mean(found) == pytest.approx(1 - 10 / 80, abs=0.02)


# Texts whose reason is known ------------------------------------------------------------------


@pytest.mark.slow
def test_planted_words_come_first(planted_classifier: HuggingFaceClassifier) -> None:
    from xai_lib.data import load_dataset

    test = load_dataset("planted", "test")
    right = planted_classifier.predict_proba(test.texts).argmax(axis=1) == test.labels
    texts = test.take(np.flatnonzero(right)[:40])
    found = Mase(n_samples=1000).explain(texts.texts, planted_classifier)
    hits = [
        int(one.ranking()[0]) in planted
        for one, planted in zip(found, texts.extra["planted"], strict=True)
    ]
    assert np.mean(hits) >= 0.95
    assert {one.model_calls for one in found} == {999}


# Errors ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"sigma": 0.0}, "sigma must be a positive number, got 0.0"),
        ({"sigma": float("nan")}, "sigma must be a positive number, got nan"),
        ({"covariance": "full"}, "covariance 'full'.*isotropic, smooth"),
        ({"estimator": "lasso"}, "estimator 'lasso'.*leg, ridge"),
        ({"response": "odds"}, "response 'odds'.*probability, logit"),
        ({"variant": "token"}, "variant 'token'.*word, full"),
        ({"variant": "full", "estimator": "ridge"}, "'full' needs.*'isotropic' and 'ridge'"),
        ({"variant": "full", "covariance": "smooth"}, "'full' needs.*'smooth' and 'ridge'"),
        ({"layer": "input"}, "layer 'input'.*words, output"),
        ({"sigma": 10**400}, "sigma is too large a number"),
        (
            {"variant": "full", "estimator": "leg", "layer": "output"},
            "variant 'full' needs layer 'words', got 'output'",
        ),
        ({"n_samples": 1}, "n_samples must be at least 2 model calls, got 1"),
    ],
)
@pytest.mark.parametrize("method", ["mase", "mase_sparse"])
def test_wrong_settings(method: str, more: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_explainer(method, **more)


def test_no_layer_is_offered_to_what_only_answers() -> None:
    box = as_classifier(lambda texts: np.full((len(texts), 2), 0.5), ["x", "y"])
    with pytest.raises(ValueError, match="needs the embedding layer"):
        run(box, "a b", layer="output")


def test_a_network_without_an_embedding_layer_is_named() -> None:
    with pytest.raises(ValueError, match=r"'output' of the method 'mase'.*'letters' \(Letters\)"):
        run(Letters(curved), "a b", layer="output")


@pytest.mark.parametrize("penalty", [-0.1, 1.0, float("nan")])
def test_wrong_penalty(penalty: float) -> None:
    with pytest.raises(ValueError, match=f"penalty must be at least 0 and below 1, got {penalty}"):
        make_explainer("mase_sparse", penalty=penalty)


def test_what_the_black_box_lacks_is_named() -> None:
    assert isinstance(Letters(linear), EmbeddingAccess)
    with pytest.raises(ValueError, match=r"'mase' needs the embeddings.*'letters'.*'word'"):
        run(Letters(linear), "a", variant="full", estimator="leg")
    plain = as_classifier(lambda texts: np.full((len(texts), 2), 0.5), ["a", "b"], "plain")
    with pytest.raises(ValueError, match=r"'mase' needs the embedding layer.*'plain'.*lime"):
        run(plain, "")


def test_answers_to_noise_that_are_not_finite_are_an_error() -> None:
    box = Letters(lambda e: torch.log(4.0 - e.square().sum(dim=(1, 2)))[:, None] * SLOPE[:, 0])
    assert np.isfinite(box.predict_proba(["d"])).all()
    with pytest.raises(ValueError, match=r"'letters'.*not finite.*the text 'd'"):
        run(box, "d", sigma=5.0)
