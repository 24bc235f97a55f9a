from __future__ import annotations

import itertools
from functools import partial

import matplotlib as mpl
import numpy as np
import pytest

from tests.report import drawn
from tests.report.drawn import shown
from xai_lib.report import l2e_curves, l2e_figures, l2e_pairs, style
from xai_lib.report.panels import spans


def mean(value, half=0.5, **columns):
    return drawn.mean(value, half, **columns)


@pytest.fixture
def result(make_result):
    return partial(make_result, "l2e")


def gap(**columns):
    return {**columns, "mean": None, "low": None, "high": None, "n": 0}


def titles(fig):
    return [ax.get_title(loc="left") for ax in fig.axes if ax.get_visible()]


def points(ax):
    """Return the drawn points: colour, face, x and height of each."""
    return [
        (one[0].get_color(), one[0].get_markerfacecolor(), *one[0].get_xydata()[0].round(4))
        for one in ax.containers
    ]


def test_lengths_of_intervals():
    rows = [mean(2.0, 0.25), {"mean": 3.0, "low": None, "high": None}, mean(-1.0, 0.5)]
    # The end of an interval may part from its mean by rounding.
    rows.append({"mean": 1.0, "low": 1.0000001, "high": 1.5})
    assert spans(rows).tolist() == [[0.25, 0, 0.5, 0], [0.25, 0, 0.5, 0.5]]


# --- dumbbells ----------------------------------------------------------------------------------


def overlap(settings=("news", "cola"), formulations=("ranking", "labelling")):
    rows = [
        mean(i + 10 * j + 100 * k + 1000 * m, setting=setting, formulation=formulation,
             teacher=teacher, explanation=explanation)
        for m, formulation in enumerate(formulations)
        for k, setting in enumerate(settings)
        for j, teacher in enumerate(("lime", "occlusion"))
        for i, explanation in enumerate(("l2e", "teacher"))
    ]  # fmt: skip
    rows.append(mean(7.0, setting="cola", formulation="ranking", teacher="random",
                     explanation="random"))  # fmt: skip
    return rows


def test_teacher_and_student_are_joined_with_the_printed_pair_below(result):
    fig = l2e_pairs.dumbbells(result("table-3", overlap()), "overlap")
    assert titles(fig) == [
        "AG News, ranking", "CoLA, ranking", "AG News, labelling", "CoLA, labelling"
    ]  # fmt: skip
    occlusion, lime = (style.METHODS[name].colour for name in ("occlusion", "lime"))
    for ax, start in zip(fig.axes, (0, 100, 1000, 1100), strict=True):
        # In the order of the book: occlusion above LIME, the teacher hollow above the student.
        assert points(ax) == [
            (occlusion, "white", start + 11, -0.26), (occlusion, occlusion, start + 10, -0.04),
            (lime, "white", start + 1, 0.74), (lime, lime, start, 0.96),
        ]  # fmt: skip
        (ends,) = ax.containers[0][2][0].get_segments()
        assert [x for x, _ in ends] == [start + 10.5, start + 11.5]
        assert ax.yaxis_inverted()
        assert ax.get_xlabel() == "overlap"
    names = [tick.get_text() for tick in fig.axes[0].get_yticklabels()]
    assert names == ["Occlusion", "LIME"]
    # Table 3 prints for CoLA by ranking: occlusion 15.59 and 21.26, LIME 13.96 and 16.78.
    printed = [
        line.get_xydata().round(2).tolist()
        for line in fig.axes[1].get_lines()
        if line.get_color() == l2e_pairs.PAPER and line.get_linestyle() == "-" and
        len(line.get_xdata())
    ]  # fmt: skip
    assert printed == [[[15.59, 0.24], [21.26, 0.24]], [[13.96, 1.24], [16.78, 1.24]]]
    chance = [line for line in fig.axes[1].get_lines() if line.get_label() == "random words"]
    assert [line.get_xdata() for line in chance] == [[7.0, 7.0]]
    assert sorted(shown(fig)) == ["L2E", "paper", "random words", "teacher"]


def test_a_star_where_the_difference_is_significant(result):
    def pair(teacher, p_holm, first="l2e", setting="news"):
        return {
            "setting": setting, "formulation": "ranking", "teacher": teacher, "first": first,
            "second": "teacher", "difference": 1.0, "low": 0.5, "high": 1.5, "n": 50,
            "p_holm": p_holm,
        }  # fmt: skip

    pairs = [
        pair("occlusion", 0.04), pair("lime", 0.05), pair("lime", 0.01, first="random"),
        pair("lime", None, setting="cola"), pair("occlusion", 0.01, setting="sst2"),
    ]  # fmt: skip
    rows = overlap(formulations=("ranking",))
    fig = l2e_pairs.dumbbells(result("table-3", rows, comparisons=pairs), "overlap")
    stars = [[text.xy for text in ax.texts if text.get_text() == "*"] for ax in fig.axes]
    assert stars == [[(11.5, 0)], []], "at the end of the longer interval"
    assert "p < 0.05 (Holm)" in shown(fig)


def test_a_cell_without_a_number_says_so(result):
    rows = [row for row in overlap(("cola",), ("ranking",)) if row["teacher"] != "occlusion"]
    rows += [gap(setting="cola", formulation="ranking", teacher="occlusion", explanation=one)
             for one in ("teacher", "l2e")]  # fmt: skip
    fig = l2e_pairs.dumbbells(result("table-3", rows), "overlap", {"formulation": "ranking"})
    (ax,) = fig.axes
    assert titles(fig) == ["CoLA"]
    assert [(text.get_text(), text.get_position()[1]) for text in ax.texts] == [("no number", 0)]
    assert len(points(ax)) == 2


def test_filters_of_one_data_set_and_human_rationales(result):
    rows = [
        mean(value + 10 * divided, setting="movies", filter=name, teacher=teacher,
             explanation=explanation, divided=divided)
        for name in ("none", "annotated", "stop words")
        for teacher, explanation, value in (
            ("lrp", "teacher", 1), ("lrp", "l2e", 2), ("human", "human", 3))
        for divided in (False, True)
    ]  # fmt: skip
    fig = l2e_pairs.dumbbells(result("table-5", rows), "overlap", {"divided": False})
    assert titles(fig) == ["All words", "Annotated words", "No stop words"]
    for ax in fig.axes:
        assert [x for _, _, x, _ in points(ax)] == [1, 2]
        (line,) = (one for one in ax.get_lines() if one.get_label() == "human rationales")
        assert line.get_xdata() == [3, 3]
    # The printed numbers are those divided by three.
    assert "paper" not in shown(fig)
    fig = l2e_pairs.dumbbells(result("table-5", rows), "overlap", {"divided": True})
    assert "paper" in shown(fig)


def test_three_students_of_one_teacher(result):
    students = ("teacher", "positions", "no positions")
    rows = [
        mean(i + 10.0 * (measure == "agreement"), setting="sst2", teacher="random",
             student=student, measure=measure)
        for measure in ("agreement", "iou")
        for i, student in enumerate(students)
    ]  # fmt: skip
    fig = l2e_pairs.dumbbells(
        result("positions", rows), "overlap", {"measure": "iou"}, "student", students
    )
    (ax,) = fig.axes
    assert [(face, x, y) for _, face, x, y in points(ax)] == [
        ("white", 0, -0.26), ("#d9d9d9", 1, -0.15), (style.METHODS["random"].colour, 2, -0.04)
    ]  # fmt: skip
    assert shown(fig) == ["teacher", "with positions", "without positions"]


def test_panels_are_those_that_were_run(result):
    rows = [
        mean(1.0, setting=setting, teacher="lime", texts=texts, initial=initial)
        for setting, texts in (("sst2", 100), ("sst2", 6920), ("cola", 8551))
        for initial in ("random", "black_box")
    ]
    fig = l2e_pairs.dumbbells(
        result("initial", rows), "overlap", column="initial", values=("random", "black_box")
    )
    assert titles(fig) == ["SST-2, 100 texts", "SST-2, 6920 texts", "CoLA, 8551 texts"]
    assert shown(fig) == ["Random", "black box"]


def test_names_of_four_data_sets_stand_beside_one_another(result):
    settings = ("news_all", "news_some", "sst2_all", "cola")
    rows = [
        mean(1.0, setting=setting, teacher="lime", explanation=explanation)
        for setting in settings
        for explanation in ("teacher", "l2e")
    ]
    fig = l2e_pairs.dumbbells(result("equal-number", rows), "log-odds lost without the words")
    assert titles(fig)[:2] == ["AG News, all\ndocuments", "AG News, 4096\ndocuments"]
    fig.canvas.draw()
    for texts in ([ax._left_title for ax in fig.axes], [ax.xaxis.label for ax in fig.axes]):
        boxes = [one.get_window_extent() for one in texts]
        assert all(one.x1 < two.x0 for one, two in itertools.pairwise(boxes))


# --- times, precision and recall ----------------------------------------------------------------


def seconds(setting, factor=1.0):
    table = {"lime": 8.0, "l2e": 0.004, "gradient": 0.02, "lrp": 0.02, "occlusion": 1.0}
    return [mean(factor * value, 0.1 * factor * value, setting=setting, method=name)
            for name, value in table.items()]  # fmt: skip


def test_times_with_the_factors_of_the_paper(result):
    both = [result("figure-4", seconds("news")), result("figure-3", seconds("movies", 10))]
    fig = l2e_figures.times(both)
    assert titles(fig) == ["AG News", "IMDB-R"]
    for ax, factor in zip(fig.axes, (1, 10), strict=True):
        assert [bar.get_width() for bar in ax.patches] == pytest.approx(
            [factor * value for value in (0.004, 1.0, 0.02, 0.02, 8.0)]
        )
        names = [tick.get_text() for tick in ax.get_yticklabels()]
        assert names == ["L2E", "Occlusion", "Gradient", "LRP", "LIME"]
        ends = [box[2][0].get_segments()[0][:, 0].tolist() for box in ax.containers
                if isinstance(box, mpl.container.ErrorbarContainer)]  # fmt: skip
        assert ends[0] == pytest.approx([0.0036 * factor, 0.0044 * factor])
        # The abstract's 5 times and the 10 times of LRP, from 0.004 seconds.
        diamonds = [one.get_xydata()[0].tolist() for one in ax.get_lines()
                    if one.get_marker() == "D"]  # fmt: skip
        assert diamonds == [[pytest.approx(0.02 * factor), 2], [pytest.approx(0.04 * factor), 3]]
        assert ax.get_xscale() == "log"
        assert ax.get_xlim()[0] == pytest.approx(0.002 * factor)
    assert sorted(shown(fig)) == [
        "the student's time", "the student's time, times the paper's factor"
    ]  # fmt: skip


def rationales(classes=("positive", "negative")):
    table = {("lrp", "teacher"): (7, 5), ("lrp", "l2e"): (12, 12), ("lime", "teacher"): (12, 39)}
    return [
        mean(values[i] + 10 * (of == "negative"), **{"class": of}, setting="movies",
             measure=measure, teacher=teacher, explanation=words)
        for of in classes
        for (teacher, words), values in table.items()
        for i, measure in enumerate(("precision", "recall"))
    ] + [mean(99.0, **{"class": of}, setting="movies", measure="f1", teacher="lrp",
              explanation="l2e") for of in classes]  # fmt: skip


def test_precision_and_recall_of_each_pair(result):
    fig = l2e_figures.precision_recall(result("table-4", rationales()))
    assert titles(fig) == ["Positive reviews", "Negative reviews"]
    lrp, lime = (style.METHODS[name].colour for name in ("lrp", "lime"))
    for ax, more in zip(fig.axes, (0, 10), strict=True):
        # A teacher without a student has no arrow.
        assert points(ax) == [
            (lrp, "white", 7 + more, 5 + more), (lrp, lrp, 12 + more, 12 + more),
            (lime, "white", 12 + more, 39 + more),
        ]  # fmt: skip
        (arrow,) = (text for text in ax.texts if text.get_text() == "")
        assert (arrow.xyann, arrow.xy) == ((7 + more, 5 + more), (12 + more, 12 + more))
        # Both panels reach to the largest of both.
        assert ax.get_xlim() == (0, pytest.approx(1.15 * 22.5))
        assert ax.get_ylim() == (0, pytest.approx(1.15 * 49.5))
    assert "LRP" in shown(fig)


def test_lines_of_equal_f1(result):
    (ax,) = l2e_figures.precision_recall(result("figure-7", rationales(("positive",)))).axes
    names = [text.get_text().strip() for text in ax.texts if "F1" in text.get_text()]
    lines = [line for line in ax.get_lines() if line.get_color() == "#c4c4c4"]
    assert names[:3] == ["F1 = 5", "F1 = 10", "F1 = 15"]
    for name, line in zip(names, lines, strict=True):
        x, y = line.get_data()
        assert 2 * x * y / (x + y) == pytest.approx(float(name.split()[-1]))


# --- frontier -----------------------------------------------------------------------------------


def costs(setting="sst2"):
    table = {"l2e (kernel_shap)": (0.004, 2.0), "lime": (3.0, 6.0), "pflex": (0.01, 1.0),
             "kernel_shap": (3.5, 5.0), "saliency": (0.004, 0.5)}  # fmt: skip
    return [
        {**mean(value, setting=setting, method=name), "seconds": time,
         "seconds_low": 0.9 * time, "seconds_high": 1.2 * time}
        for name, (time, value) in table.items()
    ]  # fmt: skip


def test_methods_that_no_other_beats():
    assert [row["method"] for row in l2e_figures.unbeaten(costs())] == ["l2e (kernel_shap)", "lime"]
    same = [{"seconds": 1.0, "mean": value} for value in (1.0, 3.0, 3.0, 2.0)]
    assert l2e_figures.unbeaten(same) == [{"seconds": 1.0, "mean": 3.0}]


def test_frontier(result):
    fig = l2e_figures.frontier(result("frontier", costs() + costs("cola")))
    assert titles(fig) == ["SST-2", "CoLA"]
    for ax in fig.axes:
        assert [(x, y) for _, _, x, y in points(ax)] == [
            (0.004, 2), (3, 6), (0.01, 1), (3.5, 5), (0.004, 0.5)
        ]  # fmt: skip
        across, up = (bars.get_segments()[0] for bars in ax.containers[1][2])
        assert across[:, 0] == pytest.approx([2.7, 3.6])
        assert up[:, 1] == pytest.approx([5.5, 6.5])
        # The order of the rows; a student is named after its teacher.
        assert [(text.get_text(), text.xy) for text in ax.texts] == [
            ("L2E of Kernel SHAP", (0.004, 2)), ("LIME", (3, 6)), ("PFLex", (0.01, 1)),
            ("Kernel SHAP", (3.5, 5)), ("Saliency", (0.004, 0.5)),
        ]  # fmt: skip
        (line,) = (one for one in ax.get_lines() if str(one.get_label()).startswith("no other"))
        assert line.get_xydata().tolist() == [[0.004, 2], [3, 6]]
        assert ax.get_xscale() == "log"


def test_names_of_points_do_not_meet():
    assert l2e_figures.free_heights([(0.1, 0.2), (0.8, 0.2)], [0.2, 0.2], 0.06) == [0.2, 0.2]
    # The second is pushed off the first's label, upwards first, in steps of a third.
    close = l2e_figures.free_heights([(0.1, 0.2), (0.1, 0.21)], [0.2, 0.2], 0.06)
    assert close == pytest.approx([0.2, 0.27])
    # A label leaves the frame alone and gets out of the way of a point to its right.
    assert l2e_figures.free_heights([(0.1, 0.0)], [0.2], 0.06) == pytest.approx([0.04])
    aside = l2e_figures.free_heights([(0.1, 0.5), (0.2, 0.5)], [0.2, 0.2], 0.06)
    assert aside == pytest.approx([0.56, 0.5])
    generator = np.random.default_rng(0)
    points = [(float(x), float(y)) for x, y in generator.uniform(0, 1, (14, 2))]
    found = l2e_figures.free_heights(points, [0.15] * 14, 0.05)
    for (a, y), (b, z) in itertools.combinations(
        zip((x for x, _ in points), found, strict=True), 2
    ):
        assert abs(a - b) >= 0.15 or abs(y - z) >= 0.0499


# --- curves -------------------------------------------------------------------------------------


def test_losses_by_epoch(result):
    rows = [
        mean(i + epoch + 100 * j, setting="cola", formulation=formulation, optimizer=optimizer,
             epoch=epoch, part=part)
        for j, formulation in enumerate(("labelling", "ranking"))
        for i, (optimizer, part) in enumerate(
            itertools.product(("sgd", "adam"), ("training", "validation")))
        for epoch in (2, 1)
    ]  # fmt: skip
    rows.append(mean(9.0, setting="cola", formulation="ranking", optimizer="sgd", epoch=None,
                     part="kept"))  # fmt: skip
    fig = l2e_curves.optimiser_curves(result("optimisers", rows))
    assert titles(fig) == ["CoLA, labelling", "CoLA, ranking"]
    for ax, more in zip(fig.axes, (0, 100), strict=True):
        drawn = {line.get_label(): line for line in ax.get_lines()}
        assert {name: line.get_xydata().tolist() for name, line in drawn.items()} == {
            "gradient descent, validation": [[1, 2 + more], [2, 3 + more]],
            "gradient descent, training": [[1, 1 + more], [2, 2 + more]],
            "Adam, validation": [[1, 4 + more], [2, 5 + more]],
            "Adam, training": [[1, 3 + more], [2, 4 + more]],
        }
        assert {n.split(", ")[1]: line.get_linestyle() for n, line in drawn.items()} == {
            "validation": "-", "training": "--"
        }  # fmt: skip
        assert (ax.get_xlabel(), ax.get_ylabel()) == ("epoch", "loss")


def test_sizes(result):
    rows = [
        mean(width + texts / 1000, 0.25, setting="sst2", teacher=teacher, width=width, texts=texts,
             measure=measure)
        for teacher in ("lime", "gradient")
        for measure in ("iou", "validation loss")
        for width in (512, 64)
        for texts in (1000, 100)
    ]  # fmt: skip
    fig = l2e_curves.size_curves(result("sizes", rows), "iou", label="overlap")
    assert titles(fig) == ["SST-2, taught by LIME", "SST-2, taught by Gradient"]
    for ax in fig.axes:
        assert [one[0].get_xydata().round(4).tolist() for one in ax.containers] == [
            [[100, 64.1], [1000, 65]], [[100, 512.1], [1000, 513]]
        ]  # fmt: skip
        (first, _) = ax.containers[0][2][0].get_segments()
        assert first[:, 1] == pytest.approx([63.85, 64.35])
        assert ax.get_ylabel() == "overlap"
    assert shown(fig) == ["width 64", "width 512"]
    turned = l2e_curves.size_curves(result("sizes", rows), "iou", "width", "texts")
    assert shown(turned) == ["texts 100", "texts 1000"]
    assert (turned.axes[0].get_xlabel(), turned.axes[0].get_ylabel()) == ("width", "iou")


def test_division_by_the_number_of_neighbours(result):
    rows = [mean(value / (k if divided else 1), 0.1, setting="movies", neighbours=k,
                 divided=divided)
            for k, value in ((3, 17.4), (1, 18.0)) for divided in (False, True)]  # fmt: skip
    (ax,) = l2e_curves.division_curves(result("division", rows)).axes
    drawn = {one.get_label(): one[0].get_xydata().round(4).tolist() for one in ax.containers}
    assert drawn == {
        "Equation 1": [[1, 18], [3, 17.4]], "divided again, as released": [[1, 18], [3, 5.8]]
    }  # fmt: skip
    (line,) = (one for one in ax.get_lines() if str(one.get_label()).startswith("paper"))
    assert line.get_ydata() == [5.83, 5.83]
    assert ax.get_ylim()[0] == 0
