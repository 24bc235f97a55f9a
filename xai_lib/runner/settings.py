"""What to run, and how."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xai_lib.runner.errors import RunnerError
from xai_lib.runner.project import check_profile


@dataclass(frozen=True)
class RunSettings:
    """What to run, and how.

    Parameters
    ----------
    profile : {"ci", "quick", "paper"}
        Size of the experiments.
    device : str
        "auto", "cpu", "cuda", "cuda:<number>" or "mps".
    seed : int
        Seed given to the notebooks, 0 or more.
    data_dir : Path or None
        Folder with data sets; None leaves it to `$XAI_DATA_DIR`.
    jobs : int or None
        Notebooks at a time; None means two where there are two cores and two notebooks.
    force : bool
        Run also what is up to date.
    part : str or None
        Run these settings only, ``"text"``, ``"image"`` or keys with commas between, and take the
        others from the published book; see `xai_lib.runner.parts`.

    Raises
    ------
    RunnerError
        If a value is not valid.
    """

    profile: str = "quick"
    device: str = "auto"
    seed: int = 0
    data_dir: Path | None = None
    jobs: int | None = None
    force: bool = False
    part: str | None = None

    def __post_init__(self) -> None:
        check_profile(self.profile)
        kind, colon, number = self.device.partition(":")
        if kind not in {"auto", "cpu", "cuda", "mps"} or (
            colon and not (kind == "cuda" and number.isdigit())
        ):
            raise RunnerError(
                f"unknown device {self.device!r}; valid: auto, cpu, cuda, cuda:<number>, mps"
            )
        if self.seed < 0:
            raise RunnerError(f"the seed must be 0 or more, not {self.seed}")
        if self.jobs is not None and self.jobs < 1:
            raise RunnerError(f"jobs must be 1 or more, not {self.jobs}")
        if self.data_dir is not None and not self.data_dir.is_dir():
            raise RunnerError(f"the data folder {self.data_dir} does not exist")

    def parameters(self) -> dict[str, Any]:
        """Values for the notebooks' parameters cell.

        `data_dir` is not among them: kernels get it as `$XAI_DATA_DIR`, so that no path of this
        machine ends up in a notebook.
        """
        return {"profile": self.profile, "device": self.device, "seed": self.seed}

    def data_folder(self) -> Path | None:
        """Folder of the data sets that kernels will see, if any."""
        if self.data_dir is not None:
            return self.data_dir.resolve()
        given = os.environ.get("XAI_DATA_DIR")
        if given and not Path(given).is_dir():
            raise RunnerError(f"the data folder {given} of $XAI_DATA_DIR does not exist")
        return Path(given).resolve() if given else None
