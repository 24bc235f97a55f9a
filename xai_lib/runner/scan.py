"""Check executed notebooks before a book is built of them; Sphinx itself would not notice."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from xai_lib import papers
from xai_lib.runner.keys import notebook_sha256
from xai_lib.runner.project import BookTree, Project
from xai_lib.runner.records import RunRecord
from xai_lib.runner.weave import INJECTED, is_error, tags

RESULT_FIELDS = frozenset(
    {
        "paper",
        "item",
        "title",
        "profile",
        "columns",
        "rows",
        "published",
        "data",
        "black_box",
        "provenance",
    }
)


def scan(project: Project, tree: BookTree, names: list[str], profile: str | None) -> list[str]:
    """List everything that is wrong with the executed notebooks and results of a book.

    Parameters
    ----------
    project : Project
        The repository, for the sources.
    tree : BookTree
        The book to look at.
    names : list of str
        Notebooks that must be there.
    profile : str or None
        Profile they must have run with; None accepts any.

    Returns
    -------
    list of str
        One line per problem; empty if the book is sound.
    """
    problems: list[str] = []
    for name in names:
        found = [
            *_notebook(project.sources()[name], tree.notebook(name)),
            *_record(tree.run_record(name), profile),
            *_results(tree, name, _versions(project, tree, name), profile),
        ]
        problems += [f"{name}: {problem}" for problem in found]
    return problems


def _notebook(source: Path, path: Path) -> Iterator[str]:
    if not path.is_file():
        yield f"not executed, {path} is missing"
        return
    executed = nbformat.read(path, as_version=4)
    code = [c for c in executed.cells if c.cell_type == "code" and c.source.strip()]
    for number, cell in enumerate(code, start=1):
        for output in cell.outputs:
            if is_error(output):
                yield f"code cell {number} ended in {output.ename}: {output.evalue}"
        if cell.execution_count != number:
            count = cell.execution_count
            yield f"code cell {number} was run as number {count}, not from top to bottom"
    wanted = _texts(nbformat.read(source, as_version=4))
    if _texts(executed) != wanted:
        yield "cells differ from the source in notebooks/"


def _texts(notebook: NotebookNode) -> list[tuple[str, str]]:
    return [
        (cell.cell_type, cell.source)
        for cell in notebook.cells
        if cell.source.strip() and INJECTED not in tags(cell)
    ]


def _record(path: Path, profile: str | None) -> Iterator[str]:
    record = RunRecord.load(path)
    if record is None:
        yield f"no run record {path}"
    elif profile is not None and record.profile != profile:
        yield f"run with profile {record.profile}, not {profile}"


def _versions(project: Project, tree: BookTree, name: str) -> tuple[str | None, ...]:
    """List what a result may name as the hash of its notebook."""
    record = RunRecord.load(tree.run_record(name))
    # Cells that were kept from an earlier run are those of the source still: see runner.parts.
    kept = [] if record is None else record.kept or []
    return (
        None,
        notebook_sha256(project.sources()[name]),
        *(run["notebook_sha256"] for run in kept),
    )


def _results(
    tree: BookTree, name: str, versions: tuple[str | None, ...], profile: str | None
) -> Iterator[str]:
    if name not in papers.papers():  # the tutorial has no items
        return
    wanted = {item.id for item in papers.items(name)}
    for path in sorted((tree.results / name).glob("*.json")):
        try:
            result = json.loads(path.read_text("utf-8"))
        except ValueError as error:
            yield f"{path.name} is not JSON: {error}"
            continue
        wanted.discard(path.stem)
        if missing := RESULT_FIELDS - set(result):
            yield f"{path.name} lacks {', '.join(sorted(missing))}"
            continue
        if (result["paper"], result["item"]) != (name, path.stem):
            yield f"{path.name} holds the results of {result['paper']}/{result['item']}"
        if not result["rows"]:
            yield f"{path.name} has no rows"
        if (result["provenance"] or {}).get("notebook") not in versions:
            yield f"{path.name} was made by another version of the notebook"
        if profile is not None and result["profile"] != profile:
            yield f"{path.name} was made with profile {result['profile']}, not {profile}"
    if wanted:
        yield f"no result for {', '.join(sorted(wanted))}"
