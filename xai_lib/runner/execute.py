"""Execute one notebook with papermill, in a kernel of this very interpreter."""

from __future__ import annotations

import re
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager
from nbformat import NotebookNode

from xai_lib.runner.errors import NotebookError
from xai_lib.runner.weave import INJECTED, code_of, is_error, tags

ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
HEADING = re.compile(r"^#+\s+(.*)$", re.MULTILINE)


@dataclass
class Timing:
    """How long a notebook and its code cells took.

    Parameters
    ----------
    seconds : float
        Wall-clock seconds of the whole notebook, the kernel's start included.
    cells : list of float
        Wall-clock seconds of each code cell of the source, in order.
    """

    seconds: float = 0.0
    cells: list[float] = field(default_factory=list)


def execute(
    source: Path,
    output: Path,
    parameters: dict[str, Any],
    on_cell: Callable[[int, str], None] = lambda _number, _heading: None,
    environment: dict[str, str] | None = None,
    folder: Path | None = None,
) -> Timing:
    """Execute a notebook and write it, complete or up to the failing cell, to `output`.

    Parameters
    ----------
    source : Path
        The notebook.
    output : Path
        Where papermill writes; saved after every cell.
    parameters : dict
        Values for the cell tagged `parameters`.
    on_cell : callable
        Called as each code cell starts, with its number from 1 and the last heading above it.
    environment : dict, optional
        Environment variables for the kernel, beside those of this process.
    folder : Path, optional
        The kernel's working folder; default the one that the notebook lies in.

    Returns
    -------
    Timing
        Wall-clock seconds.

    Raises
    ------
    NotebookError
        If a cell raises, or the kernel dies.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # papermill's own deprecations are no news to our users
        import papermill
        from papermill.exceptions import PapermillExecutionError

    notebook = nbformat.read(source, as_version=4)
    progress = _Progress(notebook, on_cell)
    output.parent.mkdir(parents=True, exist_ok=True)
    started = time.perf_counter()
    try:
        executed = papermill.execute_notebook(
            str(source),
            str(output),
            parameters=parameters,
            kernel_name="python3",
            language="python",
            progress_bar=False,
            start_timeout=300,  # a busy machine takes its time
            # The kernel's working folder goes through nbclient: papermill's own `cwd` would change
            # that of the whole process, which runs other notebooks at the same time.
            kernel_manager_class=kernel_class(environment or {}),
            resources={"metadata": {"path": str(folder or source.parent)}},
            on_cell_start=progress.start,
        )
    except PapermillExecutionError as error:
        trace = ANSI.sub("", "\n".join(error.traceback))
        message = f"{error.ename}: {error.evalue}".rstrip(": ")
        raise NotebookError(
            source.stem, progress.number, progress.total, error.source, message, trace, output
        ) from None
    except Exception as error:
        # A dead kernel, most often killed for its memory.
        message = f"{type(error).__name__}: {error}".strip()
        raise NotebookError(
            source.stem, progress.number, progress.total, progress.code, message, "", output
        ) from error
    return Timing(time.perf_counter() - started, _cell_seconds(executed))


class _Progress:
    """Follow the cells of one execution, in the numbering of the source."""

    def __init__(self, notebook: NotebookNode, on_cell: Callable[[int, str], None]) -> None:
        self.total = n_code_cells(notebook)
        self.number = 0
        self.code = ""
        self.heading = ""
        self._on_cell = on_cell

    def start(self, cell: NotebookNode, cell_index: int) -> None:
        """Note that a cell begins (called by nbclient for every cell, prose too)."""
        if cell.cell_type == "markdown":
            found = HEADING.findall(cell.source)
            self.heading = found[-1].strip() if found else self.heading
        elif cell.cell_type == "code" and cell.source.strip() and INJECTED not in tags(cell):
            self.number += 1
            self.code = cell.source
            self._on_cell(self.number, self.heading)


def n_code_cells(notebook: NotebookNode) -> int:
    """Count the code cells that hold code."""
    return len(code_of(notebook))


def has_errors(notebook: NotebookNode) -> bool:
    """Whether any cell ended in an error."""
    return any(is_error(o) for c in notebook.cells for o in c.get("outputs", []))


def _cell_seconds(executed: NotebookNode) -> list[float]:
    return [
        round(float(cell.metadata.get("papermill", {}).get("duration") or 0.0), 3)
        for cell in code_of(executed)
    ]


def kernel_class(environment: dict[str, str]) -> type[Any]:
    """Return a kernel manager that starts this very interpreter.

    A kernel specification named `python3` in the user's home may belong to another environment.

    Parameters
    ----------
    environment : dict
        Variables for the kernel, beside those of this process.

    Returns
    -------
    type
        For nbclient's `kernel_manager_class`.
    """
    launcher = [sys.executable, "-m", "ipykernel_launcher"]
    spec = KernelSpec(
        # The kernel's own log warns about TCP on every start; cell errors come another way.
        argv=[*launcher, "-f", "{connection_file}", "--log-level=50"],
        env=environment,
        display_name="Python 3",
        language="python",
    )

    class ThisInterpreter(AsyncKernelManager):
        @property
        def kernel_spec(self) -> KernelSpec:
            return spec

    return ThisInterpreter
