"""What an explanation costs: wall time, inputs sent to the black box, memory."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np
from scipy import stats

from xai_lib.metrics.intervals import CONFIDENCE, Estimate, mean_with_interval, sample

Item = TypeVar("Item")


class Metered(Protocol):
    """A black box that counts its inputs and knows where it runs."""

    @property
    def calls(self) -> int:
        """Inputs sent through the model so far."""

    @property
    def device(self) -> str:
        """Name of the device."""


@dataclass(frozen=True, eq=False)
class Timing:
    """Cost of n explanations made one after the other.

    Attributes
    ----------
    seconds
        (n,) wall time of each, everything included: preparing the text, the black box's
        forward passes, the explainer's own work.
    model_calls
        (n,) int: inputs sent through the black box for each.
    device
        Where the black box ran.
    peak_bytes
        Peak memory in bytes, see `peak_memory`.
    """

    seconds: np.ndarray
    model_calls: np.ndarray
    device: str
    peak_bytes: float

    def median(self) -> Estimate:
        """Give the median of the seconds with its 95 % interval."""
        return median_with_interval(self.seconds)

    def mean(self, seed: int = 0) -> Estimate:
        """Give the mean of the seconds with its 95 % bootstrap interval."""
        return mean_with_interval(self.seconds, seed)


def median_with_interval(
    values: Sequence[float] | np.ndarray, confidence: float = CONFIDENCE
) -> Estimate:
    """Compute a median with the interval between two of the sorted values.

    Parameters
    ----------
    values
        (n,) numbers, such as wall times, whose outliers should not matter.
    confidence
        Coverage wanted; the interval has at least this much, whatever the distribution.

    Returns
    -------
    Estimate
        The median in ``mean``. Both ends are NaN with fewer values than the coverage needs
        (6 for 95 %).

    Raises
    ------
    ValueError
        If there are no values or one is not finite.
    """
    array = np.sort(sample(values).astype(np.float64))
    n, median = len(array), float(np.median(array))
    # The j-th smallest lies above the median with probability P(Binomial(n, 1/2) < j).
    outside = stats.binom.cdf(np.arange(n), n, 0.5)
    j = int((outside <= (1 - confidence) / 2 + 1e-12).sum())
    if j == 0:
        return Estimate(median, float("nan"), float("nan"), n)
    return Estimate(median, float(array[j - 1]), float(array[n - j]), n)


def _wait(device: str) -> None:
    """Wait until a GPU has done what was asked of it; without this its time is not measured."""
    if device.startswith("cuda"):
        import torch

        torch.cuda.synchronize(device)


def peak_memory(device: str = "cpu") -> float:
    """Look up the peak memory.

    Parameters
    ----------
    device
        ``"cpu"`` or a CUDA device.

    Returns
    -------
    float
        Bytes: on a GPU the largest amount that tensors held since the last reset; on a CPU the
        largest resident size of this process since it started, so compare methods in a process
        each. NaN where the system does not tell.
    """
    if device.startswith("cuda"):
        import torch

        return float(torch.cuda.max_memory_allocated(device))
    try:
        import resource
    except ImportError:  # Windows
        return float("nan")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return float(peak if sys.platform == "darwin" else peak * 1024)


def measure(
    explain: Callable[[Item], object],
    items: Sequence[Item],
    classifier: Metered,
    warm_up: int = 1,
) -> Timing:
    """Time a function on items, one at a time.

    Parameters
    ----------
    explain
        Called with each item; what it returns is thrown away.
    items
        n texts.
    classifier
        The black box that `explain` uses.
    warm_up
        Number of leading items explained once before the clock starts, so that loading and
        compiling are not counted.

    Returns
    -------
    Timing
        Wall time and model calls for each item.

    Raises
    ------
    ValueError
        If there are no items.
    """
    if not len(items):
        raise ValueError("items must not be empty")
    for item in items[:warm_up]:
        explain(item)
    device = str(classifier.device)
    _wait(device)
    if device.startswith("cuda"):
        import torch

        torch.cuda.reset_peak_memory_stats(device)
    seconds, calls = [], []
    for item in items:
        before, start = classifier.calls, time.perf_counter()
        explain(item)
        _wait(device)
        seconds.append(time.perf_counter() - start)
        calls.append(classifier.calls - before)
    return Timing(
        seconds=np.array(seconds),
        model_calls=np.array(calls, dtype=np.int64),
        device=device,
        peak_bytes=peak_memory(device),
    )
