"""Turn what papermill wrote into a notebook fit to read, to commit and to compare."""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode

INJECTED = "injected-parameters"
# Addresses in reprs (<object at 0x7f...>) change on every run and say nothing.
ADDRESS = re.compile(r"\b0x[0-9a-f]{6,16}\b")


def weave(source: NotebookNode, executed: NotebookNode) -> NotebookNode:
    """Combine the text of a source notebook with the outputs of its executed copy.

    Code cells are matched in order and must agree; prose comes from `source`, so that a chapter can
    be reworded without executing it again. Whatever changes from run to run without a change of
    content (times, execution ids, memory addresses, the interpreter's version) is removed: two runs
    with equal outputs give equal files.

    Parameters
    ----------
    source : NotebookNode
        The notebook from `notebooks/`.
    executed : NotebookNode
        The same notebook after papermill, or an earlier result of this function.

    Returns
    -------
    NotebookNode
        A new notebook. The cell that papermill injected follows the parameters cell and can be
        unfolded; the parameters cell itself, whose defaults did not count, is not shown.

    Raises
    ------
    ValueError
        If the code of the two differs.
    """
    injected = [c for c in executed.cells if INJECTED in tags(c)]
    done = code_of(executed)
    woven = copy.deepcopy(source)
    own = code_of(woven)
    same = [a.source == b.source for a, b in zip(own, done, strict=False)]
    if len(own) != len(done) or not all(same):
        number = 1 + (same.index(False) if False in same else len(same))
        raise ValueError(
            f"code cell {number} differs between the source and the executed notebook; "
            "execute the notebook again"
        )
    for cell, ran in zip(own, done, strict=True):
        cell.outputs = _clean_outputs(ran.outputs)
        cell.execution_count = ran.execution_count
    cells: list[NotebookNode] = []
    for cell in woven.cells:
        cell.metadata = _clean_metadata(cell.metadata)
        is_defaults = "parameters" in tags(cell)
        if is_defaults and injected:
            add_tag(cell, "remove-cell")
        cells.append(cell)
        if is_defaults and injected:
            cells.append(_parameters_cell(injected[0], like=cell))
    woven.cells = cells
    woven.metadata = NotebookNode(
        kernelspec={"display_name": "Python 3", "language": "python", "name": "python3"},
        language_info={"name": "python", "file_extension": ".py", "mimetype": "text/x-python"},
    )
    return woven


def weave_file(source: Path, executed: Path, target: Path) -> None:
    """Weave two notebook files into a third, which may be the second.

    Parameters
    ----------
    source, executed, target : Path
        Notebook files.

    Raises
    ------
    ValueError
        If the code of the two differs; names the notebook.
    """
    try:
        woven = weave(nbformat.read(source, as_version=4), nbformat.read(executed, as_version=4))
    except ValueError as error:
        raise ValueError(f"{source.name}: {error}") from error
    target.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(woven, target)


def code_of(notebook: NotebookNode) -> list[NotebookNode]:
    """Return the code cells that hold code, without the one that papermill injected."""
    return [
        cell
        for cell in notebook.cells
        if cell.cell_type == "code" and cell.source.strip() and INJECTED not in tags(cell)
    ]


def tags(cell: NotebookNode) -> list[str]:
    """Return the tags of a cell."""
    return list(cell.metadata.get("tags", []))


def add_tag(cell: NotebookNode, tag: str) -> None:
    """Add a tag to a cell if it has not got it."""
    if tag not in tags(cell):
        cell.metadata["tags"] = [*tags(cell), tag]


def is_error(output: Any) -> bool:
    """Whether a cell output is an error."""
    return bool(output.output_type == "error")


def _parameters_cell(injected: NotebookNode, like: NotebookNode) -> NotebookNode:
    cell = copy.deepcopy(injected)
    cell.metadata = NotebookNode(tags=[INJECTED, "hide-cell"])
    cell.outputs = _clean_outputs(cell.outputs)
    if "id" in like:  # papermill draws a random id
        cell.id = INJECTED
    return cell


def _clean_metadata(metadata: NotebookNode) -> NotebookNode:
    kept = {k: v for k, v in metadata.items() if k not in {"papermill", "execution"}}
    return NotebookNode(kept)


def _clean_outputs(outputs: list[NotebookNode]) -> list[NotebookNode]:
    """Merge consecutive streams of one name, keep a line's last state, blank addresses."""
    cleaned: list[NotebookNode] = []
    for original in outputs:
        output = copy.deepcopy(original)
        if output.output_type == "stream":
            previous = cleaned[-1] if cleaned else None
            if previous is not None and previous.get("name") == output.name:
                previous.text += output.text
                continue
        elif "data" in output and "text/plain" in output.data:
            output.data["text/plain"] = ADDRESS.sub("0x0", output.data["text/plain"])
        cleaned.append(output)
    for output in cleaned:
        if output.output_type == "stream":
            # A progress bar rewrites its line with carriage returns: only its end is worth keeping.
            lines = output.text.replace("\r\n", "\n").split("\n")
            output.text = "\n".join(line.rstrip("\r").rpartition("\r")[2] for line in lines)
    return cleaned
