"""The record of a run: what ran, when, where, how long. Kept beside the notebook, not in it."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from xai_lib.report.provenance import device_name, versions


@dataclass(frozen=True)
class RunRecord:
    """One execution of one notebook.

    Parameters
    ----------
    notebook, profile : str
        What ran.
    key : str
        `run_key` of the run: equal keys mean equal numbers.
    parameters : dict
        Values given to the parameters cell.
    started : str
        Start in UTC, ISO 8601.
    seconds : float
        Wall-clock seconds.
    cells : list of float
        Wall-clock seconds of each code cell.
    commit : str
        Commit of the sources, `-dirty` behind it if tracked files had changed; or "unknown".
    device : str
        Processor or GPU, in general terms.
    threads : int
        Processor threads the kernel could use.
    versions : dict
        Version of Python and of the packages that numbers depend on.
    kept : list of dict or None
        The earlier runs that outputs of some settings were kept of, see `xai_lib.runner.parts`.
    """

    notebook: str
    profile: str
    key: str
    parameters: dict[str, Any]
    started: str
    seconds: float
    cells: list[float]
    commit: str
    device: str
    threads: int
    versions: dict[str, str]
    kept: list[dict[str, Any]] | None = None

    def save(self, path: Path) -> None:
        """Write the record as JSON."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(asdict(self), indent=1, sort_keys=True) + "\n", "utf-8")

    @classmethod
    def load(cls, path: Path) -> RunRecord | None:
        """Read a record; None if there is none, or it is of another shape."""
        try:
            return cls(**json.loads(path.read_text("utf-8")))
        except (OSError, ValueError, TypeError):
            return None


def now() -> str:
    """Return the time in UTC, to the second."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def commit_of(root: Path) -> str:
    """Return the commit of a repository, `-dirty` behind it if tracked files have changed."""
    try:
        head = _git(root, "rev-parse", "HEAD")
        changed = _git(root, "status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return f"{head}-dirty" if changed else head


def describe_device(device: str) -> str:
    """Describe what a notebook runs on, "auto" resolved as notebooks resolve it."""
    if device == "auto":
        import torch

        device = "cuda" if torch.cuda.is_available() else "cpu"
    return device_name(device)


def all_versions() -> dict[str, str]:
    """Return versions of Python and of the packages that numbers depend on."""
    return {"python": platform.python_version(), **versions()}


def _git(root: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments],
        cwd=root,
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "GIT_OPTIONAL_LOCKS": "0"},
    )
    return done.stdout.strip()
