"""Which device and number format a black box runs in."""

from __future__ import annotations

from pathlib import Path

import torch

PRECISIONS = ("auto", "float32", "bfloat16")


def pick_device(device: str = "auto") -> str:
    """Resolve ``"auto"`` to ``"cuda"`` where there is a GPU, else ``"cpu"``.

    Raises
    ------
    ValueError
        If a GPU is asked for and there is none, or the device is unknown.
    """
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        kind = torch.device(device).type
    except RuntimeError as error:
        raise ValueError(
            f"Unknown device {device!r}. Valid: auto, cpu, cuda, cuda:<number>, mps."
        ) from error
    if kind == "cuda" and not torch.cuda.is_available():
        raise ValueError(f"Device {device!r} was asked for, but torch sees no GPU. Valid: cpu.")
    return device


def fast_bfloat16(device: str) -> bool:
    """Tell whether the device multiplies bfloat16 matrices in hardware."""
    if device.startswith("cuda"):
        return torch.cuda.is_bf16_supported()
    try:
        flags = set(Path("/proc/cpuinfo").read_text(encoding="utf-8").split())
    except OSError:
        return False
    return bool(flags & {"avx512_bf16", "amx_bf16"})


def check_precision(precision: str) -> None:
    """Raise a ValueError that lists the valid precisions."""
    if precision not in PRECISIONS:
        raise ValueError(f"Unknown precision {precision!r}. Valid: {', '.join(PRECISIONS)}.")
