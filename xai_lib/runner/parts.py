"""Run some settings of a chapter, and keep the rest of its published run."""

from __future__ import annotations

import copy
import re
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
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

# A cell with such a tag is run only with settings of that modality; with "only-" and a setting's
# key, only with that setting; with "only-whole", only where all settings are run.
_OF_MODALITY = {"text": "only-texts", "image": "only-images"}
_WHOLE = "only-whole"
_SKIPPED = "pass  # of another part"
_CAPTION = re.compile(r'data-caption="[^"/]*/([^"]*)"')


@dataclass(frozen=True)
class Part:
    """Settings of a chapter that are run.

    Parameters
    ----------
    settings : tuple of str
        Their keys, as the profile orders them.
    left : tuple of str
        Those of the others.
    shown : frozenset of str
        Tags of cells that show something of the settings.
    """

    settings: tuple[str, ...]
    left: tuple[str, ...]
    shown: frozenset[str]

    def leaves_out(self, cell: NotebookNode) -> bool:
        """Whether a cell shows only what is not run."""
        only = {tag for tag in tags(cell) if tag.startswith("only-")}
        return bool(only) and not only & self.shown


def part_of(project: Project, name: str, profile: str, asked: str) -> Part:
    """Find the settings that are asked for, and check that the others were published.

    Parameters
    ----------
    project : Project
        The repository.
    name : str
        Name of the notebook.
    profile : str
        The profile; the published run must be of the same.
    asked : str
        ``"text"``, ``"image"``, or keys of settings with commas between.

    Returns
    -------
    Part

    Raises
    ------
    RunnerError
        If there are no such settings, or these are all, if the notebook was not published with
        that profile, or if a cell is tagged for a setting that the paper does not have.
    """
    known = name in papers.papers()
    every = papers.load_profile(name, profile).get("settings", {}) if known else {}
    modality = {key: own.get("modality", "text") for key, own in every.items()}
    keys = [key.strip() for key in asked.split(",")]
    chosen = tuple(key for key in every if key in keys or modality[key] == asked)
    unknown = [] if asked in modality.values() else [key for key in keys if key not in every]
    if unknown or not chosen:
        valid = ", ".join([*dict.fromkeys(modality.values()), *every]) or "none, it has no settings"
        raise RunnerError(f"unknown part {asked!r} of {name}; valid: {valid}")
    if len(chosen) == len(every):
        raise RunnerError(f"part {asked!r} is all of {name}: run it without a part")
    record = RunRecord.load(project.published.run_record(name))
    if record is None or record.profile != profile:
        raise RunnerError(f"{name} was not published with profile {profile}: run all of it first")
    _check_tags(project, name)
    shown = {f"only-{key}" for key in chosen} | {_OF_MODALITY[modality[key]] for key in chosen}
    return Part(chosen, tuple(key for key in every if key not in chosen), frozenset(shown))


def _check_tags(project: Project, name: str) -> None:
    of_settings = [f"only-{key}" for key in papers.paper(name).settings]
    known = [_WHOLE, *_OF_MODALITY.values(), *of_settings]
    for cell in code_of(nbformat.read(project.sources()[name], as_version=4)):
        wrong = [tag for tag in tags(cell) if tag.startswith("only-") and tag not in known]
        if wrong:
            raise RunnerError(
                f"a cell of {name} is tagged {', '.join(wrong)}; valid: {', '.join(known)}"
            )


def shortened(source: Path, part: Part, target: Path) -> Path:
    """Write a copy of a notebook whose cells of the other settings do nothing.

    Parameters
    ----------
    source : Path
        The notebook.
    part : Part
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
        if part.leaves_out(cell):
            cell.source = _SKIPPED
    target.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, target)
    return target


def with_kept(
    source: NotebookNode, executed: NotebookNode, published: NotebookNode, part: Part, name: str
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
    part : Part
        What was run.
    name : str
        Name of the notebook, for the settings of its paper.

    Returns
    -------
    NotebookNode
        Cells that show only other settings have their published outputs. In the printed text of
        the others, paragraphs that begin with the key of another setting are kept, too.

    Raises
    ------
    RunnerError
        If the code of a cell that was not run has changed since it was published, or if a table or
        figure that was published is shown no more.
    """
    found = copy.deepcopy(executed)
    before = {cell.source: cell.outputs for cell in code_of(published)}
    keys = list(papers.paper(name).settings)
    pairs = zip(code_of(source), code_of(found), strict=True)
    for number, (own, ran) in enumerate(pairs, start=1):
        ran.source = own.source
        if part.leaves_out(own):
            if own.source not in before:
                raise RunnerError(
                    f"code cell {number} of {name} changed since it was published, and its part "
                    "was not run: run all of the notebook"
                )
            ran.outputs = copy.deepcopy(before[own.source])
        else:
            _put_back(ran.outputs, before.get(own.source, []), keys)
    still = {item.id for item in papers.items(name)}
    if lost := (_items_shown(published) - _items_shown(found)) & still:
        raise RunnerError(
            f"{name} would no longer show {', '.join(sorted(lost))}, whose settings were not run: "
            "show what Study.record returns for an item without rows, or run all of the notebook"
        )
    return found


def _items_shown(notebook: NotebookNode) -> set[str]:
    """Return the items that captions in the outputs name."""
    pages = (
        "".join(output.get("data", {}).get("text/html", ""))
        for cell in code_of(notebook)
        for output in cell.outputs
    )
    return {item for page in pages for item in _CAPTION.findall(page)}


def _put_back(outputs: list[NotebookNode], earlier: list[NotebookNode], keys: list[str]) -> None:
    """Add what was printed of other settings to what was printed now."""
    before, now = (_paragraphs(_printed(some), keys) for some in (earlier, outputs))
    if not before or (_printed(outputs) and not now):
        return
    together = before | now
    first = copy.deepcopy(next(one for one in earlier if _is_printed(one)))
    first.text = "".join(together[key] for key in keys if key in together)
    outputs[:] = [first, *(one for one in outputs if not _is_printed(one))]


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


def kept_of(project: Project, name: str, part: Part) -> list[dict[str, Any]]:
    """Describe the published runs, settings of which are kept, for the record of the new one.

    Parameters
    ----------
    project : Project
        The repository.
    name : str
        Name of the notebook.
    part : Part
        What is run.

    Returns
    -------
    list of dict
        The earlier runs' records without versions, cells and key, each with the ``settings`` that
        are kept of it and, as ``notebook_sha256``, what hash of a notebook its results name.
    """
    earlier = RunRecord.load(project.published.run_record(name))
    assert earlier is not None
    before = [
        {**one, "settings": still}
        for one in earlier.kept or []
        if (still := [key for key in one["settings"] if key in part.left])
    ]
    own = [key for key in part.left if all(key not in one["settings"] for one in before)]
    fields = ("profile", "started", "seconds", "commit", "device", "threads")
    latest = {
        **{field: value for field, value in asdict(earlier).items() if field in fields},
        "settings": own,
        "notebook_sha256": notebook_sha256(project.published.notebook(name)),
    }
    return [*before, latest] if own else before
