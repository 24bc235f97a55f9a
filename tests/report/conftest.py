from __future__ import annotations

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt
import pytest

from xai_lib import report
from xai_lib.report import style
from xai_lib.report.results import Result

DATA = [
    {
        "name": "planted",
        "split": "test",
        "source": "generated",
        "sha256": "0" * 64,
        "rows": 40,
        "stands_for": "Emotion",
    }
]
BLACK_BOX = [
    {"name": "tiny", "held_out_accuracy": 0.9755, "test_size": 40, "stands_for": "BERT-base"}
]
PROVENANCE = {
    "commit": "0123456789abcdef",
    "device": "CPU (x86_64, 2 cores)",
    "packages": {"numpy": "2.0"},
    "python": "3.11.0",
    "seed": 0,
    "seconds": 1.5,
    "model_calls": 1200,
}


@pytest.fixture(autouse=True)
def book_style():
    """Draw as the book does, and close what was drawn."""
    with style.styled():
        yield
    plt.close("all")


@pytest.fixture
def evidence():
    """Give what every result carries beside its rows."""
    return {"profile": "ci", "data": DATA, "black_box": BLACK_BOX, "provenance": PROVENANCE}


@pytest.fixture
def make_result(evidence):
    """Make a result of any paper with made-up rows, comparisons and printed numbers."""

    def make(paper, item, rows, published=None, comparisons=()):
        columns = tuple(dict.fromkeys(column for row in rows for column in row))
        fields = {name: value if name in ("profile", "provenance") else tuple(value)
                  for name, value in evidence.items()}  # fmt: skip
        printed = None if published is None else tuple(published)
        return Result(
            paper=paper, item=item, title="made up", columns=columns, rows=tuple(rows),
            comparisons=tuple(comparisons), published=printed, **fields,
        )  # fmt: skip

    return make


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("XAI_RESULTS_DIR", str(tmp_path / "results"))
    return tmp_path / "results"


@pytest.fixture
def save(folder, evidence):
    """Save a result of the LIPEx paper with made-up evidence."""

    def write(item, rows, comparisons=(), **changes):
        fields = evidence | {"comparisons": comparisons} | changes
        return report.save_result("lipex", item, rows, **fields)

    return write
