"""How far a long run is, for a terminal and for a log."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator


@contextlib.contextmanager
def reporter(method: str, total: int, todo: int, wanted: bool) -> Iterator[Callable[[int], object]]:
    """Say on the standard error how far a run is and how long it will take.

    A terminal shows a bar; a log gets a line when half a minute has passed since the last one.

    Parameters
    ----------
    method
        What is running.
    total
        Number of texts.
    todo
        Number of texts that are not done yet.
    wanted
        Whether to say anything.

    Yields
    ------
    function
        Call it with the number of texts that were done since the last call.
    """
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    # Never rich's notebook output: it needs widgets, which a static page cannot show.
    console = Console(stderr=True, force_jupyter=False)
    if not wanted or not todo:
        yield lambda _: None
        return
    already = f" ({total - todo} of {total} already there)" if todo < total else ""
    if console.is_terminal:
        bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left:"),
            TimeRemainingColumn(),
            console=console,
            speed_estimate_period=3600.0,  # a chunk may take minutes
        )
        with bar:
            task = bar.add_task(f"{method}{already}", total=todo)
            yield lambda count: bar.advance(task, count)
        return

    start = said = time.monotonic()
    done = 0

    def advance(count: int) -> None:
        nonlocal done, said
        done += count
        now = time.monotonic()
        if now - said >= 30 or done == todo:
            said = now
            left = (now - start) / done * (todo - done)
            tail = f"about {left:.0f} s left" if done < todo else f"{now - start:.1f} s"
            console.print(f"{method}{already}: {done} of {todo} texts, {tail}", markup=False)

    yield advance
