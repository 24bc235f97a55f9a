"""What a log says, with a clock that the test moves."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from xai_lib.runner import progress
from xai_lib.runner.progress import BarReporter, PlainReporter, duration, make_reporter


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.04, "0.0 s"),
        (59.94, "59.9 s"),
        (59.95, "1 min 00 s"),
        (185.4, "3 min 05 s"),
        (3599.6, "1 h 00 min"),
        (7_830, "2 h 10 min"),
    ],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_a_log_says_where_a_notebook_is_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: clock[0])
    console = Console(file=io.StringIO(), width=200)
    with PlainReporter(console, every=5, alive=30) as reporter:
        reporter.start("lipex", 9)
        clock[0] = 2
        reporter.cell("lipex", 1, "")  # too soon after the line before
        clock[0] = 6
        reporter.cell("lipex", 2, "Table 1")
        for clock[0] in (20, 35.9, 36, 40):
            reporter.tick()
        clock[0] = 70
        reporter.done("lipex", 69.8)
        reporter.tick()
        reporter.start("l2e", 3)
        reporter.failed("l2e")
        reporter.skipped("mase", 4)
    assert console.file.getvalue().splitlines() == [  # type: ignore[attr-defined]
        "[   0.0 s] lipex: started, 9 code cells",
        "[   6.0 s] lipex: cell 2/9 (Table 1)",
        "[  36.0 s] lipex: cell 2/9 (Table 1), still running",
        "[1 min 10 s] lipex: finished in 1 min 10 s",
        "[   0.0 s] l2e: started, 3 code cells",
        "[   0.0 s] l2e: FAILED at cell 0/3",
        "mase: up to date, skipped (it took 4.0 s)",
    ]


def test_a_terminal_gets_bars_that_count_finished_cells() -> None:
    console = Console(file=io.StringIO(), force_terminal=True, width=120)
    reporter = make_reporter(console)
    assert isinstance(reporter, BarReporter)
    with reporter:
        reporter.start("lipex", 9)
        reporter.cell("lipex", 4, "[Table] 1")
        assert reporter._progress.tasks[0].completed == 3
        reporter.done("lipex", 2.0)
        assert reporter._progress.tasks[0].completed == 9
        reporter.start("l2e", 3)
        reporter.failed("l2e")
        reporter.skipped("mase", 4)
        reporter.tick()
    text = console.file.getvalue()  # type: ignore[attr-defined]
    for part in ("[Table] 1", "finished in 2.0 s", "FAILED", "mase: up to date"):
        assert part in text or part == "[Table] 1"  # a bar may be redrawn before it shows a note


def test_a_pipe_gets_lines() -> None:
    assert isinstance(make_reporter(Console(file=io.StringIO())), PlainReporter)
