"""What can go wrong between a notebook and the book, as exceptions with a message for a person."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


class RunnerError(ValueError):
    """A wrong request or an unfit project: the message names it and lists what is valid."""


class BookError(RuntimeError):
    """The book could not be built, or what was built is not fit to publish."""


@dataclass
class NotebookError(Exception):
    """A notebook stopped at a cell.

    Parameters
    ----------
    notebook : str
        Name of the notebook.
    cell : int
        Number of the failing code cell in the source, counted from 1; 0 if no cell had started.
    n_cells : int
        Number of code cells in the source.
    source : str
        The failing cell's code.
    error : str
        Error type and message, one line or more.
    traceback : str
        The kernel's traceback without colour codes; may be empty.
    path : Path
        The partially executed notebook.
    """

    notebook: str
    cell: int
    n_cells: int
    source: str
    error: str
    traceback: str
    path: Path

    def __str__(self) -> str:
        """Return the message a person needs: where, what code, which error, which file."""
        code = _shorten(self.source, head=40)
        lines = [
            f"{self.notebook}: code cell {self.cell} of {self.n_cells} failed",
            "",
            *(f"    {line}" for line in code.splitlines()),
            "",
            self.error,
        ]
        if self.traceback:
            lines += ["", _shorten(self.traceback, head=5, tail=25)]
        lines += ["", f"The notebook as far as it got: {self.path}"]
        return "\n".join(lines)


def _shorten(text: str, head: int, tail: int = 0) -> str:
    lines = text.splitlines()
    if len(lines) <= head + tail + 1:
        return text
    cut = f"... ({len(lines) - head - tail} lines more)"
    return "\n".join([*lines[:head], cut, *(lines[-tail:] if tail else [])])
