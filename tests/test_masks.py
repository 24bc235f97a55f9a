"""Samplers, weights and neighbourhoods against formulas worked out here again."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xai_lib.masks import (
    SAMPLERS,
    Neighbourhood,
    all_masks,
    check_budget,
    check_sampler,
    cosine_to_full,
    distinct,
    lime_kernel,
    neighbourhoods,
    proximity,
    sample_masks,
)
from xai_lib.models import as_classifier


def draw(n_features: int, n_samples: int, sampler: str = "lime", seed: int = 0) -> np.ndarray:
    return sample_masks(n_features, n_samples, np.random.default_rng(seed), sampler)


# Samplers -------------------------------------------------------------------------------------


@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("n_features", [1, 2, 7, 40])
@pytest.mark.parametrize("n_samples", [1, 2, 3, 50, 51])
def test_shape_and_first_row(sampler, n_features, n_samples):
    masks = draw(n_features, n_samples, sampler)
    assert masks.shape == (n_samples, n_features)
    assert masks.dtype == bool
    assert masks[0].all()


@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("n_features", [1, 3, 12, 33])
def test_a_shorter_draw_is_the_beginning_of_a_longer_one(sampler, n_features):
    longest = draw(n_features, 333, sampler)
    for n_samples in (1, 2, 3, 10, 100, 101, 332):
        np.testing.assert_array_equal(draw(n_features, n_samples, sampler), longest[:n_samples])


def test_removed_sizes_are_uniform():
    """Chi-square of 10 sizes over 10 000 rows; 27.88 is its 0.999 quantile at 9 degrees."""
    removed = 10 - draw(10, 10_001)[1:].sum(axis=1)
    observed = np.bincount(removed, minlength=11)
    assert observed[0] == 0
    assert ((observed[1:] - 1000) ** 2 / 1000).sum() < 27.88


@pytest.mark.parametrize("sampler", ["lime", "stratified"])
def test_every_mask_has_its_probability(sampler):
    """Chi-square of the 15 masks of 4 features; 36.12 is its 0.999 quantile at 14 degrees."""
    n = 12_000
    masks = draw(4, n + 1, sampler)[1:]
    observed = np.bincount(masks @ (1 << np.arange(4)), minlength=16)
    statistic = 0.0
    for code in range(15):
        removed = 4 - bin(code).count("1")
        expected = n / (4 * math.comb(4, removed))
        statistic += (observed[code] - expected) ** 2 / expected
    assert observed[15] == 0
    assert statistic < 36.12


def test_paired_rows_are_complements():
    masks = draw(9, 1001, "paired")
    np.testing.assert_array_equal(masks[1::2], ~masks[2::2])
    # The first of each pair follows the plain distribution; 26.12: 0.999 quantile, 8 degrees.
    observed = np.bincount(9 - masks[1::2].sum(axis=1), minlength=10)
    assert observed[0] == 0
    assert ((observed[1:] - 500 / 9) ** 2 / (500 / 9)).sum() < 26.12


def test_stratified_rounds_hold_every_size_once():
    masks = draw(9, 1 + 9 * 20 + 4, "stratified")
    removed = 9 - masks[1:].sum(axis=1)
    for start in range(0, 9 * 20, 9):
        assert sorted(removed[start : start + 9]) == list(range(1, 10))
    assert len(set(removed[-4:])) == 4
    rounds = {tuple(removed[start : start + 9]) for start in range(0, 9 * 20, 9)}
    assert len(rounds) == 20, "rounds are shuffled each on its own"


def test_one_feature_can_only_be_removed():
    assert draw(1, 4).ravel().tolist() == [True, False, False, False]


def test_unknown_sampler_is_named():
    message = "Unknown sampler 'uniform'. Valid samplers are: lime, paired, stratified."
    with pytest.raises(ValueError, match=message):
        draw(3, 5, "uniform")
    with pytest.raises(ValueError, match=message):
        check_sampler("uniform")


# Enumeration ----------------------------------------------------------------------------------


@pytest.mark.parametrize("n_features", range(1, 9))
def test_expected_counts_by_the_formula(n_features):
    n_samples = 101
    masks, counts = all_masks(n_features, n_samples)
    assert masks[0].all()
    assert counts[0] == 1.0
    rows = {tuple(row) for row in masks.tolist()}
    assert rows == set(itertools.product([False, True], repeat=n_features))
    for row, count in zip(masks[1:].tolist(), counts[1:], strict=True):
        removed = row.count(False)
        expected = Fraction(n_samples - 1, n_features * math.comb(n_features, removed))
        assert count == pytest.approx(float(expected), rel=1e-12)
    assert counts.sum() == pytest.approx(n_samples, rel=1e-12)


@pytest.mark.parametrize("sampler", ["lime", "stratified"])
def test_expected_counts_are_what_sampling_tends_to(sampler):
    n = 60_000
    masks, counts = all_masks(3, n + 1)
    drawn = draw(3, n + 1, sampler)
    for mask, count in zip(masks[1:], counts[1:], strict=True):
        found = (drawn[1:] == mask).all(axis=1).sum()
        assert abs(found - count) < 4 * math.sqrt(count)


# Distinct rows --------------------------------------------------------------------------------


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 18), st.integers(0, 25), st.integers(0, 2**32 - 1))
def test_distinct_in_order_of_first_appearance(n_features, n_rows, seed):
    rng = np.random.default_rng(seed)
    masks = rng.random((n_rows, n_features)) < rng.choice([0.1, 0.5, 0.9])
    seen: list[tuple[bool, ...]] = []
    where = []
    for row in map(tuple, masks.tolist()):
        if row not in seen:
            seen.append(row)
        where.append(seen.index(row))
    rows, inverse = distinct(masks)
    assert [tuple(row) for row in rows.tolist()] == seen
    assert inverse.tolist() == where
    np.testing.assert_array_equal(rows[inverse], masks)


# Weights --------------------------------------------------------------------------------------


def keep(*shares: tuple[int, int]) -> np.ndarray:
    """Masks that keep k of d features each."""
    return np.array([[True] * k + [False] * (d - k) for k, d in shares])


def test_lime_kernel_of_the_sheet():
    masks = keep((4, 4), (3, 4), (2, 4), (1, 4), (0, 4))
    assert lime_kernel(masks) == pytest.approx([1.0, 0.87, 0.50, 0.135, 3.4e-4], rel=0.02)
    by_hand = [
        math.sqrt(math.exp(-((100 * (1 - math.sqrt(k / 4))) ** 2) / 25**2)) for k in (4, 3, 2, 1, 0)
    ]
    assert lime_kernel(masks) == pytest.approx(by_hand, rel=1e-12)
    # D = 50 and D = 100: exp(-2) and exp(-8).
    assert lime_kernel(masks)[3:] == pytest.approx([math.exp(-2), math.exp(-8)], rel=1e-12)


def test_image_kernel_is_the_same_curve():
    masks = keep((9, 9), (4, 9), (1, 9), (0, 9))
    assert lime_kernel(masks, width=0.25, scale=1) == pytest.approx(lime_kernel(masks), rel=1e-12)


def test_four_proximities_by_hand():
    masks = keep((16, 16), (9, 16), (4, 16), (0, 16))
    cosines = [1.0, 0.75, 0.5, 0.0]
    assert cosine_to_full(masks).tolist() == cosines
    assert proximity(masks, "cosine").tolist() == cosines
    assert proximity(masks, "one_minus_cosine").tolist() == [0.0, 0.25, 0.5, 1.0]
    assert proximity(masks, "one").tolist() == [1.0] * 4
    # D = 0, 25, 50, 100; sqrt(exp(-D^2 / 625)).
    by_hand = [1.0, math.exp(-0.5), math.exp(-2), math.exp(-8)]
    assert proximity(masks, "lime") == pytest.approx(by_hand, rel=1e-12)
    with pytest.raises(ValueError, match=r"Unknown proximity 'cos'\. Valid: lime, "):
        proximity(masks, "cos")


def test_cosine_is_that_of_the_vectors():
    masks = draw(11, 60)[1:]
    masks = masks[masks.any(axis=1)]
    by_hand = masks.sum(axis=1) / (np.linalg.norm(masks.astype(float), axis=1) * math.sqrt(11))
    np.testing.assert_allclose(cosine_to_full(masks), by_hand, rtol=1e-12)
    assert cosine_to_full(np.ones((2, 0), dtype=bool)).tolist() == [1.0, 1.0]


# Neighbourhoods -------------------------------------------------------------------------------


def by_size(n_features: int, n_samples: int) -> Neighbourhood:
    """One mask for each number of removed features, with the expected count of that number."""
    masks = keep(*((n_features - s, n_features) for s in range(n_features + 1)))
    counts = np.r_[1.0, np.full(n_features, (n_samples - 1) / n_features)]
    return Neighbourhood(masks, counts, np.ones((n_features + 1, 1)))


@pytest.mark.parametrize(
    "divisor, sizes, expected",
    # cos^2 of pi/16, pi/8, pi/4, pi/2 is 0.962, 0.854, 0.5, 0: of 40 features at most 1, 5, 20,
    # 40 may be removed. 20 lies on the border and counts.
    [(16, 1, 125.975), (8, 5, 625.875), (4, 20, 2500.5), (2, 40, 5000.0)],
)
def test_expected_number_within_the_angles_of_table_7(divisor, sizes, expected):
    near = by_size(40, 5000).within(math.pi / divisor)
    assert len(near.masks) == 1 + sizes
    assert near.counts.sum() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("divisor", [16, 8, 4, 2])
def test_table_7_lies_between_texts_of_30_and_45_words(divisor):
    published = {16: 138, 8: 659, 4: 2383, 2: 5000}[divisor]
    numbers = [by_size(d, 5000).within(math.pi / divisor).counts.sum() for d in range(30, 46)]
    # At pi/4 the border case of an even number of words is in or out by rounding: 60 either way.
    slack = 60 if divisor == 4 else 0
    assert min(numbers) - slack <= published <= max(numbers) + slack


def test_enumerated_and_drawn_neighbourhoods_agree_on_the_angles():
    """The closed form 1 + (n - 1) #{s: sqrt((d - s) / d) >= cos delta} / d."""
    d, n = 11, 4001
    masks, counts = all_masks(d, n)
    enumerated = Neighbourhood(masks, counts, np.ones((len(masks), 1)))
    rows, index = distinct(draw(d, n))
    drawn = Neighbourhood(rows, np.bincount(index).astype(float), np.ones((len(rows), 1)), index)
    for delta in (math.pi / 16, math.pi / 8, math.pi / 4, 1.4, math.pi / 2):
        sizes = sum(math.sqrt((d - s) / d) >= math.cos(delta) - 1e-15 for s in range(1, d + 1))
        closed = 1 + (n - 1) * sizes / d
        assert enumerated.within(delta).counts.sum() == pytest.approx(closed, rel=1e-12)
        share = sizes / d
        spread = math.sqrt((n - 1) * share * (1 - share))
        assert abs(drawn.within(delta).counts.sum() - closed) <= 4 * spread


def test_within_keeps_rows_with_their_answers():
    masks = keep((4, 4), (1, 4), (3, 4), (0, 4))
    near = Neighbourhood(masks, np.array([1.0, 5.0, 2.0, 7.0]), np.arange(8.0).reshape(4, 2))
    kept = near.within(math.pi / 4)
    np.testing.assert_array_equal(kept.masks, masks[[0, 2]])
    assert kept.counts.tolist() == [1.0, 2.0]
    assert kept.probabilities.tolist() == [[0.0, 1.0], [4.0, 5.0]]
    assert near.within(0.0).counts.tolist() == [1.0]
    assert near.within(math.pi / 2).counts.tolist() == [1.0, 5.0, 2.0, 7.0]


def length_box():
    """Probability of the second class: share of the letters of the longest text asked about."""

    def answer(texts):
        p = np.array([len(text.replace(" ", "")) / 100 for text in texts])
        return np.stack([1 - p, p], axis=1)

    return as_classifier(answer, ["short", "long"])


LONG = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen"


@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("group", ["position", "type"])
def test_head_equals_a_fresh_shorter_draw(sampler, group):
    box = length_box()
    one = box.instance(LONG, group)
    (longer,) = neighbourhoods([one], box, 500, 3, sampler)
    for n_samples in (2, 3, 50, 499, 500):
        (fresh,) = neighbourhoods([one], box, n_samples, 3, sampler)
        head = longer.head(n_samples)
        np.testing.assert_array_equal(head.masks, fresh.masks)
        np.testing.assert_array_equal(head.counts, fresh.counts)
        np.testing.assert_array_equal(head.probabilities, fresh.probabilities)
        np.testing.assert_array_equal(head.draws, fresh.draws)
        assert head.model_calls == fresh.model_calls == len(fresh.masks)


def test_head_of_an_enumeration():
    box = length_box()
    one = box.instance("one two three")
    (longer,) = neighbourhoods([one], box, 500)
    (fresh,) = neighbourhoods([one], box, 20)
    head = longer.head(20)
    np.testing.assert_array_equal(head.masks, fresh.masks)
    np.testing.assert_allclose(head.counts, fresh.counts, rtol=1e-12)
    np.testing.assert_array_equal(head.probabilities, fresh.probabilities)
    with pytest.raises(ValueError, match=r"All 8 masks were enumerated, which a budget of 7"):
        longer.head(7)


def test_head_of_too_few_draws_is_refused():
    box = length_box()
    (near,) = neighbourhoods([box.instance(LONG)], box, 20)
    with pytest.raises(ValueError, match=r"There are 20 draws, fewer than 21"):
        near.head(21)


def test_small_texts_are_enumerated_within_the_budget():
    box = length_box()
    one = box.instance("one two three")
    (all_eight,) = neighbourhoods([one], box, 8)
    assert all_eight.model_calls == box.calls == 8
    assert all_eight.draws is None
    assert all_eight.counts.sum() == pytest.approx(8)
    (drawn,) = neighbourhoods([one], box, 7)
    assert drawn.draws is not None
    assert drawn.counts.sum() == 7
    (never,) = neighbourhoods([one], box, 100, enumerate_up_to=0)
    assert never.counts.sum() == 100
    assert never.draws is not None
    assert len(never.draws) == 100
    np.testing.assert_array_equal(never.masks[never.draws], draws_of(one, 100))


def draws_of(one, n_samples: int) -> np.ndarray:
    from xai_lib.rng import generator

    rng = generator(0, "perturbations", one.text, "position", "lime")
    return sample_masks(one.n_features, n_samples, rng)


def test_answers_belong_to_their_masks():
    box = length_box()
    texts = [LONG, "one two", "single"]
    instances = [box.instance(text) for text in texts]
    for one, near in zip(instances, neighbourhoods(instances, box, 60, seed=5), strict=True):
        assert near.masks[0].all()
        assert len({row.tobytes() for row in near.masks}) == len(near.masks)
        for mask, answer in zip(near.masks, near.probabilities, strict=True):
            kept = sum(len(word) for word, on in zip(one.words, mask, strict=True) if on)
            assert answer.tolist() == [1 - kept / 100, kept / 100]
        (alone,) = neighbourhoods([one], box, 60, seed=5)
        np.testing.assert_array_equal(alone.masks, near.masks)


def test_the_draw_depends_on_seed_text_group_and_sampler_not_on_the_removal():
    box = length_box()

    def rows(text=LONG, group="position", **settings):
        (near,) = neighbourhoods([box.instance(text, group)], box, 40, **settings)
        return near.masks[near.draws]

    plain = rows()
    np.testing.assert_array_equal(plain, rows(removal="mask"))
    for other in (
        rows(seed=1),
        rows(text=LONG.replace("one", "won")),
        rows(group="type"),
        rows(sampler="paired"),
    ):
        assert not np.array_equal(plain, other)


def test_budget_below_two_is_refused():
    with pytest.raises(ValueError, match=r"n_samples must be at least 2 model calls, got 1"):
        check_budget(1)
    box = length_box()
    with pytest.raises(ValueError, match=r"n_samples must be at least 2"):
        neighbourhoods([box.instance("a")], box, 1)


# -- images ---------------------------------------------------------------------------------------


def test_bernoulli_keeps_each_feature_with_probability_one_half() -> None:
    masks = sample_masks(40, 4001, np.random.default_rng(5), "bernoulli")
    assert masks[0].all()
    # A mean of 4000 coins has a standard deviation of 0.0079, one of 160,000 of 0.00125.
    assert np.abs(masks[1:].mean(axis=0) - 0.5).max() < 0.035
    assert abs(masks[1:].mean() - 0.5) < 0.006
    longer = sample_masks(40, 5000, np.random.default_rng(5), "bernoulli")
    assert np.array_equal(longer[:4001], masks)


def test_all_masks_of_an_image_are_equally_likely() -> None:
    masks, counts = all_masks(3, 17, "bernoulli")
    assert len(masks) == 8
    # 16 draws over 8 masks, and the full one once on purpose.
    assert counts.tolist() == [3, 2, 2, 2, 2, 2, 2, 2]


def test_the_head_of_enumerated_image_masks_has_the_expected_counts() -> None:
    masks, counts = all_masks(3, 17, "bernoulli")
    near = Neighbourhood(masks, counts, np.full((8, 2), 0.5))
    assert np.allclose(near.head(9).counts, [2, 1, 1, 1, 1, 1, 1, 1])


def test_the_two_kernels_of_lime_are_one() -> None:
    masks = sample_masks(50, 200, np.random.default_rng(0), "bernoulli")
    # For images the lime package leaves out the factor of 100 and has a width of 0.25.
    assert np.allclose(lime_kernel(masks), lime_kernel(masks, width=0.25, scale=1.0))
