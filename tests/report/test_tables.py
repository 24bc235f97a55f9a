from __future__ import annotations

import re

import pytest
from bs4 import BeautifulSoup

from xai_lib import papers
from xai_lib.report import caption, comparisons_table, paper_vs_ours


def grid(html):
    """Read a table as rows of texts; the lines of a cell are parted by a bar."""
    soup = BeautifulSoup(html, "html.parser")
    for line in soup.find_all("br"):
        line.replace_with(" | ")
    return [
        [" ".join(cell.get_text().split()) for cell in row.find_all(["th", "td"])]
        for row in soup.find_all("tr")
    ]


def mean(value, n=300, **columns):
    return {**columns, "mean": value, "low": value - 0.05, "high": value + 0.05, "n": n}


def test_wide_table_puts_the_paper_below_ours(save):
    rows = [
        mean(0.7, setting="emotion", k=k, method=method)
        for k in (1, 2)
        for method in ("lipex", "random")
    ]
    cells = grid(paper_vs_ours(save("table-1", rows)))
    assert cells[0][:4] == ["K", "", "LIPEx", "Random"]
    assert cells[1] == ["Emotion"]
    assert cells[2][:4] == ["1", "ours", "0.70 | [0.65, 0.75]", "0.70 | [0.65, 0.75]"]
    assert cells[3][:3] == ["paper", "0.66 ± 0.02", "not printed"], "merged heads are written once"
    assert cells[4][:3] == ["2", "ours", "0.70 | [0.65, 0.75]"]
    assert cells[5][1] == "0.72 ± 0.04"
    # LIME was not run: it stands there with the paper's number alone.
    lime = cells[0].index("LIME")
    assert cells[2][lime] == "not run here"
    assert cells[3][lime - 1] == "0.64 ± 0.02"


def test_a_table_of_many_columns_names_the_data_in_a_row_and_is_set_close(save):
    methods = ("lipex", "lime", "guided_backprop", "random")
    rows = [mean(0.7, setting="emotion", k=k, method=m) for k in (1, 2) for m in methods]
    soup = BeautifulSoup(paper_vs_ours(save("table-1", rows)), "html.parser")
    # Our four methods and four more that the paper has; K, and whose number it is.
    assert len(soup.thead.find_all("th")) == 8 + 2
    bodies = [body.find_all("tr") for body in soup.find_all("tbody")]
    heads = [lines[0].find_all(["th", "td"]) for lines in bodies]
    assert [[cell.get_text() for cell in line] for line in heads] == [
        ["Emotion"],
        ["20 Newsgroups"],
    ]
    assert all(line[0]["scope"] == "rowgroup" for line in heads)
    assert all(line[0]["colspan"] == "10" for line in heads)
    # Each K has two rows, ours and the paper's, and its head spans both.
    assert [len(lines) for lines in bodies] == [1 + 2 * 5, 1 + 2 * 5]
    spans = [line.th["rowspan"] for lines in bodies for line in lines[1::2]]
    assert spans == ["2"] * 10
    # An interval has a line of its own under the number; names may break between words.
    cell = bodies[0][1].td
    assert [piece.name for piece in cell.children] == ["b", "br", "span"]
    assert not any("nowrap" in th["style"] for th in soup.thead.find_all("th"))
    sizes = [re.findall(r"font-size:([\d.]+)em", style)[-1] for style in (soup.table["style"],)]
    few = BeautifulSoup(paper_vs_ours(save("table-3", rows[:1])), "html.parser")
    sizes += re.findall(r"font-size:([\d.]+)em", few.table["style"])
    assert float(sizes[0]) < float(sizes[1])
    assert few.find("th", scope="rowgroup") is None


def test_every_printed_text_cell_is_shown(save):
    row = mean(0.7, setting="emotion", k=1, method="lipex")
    html = paper_vs_ours(save("table-1", [row]))
    printed = papers.published("lipex", "table-1")
    assert len(re.findall(r"\d\.\d\d ± \d\.\d\d", html)) == len(printed) == 70


def test_printed_image_rows_wait_for_their_chapter(save):
    rows = [mean(0.8, setting="emotion", k=k) for k in range(1, 6)]
    text = paper_vs_ours(save("table-3", rows))
    assert "VGG16" not in text
    assert "20 Newsgroups" in text
    rows = [mean(0.8, setting="imagenette-vgg16", k=1)]
    assert "InceptionV3" in paper_vs_ours(save("table-3", rows))


def test_item_without_printed_numbers_says_so(save):
    rows = [mean(0.5, setting="emotion", sigma=0.1, series="model_tv")]
    cells = grid(paper_vs_ours(save("figure-4", rows)))
    assert cells == [
        ["Data", "σ", "Model, total variation"],
        ["Emotion", "0.1", "0.500 | [0.450, 0.550]"],
        ["Paper", "", "not printed in the paper"],
    ]


def test_long_table(save):
    rows = [
        mean(1.25, 100, setting="emotion", method="lipex", n_samples=1000),
        mean(9.5, 100, setting="planted", method="lipex", n_samples=1000),
    ]
    cells = grid(paper_vs_ours(save("table-5", rows)))
    assert cells[:3] == [
        ["Data", "Method", "Perturbations", "Ours", "Paper", "n"],
        ["Emotion", "LIPEx", "1000", "1.25 [1.20, 1.30]", "8.66", "100"],
        ["planted", "LIPEx", "1000", "9.50 [9.45, 9.55]", "not printed in the paper", "100"],
    ]
    assert ["Emotion", "LIME", "5000", "not run here", "15.00", ""] in cells
    assert ["LIME", "5000", "not run here", "113.04", ""] in cells


def test_hidden_rows_are_kept_but_not_shown(save):
    rows = [
        mean(0.1, setting="emotion", statistic="mean"),
        mean(0.9, setting="emotion", statistic="bin", tv_from=0.0),
    ]
    cells = grid(paper_vs_ours(save("figure-3", rows)))
    assert [row[1] for row in cells] == ["Statistic", "mean"]


def test_a_printed_cell_without_data_set_stands_beside_each_of_ours(save):
    rows = [
        mean(140.2, modality="text", setting=setting, delta="pi/16")
        for setting in ("emotion", "newsgroups20")
    ]
    cells = grid(paper_vs_ours(save("table-7", rows)))
    assert cells[0] == ["Modality", "Data", "", "π/16", "π/8", "π/4", "π/2"]
    assert cells[1] == ["text", "Emotion", "ours", "140 | [140, 140]", "", "", ""]
    assert cells[2] == ["paper", "138", "", "", ""]
    assert cells[4] == ["paper", "138", "", "", ""]


def test_settings_are_shown_as_they_are(save):
    rows = [{"parameter": "learning_rate", "value": 0.01}, {"parameter": "start", "value": "zero"}]
    cells = grid(paper_vs_ours(save("table-6", rows)))
    assert cells[1] == ["learning rate", "0.01", "0.01"]
    assert cells[2] == ["start", "zero", "not printed in the paper"]
    assert cells[3] == ["n samples", "not run here", "1000"]


def test_rows_without_keys_are_refused(save):
    with pytest.raises(ValueError, match="table-5 of lipex: rows need the columns setting, method"):
        paper_vs_ours(save("table-5", [{"seconds": 3.0}]))


def test_undefined_numbers(save):
    row = {"setting": "emotion", "k": 1, "method": "lipex", "mean": float("nan")}
    assert "undefined" in paper_vs_ours(save("table-1", [row]))


def test_caption(save):
    rows = [mean(0.7, n, setting="emotion", k=1, method=m) for n, m in ((10, "lime"), (30, "x"))]
    text = caption(save("table-1", rows))
    assert BeautifulSoup(text, "html.parser").get_text() == (
        "Table 1. Share of texts whose predicted class changes when the top K words are removed "
        "(share of predictions that change). In brackets the 95 % interval, n = 10 to 30. "
        "Profile ci. Data: planted (test), 40 rows, generated, standing in for Emotion. "
        "Black box: tiny, held-out accuracy 0.976 on 40, standing in for BERT-base. "
        "CPU (x86_64, 2 cores), commit 0123456789."
    )
    row = mean(0.5, setting="emotion", sigma=0.1, series="model_tv")
    assert "The paper prints no numbers for it." in caption(save("figure-4", [row]))
    row = mean(0.5, setting="emotion", method="lipex")
    text = caption(save("class-overlap", [row]))
    assert "<b>Added by this book.</b>" in text
    assert "Not in the paper." in text


def test_texts_are_escaped(save, evidence):
    data = [evidence["data"][0] | {"name": "<b>x</b>", "stands_for": "<i>"}]
    row = mean(0.7, setting="<script>", k=1, method="<u>")
    html = paper_vs_ours(save("table-1", [row], data=data, title="<p>"))
    for bad in ("<b>x", "<i>,", "<script", "<u>", "<p>"):
        assert bad not in html


def test_comparisons(save):
    rows = [mean(0.7, setting="emotion", k=1, method="lipex")]
    pair = {"setting": "emotion", "first": "lipex", "second": "lime", "n": 300}
    comparisons = [
        pair | {"k": "1-5", "difference": 0.0123, "low": -0.01, "high": 0.03, "p_holm": 0.0001},
        pair | {"k": 1, "difference": -0.1, "low": -0.2, "high": 0.01, "p_holm": 0.25},
    ]
    result = save("table-1", rows, comparisons)
    cells = grid(comparisons_table(result))
    assert cells[0] == ["Data", "K", "Pair", "Difference [95 %]", "n", "p (Holm)"]
    pooled = "1 to 5,LIPEx − LIME,+0.012 [-0.010, +0.030],300,< 0.001"
    assert ",".join(cells[1][1:]) == pooled
    assert cells[2] == ["1", "LIPEx − LIME", "-0.100 [-0.200, +0.010]", "300", "0.250"]
    assert len(grid(comparisons_table(result, {"k": 1}))) == 2


def test_paired_differences_name_what_they_rest_on(save, evidence):
    data = [evidence["data"][0] | {"stands_for": "Theirs"}]
    rows = [mean(0.7, setting="emotion", k=1, method="lipex")]
    pair = {"setting": "emotion", "k": 1, "first": "lipex", "second": "lime", "n": 300,
            "difference": -0.1, "low": -0.2, "high": 0.01, "p_holm": 0.25}  # fmt: skip
    html = comparisons_table(save("table-1", rows, [pair], data=data))
    text = " ".join(BeautifulSoup(html, "html.parser").get_text(" ").split())
    assert "Table 1, paired. " in text
    assert "First minus second on the same n texts" in text
    assert f"Data: {data[0]['name']}, standing in for Theirs" in text
    for box in evidence["black_box"]:
        assert box["name"] in text
    assert "p by" not in text
    both = [{**pair, "k": k, "test": test} for k, test in ((1, "wilcoxon"), (2, "mcnemar"))]
    html = comparisons_table(save("table-1", rows, both))
    assert "p by Wilcoxon's signed-rank test or McNemar's exact test, corrected" in html
    html = comparisons_table(save("table-1", rows, both[1:]))
    assert "p by McNemar's exact test, corrected for the number of comparisons (Holm). P" in html
    # How large the data are and how good the boxes says the caption of the item itself.
    assert "held-out accuracy" not in text


def test_comparisons_of_one_method_under_two_conditions_name_it(make_result):
    rows = [mean(0.7, setting="imdb_transformer", measure="m", method="lime", training="ldav")]
    pair = {"setting": "imdb_transformer", "measure": "m", "first": "ldav", "second": "plain"}
    numbers = {"n": 9, "difference": 0.5, "low": 0.25, "high": 0.75, "k": None}
    result = make_result(
        "ldav", "helped", rows,
        comparisons=[{**pair, **numbers, "method": method} for method in ("lime", "lrp")],
    )  # fmt: skip
    cells = grid(comparisons_table(result))
    assert [row[-4] for row in cells[1:]] == ["LIME", "LRP"]
    assert "K" not in cells[0]


def test_tables_have_scopes_and_no_scripts(save):
    html = paper_vs_ours(save("table-3", [mean(0.8, setting="emotion", k=1)]))
    soup = BeautifulSoup(html, "html.parser")
    assert soup.find("script") is None
    assert all(th.get("scope") in ("col", "row") for th in soup.find_all("th"))
    assert soup.find("div")["aria-label"] == "Table 3: the paper's numbers and ours"
