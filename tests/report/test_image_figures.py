from __future__ import annotations

import itertools
from types import SimpleNamespace

import numpy as np
import pytest
from skimage.color import rgb2lab

from xai_lib.image_explanation import ImageExplanation
from xai_lib.report import figures, image_figures, style

QUARTERS = np.repeat(np.repeat([[0, 1], [2, 3]], 4, axis=0), 4, axis=1)
IMAGE = np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)


def explain(weights=(4.0, -3.0, 1.0, 0.0), **changes):
    values = {
        "image": IMAGE, "segments": QUARTERS, "segmenter": "by hand", "classes": ("cat", "dog"),
        "probabilities": [0.25, 0.75], "predicted": 1,
        "weights": [np.zeros(4), weights], "method": "lipex", "seed": 0, "model_calls": 1,
        "seconds": 0.0,
    }  # fmt: skip
    return ImageExplanation(**{**values, **changes})


def shows(drawn, quarter):
    """Tell whether the inside of a quarter is the picture, and not the grey."""
    factor = len(drawn) // 8
    rows, columns = (
        slice(4 * i * factor + 5, 4 * (i + 1) * factor - 5) for i in divmod(quarter, 2)
    )
    part = drawn[rows, columns]
    whole = IMAGE.repeat(factor, 0).repeat(factor, 1)[rows, columns]
    if (part == whole).all():
        return True
    grey = whole.mean(axis=2, keepdims=True)
    np.testing.assert_array_equal(part, np.rint(0.88 * 216 + 0.12 * grey).repeat(3, axis=2))
    return False


def test_only_top_shows_the_top_segments():
    drawn = image_figures.only_top(explain(), 2)
    assert drawn.shape == (448, 448, 3)
    assert [shows(drawn, i) for i in range(4)] == [True, True, False, False]
    assert [shows(image_figures.only_top(explain(), 2, "signed"), i) for i in range(4)] == [
        True, False, True, False,
    ]  # fmt: skip
    assert [shows(image_figures.only_top(explain(), 9), i) for i in range(4)] == [True] * 4


def test_outlines_tell_for_from_against():
    drawn = image_figures.only_top(explain(), 2)
    blue, brown = [0x0A, 0x4F, 0x8A], [0x8F, 0x47, 0x00]
    # Two lines on the grey below, one inside, of the left quarter (for) and the right (against).
    assert [drawn[row, 112].tolist() == blue for row in (222, 223, 224, 225, 226)] == [
        False, True, True, True, False,
    ]  # fmt: skip
    assert [drawn[row, 336].tolist() == brown for row in (222, 223, 224, 225, 226)] == [
        False, True, True, True, False,
    ]  # fmt: skip
    # Side by side each keeps its own line.
    assert drawn[112, 223].tolist() == blue
    assert drawn[112, 224].tolist() == brown


def test_with_borders():
    drawn = image_figures.with_borders(explain())
    lines = (drawn == image_figures.BORDER).all(axis=2)
    wanted = np.zeros((448, 448), bool)
    wanted[223], wanted[:, 223] = True, True
    np.testing.assert_array_equal(lines, wanted)
    plain = IMAGE.repeat(56, 0).repeat(56, 1)
    np.testing.assert_array_equal(drawn[~wanted], plain[~wanted])


def test_top_segments_has_a_row_for_each_picture():
    other = explain((0.0, 0.0, 0.0, 1.0), image=255 - IMAGE, predicted=1)
    rows = [
        {"lipex": explain(), "integrated_gradients": explain((0.0, 0.0, 2.0, 1.0))},
        {"integrated_gradients": other, "lipex": other},
    ]
    fig = image_figures.top_segments(rows, 1, ["cat", "English springer"])
    axes = np.array(fig.axes).reshape(2, 3)
    assert [ax.get_title() for ax in axes[0]] == ["picture", "LIPEx", "Integrated\ngradients"]
    assert [ax.get_ylabel() for ax in axes[:, 0]] == [
        "cat\nsays dog 0.75", "English\nspringer\nsays dog 0.75",
    ]  # fmt: skip
    first, second = (ax.get_images()[0].get_array() for ax in axes[0, 1:])
    assert [shows(np.asarray(first), i) for i in range(4)] == [True, False, False, False]
    assert [shows(np.asarray(second), i) for i in range(4)] == [False, False, True, False]
    np.testing.assert_array_equal(
        axes[1, 2].get_images()[0].get_array(), image_figures.only_top(other, 1)
    )
    assert "png" in figures.figure_html(fig, "top segments")
    (without,) = {image_figures.top_segments(rows[:1]).axes[0].get_ylabel()}
    assert without == "says dog 0.75"


@pytest.mark.parametrize(
    ("rows", "changes", "message"),
    [
        ([], {}, "nothing to draw"),
        ([{}], {}, "nothing to draw"),
        ([{"lime": explain()}], {"k": 0}, "k must be at least 1, got 0"),
        ([{"lime": explain()}], {"gold": []}, "gold has 0 classes, but there are 1 pictures"),
        ([{"lime": explain()}, {"lipex": explain()}], {}, r"Row 2 has the methods \['lipex'\]"),
        (
            [{"lime": explain(), "lipex": explain(image=255 - IMAGE)}], {},
            "Row 1: 'lipex' and 'lime' are not of the same picture",
        ),
        ([{"lime": explain(), "lipex": explain(predicted=0)}], {}, "and prediction"),
    ],
)  # fmt: skip
def test_top_segments_errors(rows, changes, message):
    with pytest.raises(ValueError, match=message):
        image_figures.top_segments(rows, **changes)


def area_rows(method, changed, area, setting="imagenette-vgg16"):
    return [
        {"setting": setting, "method": method, "measure": measure,
         "mean": mean, "low": mean - 0.1, "high": mean + 0.2}
        for measure, mean in (("changed", changed), ("share of the picture in the top 5", area))
    ]  # fmt: skip


def test_area_scatter_has_a_point_with_two_intervals_for_each_method():
    rows = area_rows("xrai", 0.6, 0.3) + area_rows("xrai (mean)", 0.4, 0.2)
    result = SimpleNamespace(rows=rows, paper="lipex", item="segment-size")
    (ax,) = image_figures.area_scatter(result, "changed").axes
    found = {}
    for container in ax.containers:
        point, _, (x_bar, y_bar) = container.lines
        ends = [bar.get_segments()[0].round(6).tolist() for bar in (x_bar, y_bar)]
        found[container.get_label()] = ([*point.get_xdata(), *point.get_ydata()], *ends)
    assert found == {
        "XRAI": ([0.3, 0.6], [[0.2, 0.6], [0.5, 0.6]], [[0.3, 0.5], [0.3, 0.8]]),
        "XRAI (mean)": ([0.2, 0.4], [[0.1, 0.4], [0.4, 0.4]], [[0.2, 0.3], [0.2, 0.6]]),
    }


def test_area_scatter_has_a_panel_for_each_setting():
    rows = area_rows("lime", 0.5, 0.1) + area_rows("lime", 0.5, 0.1, "imagenette-inceptionv3")
    result = SimpleNamespace(rows=rows, paper="lipex", item="segment-size")
    titles = [ax.get_title(loc="left") for ax in image_figures.area_scatter(result, "changed").axes]
    assert titles == ["Imagenette 1 (paper: VGG16)", "Imagenette 2 (paper: InceptionV3)"]


# --- style --------------------------------------------------------------------------------------

TOGETHER = (
    "lipex", "lime", "xrai", "guided_ig", "blur_ig", "vanilla_gradient", "smoothgrad",
    "integrated_gradients", "grad_cam", "segment_size", "random", "occlusion", "kernel_shap",
)  # fmt: skip
# Machado, Oliveira and Fernandes 2009, severity 1.
VISIONS = {
    "normal": np.eye(3),
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "protanopia": [
        [0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
}  # fmt: skip


def linear(colour):
    value = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


@pytest.mark.parametrize("vision", VISIONS)
def test_colours_that_meet_can_be_told_apart(vision):
    seen = {}
    for method in TOGETHER:
        light = np.clip(np.array(VISIONS[vision]) @ linear(style.method_style(method).colour), 0, 1)
        shown = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
        seen[method] = rgb2lab(shown[None, None])[0, 0]
    for a, b in itertools.combinations(seen, 2):
        assert np.linalg.norm(seen[a] - seen[b]) >= 16.9, (vision, a, b)


def test_methods_for_pictures_have_names_and_readable_colours():
    assert {name: style.method_name(name) for name in style.IMAGE_METHODS} == {
        "xrai": "XRAI",
        "guided_ig": "Guided IG",
        "blur_ig": "Blur IG",
        "vanilla_gradient": "Vanilla gradient",
        "grad_cam": "Grad-CAM",
        "segment_size": "Segment size",
        "pixel_smoothgrad": "SmoothGrad",
        "pixel_integrated_gradients": "Integrated gradients",
    }
    markers = [style.method_style(method).marker for method in TOGETHER]
    assert sorted({m for m in markers if markers.count(m) > 1}) == []
    for method in style.IMAGE_METHODS.values():
        light = linear(method.colour) @ [0.2126, 0.7152, 0.0722]
        assert 1.05 / (light + 0.05) >= 3, method.name
