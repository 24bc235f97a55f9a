"""Say how far the notebooks are: bars on a terminal, plain lines with times in a log."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn
from rich.progress import TimeElapsedColumn as Elapsed


class Reporter(Protocol):
    """What the runner tells about its work. Used as a context manager."""

    def __enter__(self) -> Self:
        """Begin."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        """End, on success or not."""

    def start(self, name: str, n_cells: int) -> None:
        """Tell that a notebook with `n_cells` code cells starts."""

    def cell(self, name: str, number: int, heading: str) -> None:
        """Tell that code cell `number` (from 1), under `heading`, starts."""

    def done(self, name: str, seconds: float) -> None:
        """Tell that a notebook is finished."""

    def failed(self, name: str) -> None:
        """Tell that a notebook has failed."""

    def skipped(self, name: str, seconds: float) -> None:
        """Tell that a notebook is up to date; it took `seconds` when it ran."""

    def tick(self) -> None:
        """Pass time; called a few times a second."""


def make_reporter(console: Console) -> Reporter:
    """Return bars for a terminal, plain lines for anything else."""
    return BarReporter(console) if console.is_terminal else PlainReporter(console)


class PlainReporter:
    """Log lines with elapsed times: when a cell starts, and a sign of life while a long one runs.

    Parameters
    ----------
    console : Console
        Where to print.
    every : float
        Seconds between two lines about one notebook, at least.
    alive : float
        Seconds after which a cell that still runs is mentioned again.
    """

    def __init__(self, console: Console, every: float = 5.0, alive: float = 30.0) -> None:
        self.console = console
        self.every = every
        self.alive = alive
        self._began: dict[str, float] = {}
        self._spoke: dict[str, float] = {}
        self._cells: dict[str, int] = {}
        self._where: dict[str, tuple[int, str]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        pass

    def start(self, name: str, n_cells: int) -> None:
        """Print that a notebook starts."""
        self._began[name] = time.monotonic()
        self._cells[name] = n_cells
        self._say(name, f"started, {n_cells} code cells")

    def cell(self, name: str, number: int, heading: str) -> None:
        """Print where a notebook is, unless a line about it was printed a moment ago."""
        self._where[name] = (number, heading)
        if time.monotonic() - self._spoke[name] >= self.every:
            self._say(name, self._position(name))

    def done(self, name: str, seconds: float) -> None:
        """Print that a notebook is finished."""
        self._say(name, f"finished in {duration(seconds)}")
        self._began.pop(name)

    def failed(self, name: str) -> None:
        """Print that a notebook has failed, and where."""
        self._say(name, f"FAILED at {self._position(name)}")
        self._began.pop(name)

    def skipped(self, name: str, seconds: float) -> None:
        """Print that a notebook is up to date."""
        self._line(f"{name}: up to date, skipped (it took {duration(seconds)})")

    def tick(self) -> None:
        """Print a sign of life for notebooks that were silent for long."""
        for name in self._began:
            if time.monotonic() - self._spoke[name] >= self.alive:
                self._say(name, f"{self._position(name)}, still running")

    def _position(self, name: str) -> str:
        number, heading = self._where.get(name, (0, ""))
        where = f"cell {number}/{self._cells[name]}"
        return f"{where} ({heading})" if heading else where

    def _say(self, name: str, what: str) -> None:
        self._spoke[name] = time.monotonic()
        clock = duration(time.monotonic() - self._began[name])
        self._line(f"[{clock:>8}] {name}: {what}")

    def _line(self, text: str) -> None:
        self.console.print(text, markup=False, highlight=False, soft_wrap=True)
        self.console.file.flush()  # a log that is read while it grows


class BarReporter:
    """One bar per notebook that counts its code cells.

    Parameters
    ----------
    console : Console
        A terminal.
    """

    def __init__(self, console: Console) -> None:
        self._progress = Progress(
            TextColumn("{task.description:<12}"),
            BarColumn(bar_width=28),
            MofNCompleteColumn(),
            Elapsed(),
            TextColumn("{task.fields[note]}", markup=False),
            console=console,
        )
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def start(self, name: str, n_cells: int) -> None:
        """Add a bar."""
        self._tasks[name] = self._progress.add_task(name, total=n_cells, note="starting")

    def cell(self, name: str, number: int, heading: str) -> None:
        """Move a bar to the cells before `number`, which are finished."""
        self._progress.update(self._tasks[name], completed=number - 1, note=heading[:60])

    def done(self, name: str, seconds: float) -> None:
        """Fill a bar."""
        task = self._tasks[name]
        total = self._progress.tasks[self._progress.task_ids.index(task)].total
        self._progress.update(task, completed=total, note=f"finished in {duration(seconds)}")
        self._progress.stop_task(task)

    def failed(self, name: str) -> None:
        """Stop a bar where it is."""
        self._progress.update(self._tasks[name], note="FAILED")
        self._progress.stop_task(self._tasks[name])

    def skipped(self, name: str, seconds: float) -> None:
        """Print a line above the bars."""
        self._progress.console.print(
            f"{name}: up to date, skipped (it took {duration(seconds)})", markup=False
        )

    def tick(self) -> None:
        """Do nothing: bars move by themselves."""


def duration(seconds: float) -> str:
    """Write a duration for people: `8.4 s`, `3 min 05 s`, `2 h 10 min`."""
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"
