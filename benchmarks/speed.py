"""LIME and LIPEx against the ``lime`` package: time, model calls, memory, our own share."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.results import Row, spread
from benchmarks.settings import MAX_LENGTH, Settings, texts_of
from benchmarks.worker import OURS_AUTO, OURS_FLOAT32, PLAIN, Cost, Hello, Worker
from xai_lib.data import Dataset
from xai_lib.models.precision import fast_bfloat16, pick_device
from xai_lib.text import make_instance

# What is wanted of LIME at equal samples, by precision, on a CPU; and on a GPU in any.
AT_LEAST = {"bfloat16": 6.0, "float32": 1.8}
AT_LEAST_GPU = 30.0
LIPEX_AT_LEAST = 20.0
OUTSIDE_AT_MOST = 0.10


class Sides:
    """The processes of the three sides, and what they said of themselves."""

    def __init__(self, workers: dict[str, Worker]) -> None:
        self.workers = workers
        self.hello: dict[str, Hello] = {name: one.hello() for name, one in workers.items()}
        # The fastest of ours: LIPEx and our own share are measured there.
        self.best = OURS_AUTO if OURS_AUTO in workers else OURS_FLOAT32


@contextmanager
def started(settings: Settings, data_dir: Path | None = None) -> Iterator[Sides]:
    """Start the sides; bfloat16 only where the device has it."""
    names = [PLAIN, OURS_FLOAT32]
    if fast_bfloat16(pick_device(settings.device)):
        names.append(OURS_AUTO)
    with ExitStack() as stack:
        yield Sides(
            {
                name: stack.enter_context(
                    Worker(name, settings.model, settings.device, MAX_LENGTH, data_dir)
                )
                for name in names
            }
        )


def measure(
    sides: Sides, text: str, settings: Settings, lipex: bool
) -> tuple[dict[str, list[Cost]], list[Cost]]:
    """Explain a text by all sides in turn, round after round.

    Returns
    -------
    lime : dict of lists
        Cost of LIME in each round, by side.
    lipex : list
        Cost of LIPEx in each round, if wanted.
    """
    for worker in sides.workers.values():  # Kernels are chosen and compiled on first use.
        worker.explain(text, "lime", min(settings.n_samples, 300), settings.seed + 1)
    if lipex:
        sides.workers[sides.best].explain(text, "lipex", 100, settings.seed + 1)
    of_lime: dict[str, list[Cost]] = {name: [] for name in sides.workers}
    of_lipex: list[Cost] = []
    start = time.perf_counter()
    for done in range(settings.repeats):
        if done >= 2 and time.perf_counter() - start > settings.row_seconds:
            break
        for name, worker in sides.workers.items():
            of_lime[name].append(worker.explain(text, "lime", settings.n_samples, settings.seed))
        if lipex:
            worker = sides.workers[sides.best]
            of_lipex.append(worker.explain(text, "lipex", settings.lipex_samples, settings.seed))
    return of_lime, of_lipex


def rows(sides: Sides, settings: Settings, dataset: Dataset, words: int) -> list[Row]:
    """Measure LIME, and at one length LIPEx, on a text of so many words.

    Parameters
    ----------
    sides
        The processes.
    settings
        Sizes.
    dataset
        Where the text comes from.
    words
        Its length.

    Returns
    -------
    list of Row
        LIME in each number format, our time outside the black box, and LIPEx.
    """
    (text,), joined = texts_of(dataset, words)
    lime, lipex = measure(sides, text, settings, words == settings.lipex_words)
    group = f"lime-{words}"
    about = {
        "words": words,
        "word_types": make_instance(text, "type").n_features,
        "text": "texts of the data set joined and cut" if joined else "from the data set",
        "samples": settings.n_samples,
    }
    gpu = sides.hello[sides.best].device.startswith("cuda")
    found = []
    for name in sides.workers:
        if name == PLAIN:
            continue
        hello = sides.hello[name]
        if name == OURS_AUTO and hello.precision == "float32":
            continue  # The model's predictions do not stand bfloat16.
        # The time wanted is that of the text of 46 words; the others are for comparison.
        wanted = AT_LEAST_GPU if gpu else AT_LEAST[hello.precision]
        found.append(
            Row(
                group,
                f"{group}-{hello.precision}",
                f"LIME, {words} words, {settings.n_samples} samples, {hello.precision}",
                **spread(_ratios(lime[PLAIN], lime[name])),
                at_least=wanted if words == settings.lipex_words else None,
                details=about | _pair(lime[PLAIN], lime[name], sides.hello[PLAIN], hello),
            )
        )
    shares = [1 - cost.forward_seconds / cost.seconds for cost in lime[sides.best]]
    theirs = [1 - cost.forward_seconds / cost.seconds for cost in lime[PLAIN]]
    found.append(
        Row(
            group,
            f"outside-{words}",
            f"our share of time outside the black box, {words} words",
            **spread(shares),
            at_most=OUTSIDE_AT_MOST,
            details=about | {"precision": sides.hello[sides.best].precision, "theirs": theirs},
        )
    )
    if lipex:
        hello = sides.hello[sides.best]
        found.append(
            Row(
                group,
                f"lipex-{words}",
                f"LIPEx ({settings.lipex_samples}) against LIME ({settings.n_samples}) of the "
                f"lime package, {words} words, {hello.precision}",
                **spread(_ratios(lime[PLAIN], lipex)),
                at_least=LIPEX_AT_LEAST,
                details=about
                | {"our_samples": settings.lipex_samples}
                | _pair(lime[PLAIN], lipex, sides.hello[PLAIN], hello),
            )
        )
    return found


def _ratios(theirs: list[Cost], ours: list[Cost]) -> list[float]:
    return [b.seconds / a.seconds for a, b in zip(ours, theirs, strict=True)]


def _pair(
    theirs: list[Cost], ours: list[Cost], their_hello: Hello, our_hello: Hello
) -> dict[str, Any]:
    details: dict[str, Any] = {}
    for side, costs, hello in (("our", ours, our_hello), ("their", theirs, their_hello)):
        details |= {
            f"{side}_seconds": float(np.median([cost.seconds for cost in costs])),
            f"{side}_seconds_each": [round(cost.seconds, 4) for cost in costs],
            f"{side}_forward_seconds": float(np.median([cost.forward_seconds for cost in costs])),
            f"{side}_calls": costs[-1].calls,
            f"{side}_peak_mib": round(costs[-1].peak_mib, 1),
            f"{side}_loaded_mib": round(hello.loaded_mib, 1),
        }
        if costs[-1].device_mib is not None:
            details[f"{side}_device_mib"] = round(costs[-1].device_mib, 1)
    return details
