"""The executed notebooks and the built pages of the book, as files."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.book.conftest import ROOT, missing
from xai_lib.book import check_book, notebooks_in, toc_pages
from xai_lib.runner.project import BookTree, Project
from xai_lib.runner.scan import scan


@pytest.fixture(scope="module")
def tree(html: Path) -> BookTree:
    staged = BookTree(html.parent / "src")
    if not (staged.base / "_toc.yml").is_file():
        missing(f"{html} was not built by xai-lib book: nothing staged in {staged.base}")
    return staged


def test_executed_notebooks_are_sound_and_complete(html: Path, tree: BookTree) -> None:
    project = Project(ROOT)
    names = notebooks_in(project, tree)
    assert names
    assert scan(project, tree, names, profile=html.parent.name) == []


def test_built_pages_need_no_network_and_hold_together(html: Path, tree: BookTree) -> None:
    assert check_book(html, tree, notebooks_in(Project(ROOT), tree)) == []


def test_every_source_notebook_is_a_page() -> None:
    project = Project(ROOT)
    assert notebooks_in(project, project.published) == list(project.sources())


def test_every_page_of_prose_is_in_the_table_of_contents() -> None:
    prose = {f"book/{path.stem}" for path in (ROOT / "book").glob("*.md")}
    assert prose <= set(toc_pages(ROOT / "_toc.yml"))
