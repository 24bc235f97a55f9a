"""The scan of executed notebooks and results finds each defect, and nothing in a sound book."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import nbformat
import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_output

from tests.runner.conftest import Write
from xai_lib import papers
from xai_lib.book import BookError, notebooks_in, stage, toc_pages
from xai_lib.runner.project import BookTree, Project
from xai_lib.runner.records import RunRecord
from xai_lib.runner.scan import RESULT_FIELDS, scan

WANTED = [item.id for item in papers.items("lipex")]


def result(item: str) -> dict[str, Any]:
    return dict.fromkeys(RESULT_FIELDS, None) | {
        "paper": "lipex",
        "item": item,
        "profile": "ci",
        "rows": [{"mean": 1}],
    }


@pytest.fixture
def tree(project: Project, write: Write) -> BookTree:
    """Return a sound staged book of the notebook lipex."""
    source = nbformat.read(write("a = 1", "a", name="lipex"), as_version=4)
    staged = project.staged("ci")
    count = 0
    for cell in source.cells:
        if cell.cell_type == "code":
            count += 1
            cell.execution_count = count
    staged.notebook("lipex").parent.mkdir(parents=True)
    nbformat.write(source, staged.notebook("lipex"))
    record = RunRecord("lipex", "ci", "k", {}, "2026-01-01T00:00:00Z", 1.0, [], "c", "CPU", 1, {})
    record.save(staged.run_record("lipex"))
    (staged.results / "lipex").mkdir(parents=True)
    for item in WANTED:
        (staged.results / "lipex" / f"{item}.json").write_text(json.dumps(result(item)))
    return staged


def problems(project: Project, tree: BookTree) -> list[str]:
    return scan(project, tree, ["lipex"], "ci")


def test_a_sound_book_has_no_problem(project: Project, tree: BookTree) -> None:
    assert problems(project, tree) == []


def error(notebook: NotebookNode) -> None:
    notebook.cells[-1].outputs = [new_output("error", ename="KeyError", evalue="'x'")]


def unordered(notebook: NotebookNode) -> None:
    notebook.cells[-1].execution_count = 9


def skipped(notebook: NotebookNode) -> None:
    notebook.cells[-1].execution_count = None


def other_code(notebook: NotebookNode) -> None:
    notebook.cells[-1].source = "b"


def other_prose(notebook: NotebookNode) -> None:
    notebook.cells[1].source = "# Old"


@pytest.mark.parametrize(
    ("spoil", "problem"),
    [
        (error, "code cell 3 ended in KeyError: 'x'"),
        (unordered, "code cell 3 was run as number 9, not from top to bottom"),
        (skipped, "code cell 3 was run as number None, not from top to bottom"),
        (other_code, "cells differ from the source in notebooks/"),
        (other_prose, "cells differ from the source in notebooks/"),
    ],
)
def test_defects_of_a_notebook(
    project: Project, tree: BookTree, spoil: Callable[[NotebookNode], None], problem: str
) -> None:
    notebook = nbformat.read(tree.notebook("lipex"), as_version=4)
    spoil(notebook)
    nbformat.write(notebook, tree.notebook("lipex"))
    assert problems(project, tree) == [f"lipex: {problem}"]


def test_missing_notebook_and_record(project: Project, tree: BookTree) -> None:
    tree.notebook("lipex").unlink()
    tree.run_record("lipex").write_text("{}")
    assert problems(project, tree) == [
        f"lipex: not executed, {tree.notebook('lipex')} is missing",
        f"lipex: no run record {tree.run_record('lipex')}",
    ]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"item": "table-9"}, "holds the results of lipex/table-9"),
        ({"rows": []}, "has no rows"),
        ({"provenance": {"notebook": "0" * 64}}, "was made by another version of the notebook"),
        ({"profile": "quick"}, "was made with profile quick, not ci"),
    ],
)
def test_defects_of_a_result(
    project: Project, tree: BookTree, change: dict[str, Any], problem: str
) -> None:
    path = tree.results / "lipex" / f"{WANTED[0]}.json"
    path.write_text(json.dumps(result(WANTED[0]) | change))
    assert problems(project, tree) == [f"lipex: {path.name} {problem}"]


def test_missing_incomplete_and_unreadable_results(project: Project, tree: BookTree) -> None:
    first, second, third = (tree.results / "lipex" / f"{item}.json" for item in WANTED[:3])
    first.unlink()
    incomplete = result(WANTED[1])
    del incomplete["provenance"]
    second.write_text(json.dumps(incomplete))
    third.write_text("{")
    found = problems(project, tree)
    assert len(found) == 3
    assert f"lipex: {second.name} lacks provenance" in found
    assert any(p.startswith(f"lipex: {third.name} is not JSON") for p in found)
    assert f"lipex: no result for {', '.join(sorted([WANTED[0], WANTED[2]]))}" in found


def test_a_run_of_another_profile_is_no_run_of_this_one(project: Project, tree: BookTree) -> None:
    found = scan(project, tree, ["lipex"], "quick")
    assert "lipex: run with profile ci, not quick" in found
    assert scan(project, tree, ["lipex"], None) == []


def test_staging_takes_prose_and_keeps_what_was_run(project: Project, write: Write) -> None:
    write("1")
    (project.root / "_config.yml").write_text("title: T\nhtml: {favicon: x}\n")
    (project.root / "book" / "index.md").write_text("# New")
    (project.root / "book" / "papers").mkdir()
    (project.root / "book" / "papers" / "toy.ipynb").write_text("published")
    tree = project.staged("ci")
    with pytest.raises(BookError, match=r"pages of _toc.yml are missing[\s\S]*book/papers/toy"):
        stage(project, "ci")
    tree.notebook("toy").parent.mkdir(parents=True)
    tree.notebook("toy").write_text("executed")
    (tree.base / "book" / "stale.md").write_text("old")
    assert stage(project, "ci") == tree
    assert tree.notebook("toy").read_text() == "executed"
    assert (tree.base / "book" / "index.md").read_text() == "# New"
    assert not (tree.base / "book" / "stale.md").exists()
    assert "profile <b>ci</b>" in (tree.base / "_config.yml").read_text()
    assert {p.name for p in tree.generated.iterdir()} == {
        "status.md",
        "claims.md",
        "zoo.md",
        "speed.md",
    }
    assert notebooks_in(project, tree) == ["toy"]


def test_the_table_of_contents_is_read_in_depth(project: Project) -> None:
    toc = project.root / "_toc.yml"
    toc.write_text(
        "root: a\nparts:\n  - caption: P\n    chapters:\n      - file: b.md\n        sections:\n"
        "          - file: c/d.ipynb\n  - chapters:\n      - url: https://x.example\n"
    )
    assert toc_pages(toc) == ["a", "b", "c/d"]
