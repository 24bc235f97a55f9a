"""Tests of `xai_lib.image_heatmap` and `xai_lib.segment_drawing`."""

from __future__ import annotations

import base64
import io
import math
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from xai_lib.image_explanation import ImageExplanation
from xai_lib.image_heatmap import describe_segment, place, to_html
from xai_lib.ink import UNDERLINE_AGAINST, UNDERLINE_FOR, tint
from xai_lib.segment_drawing import borders, canvas, enlarged, label_point, weight_map

VOID = {"img"}
QUARTERS = np.repeat(np.repeat([[0, 1], [2, 3]], 4, axis=0), 4, axis=1)
WEIGHTS = np.array([[4.0, -2.0, 1.0, 0.0], [-1.0, 0.5, 0.0, 0.0], [0.0, 0.0, 3.0, 0.0]])


def explain(image=None, segments=QUARTERS, weights=WEIGHTS, **changes):
    segments = np.asarray(segments)
    if image is None:
        image = np.full((*segments.shape, 3), 255, np.uint8)
    n = len(weights)
    values = {
        "image": image,
        "segments": segments,
        "segmenter": "by hand",
        "classes": ("cat", "dog", "<cow>")[:n],
        "probabilities": np.array([0.7, 0.2, 0.1])[:n],
        "predicted": 0,
        "weights": weights,
        "method": "lipex",
        "seed": 0,
        "model_calls": 100,
        "seconds": 0.25,
    }
    return ImageExplanation(**{**values, **changes})


class Page(HTMLParser):
    """Read HTML as a browser does: every element with its text, style and attributes."""

    def __init__(self, html):
        super().__init__(convert_charrefs=True)
        self.open, self.elements = [], []
        self.feed(html)
        self.close()
        assert self.open == [], "elements are left open"

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        assert len(attributes) == len(attrs), f"<{tag}> repeats an attribute"
        style = dict(item.split(":", 1) for item in attributes.pop("style", "").split(";") if item)
        element = {"tag": tag, "attributes": attributes, "style": style, "text": ""}
        self.elements.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_endtag(self, tag):
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop()["tag"] == tag, f"</{tag}> closes another element"

    def handle_data(self, data):
        for element in self.open:
            element["text"] += data

    def tagged(self, tag):
        return [element for element in self.elements if element["tag"] == tag]

    def labels(self):
        """Numbers on the picture as {number: element}."""
        found = [e for e in self.tagged("span") if e["style"].get("position") == "absolute"]
        return {e["text"]: e for e in found}

    def table(self):
        rows = []
        for element in self.elements:
            if element["tag"] == "tr":
                rows.append([])
            elif element["tag"] in ("td", "th"):
                rows[-1].append(element["text"])
        return rows

    def pictures(self):
        """Decode both pictures."""
        found = []
        for element in self.tagged("img"):
            kind, data = element["attributes"]["src"].split(",")
            assert kind == "data:image/png;base64"
            found.append(Image.open(io.BytesIO(base64.b64decode(data, validate=True))))
        return found


def check_page(html):
    """Check what must hold for every output, and return the parsed page."""
    page = Page(html)
    allowed = {"div", "span", "bdi", "strong", "img", "table", "tr", "th", "td"}
    assert {e["tag"] for e in page.elements} <= allowed
    for element in page.elements:
        for name, value in element["attributes"].items():
            assert not name.startswith("on")
            assert name == "src" or "np." not in value
        for value in element["style"].values():
            assert "url(" not in value
            assert "np." not in value
        # dark ink where the ground is light, and only there
        assert ("color" in element["style"] and element["style"]["color"] != "inherit") <= (
            element["style"].get("background", "transparent").startswith("#")
        )
    images = page.tagged("img")
    assert len(images) == 2
    for image in images:
        assert image["attributes"]["alt"].strip()
        assert image["style"]["max-width"] == "100%"
        assert image["style"]["filter"] == "none"
    root = page.elements[0]
    assert root["attributes"]["role"] == "group"
    assert root["style"]["color"] == "inherit"
    html.encode("utf-8")
    return page


# -- drawing ------------------------------------------------------------------------------------


def test_borders_by_hand():
    segments = np.array([[0, 0, 1], [0, 2, 1], [2, 2, 1]])
    assert borders(segments).astype(int).tolist() == [[0, 1, 0], [1, 1, 0], [0, 1, 0]]
    assert not borders(np.zeros((1, 1), int)).any()


def test_enlarged_by_hand():
    labels = np.array([[0, 1, 2], [3, 4, 5]])
    assert enlarged(labels, 4, 3).tolist() == [[0, 1, 2], [0, 1, 2], [3, 4, 5], [3, 4, 5]]
    assert enlarged(labels, 2, 6).tolist() == [[0, 0, 1, 1, 2, 2], [3, 3, 4, 4, 5, 5]]
    assert enlarged(labels, 1, 2).tolist() == [[0, 1]]


def test_canvas_by_hand():
    assert canvas((224, 224, 3)) == (448, 448)
    assert canvas((300, 5)) == (448, 7)  # 5 * 448 / 300 = 7.47
    assert canvas((1, 1000)) == (1, 448)  # 0.448, but at least one
    assert canvas((896, 448)) == (448, 224)


def test_label_point_by_hand():
    ring = np.zeros((7, 7), int)
    ring[2:5, 2:5] = 1
    explanation = explain(segments=ring, weights=np.zeros((3, 2)))
    # The middle of the inner square, not of its corner pixel.
    assert label_point(explanation, 1) == (3.5, 3.5)
    # The centre of the ring lies outside it. Its sides are two pixels wide, so room 1; the second
    # pixel on the diagonal is sqrt(2) from the square and 2 from the edge. First of four.
    assert label_point(explanation, 0) == (1.5, 1.5)
    wide = np.zeros((3, 9), int)
    wide[:, 6:] = 1
    assert label_point(explain(segments=wide, weights=np.zeros((3, 2))), 0) == (1.5, 2.5)
    assert label_point(explain(segments=wide, weights=np.zeros((3, 2))), 1) == (1.5, 7.5)


def test_places():
    nine = np.arange(9).reshape(3, 3)
    explanation = explain(segments=nine, weights=np.zeros((3, 9)))
    assert [place(explanation, i) for i in range(9)] == [
        "top left", "top", "top right", "left", "centre", "right",
        "bottom left", "bottom", "bottom right",
    ]  # fmt: skip
    assert describe_segment(explanation, 2) == "segment 3, top right, 1 pixel"
    assert describe_segment(explain(), 3) == "segment 4, bottom right, 16 pixels"
    assert place(explain(segments=[[0]], weights=np.zeros((3, 1))), 0) == "centre"


def test_map_colours_by_hand():
    image = np.zeros((8, 8, 3), np.uint8)
    image[:, :4] = 255
    drawn = np.asarray(weight_map(explain(image), 0, 4.0).convert("RGB"))
    assert drawn.shape == (448, 448, 3)
    rgb = [[int(tint(w, 4)[i : i + 2], 16) for i in (1, 3, 5)] for w in (4, -2, 0)]
    # White keeps the tint of its weight; black has 0.6 of it. The weight 1 of 4 is step 2.5 of
    # 10, which rounds to the even 2.
    assert drawn[100, 100].tolist() == rgb[0]
    assert drawn[100, 300].tolist() == [round(0.6 * value) for value in rgb[1]]
    fifth = tint(2, 10)
    assert drawn[300, 100].tolist() == [int(fifth[i : i + 2], 16) for i in (1, 3, 5)]
    assert drawn[300, 300].tolist() == [round(0.6 * 255)] * 3
    # 8 pixels become 448, so the border runs along the last pixel before 224.
    ink = (drawn == [0x15, 0x18, 0x1C]).all(axis=2)
    wanted = np.zeros((448, 448), bool)
    wanted[223], wanted[:, 223] = True, True
    np.testing.assert_array_equal(ink, wanted)


def test_map_of_another_class_and_of_infinite_weights():
    weights = np.array([[math.inf, -math.inf, 0.0, 2.0], [math.nan] * 4])
    explanation = explain(weights=weights)
    drawn = np.asarray(weight_map(explanation, 0, 2.0).convert("RGB"))
    assert drawn[100, 100].tolist() == [0x63, 0xAD, 0xE5]
    assert drawn[100, 300].tolist() == [0xF7, 0xA2, 0x4F]
    grey = np.asarray(weight_map(explanation, 1, 2.0).convert("RGB"))
    assert grey[100, 100].tolist() == grey[100, 300].tolist() == [255, 255, 255]


# -- the page -----------------------------------------------------------------------------------


def test_pictures_numbers_and_table_by_hand():
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)
    page = check_page(to_html(explain(image)))
    left, right = page.pictures()
    np.testing.assert_array_equal(np.asarray(left), image)
    assert right.size == (448, 448)
    assert page.tagged("img")[0]["style"]["image-rendering"] == "pixelated"
    # Segment 4 has the weight 0 for all classes and no number.
    labels = page.labels()
    assert set(labels) == {"1", "2", "3"}
    assert {n: e["style"]["border"] for n, e in labels.items()} == {
        "1": f"2px solid {UNDERLINE_FOR}",
        "2": f"2px dotted {UNDERLINE_AGAINST}",
        "3": f"2px solid {UNDERLINE_FOR}",
    }
    for number, (x, y) in {"1": (0, 0), "2": (1, 0), "3": (0, 1)}.items():
        # The middle of a quarter lies between pixels; one of the four around it is chosen.
        for side, corner in (("left", x), ("top", y)):
            at = float(labels[number]["style"][side].rstrip("%"))
            assert at in (50 * corner + 18.75, 50 * corner + 31.25)
    assert labels["2"]["attributes"]["title"] == "segment 2, top right, 16 pixels: −2.00"
    assert page.table() == [
        ["segment", "1", "3", "2"],
        ["cat", "+4.00", "+1.00", "−2.00"],
        ["dog", "−1.00", "0.00", "+0.50"],
        ["<cow>", "0.00", "+3.00", "0.00"],
    ]
    assert page.tagged("th")[1]["attributes"] == {
        "scope": "col", "title": "segment 3, bottom left, 16 pixels",
    }  # fmt: skip
    cells = [e["style"]["background"] for e in page.tagged("td")[1:4]]
    assert cells == [tint(4, 4), tint(1, 4), tint(-2, 4)]


def test_what_a_screen_reader_says():
    page = check_page(to_html(explain()))
    assert page.elements[0]["attributes"]["aria-label"] == (
        "Explanation by lipex: predicted cat, probability 0.70. Strongest segments for class cat: "
        "segment 1 +4.00, segment 2 −2.00, segment 3 +1.00, segment 4 0.00."
    )
    first, second = (image["attributes"]["alt"] for image in page.tagged("img"))
    assert first == "The picture as the classifier reads it, 8 by 8 pixels."
    assert second == (
        "The same picture in grey, cut into 4 segments with the colours of their weights for "
        "class cat. For cat: segments 1 (top left) +4.00, 3 (bottom left) +1.00. Against cat: "
        "segment 2 (top right) −2.00."
    )
    assert all(e["attributes"]["aria-hidden"] == "true" for e in page.labels().values())
    shown = page.elements[0]["text"]
    assert shown.startswith("cat0.70dog0.20<cow>0.10as the classifier reads it, 8 × 8 pixels")
    assert "against cat−4.00+4.00for cat" in shown
    assert "4 segments (by hand). Numbers on the picture" in shown
    assert "the 3 of 4 segments with the largest" in shown
    assert "lipex · 100 model calls · 0.25 s" in shown


def test_another_class_keeps_numbers_and_scale():
    page = check_page(to_html(explain(), of="<cow>", max_classes=2))
    assert [row[0] for row in page.table()] == ["segment", "cat", "<cow>"]
    assert set(page.labels()) == {"1", "2", "3"}
    assert "against <cow>−4.00+4.00for <cow>" in page.elements[0]["text"]
    drawn = np.asarray(page.pictures()[1].convert("RGB"))
    # 3 of 4 is step 7.5 of 10, which rounds to the even 8
    assert drawn[300, 100].tolist() == [int(tint(8, 10)[i : i + 2], 16) for i in (1, 3, 5)]
    assert "solid #5f6771" in page.labels()["1"]["style"]["border"]  # the weight 0: no sign
    for wrong, message in (
        ({"of": "cow"}, "Unknown class 'cow'"),
        ({"max_classes": 0}, "at least 1"),
    ):
        with pytest.raises(ValueError, match=message):
            to_html(explain(), **wrong)


def test_what_is_missing():
    weights = np.full((3, 4), math.nan)
    weights[1] = [1, 0, 0, -1]
    page = check_page(to_html(explain(weights=weights)))
    assert "lipex does not explain the class cat." in page.elements[0]["text"]
    assert page.table() == [
        ["segment", "1", "4"],
        ["dog", "+1.00", "−1.00"],
        ["2 other classes", "–", "–"],
    ]
    assert set(page.labels()) == {"1", "4"}
    assert "Numbers on the picture" not in page.elements[0]["text"]
    assert page.tagged("img")[1]["attributes"]["alt"].endswith("4 segments, without colours.")
    none = check_page(to_html(explain(weights=np.full((3, 4), math.nan))))
    assert (none.tagged("table"), none.labels()) == ([], {})
    zero = check_page(to_html(explain(weights=np.zeros((3, 4)))))
    assert "All weights are 0." in zero.elements[0]["text"]
    assert (zero.tagged("table"), zero.labels()) == ([], {})


def test_one_class_has_a_table_too():
    page = check_page(to_html(explain(weights=[[2.0, -1.0, 0.0, 0.0]])))
    assert page.table() == [["segment", "1", "2"], ["cat", "+2.00", "−1.00"]]


@pytest.mark.parametrize("shape", [(1, 1), (2, 3), (300, 5), (5, 300), (1000, 700)])
def test_any_shape(shape):
    segments = np.zeros(shape, int)
    page = check_page(to_html(explain(segments=segments, weights=[[1.0], [0.0], [-1.0]])))
    left, right = page.pictures()
    assert right.size == canvas(shape)[::-1]
    assert left.size == (shape[::-1] if max(shape) <= 448 else canvas(shape)[::-1])
    assert set(page.labels()) == {"1"}
    cards = [e for e in page.tagged("div") if e["style"].get("position") == "relative"]
    height, width = canvas(shape)
    for card in cards:
        part = float(card["style"]["width"].rstrip("%"))
        assert part == pytest.approx(100 * width / max(height, width), rel=1e-3)


def test_a_thousand_classes_stay_short():
    classes = tuple(f"class number {i}" for i in range(1000))
    weights = np.full((1000, 4), math.nan)
    weights[0] = WEIGHTS[0]
    html = to_html(explain(classes=classes, weights=weights, probabilities=np.full(1000, 0.001)))
    assert "999 other classes" in html
    assert "class number 20 and 979 more" in html
    assert len(html) < 20_000


def test_size_of_the_worst_picture():
    """Noise cannot be compressed: this is what a page can have at most."""
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (224, 224, 3), dtype=np.uint8)
    segments = np.repeat(np.repeat(np.arange(49).reshape(7, 7), 32, axis=0), 32, axis=1)
    html = to_html(explain(image, segments, rng.normal(size=(3, 49))))
    # 224 * 224 * 3 bytes of noise are 201 kB in base64; the map adds at most half a byte a pixel
    assert len(html) < 201_000 + 448 * 448 / 2 * 4 / 3 + 20_000


def test_same_bytes_twice():
    assert to_html(explain()) == to_html(explain()) == explain()._repr_html_()
    assert not re.search(r"https?:", to_html(explain()))
