from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from matplotlib.colors import to_hex

from tests.report.drawn import curves, mean
from xai_lib.report import pflex_figures

GREY, BLUE, VIOLET = "#1a1a1a", "#0072b2", "#532e6b"


@pytest.fixture
def result(make_result):
    return partial(make_result, "pflex")


def test_distance_curves(result):
    rows = [
        mean(value + layer, setting=setting, layer=layer, series=series)
        for setting in ("emotion", "depression")
        for layer in (1, 0)
        for series, value in (("important", 3.0), ("other", 5.0))
    ]
    left, right = pflex_figures.distance_curves(result("figure-3", rows)).axes
    expected = {
        "Words important to LIME": [[0, 3.0], [1, 4.0]], "Other words": [[0, 5.0], [1, 6.0]],
    }  # fmt: skip
    assert curves(left) == curves(right) == expected
    assert left.get_ylim()[0] == 0
    assert "Emotion" in left.get_title(loc="left")
    with pytest.raises(ValueError, match=r"figure-3 of pflex has no rows with .*'other'"):
        pflex_figures.distance_curves(result("figure-3", rows[::2]))


def test_stress_curves_show_the_papers_points(result):
    rows = [
        mean(value - k / 10, setting="emotion", measure="accuracy", method=method, k=k)
        for method, value in (("pflex", 0.9), ("lime", 0.8), ("lime (again)", 0.7))
        for k in (1, 0)
    ]
    printed = [
        {"setting": "emotion", "measure": "accuracy", "method": "lime", "k": 1, "mean": 0.1977},
        {"setting": "emotion", "measure": "accuracy", "method": "pflex", "k": 1, "mean": 0.342},
        {"setting": "emotion", "measure": "accuracy", "method": "pflex", "k": 0, "mean": 0.934},
        {"setting": "depression", "measure": "accuracy", "method": "pflex", "k": 0, "mean": 0.988},
    ]
    fig = pflex_figures.stress_curves(result("figure-6", rows, printed))
    (ax,) = fig.axes
    lines = [(line.get_label(), line.get_xydata().round(4).tolist()) for line in ax.get_lines()]
    assert lines == [
        ("PFLex", [[0, 0.9], [1, 0.8]]),
        ("LIME", [[0, 0.8], [1, 0.7]]),
        ("LIME (again)", [[0, 0.7], [1, 0.6]]),
        ("LIME, paper", [[1, 0.1977]]),
        ("PFLex, paper", [[1, 0.342]]),
        ("_", [[0, 0.934]]),
    ]
    hollow = ax.get_lines()[4]
    assert (hollow.get_color().lower(), hollow.get_markerfacecolor()) == (VIOLET, "none")
    named = [t.get_text() for t in fig.legends[0].get_texts()]
    assert named == [name for name, _ in lines[:-1]]
    assert ax.get_ylim() == (0, 1.03)


def test_stress_curves_of_another_measure(result):
    rows = [
        mean(0.1 * k, setting="emotion", measure=measure, method="lime", k=k)
        for measure in ("accuracy", "retention")
        for k in (1, 2)
    ]
    printed = [{"setting": "emotion", "measure": "accuracy", "method": "lime", "k": 1, "mean": 0.2}]
    (ax,) = pflex_figures.stress_curves(result("figure-6", rows, printed), "retention").axes
    assert curves(ax) == {"LIME": [[1, 0.1], [2, 0.2]]}
    assert ax.get_ylabel() == "share that keeps the predicted class"


def test_cosine_histograms():
    ours = np.array([[0.95, 1.0], [0.85, np.nan], [0.05, -1.0], [0.93, 1.0]])
    values = {"pflex": ours, "random": np.full((4, 2), 0.01)}
    left, right = pflex_figures.cosine_histograms(values, (1.0, 0.1), (1.0, 0.1)).axes
    # Bins of 0.1, the last with both ends.
    heights = {
        round(bar.get_x(), 1): bar.get_height() for bar in left.patches[:20] if bar.get_height()
    }
    assert heights == {0.0: 0.25, 0.8: 0.25, 0.9: 0.5}
    heights = [bar.get_height() for bar in right.patches[:20]]
    assert (heights[0], heights[-1]) == pytest.approx((1 / 3, 2 / 3)), "NaN is left out"
    outline = left.patches[-1].get_data()
    assert outline.values.tolist() == [0.0] * 10 + [1.0] + [0.0] * 9
    assert (left.get_title(loc="left"), right.get_title(loc="left")) == ("all words", "top 10%")
    assert [t.get_text() for t in left.get_legend().get_texts()] == ["PFLex", "Random"]
    with pytest.raises(ValueError, match=r"no share \[0.3\]; there are: 1.0, 0.1"):
        pflex_figures.cosine_histograms(values, (1.0, 0.1), (0.3,))


def test_agreement_curves(result):
    rows = [
        mean(value, setting=setting, share=share, method=method)
        for setting in ("emotion", "depression")
        for method, value in (("pflex", 0.8), ("random", 0.0), ("lime (again)", 0.95))
        for share in (1.0, 0.1)
    ]
    printed = [{"share": 0.1, "method": "pflex", "mean": 0.9}]
    figure = pflex_figures.agreement_curves(result("figure-7", rows, printed))
    for ax in figure.axes:
        assert curves(ax) == {
            "PFLex": [[0.1, 0.8], [1, 0.8]],
            "Random": [[0.1, 0], [1, 0]],
            "LIME (again)": [[0.1, 0.95], [1, 0.95]],
            "PFLex, paper": [[0.1, 0.9]],
        }
        left, right = ax.get_xlim()
        assert left > right, "all words first"


def test_cost_bars(result):
    rows = [
        mean(value * words, 0.5, setting="emotion", words=words, quantity=quantity, method=method)
        for quantity in ("seconds", "gmacs_whole")
        for words in (10, 30)
        for method, value in (("pflex", 0.1), ("lime (256)", 1.0), ("lime (4096)", 4.0))
    ]
    printed = [
        {"words": 10, "quantity": "seconds", "method": "lime (256)", "mean": 5.0},
        {"words": 10, "quantity": "gmacs_whole", "method": "lime (256)", "mean": 261.0},
        {"words": 20, "quantity": "seconds", "method": "lime", "mean": 7.13},
        {"words": 30, "quantity": "seconds", "method": "lime (4096)", "mean": 40.77},
    ]
    (ax,) = pflex_figures.cost_bars(result("figure-8", rows, printed)).axes
    bars = {group.get_label(): group for group in ax.containers if group.get_label()[0] != "_"}
    heights = {name: [bar.get_height() for bar in group] for name, group in bars.items()}
    assert heights == {
        "PFLex": [1.0, 3.0],
        "LIME (256)": [10.0, 30.0],
        "LIME (4096)": [40.0, 120.0],
        "LIME, paper": [5.0, 40.77],
    }
    assert ax.get_yscale() == "log"
    assert [t.get_text() for t in ax.texts] == ["1", "3", "10", "30", "40", "120", "5", "41"]
    assert [t.get_text() for t in ax.get_xticklabels()] == ["10 words", "30 words"]
    assert bars["LIME, paper"][0].get_hatch() == "////"
    assert to_hex(bars["LIME (4096)"][0].get_edgecolor()) == BLUE
    lefts = [bars[name][0].get_x() for name in heights]
    assert lefts == sorted(lefts)
    assert lefts[-1] + bars["LIME, paper"][0].get_width() < 0.5, "a group keeps to its place"
    (ax,) = pflex_figures.cost_bars(result("figure-8", rows, printed), "gmacs_whole").axes
    paper = next(group for group in ax.containers if group.get_label() == "LIME, paper")
    assert [bar.get_height() for bar in paper] == [261.0]
    with pytest.raises(ValueError, match=r"no rows with .*quantity = 'gmacs'"):
        pflex_figures.cost_bars(result("figure-8", rows, printed), "gmacs")


def test_size_curves(result):
    rows = [
        mean(value, setting=setting, texts=texts, measure=measure)
        for setting in ("emotion", "depression")
        for texts, value in ((100, 0.5), (50, 0.4))
        for measure in ("spearman", "cosine")
    ]
    found = result("teacher-size", rows)
    left, right = pflex_figures.size_curves(found, ("spearman", "cosine")).axes
    for ax in (left, right):
        lines = [line.get_xydata().round(4).tolist() for line in ax.get_lines()]
        assert lines == [[[50, 0.4], [100, 0.5]]] * 2
    assert [line.get_color().lower() for line in left.get_lines()] == [VIOLET, GREY]
    assert [t.get_text() for t in left.get_xticklabels()] == ["50", "100"]
    assert (left.get_title(loc="left"), left.get_xscale()) == ("Spearman", "log")
