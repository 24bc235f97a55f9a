from __future__ import annotations

from functools import partial

import pytest

from tests.report.drawn import curves, mean
from xai_lib.report import mase_figures

SETTINGS = ("r8_bilstm", "r8_minilm", "sst2_bilstm")


@pytest.fixture
def result(make_result):
    return partial(make_result, "mase")


def delta_rows():
    return [
        mean(value * (1 if labels == "gold" else 7), setting=setting, removal=removal,
             labels=labels, method=method, k=k)
        for setting in SETTINGS
        for removal, labels in (("drop", "gold"), ("mask", "gold"), ("drop", "predicted"))
        for method in ("lime", "mase", "mase (absolute)", "smoothgrad")
        for k, value in ((2, 0.2), (1, 0.1), ("1-10", 0.9))
    ]  # fmt: skip


def test_delta_curves_draw_the_main_reading_without_pooled_values(result):
    fig = mase_figures.delta_curves(result("delta-accuracy", delta_rows()))
    *used, blank = fig.axes
    line = [[1, 0.1], [2, 0.2]]
    for ax in used:
        assert curves(ax) == {"MASE": line, "MASE, by size": line, "LIME": line}
    assert not blank.get_visible()
    assert [ax.get_title(loc="left") for ax in used] == [
        "Reuters R8, BiLSTM", "Reuters R8, MiniLM", "SST-2, BiLSTM",
    ]  # fmt: skip


def test_advantage_has_a_mark_and_an_interval_for_each_pair(result):
    pairs = [
        {"setting": setting, "removal": "drop", "labels": labels, "k": k, "first": first,
         "second": second, "difference": value + i, "low": value + i - 0.5,
         "high": value + i + 0.25, "n": 50}
        for i, setting in enumerate(SETTINGS)
        for labels in ("gold", "predicted")
        for k in (1, "1-10")
        for first, second, value in (
            ("mase", "lime", 0.0), ("mase", "kernel_shap", 10.0), ("mase", "random", 70.0),
            ("mase (absolute)", "lime", 20.0), ("mase (absolute)", "kernel_shap", 30.0),
        )
        if (labels == "gold" and k == "1-10") or value == 70.0
    ]  # fmt: skip
    left, right = mase_figures.advantage(result("delta-accuracy", delta_rows(), None, pairs)).axes
    for ax, start in ((left, 0.0), (right, 20.0)):
        lime, shap = ax.containers
        assert lime[0].get_xdata().tolist() == [start, start + 1, start + 2]
        assert shap[0].get_xdata().tolist() == [start + 10, start + 11, start + 12]
        ends = lime[2][0].get_segments()
        assert [[point[0] for point in one] for one in ends] == [
            [start + i - 0.5, start + i + 0.25] for i in range(3)
        ]
    assert next(tick.get_text() for tick in left.get_yticklabels()) == "Reuters R8, BiLSTM"
    assert left.yaxis_inverted()


def test_curves_by_setting(result):
    rows = [
        mean(n / 1000, setting=setting, measure=measure, method=method, n_samples=n)
        for setting in SETTINGS[:2]
        for measure in ("Delta Accuracy", "top-1 in common")
        for method in ("mase", "lime")
        for n in (1000, 50)
    ]
    fig = mase_figures.curves_by_setting(
        result("convergence", rows), "top-1 in common", "n_samples", "model calls"
    )
    for ax in fig.axes:
        assert curves(ax) == {name: [[50, 0.05], [1000, 1.0]] for name in ("MASE", "LIME")}
        assert ax.get_xscale() == "log"
    with pytest.raises(ValueError, match="no rows with measure = 'none'"):
        mase_figures.curves_by_setting(result("convergence", rows), "none", "n_samples", "")


def test_sigma_curves_have_a_panel_for_each_setting_and_measure(result):
    rows = [
        mean(sigma * (i + 1), setting=setting, sigma=sigma, measure=measure)
        for i, setting in enumerate(SETTINGS[:2])
        for measure in ("held-out R2", "Delta Accuracy")
        for sigma in (0.3, 0.1)
    ]
    first, second, third, fourth = mase_figures.sigma_curves(result("sigma", rows)).axes
    for ax in (first, second):
        assert curves(ax) == {"MASE": [[0.1, 0.1], [0.3, 0.3]]}
    for ax in (third, fourth):
        assert curves(ax) == {"MASE": [[0.1, 0.2], [0.3, 0.6]]}
    assert first.get_ylabel() == "Reuters R8, BiLSTM"


def test_limit_curves_have_a_logarithmic_axis_for_what_grows_a_hundredfold(result):
    rows = [
        mean(value * sigma, setting="r8_bilstm", measure=measure, sigma=sigma)
        for sigma in (0.01, 1.0, 10.0)
        for measure, value in (("relative distance", 0.2), ("cosine", -1.0))
    ]
    grows, falls = mase_figures.limit_curves(result("gradient-limit", rows)).axes
    assert (grows.get_yscale(), falls.get_yscale()) == ("log", "linear")
    assert curves(grows) == {"Reuters R8, BiLSTM": [[0.01, 0.002], [1.0, 0.2], [10.0, 2.0]]}


def test_bands_of_delta_curves_are_those_of_the_claim(result):
    ax = mase_figures.delta_curves(result("delta-accuracy", delta_rows())).axes[0]
    drawn = [bool(one.get_paths()) for one in ax.collections]
    names = list(curves(ax))
    assert dict(zip(names, drawn, strict=True)) == {
        "MASE": True, "MASE, by size": False, "LIME": True,
    }  # fmt: skip
