"""A repository in miniature, with notebooks of three cells."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from xai_lib.runner import keys
from xai_lib.runner.project import Project

Write = Callable[..., Path]


@pytest.fixture(autouse=True)
def package(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Replace what the key reads of xai_lib, so that editing the library disturbs no test."""
    files = {"explainers/lime.py": "tree 1"}
    monkeypatch.setattr(keys, "_package_files", lambda: list(files.items()))
    return files


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Return an empty project; the book has the page of a notebook named toy."""
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "book").mkdir()
    (tmp_path / "_toc.yml").write_text(
        "format: jb-book\nroot: book/index\nchapters:\n  - file: book/papers/toy\n"
    )
    return Project(tmp_path)


@pytest.fixture
def write(project: Project) -> Write:
    """Return a function that writes a source notebook: parameters, prose, then code cells."""

    def writer(*code: str, name: str = "toy", prose: str = "# Toy\n\n## Sums") -> Path:
        defaults = 'profile = "quick"\ndevice = "auto"\nseed = 7'
        cells = [
            new_code_cell(defaults, metadata={"tags": ["parameters"]}, id="defaults"),
            new_markdown_cell(prose, id="prose"),
            *(new_code_cell(source, id=f"code-{i}") for i, source in enumerate(code)),
        ]
        path = project.root / "notebooks" / f"{name}.ipynb"
        nbformat.write(new_notebook(cells=cells), path)
        return path

    return writer
