"""Where a number came from: commit, device, versions, seed, cost."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any

# What can change a number. Tools that only format or test are left out.
PACKAGES = (
    "captum",
    "lime",
    "numpy",
    "pandas",
    "scikit-learn",
    "scipy",
    "shap",
    "tokenizers",
    "torch",
    "transformers",
)


def provenance(
    seed: int,
    seconds: float,
    model_calls: int,
    device: str = "cpu",
    precision: str | None = None,
    cached_model_calls: int | None = None,
) -> dict[str, Any]:
    """Collect the provenance of a result.

    Parameters
    ----------
    seed
        Seed of the run.
    seconds
        Wall time it took to make the numbers.
    model_calls
        Inputs sent through the black box for them.
    device
        Where the black box ran, ``"cpu"`` or ``"cuda"``.
    precision
        Of the black box, ``"float32"`` or ``"bfloat16"``; left out if None.
    cached_model_calls
        Inputs that an earlier run had sent through the black box for answers read from disk; left
        out if None.

    Returns
    -------
    dict
        ``commit``, ``device``, ``packages`` (name to version), ``python``, ``seed``,
        ``seconds``, ``model_calls``, ``notebook`` (``$XAI_NOTEBOOK_SHA256``, the hash of the
        notebook that ran, or None), ``precision`` and ``cached_model_calls``. No date: the same
        run gives the same record, but for the seconds and for what was on disk.
    """
    record: dict[str, Any] = {
        "commit": commit(),
        "device": device_name(device),
        "packages": versions(),
        "python": platform.python_version(),
        "seed": int(seed),
        "seconds": float(seconds),
        "model_calls": int(model_calls),
        "notebook": os.environ.get("XAI_NOTEBOOK_SHA256") or None,
    }
    if precision is not None:
        record["precision"] = precision
    if cached_model_calls is not None:
        record["cached_model_calls"] = int(cached_model_calls)
    return record


def commit() -> str:
    """Name the commit of the running code.

    Returns
    -------
    str
        ``$XAI_COMMIT`` if set; else the commit of the source tree the package lies in, with
        ``-dirty`` behind it if files differ from it; ``"unknown"`` outside a source tree.
    """
    if given := os.environ.get("XAI_COMMIT"):
        return given
    root = Path(__file__).resolve().parents[2]
    # An installed package may lie in an environment inside some other repository.
    if not (root / ".git").exists():
        return "unknown"
    head = _git(root, "rev-parse", "HEAD")
    if head is None:
        return "unknown"
    changes = _git(root, "status", "--porcelain")
    return head if changes == "" else f"{head}-dirty"


def versions() -> dict[str, str]:
    """Give the versions of the packages that can change a number.

    Returns
    -------
    dict of str
        Name to version of those installed.
    """
    found = {}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def device_name(device: str = "cpu") -> str:
    """Describe a device in general terms.

    Parameters
    ----------
    device
        ``"cpu"``, ``"cuda"``, ``"cuda:0"``, ``"mps"``.

    Returns
    -------
    str
        ``"CPU (x86_64, 2 cores)"``, or the name of the GPU's model.
    """
    if device.startswith("cuda"):
        import torch

        if torch.cuda.is_available():
            return f"GPU ({torch.cuda.get_device_name(device)})"
    if device.startswith("cpu"):
        try:
            cores = len(os.sched_getaffinity(0))
        except AttributeError:  # not on every system
            cores = os.cpu_count() or 1
        return f"CPU ({platform.machine()}, {cores} core{'s' if cores > 1 else ''})"
    return device


def _git(root: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(root), *arguments],
            capture_output=True,
            text=True,
            check=True,
            timeout=20,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
