from __future__ import annotations

import time
from math import comb

import numpy as np
import pytest

from xai_lib.metrics.cost import Timing, measure, median_with_interval, peak_memory


@pytest.mark.parametrize("n, j", [(6, 1), (8, 1), (9, 2), (10, 2), (20, 6), (100, 40)])
def test_the_median_lies_between_tabled_ranks(n, j):
    values = np.arange(n, 0, -1) * 10.0
    estimate = median_with_interval(values)
    assert (estimate.low, estimate.high) == (10.0 * j, 10.0 * (n + 1 - j))
    assert (estimate.mean, estimate.n) == (10 * (n + 1) / 2, n)
    # Rank j is the last one whose tail is at most 2.5 %.
    tails = [sum(comb(n, i) for i in range(r)) / 2**n for r in (j, j + 1)]
    assert tails[0] <= 0.025 < tails[1]


def test_too_few_values_for_an_interval():
    estimate = median_with_interval([3.0, 1.0, 2.0, 9.0, 4.0])
    assert estimate.mean == 3.0
    assert np.isnan([estimate.low, estimate.high]).all()
    with pytest.raises(ValueError, match="values must not be empty"):
        median_with_interval([])


def test_measure_counts_calls_and_time_per_item(box, monkeypatch):
    seen, clock = [], [100.0]
    monkeypatch.setattr(time, "perf_counter", lambda: clock[0])

    def explain(text):
        seen.append(text)
        clock[0] += 0.25 * len(text)
        box.calls += 10 * len(text)

    timing = measure(explain, ["a", "bbb"], box)
    assert seen == ["a", "a", "bbb"]
    assert timing.model_calls.tolist() == [10, 30]
    assert timing.device == "cpu"
    assert timing.seconds.tolist() == [0.25, 0.75]


def test_measure_without_warm_up(box):
    seen = []
    measure(seen.append, ["a", "b"], box, warm_up=0)
    assert seen == ["a", "b"]
    with pytest.raises(ValueError, match="items must not be empty"):
        measure(seen.append, [], box)


def test_summaries_of_a_timing():
    timing = Timing(np.array([1.0, 2, 3, 4, 5, 60]), np.ones(6, dtype=int), "cpu", 0.0)
    assert (timing.median().mean, timing.median().low, timing.median().high) == (3.5, 1.0, 60.0)
    assert timing.mean().mean == 12.5
    assert timing.mean().low < 12.5 < timing.mean().high


def test_peak_memory_is_in_bytes():
    psutil = pytest.importorskip("psutil")
    block = np.ones(8_000_000)  # 64 MB, touched
    now = psutil.Process().memory_info().rss
    peak = peak_memory()
    assert block.nbytes <= now * 0.999 <= peak
    assert peak < 64 * now


def test_a_gpu_is_waited_for_and_its_own_memory_read(box, monkeypatch):
    import torch

    log = []
    monkeypatch.setattr(torch.cuda, "synchronize", lambda device: log.append(("wait", device)))
    monkeypatch.setattr(
        torch.cuda, "reset_peak_memory_stats", lambda device: log.append(("reset", device))
    )
    monkeypatch.setattr(
        torch.cuda, "max_memory_allocated", lambda device: {"cuda:1": 12_345}[device]
    )
    box.device = "cuda:1"
    timing = measure(log.append, ["warm", "cold"], box)
    wait, reset = ("wait", "cuda:1"), ("reset", "cuda:1")
    # The clock runs from one wait to the next.
    assert log == ["warm", wait, reset, "warm", wait, "cold", wait]
    assert timing.peak_bytes == 12_345
    assert timing.device == "cuda:1"
