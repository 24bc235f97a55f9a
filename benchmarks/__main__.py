"""Start the benchmark with ``python -m benchmarks``."""

from __future__ import annotations

from benchmarks.run import app

app()
