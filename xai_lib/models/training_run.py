"""What surrounds a training: a bar that shows how far it is, a lock that keeps others out."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path


def progress_bar(title: str) -> Callable[[int, int, float], None]:
    """Return a progress callback: a bar on a terminal, a line every tenth in a log."""
    if sys.stderr.isatty():
        from rich.console import Console
        from rich.progress import Progress, TimeRemainingColumn

        bar = Progress(
            *Progress.get_default_columns()[:-1],
            TimeRemainingColumn(),
            console=Console(stderr=True),
        )
        task = bar.add_task(title)
        bar.start()

        def draw(step: int, steps: int, loss: float) -> None:
            bar.update(task, completed=step, total=steps, description=f"{title} loss {loss:.3f}")
            if step == steps:
                bar.stop()

        return draw

    def log(step: int, steps: int, loss: float) -> None:
        if step * 10 // steps != (step - 1) * 10 // steps:
            print(f"{title}: step {step}/{steps}, loss {loss:.3f}", file=sys.stderr, flush=True)

    return log


class FileLock:
    """Let one process at a time pass; others wait (POSIX; elsewhere it does nothing)."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> None:
        self.file = self.path.open("w")
        try:
            import fcntl
        except ImportError:
            return
        fcntl.flock(self.file, fcntl.LOCK_EX)

    def __exit__(self, *_: object) -> None:
        self.file.close()
