"""Run what a chapter says of pictures, or of texts, and keep the rest of its published run."""

from __future__ import annotations

import copy
import re
import shutil
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode

from xai_lib import papers
from xai_lib.runner.errors import RunnerError
from xai_lib.runner.keys import notebook_sha256
from xai_lib.runner.project import Project
from xai_lib.runner.records import RunRecord
from xai_lib.runner.weave import code_of, tags

# A cell with this tag shows settings of one modality and nothing else.
ONLY = {"text": "only-texts", "image": "only-images"}
_SKIPPED = "pass  # of the other part"


def left_out(cell: NotebookNode, part: str) -> bool:
    """Whether a cell shows only what is not run again."""
    return any(tag in tags(cell) for modality, tag in ONLY.items() if modality != part)


def check_part(project: Project, name: str, profile: str) -> None:
    """Check that a notebook was published, and that its cells say what they show.

    Parameters
    ----------
    project : Project
        The repository.
    name : str
        Name of the notebook.
    profile : str
        The profile; the published run must be of the same.

    Raises
    ------
    RunnerError
        If it was not published with that profile, or has no cells of one modality only.
    """
    record = RunRecord.load(project.published.run_record(name))
    if record is None or record.profile != profile:
        raise RunnerError(f"{name} was not published with profile {profile}: run all of it first")
    cells = code_of(nbformat.read(project.sources()[name], as_version=4))
    if not all(any(tag in tags(cell) for cell in cells) for tag in ONLY.values()):
        raise RunnerError(
            f"{name} has no parts: it has no cells tagged {' and '.join(ONLY.values())}"
        )


def shortened(source: Path, part: str, target: Path) -> Path:
    """Write a copy of a notebook whose cells of the other modality do nothing.

    Parameters
    ----------
    source : Path
        The notebook.
    part : {"text", "image"}
        What to run.
    target : Path
        Where to write it.

    Returns
    -------
    Path
        `target`.
    """
    notebook = nbformat.read(source, as_version=4)
    for cell in code_of(notebook):
        if left_out(cell, part):
            cell.source = _SKIPPED
    target.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, target)
    return target


def with_kept(
    source: NotebookNode, executed: NotebookNode, published: NotebookNode, part: str, name: str
) -> NotebookNode:
    """Give an executed short notebook the code of the source, and the outputs that were kept.

    Parameters
    ----------
    source : NotebookNode
        The notebook.
    executed : NotebookNode
        What was made of `shortened`.
    published : NotebookNode
        The published run.
    part : {"text", "image"}
        What was run.
    name : str
        Name of the notebook, for the settings of its paper.

    Returns
    -------
    NotebookNode
        Cells that show only the other modality have their published outputs. In the printed text
        of cells that show both, paragraphs that begin with a setting's key are kept, too.

    Raises
    ------
    RunnerError
        If the code of a cell that was not run has changed since it was published.
    """
    found = copy.deepcopy(executed)
    before = {cell.source: cell.outputs for cell in code_of(published)}
    keys = list(papers.paper(name).settings)
    pairs = zip(code_of(source), code_of(found), strict=True)
    for number, (own, ran) in enumerate(pairs, start=1):
        ran.source = own.source
        if left_out(own, part):
            if own.source not in before:
                raise RunnerError(
                    f"code cell {number} of {name} changed since it was published, and its part "
                    "was not run: run all of the notebook"
                )
            ran.outputs = copy.deepcopy(before[own.source])
        elif not any(tag in tags(own) for tag in ONLY.values()):
            _put_back(ran.outputs, before.get(own.source, []), keys)
    return found


def _put_back(outputs: list[NotebookNode], earlier: list[NotebookNode], keys: list[str]) -> None:
    """Add what was printed of other settings to what was printed now."""
    said = [_paragraphs(_printed(some), keys) for some in (earlier, outputs)]
    if not (said[0] and said[1]):
        return
    together = said[0] | said[1]
    text = "".join(together[key] for key in keys if key in together)
    first, *others = [one for one in outputs if _is_printed(one)]
    first.text = text
    outputs[:] = [one for one in outputs if not any(one is other for other in others)]


def _is_printed(output: Any) -> bool:
    return bool(output.output_type == "stream" and output.name == "stdout")


def _printed(outputs: Sequence[Any]) -> str:
    return "".join(one.text for one in outputs if _is_printed(one))


def _paragraphs(text: str, keys: Sequence[str]) -> dict[str, str]:
    """Cut text into paragraphs that begin with a setting's key and a colon; {} if it is not so."""
    found: dict[str, str] = {}
    key = ""
    for line in text.splitlines(keepends=True):
        begins = re.match(r"([^:\s]+):", line)
        key = begins[1] if begins and begins[1] in keys else key
        if not key:
            return {}
        found[key] = found.get(key, "") + line
    return found


def stage_results(project: Project, name: str, profile: str) -> None:
    """Lay the published results where the run finds them and joins its own to them."""
    target = project.staged(profile).results / name
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(project.published.results / name, target)


def kept_of(project: Project, name: str, part: str) -> dict[str, Any]:
    """Describe the published run, parts of which are kept, for the record of the new one.

    Parameters
    ----------
    project : Project
        The repository.
    name : str
        Name of the notebook.
    part : {"text", "image"}
        What is run.

    Returns
    -------
    dict
        The earlier run's record without versions, cells and key, with the ``part`` that is kept
        of it and, as ``notebook_sha256``, what hash of a notebook its results name.
    """
    earlier = RunRecord.load(project.published.run_record(name))
    assert earlier is not None
    if earlier.kept is not None and earlier.kept["part"] != part:
        return earlier.kept
    fields = ("profile", "started", "seconds", "commit", "device", "threads")
    (other,) = (modality for modality in ONLY if modality != part)
    return {
        **{name: value for name, value in asdict(earlier).items() if name in fields},
        "part": other,
        "notebook_sha256": notebook_sha256(project.published.notebook(name)),
    }
