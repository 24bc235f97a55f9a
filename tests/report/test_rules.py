"""Every rule, on made-up results that bring about each verdict."""

from __future__ import annotations

import math

import pytest

from xai_lib import papers
from xai_lib.report import ResultError, rules
from xai_lib.report.cells import (
    NOT_REPRODUCED,
    NOT_TESTABLE,
    PARTLY,
    REPRODUCED,
    NotTestableError,
    difference_of,
    label_of,
    text_of,
    two_sided,
)
from xai_lib.report.rules_means import ratio_of


def mean(value, half=0.02, n=100, **columns):
    return {**columns, "mean": value, "low": value - half, "high": value + half, "n": n}


def difference(value, half=0.02, n=100, **columns):
    return {**columns, "difference": value, "low": value - half, "high": value + half, "n": n}


def make_claim(rule, **parameters):
    parameters = {"settings": ["emotion"]} | parameters
    return papers.Claim(
        paper="lipex", id="a-claim", statement="s", where="w", by="paper",
        reads=(parameters["item"],), criterion="c", rule=rule, parameters=parameters,
        modality="text",
    )  # fmt: skip


# --- paired_advantage ---------------------------------------------------------------------------

ROW = mean(0.5, setting="emotion", k=1, method="lipex")


def pair(value, k="1-5", second="lime", setting="emotion", **more):
    columns = {"setting": setting, "k": k, "first": "lipex", "second": second}
    return difference(value, **columns, **more)


def advantage(save, comparisons, **parameters):
    result = save("table-1", [ROW], comparisons)
    wanted = {"item": "table-1", "first": "lipex", "second": "lime", "k": "1-5"}
    return rules.decide({"table-1": result}, make_claim("paired_advantage", **wanted | parameters))


@pytest.mark.parametrize(
    ("value", "verdict"),
    [
        (0.03, REPRODUCED),
        (0.02, PARTLY),  # the interval starts at zero: an advantage has to be above it
        (0.01, PARTLY),
        (0.0, NOT_REPRODUCED),
        (-0.01, NOT_REPRODUCED),
        (-0.5, NOT_REPRODUCED),
    ],
)
def test_advantage_by_pooled_difference(save, value, verdict):
    outcome = advantage(save, [pair(value)])
    assert outcome.verdict == verdict
    assert outcome.effect == pytest.approx(value)
    assert (outcome.low, outcome.high) == pytest.approx((value - 0.02, value + 0.02))
    assert outcome.n == 100


def test_advantage_sentence(save):
    outcome = advantage(save, [pair(0.0312)])
    assert outcome.sentence == (
        "LIPEx minus LIME, Emotion, K = 1 to 5: +0.031 [+0.011, +0.051], n = 100."
    )


def test_a_sure_defeat_at_one_k_makes_it_partly(save):
    assert advantage(save, [pair(0.1), pair(-0.01, k=1)]).verdict == REPRODUCED
    outcome = advantage(save, [pair(0.1), pair(-0.03, k=1, p_holm=0.01), pair(0.2, 2, p_holm=0.2)])
    assert outcome.verdict == PARTLY
    assert outcome.sentence.endswith(
        "At single K, after Holm's correction: better in 0, worse in 1 of 2 comparisons."
    )


@pytest.mark.parametrize(
    ("value", "verdict"),
    [(-0.03, REPRODUCED), (-0.02, PARTLY), (-0.01, PARTLY), (0.0, NOT_REPRODUCED),
     (0.5, NOT_REPRODUCED)],
)  # fmt: skip
def test_advantage_where_the_smaller_number_wins(save, value, verdict):
    outcome = advantage(save, [pair(value)], better="lower")
    assert (outcome.verdict, outcome.effect) == (verdict, pytest.approx(value))


def test_a_sure_defeat_where_the_smaller_number_wins(save):
    def judge(*single):
        return advantage(save, [pair(-0.1), *single], better="lower")

    assert judge(pair(-0.3, k=1), pair(0.01, k=2)).verdict == REPRODUCED
    sure = {"p_holm": 0.01}
    outcome = judge(pair(0.03, k=1, **sure), pair(-0.2, k=2, **sure), pair(-0.3, k=3, **sure))
    assert outcome.verdict == PARTLY
    assert outcome.sentence.endswith("better in 2, worse in 1 of 3 comparisons.")


def test_advantage_over_several_needs_all(save):
    both = [pair(0.2, second="saliency"), pair(0.1, second="deeplift")]
    names = ["saliency", "deeplift"]
    outcome = advantage(save, both, second=names)
    assert outcome.verdict == REPRODUCED
    assert outcome.effect == pytest.approx(0.1), "the weaker of the two"
    assert outcome.sentence.startswith("Holds in 2 of 2 cases; weakest: LIPEx minus DeepLIFT")
    one = [both[0], pair(-0.1, second="deeplift")]
    outcome = advantage(save, one, second=names)
    assert (outcome.verdict, outcome.effect) == (PARTLY, pytest.approx(-0.1))
    none = [pair(-0.2, second="saliency"), one[1]]
    assert advantage(save, none, second=names).verdict == NOT_REPRODUCED


def test_methods_and_settings_left_out_are_named(save):
    outcome = advantage(
        save,
        [pair(0.2, second="saliency")],
        second=["saliency", "deeplift"],
        settings=["emotion", "newsgroups20"],
    )
    assert outcome.verdict == REPRODUCED
    assert outcome.sentence.endswith("Not run: 20 Newsgroups. Not run: DeepLIFT.")
    outcome = advantage(save, [pair(0.2, second="saliency")])
    assert outcome.verdict == NOT_TESTABLE
    assert outcome.sentence == "Table 1 has no comparison with LIME."


def test_advantage_over_cells(save):
    def at(n, value):
        return pair(value) | {"n_samples": n}

    def judge(comparisons, values="present"):
        return advantage(save, comparisons, cells={"n_samples": values})

    assert judge([at(200, 0.1), at(1000, 0.1)]).verdict == REPRODUCED
    outcome = judge([at(200, 0.1), at(1000, -0.1)])
    assert outcome.verdict == PARTLY
    assert "LIPEx minus LIME, Emotion, 1000 perturbations, K = 1 to 5: -0.100" in outcome.sentence
    assert judge([at(200, 0.1), at(1000, -0.1)], [200]).verdict == REPRODUCED
    outcome = judge([at(200, 0.1)], [300])
    assert outcome.sentence == "No comparison has a n_samples that the claim asks for."


def test_a_missing_pooled_comparison_is_an_error(save):
    with pytest.raises(ResultError, match=r"no entry of comparisons with setting = 'emotion'.*k"):
        advantage(save, [pair(0.1, k=1)])


def test_without_an_interval_nothing_is_sure(save):
    few = pair(0.3) | {"low": None, "high": None, "n": 3}
    assert advantage(save, [few]).verdict == PARTLY


# --- level --------------------------------------------------------------------------------------


def level(save, rows, **parameters):
    result = save("figure-5", rows)
    wanted = {"item": "figure-5", "where": {"series": "lipex"}, "label": "Jaccard index"}
    return rules.decide({"figure-5": result}, make_claim("level", **wanted | parameters))


def curve(*values, series="lipex", setting="emotion"):
    deltas = ("pi/16", "pi/8", "pi/4", "pi/2")
    return [
        mean(value, setting=setting, delta=delta, series=series)
        for delta, value in zip(deltas, values, strict=False)
    ]


@pytest.mark.parametrize(
    ("values", "at_least", "at_most"),
    [
        ((0.6, 0.9), REPRODUCED, NOT_REPRODUCED),
        ((0.52, 0.9), REPRODUCED, NOT_REPRODUCED),  # the border itself is enough
        ((0.51, 0.9), PARTLY, NOT_REPRODUCED),
        ((0.5, 0.9), PARTLY, PARTLY),
        ((0.49, 0.9), PARTLY, PARTLY),
        ((0.4, 0.9), PARTLY, PARTLY),
        ((0.1, 0.2), NOT_REPRODUCED, REPRODUCED),
    ],
)
def test_levels(save, values, at_least, at_most):
    rows = curve(*values)
    assert level(save, rows, cells=["delta"], at_least=0.5).verdict == at_least
    assert level(save, rows, cells=["delta"], at_most=0.5).verdict == at_most


def test_level_reads_the_chosen_rows_only(save):
    rows = curve(0.9, 0.9) + curve(0.1, 0.1, series="lime")
    assert level(save, rows, at_least=0.5).verdict == REPRODUCED
    where = {"series": "lime", "delta": "pi/16"}
    outcome = level(save, rows, where=where, at_most=0.5)
    assert outcome.verdict == REPRODUCED
    assert outcome.sentence == (
        "Jaccard index, Emotion, within π/16: 0.100 [0.080, 0.120], n = 100."
    )


def test_level_weakest_cell(save):
    outcome = level(save, curve(0.9, 0.6, 0.7), cells=["delta"], at_least=0.5)
    assert outcome.effect == 0.6
    assert "weakest: Jaccard index, Emotion, within π/8" in outcome.sentence


def test_level_of_named_cells(save):
    rows = curve(0.9, 0.1, 0.7)

    def judge(*deltas):
        return level(save, rows, cells={"delta": list(deltas)}, at_least=0.5)

    assert judge("pi/16", "pi/4").verdict == REPRODUCED, "the low one in between is not asked for"
    outcome = judge("pi/16", "pi/8")
    assert (outcome.verdict, outcome.effect) == (PARTLY, 0.1)
    assert outcome.sentence.startswith("Holds in 1 of 2 cases; weakest: Jaccard index, Emotion, ")
    with pytest.raises(ResultError, match=r"no entry of rows with .*delta = 'pi/2'"):
        judge("pi/16", "pi/2")
    rows = curve(0.9, 0.51, 0.7)
    assert judge("pi/16", "pi/8").sentence.startswith(
        "Holds in 1 of 2 cases, in 1 more by the estimate alone; weakest: Jaccard index, "
    )


def test_a_level_skips_cells_without_input(save):
    none = {"series": "lipex", "mean": None, "low": None, "high": None, "n": 0}
    rows = [*curve(0.9), none | {"setting": "emotion", "delta": "pi/8"}]
    for cells in (["delta"], {"delta": ["pi/16", "pi/8"]}):
        outcome = level(save, rows, cells=cells, at_least=0.5)
        assert (outcome.verdict, outcome.effect) == (REPRODUCED, 0.9)
        assert outcome.sentence.startswith("Jaccard index, Emotion, within π/16: 0.900")
        # Without it the cell that is left decides, for and against.
        assert level(save, rows, cells=cells, at_most=0.5).verdict == NOT_REPRODUCED
    # Two settings, of which one has no input; and none that has.
    other = none | {"setting": "newsgroups20", "delta": "pi/16"}
    settings = ["emotion", "newsgroups20"]
    wanted = {"cells": {"delta": ["pi/16"]}, "at_least": 0.5, "settings": settings}
    assert level(save, [*rows, other], **wanted).verdict == REPRODUCED
    nothing = level(save, [rows[1], other], **wanted | {"cells": {"delta": ["pi/8", "pi/16"]}})
    assert (nothing.verdict, nothing.effect) == (NOT_TESTABLE, None)
    assert nothing.sentence == "No input of this run can be measured on it."
    # A cell that is not there at all is still a slip.
    with pytest.raises(ResultError, match=r"no entry of rows with .*delta = 'pi/4'"):
        level(save, rows, cells={"delta": ["pi/16", "pi/4"]}, at_least=0.5)


def test_row_without_interval_columns_is_an_error(save):
    rows = [*curve(0.9), {"setting": "emotion", "series": "lipex", "delta": "pi/8", "mean": None}]
    with pytest.raises(ResultError, match="an entry of rows lacks low, high, n"):
        level(save, rows, at_least=0.5)


# --- near ---------------------------------------------------------------------------------------


def close(save, *values, half=0.02, **parameters):
    settings = ["emotion", "newsgroups20"][: len(values)]
    rows = [mean(v, half, setting=s, method="lipex") for v, s in zip(values, settings, strict=True)]
    wanted = {"item": "figure-3", "where": {"method": "lipex"}, "value": 0.6, "tolerance": 0.1}
    wanted |= {"label": "cosine", "settings": ["emotion", "newsgroups20"]}
    claim = make_claim("near", **wanted | parameters)
    return rules.decide({"figure-3": save("figure-3", rows)}, claim)


@pytest.mark.parametrize(
    ("value", "verdict"),
    [
        (0.60, REPRODUCED),
        (0.53, REPRODUCED),  # [0.51, 0.55] lies within 0.5 to 0.7
        (0.67, REPRODUCED),
        (0.51, PARTLY),  # [0.49, 0.53] sticks out below
        (0.69, PARTLY),
        (0.49, NOT_REPRODUCED),
        (0.71, NOT_REPRODUCED),  # closer agreement than printed is another number too
        (0.95, NOT_REPRODUCED),
    ],
)
def test_near(save, value, verdict):
    outcome = close(save, value)
    assert outcome.verdict == verdict
    assert (outcome.effect, outcome.n) == (value, 100)
    assert (outcome.low, outcome.high) == pytest.approx((value - 0.02, value + 0.02))


def test_near_over_settings(save):
    outcome = close(save, 0.6, 0.66)
    assert outcome.verdict == REPRODUCED
    assert outcome.sentence == (
        "Holds in 2 of 2 cases; weakest: cosine, 20 Newsgroups: 0.660 [0.640, 0.680], n = 100."
    )
    assert close(save, 0.6, 0.9).verdict == PARTLY
    assert close(save, 0.1, 0.9).verdict == NOT_REPRODUCED
    assert close(save, 0.6).sentence == (
        "Cosine, Emotion: 0.600 [0.580, 0.620], n = 100. Not run: 20 Newsgroups."
    )


def test_near_without_an_interval_or_without_input(save):
    few = mean(0.6, setting="emotion", method="lipex", n=3) | {"low": None, "high": None}
    none = {"setting": "newsgroups20", "method": "lipex", "mean": None, "n": 0}
    none |= {"low": None, "high": None}
    wanted = {"item": "figure-3", "value": 0.6, "tolerance": 0.1, "label": "cosine"}
    claim = make_claim("near", settings=["emotion", "newsgroups20"], **wanted)
    outcome = rules.decide({"figure-3": save("figure-3", [few, none])}, claim)
    assert (outcome.verdict, outcome.sentence) == (PARTLY, "Cosine, Emotion: 0.600, n = 3.")
    outcome = rules.decide({"figure-3": save("figure-3", [none])}, claim)
    assert (outcome.verdict, outcome.effect) == (NOT_TESTABLE, None)
    assert outcome.sentence == "No input of this run can be measured on it."
    where = {"method": "lime"}
    with pytest.raises(ResultError, match=r"no entry of rows with .*method = 'lime'"):
        close(save, 0.6, where=where)
    assert rules.decide({}, claim).sentence == "No result for Figure 3 in this run."


# --- ratio --------------------------------------------------------------------------------------


def test_ratio_of_uneven_intervals():
    over = {"mean": 8.0, "low": 4.0, "high": 16.0, "n": 10}
    under = {"mean": 2.0, "low": 1.0, "high": 8.0, "n": 20}
    # In powers of two: 3 [2, 4] minus 1 [0, 3] is 2, down by |(1, 2)|, up by |(1, 1)|.
    found = ratio_of(over, under)
    assert found["mean"] == 4.0
    assert found["low"] == pytest.approx(2 ** (2 - math.sqrt(5)))
    assert found["high"] == pytest.approx(2 ** (2 + math.sqrt(2)))
    assert found["n"] == 10
    same = ratio_of(over, {"mean": 2.0, "low": 2.0, "high": 2.0, "n": 1})
    assert (same["low"], same["high"]) == pytest.approx((2.0, 8.0))


def test_ratio_without_an_interval():
    whole = {"mean": 8.0, "low": 4.0, "high": 16.0, "n": 10}
    for part in ({"low": None, "high": None}, {"low": 0.0}, {"low": -1.0}):
        for pair_of in ((whole, whole | part), (whole | part, whole)):
            found = ratio_of(*pair_of)
            assert found == {"mean": 1.0, "low": None, "high": None, "n": 10}
    with pytest.raises(NotTestableError, match="no ratio"):
        ratio_of(whole, whole | {"mean": 0.0})


def divide(save, top, bottom, half=0.1, **parameters):
    rows = [
        mean(value, half, setting="emotion", layer=layer, series=series)
        for series, values in (("important", top), ("other", bottom))
        for layer, value in enumerate(values)
    ]
    one = {"over": {"series": "important"}, "under": {"series": "other"}, "label": "near over far"}
    wanted = {"item": "figure-3", "where": {"layer": 1}, "ratios": [one]}
    claim = make_claim("ratio", **wanted | parameters)
    return rules.decide({"figure-3": save("figure-3", rows)}, claim)


@pytest.mark.parametrize(
    ("top", "at_least", "at_most"),
    [
        # Both means are known to 1 %, their ratio to 1.4 %.
        (30.0, REPRODUCED, NOT_REPRODUCED),
        (20.5, REPRODUCED, NOT_REPRODUCED),
        (20.1, PARTLY, NOT_REPRODUCED),
        (20.0, PARTLY, PARTLY),
        (19.9, NOT_REPRODUCED, PARTLY),
        (10.0, NOT_REPRODUCED, REPRODUCED),
    ],
)
def test_ratio(save, top, at_least, at_most):
    def judge(**border):
        rows = {"top": [0.0, top], "bottom": [0.0, 10.0]}
        return divide(save, **rows, half=0.1, **border)

    assert judge(at_least=2.0).verdict == at_least
    assert judge(at_most=2.0).verdict == at_most


def test_ratio_sentence(save):
    outcome = divide(save, [1.0, 20.0], [1.0, 10.0], at_least=1.5)
    half = math.hypot(math.log(20 / 19.9), math.log(10.1 / 10))
    assert outcome.low == pytest.approx(2 * math.exp(-half))
    assert (outcome.effect, outcome.n) == (2.0, 100)
    assert outcome.high == pytest.approx(
        2 * math.exp(math.hypot(math.log(20.1 / 20), math.log(10 / 9.9)))
    )
    assert outcome.sentence == "Near over far, Emotion: 2.000 [1.978, 2.023], n = 100."


def test_ratio_of_the_last_row(save):
    last = [{"over": {"layer": "last", "series": "important"},
             "under": {"layer": "last", "series": "other"}, "label": "x"}]  # fmt: skip
    outcome = divide(save, [1.0, 2.0, 9.0], [1.0, 1.0, 3.0], where={}, ratios=last, at_least=1.5)
    assert outcome.effect == pytest.approx(3.0)


def test_ratios_are_cells(save):
    both = [{"over": {"layer": n}, "under": {"layer": 0}, "label": f"layer {n}"} for n in (1, 2)]
    outcome = divide(
        save, [1.0, 10.0, 2.0], [1.0], where={"series": "important"}, ratios=both, at_least=5,
        half=0.01,
    )  # fmt: skip
    assert outcome.verdict == PARTLY
    assert outcome.effect == pytest.approx(2.0)
    assert outcome.sentence.startswith("Holds in 1 of 2 cases; weakest: layer 2, Emotion: 2.000")


def test_a_ratio_against_one_is_decided_by_the_paired_difference(save):
    rows = [mean(value, 3.0, setting="emotion", k=1, method=method)
            for method, value in (("lipex", 12.0), ("lime", 10.0))]  # fmt: skip
    pair = {"setting": "emotion", "k": 1, "first": "lipex", "second": "lime", "n": 100,
            "difference": 2.0, "low": 1.0, "high": 4.0}  # fmt: skip
    one = {"over": {"method": "lipex"}, "under": {"method": "lime"}, "label": "time"}

    def judge(comparisons, **border):
        claim = make_claim("ratio", item="table-1", where={"k": 1}, ratios=[one], **border)
        return rules.decide({"table-1": save("table-1", rows, comparisons)}, claim)

    # The means' own intervals overlap; text by text the first takes a tenth to four tenths more.
    assert judge([], at_least=1.0).verdict == PARTLY
    paired = judge([pair], at_least=1.0)
    assert paired.verdict == REPRODUCED
    assert (paired.effect, paired.low, paired.high) == pytest.approx((1.2, 1.1, 1.4))
    # How many times as long is another question.
    assert judge([pair], at_most=1.1).low == judge([], at_most=1.1).low


def test_ratio_needs_one_row_for_each_part(save):
    with pytest.raises(ResultError, match=r"has 2 rows with setting = 'emotion', series"):
        divide(save, [1.0, 2.0], [1.0, 2.0], where={}, at_least=1)
    with pytest.raises(ResultError, match=r"no entry of rows with .*layer = 7"):
        divide(save, [1.0, 2.0], [1.0, 2.0], where={"layer": 7}, at_least=1)
    outcome = divide(save, [1.0, 2.0], [1.0, 2.0], settings=["newsgroups20"], at_least=1)
    assert outcome.verdict == NOT_TESTABLE


# --- trend, level_and_trend ---------------------------------------------------------------------


def rate(save, values, rule="trend", **parameters):
    rows = [mean(v, setting="emotion", k=k) for k, v in enumerate(values, 1)]
    wanted = {"item": "table-3", "along": "k", "from": 1, "to": 3, "direction": "falls"}
    claim = make_claim(rule, **wanted | parameters)
    return rules.decide({"table-3": save("table-3", rows)}, claim)


def test_trend_interval_is_that_of_independent_means(save):
    outcome = rate(save, [0.9, 0.2, 0.8])
    assert outcome.verdict == REPRODUCED
    assert outcome.effect == pytest.approx(-0.1)
    half = math.sqrt(0.02**2 + 0.02**2)
    assert (outcome.low, outcome.high) == pytest.approx((-0.1 - half, -0.1 + half))
    assert outcome.sentence.startswith("Emotion, from K = 1 to 3: -0.100 [-0.128, -0.072]")


def test_trend_directions(save):
    assert rate(save, [0.9, 0.2, 0.88]).verdict == PARTLY
    assert rate(save, [0.9, 0.2, 0.9]).verdict == NOT_REPRODUCED
    assert rate(save, [0.9, 0.2, 0.8], direction="rises").verdict == NOT_REPRODUCED
    assert rate(save, [0.8, 0.2, 0.9], direction="rises").verdict == REPRODUCED


@pytest.mark.parametrize(
    ("end", "verdict"),
    [
        # The interval of the change is 0.028 to either side.
        (0.36, REPRODUCED),
        (0.38, PARTLY),  # 0.52 lost, perhaps only 0.49
        (0.40, NOT_REPRODUCED),
        (0.45, NOT_REPRODUCED),
        (0.88, NOT_REPRODUCED),  # falls, but not so far
    ],
)
def test_trend_by_at_least_so_much(save, end, verdict):
    outcome = rate(save, [0.9, 0.0, end], by=0.5)
    assert (outcome.verdict, outcome.effect) == (verdict, pytest.approx(end - 0.9))
    mirrored = rate(save, [end, 0.0, 0.9], by=0.5, direction="rises")
    assert (mirrored.verdict, mirrored.effect) == (verdict, pytest.approx(0.9 - end))


def test_difference_of_uneven_intervals():
    end = {"mean": 0.5, "low": 0.4, "high": 0.7, "n": 10}
    start = {"mean": 0.2, "low": 0.1, "high": 0.5, "n": 20}
    found = difference_of(end, start)
    assert found["difference"] == pytest.approx(0.3)
    assert found["low"] == pytest.approx(0.3 - math.hypot(0.1, 0.3))
    assert found["high"] == pytest.approx(0.3 + math.hypot(0.2, 0.1))
    assert found["n"] == 10
    assert difference_of(end | {"low": None}, start)["high"] is None


@pytest.mark.parametrize(
    ("values", "verdict"),
    [
        ([0.9, 0.8, 0.7], REPRODUCED),
        ([0.7, 0.8, 0.9], PARTLY),  # high, but rising
        ([0.9, 0.6, 0.3], PARTLY),  # falls, but below one half at the end
        ([0.1, 0.2, 0.3], NOT_REPRODUCED),
    ],
)
def test_level_and_trend(save, values, verdict):
    outcome = rate(save, values, "level_and_trend", at_least=0.5, label="match")
    assert outcome.verdict == verdict
    assert outcome.effect == min(values)
    assert " Trend: Emotion, from K = 1 to 3: " in outcome.sentence


# --- tracks, identical --------------------------------------------------------------------------


def track(save, gaps, half=0.02):
    rows = [mean(0.5, setting="emotion", sigma=0.0, series="accuracy")]
    comparisons = [
        difference(gap, half, setting="emotion", sigma=sigma, first="lipex", second="model")
        for sigma, gap in gaps.items()
    ]
    claim = make_claim("tracks", item="figure-4", first="lipex", second="model", tolerance=0.1)
    return rules.decide({"figure-4": save("figure-4", rows, comparisons)}, claim)


def test_tracks(save):
    assert track(save, {0.0: 0.9, 0.1: 0.05, 0.2: -0.08}).verdict == REPRODUCED
    assert track(save, {0.1: 0.05, 0.2: -0.09}).verdict == PARTLY
    assert track(save, {0.1: 0.05, 0.2: -0.2}).verdict == PARTLY
    assert track(save, {0.1: 0.2, 0.2: -0.2}).verdict == NOT_REPRODUCED
    assert track(save, {0.1: 0.05, 0.2: 0.2, 0.3: 0.3}).verdict == NOT_REPRODUCED
    outcome = track(save, {0.1: 0.05, 0.2: -0.2})
    assert outcome.sentence == (
        "Holds in 1 of 2 cases; weakest: LIPEx minus Model, Emotion, σ = 0.2: -0.200 "
        "[-0.220, -0.180], n = 100."
    )
    outcome = track(save, {0.0: 0.0})
    assert (outcome.verdict, outcome.sentence) == (
        NOT_TESTABLE,
        "No noise level above 0 was run.",
    )


def track_k(save, gaps):
    rows = [mean(0.5, setting="emotion", k=1, method="lime")]
    pairs = [pair(gap, k=k) for k, gap in gaps.items()]
    claim = make_claim(
        "tracks", item="table-1", first="lipex", second="lime", along="k", tolerance=0.1
    )
    return rules.decide({"table-1": save("table-1", rows, pairs)}, claim)


def test_tracks_along_another_column(save):
    outcome = track_k(save, {1: 0.05, 2: -0.08, "1-2": 0.9})
    assert outcome.verdict == REPRODUCED, "the pooled difference is no point of the curve"
    assert outcome.sentence == (
        "Holds in 2 of 2 cases; weakest: LIPEx minus LIME, Emotion, K = 2: -0.080 "
        "[-0.100, -0.060], n = 100."
    )
    assert track_k(save, {1: 0.05, 2: -0.2}).verdict == PARTLY
    assert track_k(save, {1: 0.3, 2: -0.2}).verdict == NOT_REPRODUCED
    outcome = track_k(save, {"1-2": 0.0})
    assert (outcome.verdict, outcome.sentence) == (NOT_TESTABLE, "No k above 0 was run.")


def test_tracks_reads_the_chosen_comparisons_only(save):
    rows = [mean(0.5, setting="emotion", k=1, method="lime")]
    pairs = [pair(0.0, k=1) | {"measure": "accuracy"}, pair(0.5, k=1) | {"measure": "retention"}]
    result = {"table-1": save("table-1", rows, pairs)}
    wanted = {"item": "table-1", "first": "lipex", "second": "lime", "along": "k"}

    def judge(measure):
        where = {"measure": measure}
        return rules.decide(result, make_claim("tracks", **wanted, tolerance=0.1, where=where))

    assert judge("accuracy").verdict == REPRODUCED
    assert judge("retention").verdict == NOT_REPRODUCED


def same(save, first, second):
    rows = [
        mean(value, setting="emotion", k=k, method=method)
        for method, values in (("guided_backprop", first), ("saliency", second))
        for k, value in enumerate(values, 1)
    ]
    claim = make_claim(
        "identical", item="table-1", first="guided_backprop", second="saliency", tolerance=0.005
    )
    return rules.decide({"table-1": save("table-1", rows)}, claim)


def test_identical(save):
    outcome = same(save, [0.6, 0.7], [0.6, 0.7])
    assert (outcome.verdict, outcome.effect) == (REPRODUCED, 0.0)
    assert same(save, [0.6, 0.704], [0.6, 0.7]).verdict == REPRODUCED
    outcome = same(save, [0.6, 0.7], [0.6, 0.69])
    assert (outcome.verdict, outcome.effect) == (PARTLY, pytest.approx(0.01))
    assert same(save, [0.6, 0.7], [0.5, 0.8]).verdict == NOT_REPRODUCED


def test_identical_without_k(save):
    """LDAV's tables have one number for each method and measure."""
    claim = make_claim(
        "identical", item="table-1", first="guided_backprop", second="saliency", tolerance=0.005,
        where={"measure": "switching point"},
    )  # fmt: skip

    def decide(first, second):
        rows = [
            mean(value, setting="emotion", measure=measure, method=method)
            for method, values in (("guided_backprop", first), ("saliency", second))
            for measure, value in zip(("switching point", "never switches"), values, strict=True)
        ]
        return rules.decide({"table-1": save("table-1", rows)}, claim)

    outcome = decide([0.23, 0.5], [0.23, 0.9])
    assert (outcome.verdict, outcome.effect) == (REPRODUCED, 0.0)
    assert outcome.sentence.startswith("Guided backprop minus Saliency, Emotion: 0.000 [")
    outcome = decide([0.23, 0.5], [0.24, 0.5])
    assert (outcome.verdict, outcome.effect) == (NOT_REPRODUCED, pytest.approx(-0.01))


def test_a_cell_names_its_phrase():
    place = {"setting": "emotion", "class": "printed class first", "phrase": "Corona virus"}
    claim = make_claim("level", item="x", label="share of runs")
    assert label_of(claim, place) == 'share of runs, Emotion, "Corona virus"'


def test_a_difference_that_rounds_to_zero_has_no_sign():
    row = {"difference": -0.0002, "low": -0.01, "high": 0.0004, "n": 5}
    cell = two_sided(make_claim("tracks", item="x"), {"setting": "emotion"}, row, 0.1)
    assert text_of(cell, sign=True) == "Emotion: 0.000 [-0.010, 0.000], n = 5"


# --- time_saving --------------------------------------------------------------------------------


def save_times(save, **seconds):
    rows, comparisons = [], []
    for setting, (lipex, lime, half) in seconds.items():
        rows.append(mean(lipex, setting=setting, method="lipex", n_samples=1000))
        comparisons.append(
            difference(lipex - lime, half, setting=setting, first="lipex", second="lime")
            | {"mean_second": lime}
        )
    claim = make_claim(
        "time_saving", item="table-5", first="lipex", second="lime", claimed=0.53,
        settings=["emotion", "newsgroups20"],
    )  # fmt: skip
    return rules.decide({"table-5": save("table-5", rows, comparisons)}, claim)


def test_the_papers_own_times_are_reproduced(save):
    outcome = save_times(save, emotion=(8.66, 15.0, 0.3), newsgroups20=(40.82, 113.04, 2.0))
    assert outcome.verdict == REPRODUCED
    assert outcome.effect == pytest.approx((0.42266667 + 0.63888889) / 2, abs=1e-6)
    # Halves as shares of LIME's time, put together as of independent settings.
    half = math.hypot(0.3 / 15.0, 2.0 / 113.04) / 2
    assert outcome.low == pytest.approx(outcome.effect - half, abs=1e-6)
    assert outcome.high == pytest.approx(outcome.effect + half, abs=1e-6)
    assert "saves 53.1% [51.7%, 54.4%] of the time of LIME, n = 200" in outcome.sentence
    assert "(Emotion 42.3%, 20 Newsgroups 63.9%); claimed: 53%." in outcome.sentence


def test_time_verdicts(save):
    assert save_times(save, emotion=(2.0, 10.0, 0.5)).verdict == REPRODUCED
    assert save_times(save, emotion=(6.0, 10.0, 0.5)).verdict == PARTLY
    assert save_times(save, emotion=(6.0, 10.0, 1.4)).verdict == REPRODUCED
    assert save_times(save, emotion=(9.0, 10.0, 1.4)).verdict == NOT_REPRODUCED
    assert save_times(save, emotion=(12.0, 10.0, 0.5)).verdict == NOT_REPRODUCED
    assert save_times(save, emotion=(2.0, 10.0, 0.5)).sentence.endswith("Not run: 20 Newsgroups.")


# --- what no rule could decide ------------------------------------------------------------------


def test_not_testable_gives_the_reason(save):
    claim = make_claim("level", item="figure-5", at_least=0.5)
    outcome = rules.decide({}, claim)
    assert outcome == rules.Outcome(
        NOT_TESTABLE, None, None, None, None, "No result for Figure 5 in this run."
    )
    result = save("figure-5", curve(0.9, setting="newsgroups20"))
    outcome = rules.decide({"figure-5": result}, claim)
    assert outcome.sentence == "Figure 5 was not run on Emotion."


def test_unknown_rule():
    with pytest.raises(ValueError, match=r"claim 'a-claim': no rule 'vote'; rules: .*level"):
        rules.decide({}, make_claim("vote", item="x"))


# --- mostly, never_worse ------------------------------------------------------------------------

SIX = tuple("abcdef")


def judge_pairs(save, rule, pairs, **parameters):
    """Judge comparisons of LIPEx with LIME given as setting, column m, difference, p_holm."""
    rows = [
        difference(value, setting=setting, m=m, first="lipex", second="lime", p_holm=p)
        for setting, m, value, p in pairs
    ]
    result = save("table-1", [ROW], rows)
    wanted = {"item": "table-1", "first": "lipex", "second": "lime", "cells": {"m": SIX}}
    return rules.decide({"table-1": result}, make_claim(rule, **wanted | parameters))


def six(*pairs, setting="emotion"):
    """Give one comparison for each of the first letters: difference and p_holm."""
    return [(setting, m, *pair) for m, pair in zip(SIX, pairs, strict=False)]


SURE, LIKELY, NOT = (0.1, 0.01), (0.1, 0.05), (-0.1, 0.01)


@pytest.mark.parametrize(
    ("cells", "verdict", "share"),
    [
        ([SURE] * 4 + [NOT] * 2, REPRODUCED, 4 / 6),
        ([SURE] * 3 + [NOT] * 3, NOT_REPRODUCED, 0.5),  # half is not most
        ([SURE] * 3 + [LIKELY] + [NOT] * 2, PARTLY, 0.5),  # p_holm of 0.05 is not below it
        ([LIKELY] * 6, PARTLY, 0),
        ([LIKELY] * 3 + [(0.0, 0.01)] * 3, NOT_REPRODUCED, 0),  # no difference is no lead
        ([(0.1, None)] * 6, PARTLY, 0),
        ([SURE, SURE], REPRODUCED, 1),
    ],
)
def test_most_cells(save, cells, verdict, share):
    outcome = judge_pairs(save, "mostly", six(*cells))
    assert outcome.verdict == verdict
    assert (outcome.effect, outcome.n) == (pytest.approx(share), len(cells))
    turned = [(-value, p) for value, p in cells]
    assert judge_pairs(save, "mostly", six(*turned), better="lower").verdict == verdict


def test_most_cells_of_each_data_set(save):
    def judge(first, second, **parameters):
        pairs = six(*first) + six(*second, setting="newsgroups20")
        settings = ["emotion", "newsgroups20"]
        return judge_pairs(save, "mostly", pairs, settings=settings, **parameters)

    good, bad = [SURE] * 6, [SURE] * 2 + [NOT] * 4
    assert judge(good, bad).verdict == REPRODUCED
    each = {"each": "setting"}
    outcome = judge(good, bad, **each)
    assert (outcome.verdict, outcome.effect, outcome.n) == (PARTLY, pytest.approx(1 / 3), 12)
    assert outcome.sentence == (
        "LIPEx minus LIME: significantly higher in 8 of 12 cells, significantly the other way in 4 "
        "(Emotion 6 of 6, 20 Newsgroups 2 of 6). Median difference +0.1, from -0.1 to +0.1."
    )
    assert judge(good, good, **each).verdict == REPRODUCED
    assert judge(bad, bad, **each).verdict == NOT_REPRODUCED


@pytest.mark.parametrize(
    ("value", "verdict"),
    # The interval is 0.02 wide to each side.
    [(0.0, REPRODUCED), (-0.07, REPRODUCED), (-0.08, PARTLY), (-0.09, PARTLY),
     (-0.1, NOT_REPRODUCED), (-0.5, NOT_REPRODUCED)],
)  # fmt: skip
def test_most_cells_within_a_margin(save, value, verdict):
    outcome = judge_pairs(save, "mostly", six((value, 1.0)), border=-0.1)
    assert outcome.verdict == verdict
    assert "surely above -0.1 in" in outcome.sentence


def test_most_estimates(save):
    lead, lag = (0.001, 1.0), (-0.001, 1.0)
    wanted = {"certain": False, "share": 0.7}
    outcome = judge_pairs(save, "mostly", six(*[lead] * 5, lag), **wanted)
    assert (outcome.verdict, outcome.effect) == (REPRODUCED, pytest.approx(5 / 6))
    assert "LIME: higher in 5 of 6 cells, significantly the other way in 0." in outcome.sentence
    outcome = judge_pairs(save, "mostly", six(*[lead] * 4, lag, lag), **wanted)
    assert outcome.verdict == NOT_REPRODUCED


@pytest.mark.parametrize(
    ("cells", "verdict", "worse"),
    [
        ([SURE, (-0.1, 0.05), (-0.1, None), (0.0, 0.01)], REPRODUCED, 0),
        ([SURE, NOT], PARTLY, 1),
        ([SURE, NOT, NOT], NOT_REPRODUCED, 2),
        ([NOT], NOT_REPRODUCED, 1),
    ],
)
def test_never_significantly_worse(save, cells, verdict, worse):
    outcome = judge_pairs(save, "never_worse", six(*cells))
    assert (outcome.verdict, outcome.n) == (verdict, len(cells))
    assert outcome.effect == pytest.approx(worse / len(cells))
    assert f"significantly lower in {worse} of {len(cells)} cells" in outcome.sentence
    turned = six(*((-value, p) for value, p in cells))
    outcome = judge_pairs(save, "never_worse", turned, better="lower")
    assert outcome.verdict == verdict
    assert f"significantly higher in {worse} of" in outcome.sentence


def test_tally_of_several_pairs_names_what_is_missing(save):
    outcome = judge_pairs(
        save, "never_worse", six(SURE, SURE, NOT)[1:], first=["lipex", "deeplift"],
        settings=["emotion", "newsgroups20"],
    )  # fmt: skip
    assert outcome.verdict == PARTLY
    assert outcome.sentence == (
        "Each of LIPEx, DeepLIFT minus LIME: significantly lower in 1 of 2 cells. Median "
        "difference +0, from -0.1 to +0.1; 10 cells without a number. Not run: 20 Newsgroups."
    )
    outcome = judge_pairs(save, "mostly", six(SURE), second="saliency")
    assert outcome.verdict == NOT_TESTABLE
    assert outcome.sentence == "Table 1 has no comparison that the claim asks for."


def test_tally_refuses_what_no_verdict_should_hide(save):
    with pytest.raises(ResultError, match="table-1 of lipex: 2 comparisons with setting = 'emo"):
        judge_pairs(save, "mostly", six(SURE) + six(NOT))
    bare = difference(0.1, setting="emotion", first="lipex", second="lime")
    result = save("table-1", [ROW], [bare])
    claim = make_claim("mostly", item="table-1", first="lipex", second="lime")
    with pytest.raises(ResultError, match="no p_holm with setting = 'emotion'"):
        rules.decide({"table-1": result}, claim)


def test_a_claim_names_its_cells(save):
    row = pair(0.1) | {"teacher": "kernel_shap", "formulation": "ranking"}
    outcome = advantage(
        save, [row], cells={"teacher": ["kernel_shap"], "formulation": ["ranking"]},
        say={"teacher": "taught by {}", "formulation": "by {}"},
    )  # fmt: skip
    assert outcome.sentence.startswith(
        "LIPEx minus LIME, Emotion, taught by Kernel SHAP, by ranking, K = 1 to 5: +0.100"
    )
