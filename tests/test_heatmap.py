"""Tests of `xai_lib.heatmap`: what a browser and a screen reader get to see."""

from __future__ import annotations

import math
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from hypothesis import example as case
from hypothesis import given, settings
from hypothesis import strategies as st

from xai_lib.explanation import Explanation
from xai_lib.heatmap import compare_html, to_html
from xai_lib.ink import tint
from xai_lib.text import find_words, make_instance

TEXT = "i was not happy,\n  not at <b>all</b> & $5"
CLASSES = ("sadness", "joy", "fear")


def explain(text=TEXT, classes=CLASSES, weights=None, *, end=None, group="position", **changes):
    instance = make_instance(text, group, end)
    if weights is None:
        grid = np.arange(len(classes) * instance.n_features).reshape(len(classes), -1)
        weights = np.sin(1.0 + grid)
    probabilities = np.linspace(1, 2, len(classes)) / np.linspace(1, 2, len(classes)).sum()
    values = {
        "text": text,
        "words": instance.features,
        "spans": instance.feature_spans,
        "classes": classes,
        "probabilities": probabilities,
        "predicted": len(classes) - 1,
        "weights": weights,
        "method": "lime",
        "seed": 0,
        "model_calls": 100,
        "seconds": 0.25,
        "truncated_words": instance.truncated_words,
    }
    return Explanation(**{**values, **changes})


class Page(HTMLParser):
    """Read HTML as a browser does: every element with its text, style and attributes."""

    def __init__(self, html):
        super().__init__(convert_charrefs=True)
        self.open, self.elements = [], []
        self.feed(html)
        self.close()
        assert self.open == [], "elements are left open"

    def handle_starttag(self, tag, attrs):
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), f"<{tag}> repeats an attribute"
        attributes = dict(attrs)
        style = dict(
            item.split(":", 1) for item in attributes.pop("style", "").split(";") if item.strip()
        )
        inherited = self.open[-1]["colour"] if self.open else "inherit"
        colour = style.get("color", inherited)
        ground = self.open[-1]["ground"] if self.open else "page"
        paint = style.get("background", "transparent")
        self.open.append(
            {
                "tag": tag,
                "attributes": attributes,
                "style": style,
                "colour": inherited if colour == "inherit" else colour,
                "ground": ground if paint == "transparent" else paint,
                "text": "",
                "parent": self.open[-1]["tag"] if self.open else None,
            }
        )
        self.elements.append(self.open[-1])

    def handle_endtag(self, tag):
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop()["tag"] == tag, f"</{tag}> closes another element"

    def handle_data(self, data):
        for element in self.open:
            element["text"] += data

    def tagged(self, tag):
        return [element for element in self.elements if element["tag"] == tag]

    def panels(self):
        return [e for e in self.tagged("div") if e["style"].get("white-space") == "pre-wrap"]

    def words(self):
        """Words of the heat map as (text, title, background)."""
        return [
            (e["text"], e["attributes"]["title"], e["style"]["background"])
            for e in self.tagged("span")
            if "title" in e["attributes"] and "background" in e["style"]
        ]

    def table(self, index=0):
        rows = []
        tables = -1
        for element in self.elements:
            tables += element["tag"] == "table"
            if tables != index:
                continue
            if element["tag"] == "tr":
                rows.append([])
            elif element["tag"] in ("td", "th"):
                rows[-1].append(element["text"])
        return rows


def luminance(colour):
    """WCAG 2.2, relative luminance."""
    total = 0.0
    for factor, pair in zip((0.2126, 0.7152, 0.0722), (1, 3, 5), strict=True):
        value = int(colour[pair : pair + 2], 16) / 255
        total += factor * (value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4)
    return total


def contrast(first, second):
    high, low = sorted((luminance(first), luminance(second)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def check_page(html):
    """Check what must hold for every output, and return the parsed page."""
    page = Page(html)
    allowed = {"div", "span", "bdi", "strong", "em", "sub", "table", "tr", "th", "td"}
    assert {e["tag"] for e in page.elements} <= allowed
    for element in page.elements:
        assert set(element["attributes"]) <= {
            "class", "translate", "role", "aria-label", "aria-hidden", "title", "dir", "scope",
            "tabindex",
        }  # fmt: skip
        for value in element["style"].values():
            assert "url(" not in value
            assert "np." not in value
        if element["tag"] == "th":
            assert element["attributes"]["scope"] in ("col", "row")
        if element["text"] and element["colour"] != "inherit":
            assert re.fullmatch("#[0-9a-f]{6}", element["ground"]), element
            assert contrast(element["colour"], element["ground"]) >= 4.5, element
        if element["text"] and element["ground"] != "page":
            assert element["colour"] != "inherit", f"colour of the page on {element['ground']}"
    root = page.elements[0]
    assert root["attributes"]["role"] == "group"
    assert "tex2jax_ignore mathjax_ignore" in root["attributes"]["class"]
    assert root["colour"] == "inherit"
    html.encode("utf-8")
    return page


# -- one explanation ----------------------------------------------------------------------------


def test_contrast_formula_by_hand():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.478, abs=1e-3)


def test_the_text_keeps_its_characters():
    page = check_page(to_html(explain()))
    assert [panel["text"] for panel in page.panels()] == [TEXT]
    assert [word for word, _, _ in page.words()] == [TEXT[i:j] for i, j in find_words(TEXT)]


def test_colours_titles_and_legend_by_hand():
    weights = np.array([[0.0, 0, 0, 0], [1, -2, 0, 0.5], [0.0, 4, 0, 0]])
    explanation = explain("so sad and fine", weights=weights, predicted=1)
    page = check_page(to_html(explanation))
    assert page.words() == [
        ("so", "+1.00", tint(1, 4)),
        ("sad", "−2.00", tint(-2, 4)),
        ("and", "0.00", "#ffffff"),
        ("fine", "+0.50", tint(0.5, 4)),
    ]
    assert "against joy−4.00+4.00for joy" in page.elements[0]["text"]
    label = page.elements[0]["attributes"]["aria-label"]
    assert label == (
        "Explanation by lime: predicted joy, probability 0.33. Strongest words for class joy: "
        "sad −2.00, so +1.00, fine +0.50, and 0.00."
    )
    other = check_page(to_html(explanation, of="fear"))
    assert other.words()[1] == ("sad", "+4.00", tint(4, 4))
    assert "for fear" in other.elements[0]["text"]


def test_tint_by_hand():
    assert tint(0, 1) == tint(0, 0) == "#ffffff"
    assert tint(3, 3) == tint(9, 3) == tint(math.inf, 3) == "#63ade5"
    assert tint(-3, 3) == tint(-math.inf, 3) == "#f7a24f"
    # halfway: (255 + 0x63) / 2, (255 + 0xad) / 2, (255 + 0xe5) / 2
    assert tint(1.5, 3) == f"#{177:02x}{214:02x}{242:02x}"


@settings(deadline=None)  # the machine may be busy
@given(st.floats(-1, 1))
@case(1.0)
@case(-1.0)
def test_ink_is_readable_on_every_tint(weight):
    page = check_page(to_html(explain("a b", weights=[[1.0, weight]] * 3)))
    colours = [colour for _, _, colour in page.words()]
    assert colours[1] == tint(weight, 1)


def test_only_strong_weights_are_underlined():
    html = to_html(explain("a b c d", ("x",), [[4.0, -4.0, 0.9, -0.9]]))
    spans = [e for e in Page(html).tagged("span") if "title" in e["attributes"]]
    lines = [e["style"].get("border-bottom", "none").split()[1:2] for e in spans]
    assert lines == [["solid"], ["dotted"], [], []]


def test_matrix_of_classes_and_words_by_hand():
    weights = np.zeros((3, 4))
    weights[0] = [0.5, 0, 0, -0.125]
    weights[1] = [0, -2, 0.25, 0]
    weights[2] = [0.25, 1, 0, 0.75]
    explanation = explain("not bad not good", weights=weights, probabilities=[0.2, 0.7, 0.1])
    page = check_page(to_html(explanation, of="joy"))
    assert page.table() == [
        ["", "bad", "good", "not1", "not2"],
        ["joy", "−2.00", "0.00", "0.00", "+0.25"],
        ["sadness", "0.00", "−0.12", "+0.50", "0.00"],
        ["fear", "+1.00", "+0.75", "+0.25", "0.00"],
    ]
    heads = [e["attributes"] for e in page.tagged("th")]
    assert [head["scope"] for head in heads] == ["col"] * 4 + ["row"] * 3
    assert heads[3]["title"] == "not (word 3 of 4)"
    grounds = [e["ground"] for e in page.tagged("td")[1:5]]
    assert grounds == [tint(-2, 2), tint(0, 2), tint(0, 2), tint(0.25, 2)]


def test_matrix_is_capped_and_says_so():
    text = " ".join(f"w{i}" for i in range(20))
    classes = tuple(f"c{i}" for i in range(15))
    weights = np.zeros((15, 20))
    weights[0] = np.arange(1, 21)
    explanation = explain(text, classes, weights)  # c14 is the most probable, c0 the least
    page = check_page(to_html(explanation, of="c0", max_classes=3))
    rows = page.table()
    assert rows[0] == ["", *(f"w{i}" for i in range(19, 9, -1))]
    assert [row[0] for row in rows[1:]] == ["c14", "c13", "c0"]
    shown = page.elements[0]["text"]
    assert "the 10 of 20 words with the largest" in shown
    assert "Rows: 3 of 15 classes." in shown
    assert "+ 9 more" in shown  # 6 bars of 15
    with pytest.raises(ValueError, match="max_classes must be at least 1"):
        to_html(explanation, max_classes=0)
    with pytest.raises(ValueError, match="Unknown class 'joy'"):
        to_html(explanation, of="joy")


def test_probabilities_are_in_the_header():
    html = to_html(explain(probabilities=[0.25, 0.7, 0.05], predicted=1))
    shown = Page(html).elements[0]["text"]
    assert shown.startswith("joy0.70sadness0.25fear0.05i was")
    assert "lime · 100 model calls · 0.25 s" in shown
    assert "width:70.0%" in html


# -- what is missing ----------------------------------------------------------------------------


def test_classes_that_were_not_explained():
    weights = np.full((3, 3), math.nan)
    weights[2] = [1, -1, 0]
    page = check_page(to_html(explain("so very bad", weights=weights)))
    assert page.table() == [
        ["", "so", "very"],
        ["fear", "+1.00", "−1.00"],
        ["2 other classes", "–", "–"],
    ]
    head = page.tagged("th")[-1]
    assert head["attributes"]["title"] == "not explained: sadness, joy"

    two = check_page(to_html(explain("a b c", weights=[[1.0, 0, 0], [0, 2.0, 0], [math.nan] * 3])))
    assert two.words() == []
    assert "lime does not explain the class fear." in two.elements[0]["text"]
    assert two.panels()[0]["text"] == "a b c"
    assert two.table()[-1] == ["fear", "–", "–"]
    none = check_page(to_html(explain("a b c", weights=np.full((3, 3), math.nan))))
    assert none.tagged("table") == []


@pytest.mark.parametrize("text", ["", "  \n ", "... !"])
def test_no_features(text):
    page = check_page(to_html(explain(text)))
    assert "nothing to explain" in page.elements[0]["text"]
    assert page.panels()[0]["text"] == text + ("" if text.strip() else "(empty text)")
    assert page.tagged("table") == []


def test_all_zero_and_one_class_and_infinite():
    zero = check_page(to_html(explain("a b", weights=np.zeros((3, 2)))))
    assert "All weights are 0." in zero.elements[0]["text"]
    assert [colour for _, _, colour in zero.words()] == ["#ffffff"] * 2
    one = check_page(to_html(explain("a b", ("spam",), [[2.0, -1.0]])))
    assert one.tagged("table") == []
    assert "against spam−2.00+2.00for spam" in one.elements[0]["text"]
    infinite = check_page(to_html(explain("a b", weights=[[math.inf, 2.0]] * 3)))
    assert infinite.words() == [("a", "+∞", tint(1, 1)), ("b", "+2.00", tint(1, 1))]
    only = check_page(to_html(explain("a b", weights=[[-math.inf, 0.0]] * 3)))
    assert only.words()[0] == ("a", "−∞", tint(-1, 1))


def test_truncated_tail():
    page = check_page(to_html(explain(end=4)))
    assert page.panels()[0]["text"] == TEXT
    (tail,) = [e for e in page.tagged("span") if "not read" in e["attributes"].get("title", "")]
    assert tail["text"] == TEXT[TEXT.index(",") :]
    assert "6 words beyond the model's limit were not read." in page.elements[0]["text"]
    single = Page(to_html(explain("a b", end=1))).elements[0]["text"]
    assert "1 word beyond the model's limit was not read." in single


def test_all_occurrences_of_a_type_are_coloured():
    explanation = explain("no no yes", ("x", "y"), [[0.0, 1], [-3, 2]], group="type")
    page = check_page(to_html(explanation))
    assert page.words() == [
        ("no", "−3.00", tint(-3, 3)),
        ("no", "−3.00", tint(-3, 3)),
        ("yes", "+2.00", tint(2, 3)),
    ]


@pytest.mark.parametrize(
    ("largest", "written"),
    [(1234.0, "+1234"), (27.0, "+27.0"), (1.0, "+1.00"), (0.5, "+0.50"), (0.05, "+0.050"),
     (0.00025, "+0.00025"), (2e-9, "+2.0e−09"), (3e12, "+3.0e+12")],
)  # fmt: skip
def test_digits_follow_the_scale(largest, written):
    page = Page(to_html(explain("a b", ("x",), [[largest, 0.0]])))
    (_, first, _), (_, second, _) = page.words()
    assert first == written
    assert second.strip("0.e+") == ""


# -- hostile and odd text -----------------------------------------------------------------------

HOSTILE = "\"><script>alert(1)</script><img src=x onerror=y> &amp; ' http://a.b/c"


def test_html_in_text_words_classes_and_method_is_text():
    classes = (HOSTILE, "joy", "<i>")
    explanation = explain(HOSTILE, classes, method=HOSTILE, predicted=0)
    for html in (to_html(explanation), compare_html([explanation, explanation])):
        page = check_page(html)
        assert page.panels()[0]["text"] == HOSTILE
        assert page.tagged("script") == page.tagged("img") == []
        assert HOSTILE in page.elements[0]["text"].replace(page.panels()[0]["text"], "", 1)
    assert HOSTILE in page.table()[1]


def test_unprintable_characters_are_shown():
    text = "a\x00b\x0cc\x85\ud800 d\r\ne\rf"
    page = check_page(to_html(explain(text)))
    assert page.panels()[0]["text"] == "a␀b␌c\ufffd\ufffd d\ne\nf"


@settings(deadline=None)
@given(
    st.text(
        st.characters(exclude_categories=["Cs", "Cc", "Cn"]) | st.sampled_from("\n\t<&'\"")
    ).filter(str.strip),
    st.integers(0, 4),
)
def test_any_text_survives(text, end):
    page = check_page(to_html(explain(text, end=end)))
    assert page.panels()[0]["text"] == text


# -- comparison and notebook --------------------------------------------------------------------


def test_comparison_scales_each_method_by_itself():
    lime = explain("so sad", ("x", "y"), [[9.0, 9], [0.5, -0.25]])
    shap = explain("so sad", ("x", "y"), [[9.0, 9], [10, 20]], method="shap")
    blind = explain("so sad", ("x", "y"), [[9.0, 9], [math.nan] * 2], method="blind")
    page = check_page(compare_html([lime, shap, blind]))
    assert page.table() == [
        ["method, largest", "weights for y"],
        ["lime±0.50", "so sad"],
        ["shap±20.0", "so sad"],
        ["blind–", "so sad"],
    ]
    assert [colour for _, _, colour in page.words()] == [
        tint(1, 1), tint(-1, 2), tint(1, 2), tint(1, 1),
    ]  # fmt: skip
    assert "Each method is scaled to its own largest absolute weight" in page.elements[0]["text"]
    assert page.elements[0]["attributes"]["aria-label"] == (
        "3 explanations of one text for class y"
    )
    assert check_page(compare_html([lime], of="x")).table()[1][0] == "lime±9.00"


def test_comparison_errors():
    with pytest.raises(ValueError, match="list of explanations is empty"):
        compare_html([])
    with pytest.raises(ValueError, match="texts differ: 'a' and 'b'"):
        compare_html([explain("a"), explain("b")])
    with pytest.raises(ValueError, match="classes differ"):
        compare_html([explain("a"), explain("a", ("x", "y"))])


def test_notebooks_show_it():
    explanation = explain()
    assert explanation._repr_html_() == explanation.to_html() == to_html(explanation)
    assert explanation.to_html("joy", max_classes=1) == to_html(explanation, "joy", 1)
