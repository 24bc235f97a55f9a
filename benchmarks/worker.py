"""One side of the comparison in a process of its own, so that its peak memory is its own."""

from __future__ import annotations

import multiprocessing
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

# The sides: the lime package with a plain predict function, and ours in two number formats.
PLAIN, OURS_FLOAT32, OURS_AUTO = "lime package", "ours float32", "ours auto"
BATCH = 64


@dataclass(frozen=True)
class Cost:
    """What one explanation took: seconds, those of the forward passes, inputs, peak memory."""

    seconds: float
    forward_seconds: float
    calls: int
    peak_mib: float
    device_mib: float | None


@dataclass(frozen=True)
class Hello:
    """What a side says of itself once it is loaded."""

    precision: str
    device: str
    loaded_mib: float


class Worker:
    """A side that waits for texts in another process.

    The process is started at once and loads while others do; `hello` waits for it.

    Parameters
    ----------
    side
        One of the three sides.
    model, device
        See `benchmarks.settings.Settings`.
    max_length
        Token budget of a text.
    data_dir
        Folder of data sets.
    """

    def __init__(
        self, side: str, model: str, device: str, max_length: int, data_dir: Path | None = None
    ) -> None:
        self.side = side
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(
            target=_serve, args=(theirs, side, model, device, max_length, data_dir), daemon=True
        )
        self._process.start()
        theirs.close()  # Else the end of the process would not end the wait for its answer.

    def hello(self) -> Hello:
        """Wait until the side is loaded."""
        found = self._receive()
        assert isinstance(found, Hello)
        return found

    def explain(self, text: str, method: str, n_samples: int, seed: int) -> Cost:
        """Explain a text for all classes and return what it took."""
        self._pipe.send((text, method, n_samples, seed))
        found = self._receive()
        assert isinstance(found, Cost)
        return found

    def _receive(self) -> object:
        try:
            found = self._pipe.recv()
        except EOFError:
            self._process.join()
            code = self._process.exitcode
            raise RuntimeError(f"The process of {self.side!r} ended with code {code}.") from None
        if isinstance(found, str):
            raise RuntimeError(f"{self.side!r} failed:\n{found}")
        return found

    def __enter__(self) -> Worker:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._pipe.close()
        self._process.join(10)
        if self._process.is_alive():
            self._process.terminate()
            self._process.join()


class Clock:
    """A model that adds up the time of its forward passes."""

    def __init__(self, model: Any, device: str) -> None:
        self.model, self.device, self.seconds = model, device, 0.0

    def __call__(self, **arguments: Any) -> Any:
        """Run the model."""
        start = time.perf_counter()
        answer = self.model(**arguments)
        wait(self.device)
        self.seconds += time.perf_counter() - start
        return answer


def wait(device: str) -> None:
    """Wait until a GPU has done what was asked of it."""
    if device.startswith("cuda"):
        import torch

        torch.cuda.synchronize(device)


def peak_mib() -> float:
    """Peak resident memory of this process in MiB.

    Linux keeps ``ru_maxrss`` of the parent when a process is spawned, so its own counter is read
    where there is one.
    """
    try:
        lines = Path("/proc/self/status").read_text("utf-8").splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024
    except (OSError, StopIteration):
        from xai_lib.metrics.cost import peak_memory

        return peak_memory() / 2**20


def _serve(
    pipe: Connection, side: str, model: str, device: str, max_length: int, data_dir: Path | None
) -> None:
    """Load a side, then explain what comes through the pipe until it is closed."""
    try:
        explain, clock, hello = _load(side, model, device, max_length, data_dir)
        pipe.send(hello)
        while True:
            text, method, n_samples, seed = pipe.recv()
            clock.seconds = 0.0
            start = time.perf_counter()
            calls = explain(text, method, n_samples, seed)
            wait(hello.device)
            seconds = time.perf_counter() - start
            pipe.send(Cost(seconds, clock.seconds, calls, peak_mib(), _device_mib(hello.device)))
    except (EOFError, KeyboardInterrupt):
        return
    except Exception:
        pipe.send(traceback.format_exc())


def _load(
    side: str, model: str, device: str, max_length: int, data_dir: Path | None
) -> tuple[Callable[[str, str, int, int], int], Clock, Hello]:
    from transformers.utils import logging

    import xai_lib
    from xai_lib.models.huggingface import HuggingFaceClassifier

    logging.disable_progress_bar()
    precision = "auto" if side == OURS_AUTO else "float32"
    box = xai_lib.load_classifier(model, device, precision, max_length, data_dir)
    if not isinstance(box, HuggingFaceClassifier):
        raise ValueError(f"The benchmark needs a Hugging Face classifier, got {type(box).__name__}")
    if side == PLAIN:
        clock = Clock(box.model, box.device)
        explain = _plain_lime(box, clock)
    else:
        # The forward pass is the transformers model alone: making batches counts as our time.
        clock = Clock(box._runner, box.device)
        box._runner = clock

        def explain(text: str, method: str, n_samples: int, seed: int) -> int:
            setting = {"n_samples": n_samples, "group": "type"}
            return xai_lib.explain(text, box, method, seed, **setting).model_calls

    return explain, clock, Hello(box.precision, box.device, peak_mib())


def _plain_lime(box: Any, clock: Clock) -> Callable[[str, str, int, int], int]:
    """Return LIME as a reader of the package's tutorial would write it."""
    import torch
    from lime.lime_text import IndexedString, LimeTextExplainer

    calls = [0]

    def predict(texts: list[str]) -> np.ndarray:
        rows = []
        for i in range(0, len(texts), BATCH):
            inputs = box.tokenizer(
                list(texts[i : i + BATCH]),
                padding=True,
                truncation=True,
                max_length=box.max_length,
                return_tensors="pt",
            ).to(box.device)
            with torch.inference_mode():
                rows.append(torch.softmax(clock(**inputs).logits, dim=-1).cpu().numpy())
        calls[0] += len(texts)
        return np.concatenate(rows)

    def explain(text: str, method: str, n_samples: int, seed: int) -> int:
        if method != "lime":
            raise ValueError(f"The lime package has no method {method!r}.")
        before = calls[0]
        explainer = LimeTextExplainer(class_names=list(box.classes), random_state=seed)
        explainer.explain_instance(
            text,
            predict,
            labels=tuple(range(len(box.classes))),
            num_features=IndexedString(text).num_words(),
            num_samples=n_samples,
        )
        return calls[0] - before

    return explain


def _device_mib(device: str) -> float | None:
    if not device.startswith("cuda"):
        return None
    import torch

    return float(torch.cuda.max_memory_allocated(device)) / 2**20
