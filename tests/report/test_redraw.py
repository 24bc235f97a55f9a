"""Outputs of an executed notebook, drawn anew from results."""

from __future__ import annotations

import json

import matplotlib.pyplot as plt
import nbformat
import pytest
from bs4 import BeautifulSoup

from tests.report.drawn import curves
from xai_lib.report import caption, comparisons_table, paper_vs_ours
from xai_lib.report.claims import verdict_box
from xai_lib.report.drawings import drawn_again, source_of
from xai_lib.report.figures import figure_html
from xai_lib.report.html import card
from xai_lib.report.lipex_figures import budget_curves
from xai_lib.report.redraw import redraw


def output(html, plain):
    data = {"text/html": str(html), "text/plain": plain}
    return nbformat.v4.new_output("display_data", data=data)


def notebook(*outputs):
    cell = nbformat.v4.new_code_cell("show()", outputs=list(outputs))
    return nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("# A"), cell])


def mean(value, **columns):
    return {**columns, "mean": value, "low": value - 0.05, "high": value + 0.05, "n": 300}


PAIR = {"setting": "emotion", "first": "lipex", "second": "lime", "n": 300, "p_holm": 0.25,
        "difference": -0.1, "low": -0.2, "high": 0.01}  # fmt: skip


def test_tables_follow_the_results(save, tmp_path):
    pairs = [{**PAIR, "k": k} for k in (1, 2)]
    old = save("table-1", [mean(0.7, setting="emotion", k=1, method="lipex")], pairs)
    where = {"k": 2}
    note = notebook(
        output(paper_vs_ours(old), "<HTML of 12 characters>"),
        output(comparisons_table(old, where), "<HTML of 34 characters>"),
        output(card(f"<img>{caption(old)}.", "A figure"), "<IPython.core.display.HTML object>"),
        output(card("a figure", "A figure"), "<HTML of 5 characters>"),
        nbformat.v4.new_output("stream", name="stdout", text="printed"),
    )
    rows = [mean(0.9, setting="emotion", k=1, method="lipex")]
    new = save("table-1", rows, pairs[1:], title="Another title")
    assert redraw(note, tmp_path / "results") == 3
    table, paired, drawn, figure, printed = note.cells[1].outputs
    assert table.data["text/html"] == paper_vs_ours(new)
    assert "<b>0.90</b>" in table.data["text/html"]
    assert table.data["text/plain"] == repr(paper_vs_ours(new))
    assert paired.data["text/html"] == comparisons_table(new, where)
    assert len(BeautifulSoup(paired.data["text/html"], "html.parser").find_all("tr")) == 2
    assert drawn.data["text/html"] == card(f"<img>{caption(new)}.", "A figure")
    assert "Another title" in drawn.data["text/html"]
    assert drawn.data["text/plain"] == "<IPython.core.display.HTML object>"
    assert figure.data["text/html"] == card("a figure", "A figure")
    assert printed.text == "printed"


def test_the_box_of_verdicts_is_drawn_from_the_folder(tmp_path, monkeypatch):
    note = notebook(output(verdict_box("lipex", tmp_path), "<IPython.core.display.HTML object>"))
    asked = []

    def other(paper, folder):
        asked.append((paper, folder))
        return card("other verdicts", "Verdicts")

    monkeypatch.setattr("xai_lib.report.redraw.verdict_box", other)
    assert redraw(note, tmp_path) == 1
    assert asked == [("lipex", tmp_path)]
    data = note.cells[1].outputs[0].data
    assert data["text/html"] == card("other verdicts", "Verdicts")
    assert data["text/plain"] == "<IPython.core.display.HTML object>"


def test_a_result_that_is_gone_is_named(save, tmp_path):
    old = save("table-1", [mean(0.7, setting="emotion", k=1, method="lipex")])
    note = notebook(output(paper_vs_ours(old), ""))
    with pytest.raises(FileNotFoundError, match="no result for table-1 of lipex"):
        redraw(note, tmp_path / "elsewhere")


BUDGETS = [mean(value, setting="emotion", n_samples=n, method=method, k=k)
           for method, value in (("lipex", 0.7), ("lime", 0.6))
           for n in (200, 1000) for k in (1, "1-5")]  # fmt: skip


def test_figures_follow_the_results(save, tmp_path):
    old = save("equal-budget", BUDGETS)
    picture = figure_html(budget_curves(old, k=1), "a < b", f"{caption(old)} And.")
    bare = figure_html(budget_curves(old, 1), "a < b")
    note = notebook(output(picture, "<HTML of 5 characters>"), output(bare, ""))
    before = [one.data["text/html"] for one in note.cells[1].outputs]
    assert redraw(note, tmp_path / "results") == 2
    assert [one.data["text/html"] for one in note.cells[1].outputs] == before
    changed = [{**row, "mean": row["mean"] - 0.04} for row in BUDGETS]
    new = save("equal-budget", changed, title="Another title")
    assert redraw(note, tmp_path / "results") == 2
    first, second = (one.data["text/html"] for one in note.cells[1].outputs)
    assert first == figure_html(budget_curves(new, k=1), "a < b", f"{caption(new)} And.")
    assert second == figure_html(budget_curves(new, k=1), "a < b")
    assert "Another title" in first
    assert first != before[0]
    # A matplotlib style that the caller has set, or not, changes nothing.
    with plt.style.context("default"):
        assert redraw(note, tmp_path / "results") == 2
    assert note.cells[1].outputs[0].data["text/html"] == first


def test_a_figure_says_what_it_was_drawn_from(save, tmp_path):
    fig = budget_curves(save("equal-budget", BUDGETS), k=1)
    source = source_of(fig)
    assert json.loads(source) == {
        "figure": "lipex_figures.budget_curves",
        "paper": "lipex",
        "item": "equal-budget",
        "arguments": {"k": 1},
    }
    again = drawn_again(source, tmp_path / "results")
    assert curves(again.axes[0]) == curves(fig.axes[0])
    assert "(K = 1)" in again.axes[0].get_ylabel()
    assert source_of(plt.figure()) is None
    for name in ("lipex_figures.angle", "nothing.budget_curves", "lipex_figures"):
        with pytest.raises(ValueError, match=r"no figure .* drawn from a result alone"):
            drawn_again(json.dumps(json.loads(source) | {"figure": name}), tmp_path / "results")
    with pytest.raises(FileNotFoundError, match="no result for equal-budget of lipex"):
        drawn_again(source, tmp_path / "elsewhere")
