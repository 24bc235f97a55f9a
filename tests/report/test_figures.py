from __future__ import annotations

import ast
import base64
import io
import itertools
import json
import math
import re
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
from bs4 import BeautifulSoup
from PIL import Image

from tests.report.drawn import curves, mean
from xai_lib.report import figures, lipex_figures, style

# --- style --------------------------------------------------------------------------------------

BOOK = [
    "lime", "kernel_shap", "shapley_sampling", "partition_shap", "occlusion", "saliency",
    "input_x_gradient", "integrated_gradients", "guided_backprop", "deeplift", "deep_shap", "lrp",
    "lipex", "pflex", "mase", "mase_sparse", "smoothgrad", "ldav", "l2e", "random",
]  # fmt: skip
TOGETHER = (
    "lipex lime guided_backprop saliency input_x_gradient deeplift occlusion",
    "lipex lime kernel_shap shapley_sampling partition_shap occlusion",
    "pflex lime lipex random",
    "ldav lime integrated_gradients lrp occlusion kernel_shap deeplift saliency random",
    "ldav lime integrated_gradients lrp occlusion shapley_sampling deeplift saliency random",
    "mase mase_sparse lime lipex kernel_shap occlusion integrated_gradients smoothgrad random",
    "mase mase_sparse lime lipex kernel_shap occlusion input_x_gradient smoothgrad",
    "l2e occlusion gradient lrp lime kernel_shap deep_shap",
    "l2e occlusion saliency lrp lime kernel_shap deep_shap random",
    "lipex pflex ldav mase l2e",
)
# One series of LDAV's figures is no method. Input x gradient and random meet there too, but with
# deuteranopia their colours are alike.
_LDAV_FIGURES = (
    "ldav", "ldav (as printed)", "lime", "integrated_gradients", "shapley_sampling", "occlusion",
    "lrp", "saliency",
)  # fmt: skip
GROUPS = [
    *(group.split() for group in TOGETHER),
    [*_LDAV_FIGURES, "random"],
    [*_LDAV_FIGURES, "input_x_gradient"],
]
# Machado, Oliveira and Fernandes 2009, severity 1.
VISIONS = {
    "normal": np.eye(3),
    "deuteranopia": np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
    "protanopia": np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
}


def linear(colour):
    channels = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    return np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)


def lab(rgb):
    xyz = np.array([[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750],
                    [0.0193339, 0.1191920, 0.9503041]]) @ rgb  # fmt: skip
    ratio = xyz / np.array([0.95047, 1.0, 1.08883])
    f = np.where(ratio > 216 / 24389, np.cbrt(ratio), (24389 / 27 * ratio + 16) / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def test_every_method_has_its_own_look():
    assert set(style.METHODS) == set(BOOK)
    looks = [(s.colour, s.marker) for s in style.METHODS.values()]
    assert len({c for c, _ in looks}) == len({m for _, m in looks}) == len({*looks}) == len(BOOK)
    for method in (*style.METHODS.values(), style.SERIES["ldav (as printed)"]):
        luminance = linear(method.colour) @ [0.2126, 0.7152, 0.0722]
        assert 1.05 / (luminance + 0.05) >= 3, method.name


@pytest.mark.parametrize("vision", VISIONS)
def test_colours_that_meet_can_be_told_apart(vision):
    for group in GROUPS:
        seen = {
            m: lab(np.clip(VISIONS[vision] @ linear(style.method_style(m).colour), 0, 1))
            for m in group
        }
        for a, b in itertools.combinations(seen, 2):
            assert np.linalg.norm(seen[a] - seen[b]) >= 16.9, (vision, a, b)


def test_names():
    assert style.method_name("lipex") == "LIPEx"
    assert style.method_name("lime (1000)") == "LIME (1000)"
    assert style.method_name("guided_ig") == "Guided IG"
    assert style.method_name("my_method") == "my method"
    assert style.angle_name("7pi/30") == "7π/30"
    assert style.angle_name("pilot") == "pilot"
    assert style.method_style("lime").plot() == {
        "color": "#0072B2",
        "marker": "s",
        "linestyle": "--",
    }
    with pytest.raises(ValueError, match=r"no style for method 'lim'; methods: .*lipex"):
        style.method_style("lim")


def test_style_sheet_is_applied_and_left():
    with mpl.rc_context():
        mpl.rcParams["savefig.dpi"] = 50
        with style.styled():
            assert mpl.rcParams["savefig.dpi"] == 200
        assert mpl.rcParams["savefig.dpi"] == 50
        style.use_style()
        assert mpl.rcParams["savefig.dpi"] == 200


# --- show ---------------------------------------------------------------------------------------


def line():
    fig, ax = plt.subplots(figsize=(3, 2))
    ax.plot([0, 1], [1, 0])
    return fig


def test_notebooks_leave_the_name_of_a_figure_to_its_caption():
    """`caption` begins with the item's name; a notebook that writes it too says it twice."""
    given = []
    for path in sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb")):
        if path.stem == "lipex":  # Until its next published run: code and outputs go together.
            continue
        cells = json.loads(path.read_text("utf-8"))["cells"]
        code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
        calls = [node for text in code for node in ast.walk(ast.parse(text))]
        given += [
            ast.unparse(word.value)
            for node in calls
            if isinstance(node, ast.Call)
            for word in node.keywords
            if word.arg == "caption"
        ]
    assert given
    assert [text for text in given if not re.fullmatch(r"caption\(\w+\)", text)] == []


def test_figure_html_carries_picture_alt_and_caption():
    html = figures.figure_html(line(), 'falls from "1" to <0>', "<b>Figure 1.</b>")
    soup = BeautifulSoup(html, "html.parser")
    image = soup.find("img")
    assert image["alt"] == 'falls from "1" to <0>'
    assert image["width"] == "300"
    assert image.find_next("b").text == "Figure 1."
    picture = Image.open(io.BytesIO(base64.b64decode(image["src"].split(",")[1])))
    assert picture.size == (600, 400), "two pixels for each shown"
    assert picture.convert("RGB").getpixel((0, 0)) == (255, 255, 255)
    assert figures.figure_html(line(), "a").endswith('"></div>')


def test_same_figure_same_bytes():
    assert figures.figure_html(line(), "a") == figures.figure_html(line(), "a")


def test_show_displays_and_closes(monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.display.display", shown.append)
    fig = line()
    figures.show(fig, alt="a line", caption="c")
    assert 'alt="a line"' in shown[0].data
    assert not plt.fignum_exists(fig.number)


def test_an_empty_alt_is_refused():
    with pytest.raises(ValueError, match="alt must say"):
        figures.figure_html(line(), "  ")


# --- drawing ------------------------------------------------------------------------------------


def test_curve_with_band():
    _, ax = plt.subplots()
    figures.curve_with_band(ax, [1, 2], [0.5, 0.6], [0.4, None], [0.6, None], "lime")
    (curve,) = ax.get_lines()
    assert curve.get_ydata().tolist() == [0.5, 0.6]
    assert (curve.get_label(), curve.get_color(), curve.get_marker()) == ("LIME", "#0072B2", "s")
    corners = ax.collections[0].get_paths()
    assert {round(y, 6) for path in corners for _, y in path.vertices} == {0.4, 0.6}


@dataclass
class Fake:
    """What the drawing reads of an explanation."""

    weights: np.ndarray
    text: str = "a b c"
    words: tuple = ("a", "b", "c")
    spans: tuple = ((0, 1), (2, 3), (4, 5))
    classes: tuple = ("x", "y")
    predicted: int = 1

    @property
    def probabilities(self):
        return np.array([0.25, 0.75])


def test_matrix_and_bars():
    lipex = Fake(np.array([[1.0, 0.0, -2.0], [3.0, 0.0, 0.5]]))
    lime = Fake(np.array([[np.nan] * 3, [-0.1, 0.9, 0.2]]))
    left, right = figures.matrix_and_bars(lipex, lime).axes[:2]
    assert left.images[0].get_array().tolist() == [[3.0, 0.5], [1.0, -2.0]]
    assert [t.get_text() for t in left.get_xticklabels()] == ["a", "c"], "b has no weight"
    assert [t.get_text() for t in left.get_yticklabels()] == ["y (0.75)", "x (0.25)"]
    assert [t.get_text() for t in left.texts] == ["3.0", "0.5", "1.0", "-2.0"]
    assert [bar.get_width() for bar in right.patches] == [-0.1, 0.2], "strongest on top"
    assert [t.get_text() for t in right.get_yticklabels()] == ["a", "c"]
    assert right.get_title(loc="left") == "LIME: y"
    left = figures.matrix_and_bars(lipex, lime, max_classes=1, max_features=1).axes[0]
    assert left.images[0].get_array().tolist() == [[3.0]]


def test_matrix_errors():
    lipex = Fake(np.zeros((2, 3)))
    with pytest.raises(ValueError, match="no word a weight"):
        figures.matrix_and_bars(lipex, lipex)
    with pytest.raises(ValueError, match="not of the same text"):
        figures.matrix_and_bars(lipex, Fake(np.zeros((2, 3)), text="other"))


def test_angle():
    assert lipex_figures.angle("pi/16") == pytest.approx(math.pi / 16)
    assert lipex_figures.angle("7pi/30") == pytest.approx(7 * math.pi / 30)
    with pytest.raises(ValueError, match=r"not an angle such as pi/16 or 7pi/30: '0\.3'"):
        lipex_figures.angle("0.3")


def test_tv_histograms(save):
    def shares(setting, small, large):
        place = {"setting": setting, "method": "lipex"}
        return [
            mean(small, **place, statistic="share_at_most_0.05"),
            mean(large, **place, statistic="share_at_most_0.1"),
        ]

    def bar(start, share, method="lipex"):
        place = {"setting": "emotion", "method": method, "statistic": "bin"}
        return mean(share, **place, **{"from": start})

    rows = [
        *shares("emotion", 0.25, 0.5), bar(0.3, 0.5), bar(0.0, 0.25), bar(0.1, 0.25),
        bar(0.0, 1.0, "lime"), *shares("newsgroups20", 0.4, 0.7),
    ]  # fmt: skip
    first, second = lipex_figures.tv_histograms(save("figure-3", rows)).axes
    assert bars(first) == [(0, 0.25), (0.1, 0.25), (0.3, 0.5)]
    assert bars(second) == pytest.approx(np.array([(0, 0.4), (0.05, 0.3)]))
    assert [t.get_text() for t in first.texts] == ["50% at most 0.1"]
    assert [t.get_text() for t in second.texts] == ["70% at most 0.1;\nabove, no bins were kept"]
    assert first.get_title(loc="left") == "Emotion"


def bars(ax):
    return [(round(bar.get_x(), 6), bar.get_height()) for bar in ax.patches]


def test_distortion_panels(save):
    rows = [
        mean(value, setting="emotion", sigma=sigma, series=series)
        for series, values in (
            ("accuracy", (0.9, 0.4)), ("model_tv", (0.0, 0.6)), ("lipex_tv", (0.0, 0.5)),
        )
        for sigma, value in zip((0.0, 0.2), values, strict=True)
    ]  # fmt: skip
    left, right = lipex_figures.distortion_panels(save("figure-4", rows)).axes
    assert curves(left) == {"Model": [[0, 0.9], [0.2, 0.4]]}
    assert curves(right) == {"Model": [[0, 0], [0.2, 0.6]], "LIPEx": [[0, 0], [0.2, 0.5]]}
    with pytest.raises(ValueError, match=r"figure-4 .* no rows with .* series = 'lipex_tv'"):
        lipex_figures.distortion_panels(save("figure-4", rows[:4]))


def test_angle_curves(save):
    rows = [
        mean(value, setting="emotion", delta=delta, series=series)
        for series, values in (
            ("lime", (1.0, 0.2)), ("lipex", (1.0, 0.6)), ("lipex_vs_lime", (0.4, 0.3)),
        )
        for delta, value in zip(("pi/2", "pi/16"), values, strict=True)
    ]  # fmt: skip
    (ax,) = lipex_figures.angle_curves(save("figure-5", rows)).axes
    assert curves(ax) == {
        "LIPEx with LIPEx": [[0.1963, 0.6], [1.5708, 1.0]],
        "LIME with LIME": [[0.1963, 0.2], [1.5708, 1.0]],
        "LIPEx with LIME": [[0.1963, 0.3], [1.5708, 0.4]],
    }
    assert [t.get_text() for t in ax.get_xticklabels()] == ["π/2", "π/16"]


def test_budget_curves(save):
    rows = [
        mean(value, setting=setting, n_samples=n, method=method, k=k)
        for setting in ("emotion", "newsgroups20")
        for method, value in (("lipex", 0.7), ("lime", 0.6))
        for n in (1000, 200)
        for k in (1, "1-5")
    ]
    fig = lipex_figures.budget_curves(save("equal-budget", rows))
    assert len(fig.axes) == 2
    assert curves(fig.axes[1]) == {
        "LIPEx": [[200, 0.7], [1000, 0.7]],
        "LIME": [[200, 0.6], [1000, 0.6]],
    }
    assert "K = 1 to 5" in fig.axes[0].get_ylabel()
