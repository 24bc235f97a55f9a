from __future__ import annotations

from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest

from tests.report.drawn import curves, mean, shown
from xai_lib import papers
from xai_lib.report import ldav_figures, style

SETTINGS = ("ag_news_bilstm", "imdb_transformer", "snli_attention")
NAMES = ["AG News, BiLSTM", "IMDB, Transformer", "SNLI, decomposable attention"]


@pytest.fixture
def result(make_result):
    return partial(make_result, "ldav")


def titles(axes):
    return [ax.get_title(loc="left") or ax.get_title() for ax in axes]


def printed_points(ax):
    """Return the points of the hollow diamonds; a method of ours may be a full one."""
    return [
        line.get_xydata().tolist()
        for line in ax.get_lines()
        if line.get_marker() == "D" and line.get_markerfacecolor() == "none"
    ]


def removal_rows(settings, measure=None):
    more = {} if measure is None else {"measure": measure}
    return [
        mean(value + i, **more, setting=setting, k=k, share=share, method=method)
        for setting in settings
        for i, method in enumerate(("random", "mase", "lime", "ldav (as printed)", "ldav"))
        for k, share, value in ((2, None, 0.2), (0, None, 0.0), ("1-10", None, 9), (None, 0.06, 7))
    ]


def test_curves_of_removal_leave_out_shares_and_pooled_values(result):
    fig = ldav_figures.removal_curves(result("figure-2", removal_rows(SETTINGS)), "share left")
    *used, blank = fig.axes
    for ax in used:
        assert curves(ax) == {
            "LDAV, 95 % band": [[0, 4], [2, 4.2]],
            "LDAV, as printed, 95 % band": [[0, 3], [2, 3.2]],
            "LIME": [[0, 2], [2, 2.2]], "Random, 95 % band": [[0, 0], [2, 0.2]],
        }  # fmt: skip
        drawn = [band.get_paths() for band in ax.collections]
        # LIME's has nothing in it.
        assert sorted(map(len, drawn)) == [0, 1, 1, 1]
        assert (ax.get_xlabel(), ax.get_ylabel()) == ("words masked (k)", "share left")
    assert titles(used) == NAMES
    assert not blank.get_visible()
    assert shown(fig) == [
        "LDAV, 95 % band", "LDAV, as printed, 95 % band", "LIME", "Random, 95 % band"
    ]  # fmt: skip
    lines = {line.get_label(): line for line in used[0].get_lines()}
    assert (
        lines["LDAV, as printed, 95 % band"].get_color() == style.SERIES["ldav (as printed)"].colour
    )
    assert lines["LDAV, 95 % band"].get_color() == style.METHODS["ldav"].colour


def test_one_of_several_measures(result):
    rows = removal_rows(SETTINGS[2:], "log ratio")
    rows += [mean(50, **{**row, "measure": "other"}) for row in rows]
    (ax,) = ldav_figures.removal_curves(result("figure-7", rows), "log", "log ratio").axes
    assert curves(ax)["LDAV, 95 % band"] == [[0, 4], [2, 4.2]]
    with pytest.raises(
        ValueError, match="no rows with setting = 'snli_attention', share = None, m"
    ):
        ldav_figures.removal_curves(result("figure-7", rows), "log", "none")


def bars(settings, measure="switching point"):
    return [
        mean(0.1 * (i + 1), 0.05, setting=setting, measure=measure, method=method)
        for setting in settings
        for i, method in enumerate(("random", "saliency", "ldav"))
    ]


def test_ours_beside_the_printed_number(result):
    rows = bars(SETTINGS[:2]) + [
        mean(99.0, **{**row, "measure": "never switches"}) for row in bars(SETTINGS[:2])
    ]
    fig = ldav_figures.beside_printed(result("table-4", rows), "switching point", "share of words")
    for ax, (ldav, saliency) in zip(fig.axes, ((0.12, 0.72), (0.11, 0.41)), strict=True):
        # Methods from above, LDAV first whatever the order of the rows is.
        ours = [one[0].get_xydata().tolist() for one in ax.containers]
        assert ours == [
            [[pytest.approx(0.3), 0]], [[pytest.approx(0.2), 1]], [[pytest.approx(0.1), 2]]
        ]  # fmt: skip
        (ends,) = ax.containers[0][2][0].get_segments()
        assert [point[0] for point in ends] == pytest.approx([0.25, 0.35])
        diamonds = printed_points(ax)
        # Table 4 prints no random words.
        assert diamonds == [[[ldav, 0]], [[saliency, 1]]]
        assert [tick.get_text() for tick in ax.get_yticklabels()] == ["LDAV", "Saliency", "Random"]
        assert ax.yaxis_inverted()
        assert ax.get_xlabel() == "share of words"
    assert titles(fig.axes) == NAMES[:2]
    assert sorted(shown(fig)) == ["ours, 95 % interval", "paper"]


def test_cells_of_an_item_with_one_measure_do_not_name_it(result):
    rows = bars(SETTINGS[2:], "comprehensiveness")
    fig = ldav_figures.beside_printed(result("table-7", rows), "comprehensiveness", "fall")
    (ax,) = fig.axes
    printed = {cell["method"]: cell["mean"] for cell in papers.published("ldav", "table-7")}
    diamonds = printed_points(ax)
    assert diamonds == [[[printed["ldav"], 0]], [[printed["saliency"], 1]]] == [
        [[0.34, 0]], [[0.09, 1]]
    ]  # fmt: skip


def test_methods_without_a_mean_and_items_without_numbers(result):
    rows = bars(SETTINGS[:1])
    rows[1] = {**rows[1], "mean": None, "low": None, "high": None, "n": 0}
    (ax,) = ldav_figures.beside_printed(
        result("plain-network", rows), "switching point", "share"
    ).axes
    assert len(ax.containers) == 2
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["LDAV", "Random"]
    drawn = [one[0].get_xydata().tolist() for one in ax.containers]
    assert drawn == [[[pytest.approx(0.3), 0]], [[pytest.approx(0.1), 1]]]


def test_correlations_are_written_in_a_matrix(result):
    classes = ("World", "Sports")
    values = {"World": {"World": 1.0, "Sports": -0.7}, "Sports": {"World": -0.25, "Sports": 1.0}}
    rows = [
        mean(values[one][other], setting=setting, **{"class": one, "other": other})
        for setting in SETTINGS[:2]
        for one in classes
        for other in classes
    ]
    rows.append(
        mean(-0.25, setting=SETTINGS[0], **{"class": "largest", "other": "between classes"})
    )
    fig = ldav_figures.correlations(result("figure-8", rows))
    for ax in fig.axes:
        (image,) = ax.get_images()
        assert image.get_array().tolist() == [[1.0, -0.7], [-0.25, 1.0]]
        assert image.get_clim() == (-1, 1)
        texts = {text.get_position(): (text.get_text(), text.get_color()) for text in ax.texts}
        # Columns from the left, rows from above; white on dark cells.
        assert texts == {
            (0, 0): ("1.00", "white"), (1, 0): ("-0.70", "white"), (0, 1): ("-0.25", "#1a1a1a"),
            (1, 1): ("1.00", "white"),
        }  # fmt: skip
        assert [tick.get_text() for tick in ax.get_xticklabels()] == list(classes)
        assert [tick.get_text() for tick in ax.get_yticklabels()] == list(classes)
    assert titles(fig.axes) == NAMES[:2]


def test_clouds_are_coloured_by_predicted_class():
    points = np.array([[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]])
    found = {
        "plain": SimpleNamespace(points=points, predicted=np.array([1, 0, 1]), classes=("a", "b")),
        "ldav": SimpleNamespace(points=-points, predicted=np.array([0, 0, 0]), classes=("a", "b")),
    }
    fig = ldav_figures.clouds(found, {"ldav": "with", "plain": "without"})
    drawn = [
        {dots.get_label(): dots.get_offsets().tolist() for dots in ax.collections}
        for ax in fig.axes
    ]
    assert drawn == [
        {"a": [[2, 3]], "b": [[0, 1], [4, 5]]}, {"a": [[0, -1], [-2, -3], [-4, -5]], "b": []}
    ]  # fmt: skip
    first, second = fig.axes[0].collections
    assert first.get_facecolor().tolist() != second.get_facecolor().tolist()
    assert first.get_paths()[0].vertices.shape != second.get_paths()[0].vertices.shape
    assert titles(fig.axes) == ["without", "with"]
    assert {(ax.get_xlabel(), ax.get_ylabel()) for ax in fig.axes} == {
        ("first component", "second component")
    }
    assert shown(fig) == ["a", "b"]
    # One scale, with room for the point farthest out.
    assert {(*ax.get_xlim(), *ax.get_ylim()) for ax in fig.axes} == {(-5.25, 5.25, -5.25, 5.25)}


def test_fourteen_classes_have_markers():
    names = tuple(f"class {i}" for i in range(14))
    cloud = SimpleNamespace(points=np.zeros((14, 2)), predicted=np.arange(14), classes=names)
    (ax,) = ldav_figures.clouds({"x": cloud}, {"x": ""}).axes
    assert [dots.get_label() for dots in ax.collections] == list(names)


def test_weights_of_the_losses(result):
    rows = [mean(0.9, setting=setting, training="plain", rho1=None, rho2=None, measure="accuracy")
            for setting in SETTINGS[:2]]  # fmt: skip
    rows += [
        mean(i + rho1 + rho2, 0.2, setting=setting, training=training, rho1=rho1, rho2=rho2,
             measure=measure)
        for i, setting in enumerate(SETTINGS[:2])
        for training in ("ldav", "as printed")
        for measure in ("accuracy", "switching point")
        for rho1 in (0.5, 0.1)
        for rho2 in (1.0, 0.01)
    ]  # fmt: skip
    fig = ldav_figures.sensitivity(result("sensitivity", rows), "accuracy", ("ldav", "as printed"))
    assert titles(fig.axes) == [
        "AG News, BiLSTM: unit vectors, cosine", "AG News, BiLSTM: as printed, Euclidean",
        "IMDB, Transformer: unit vectors, cosine", "IMDB, Transformer: as printed, Euclidean",
    ]  # fmt: skip
    for ax, i in zip(fig.axes, (0, 0, 1, 1), strict=True):
        assert [one[0].get_xydata().round(6).tolist() for one in ax.containers] == [
            [[0.01, i + rho1 + 0.01], [1.0, i + rho1 + 1.0]] for rho1 in (0.1, 0.5)
        ]
        ends = ax.containers[1][2][0].get_segments()
        assert [point[1] for point in ends[1]] == pytest.approx([i + 1.3, i + 1.7])
        assert ax.get_xscale() == "log"
        assert (ax.get_ylabel(), ax.get_xlabel()) == ("accuracy", r"weight of L3 ($\rho_2$)")
    assert shown(fig) == [r"$\rho_1$ = 0.1", r"$\rho_1$ = 0.5"]
