"""Where things lie: the sources in the repository, and the trees that builds and readers use."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from xai_lib.runner.errors import RunnerError

PROFILES = ("ci", "quick", "paper")

# A notebook becomes book/papers/<name>.ipynb unless it is listed here.
PAGE_OF = {"tutorial": "book/explain-your-own.ipynb"}


@dataclass(frozen=True)
class BookTree:
    """A folder with the book's layout: the repository itself, or a staged copy of it.

    Parameters
    ----------
    base : Path
        Folder that holds `_config.yml`, `_toc.yml` and `book/`.
    """

    base: Path

    @property
    def results(self) -> Path:
        """Folder of the result files, `<paper>/<item>.json` under it."""
        return self.base / "book" / "results"

    @property
    def runs(self) -> Path:
        """Folder of the run records, one JSON file per notebook."""
        return self.base / "book" / "runs"

    @property
    def generated(self) -> Path:
        """Folder of the page parts that are computed from results and run records."""
        return self.base / "book" / "generated"

    def notebook(self, name: str) -> Path:
        """Path of the executed notebook `name`."""
        return self.base / PAGE_OF.get(name, f"book/papers/{name}.ipynb")

    def run_record(self, name: str) -> Path:
        """Path of the run record of the notebook `name`."""
        return self.runs / f"{name}.json"


@dataclass(frozen=True)
class Project:
    """A checkout of the repository.

    Parameters
    ----------
    root : Path
        Folder with `_toc.yml` and `notebooks/`.
    """

    root: Path

    @classmethod
    def find(cls, start: Path | None = None) -> Project:
        """Find the repository that `start` (default: the current folder) lies in.

        Raises
        ------
        RunnerError
            If neither `start` nor a folder above it holds `_toc.yml` and `notebooks/`.
        """
        here = (start or Path.cwd()).resolve()
        for folder in (here, *here.parents):
            if (folder / "_toc.yml").is_file() and (folder / "notebooks").is_dir():
                return cls(folder)
        raise RunnerError(
            f"no folder with _toc.yml and notebooks/ at {here} or above it: "
            "run this command inside a clone of the repository"
        )

    @property
    def published(self) -> BookTree:
        """The committed book."""
        return BookTree(self.root)

    def build(self, profile: str) -> Path:
        """Folder of everything built for `profile`."""
        return self.root / "_build" / check_profile(profile)

    def staged(self, profile: str) -> BookTree:
        """Return the book of `profile` before Sphinx: sources, executed notebooks, results."""
        return BookTree(self.build(profile) / "src")

    def raw(self, profile: str, name: str) -> Path:
        """Path of the notebook as the runner wrote it, complete or up to a failing cell."""
        return self.build(profile) / "work" / f"{name}.ipynb"

    def sources(self) -> dict[str, Path]:
        """Source notebooks by name, in alphabetical order."""
        return {path.stem: path for path in sorted((self.root / "notebooks").glob("*.ipynb"))}

    def select(self, names: list[str] | tuple[str, ...] = ()) -> list[str]:
        """Check notebook names; no names means all of them.

        Raises
        ------
        RunnerError
            If a name is unknown, or there is no notebook at all.
        """
        known = list(self.sources())
        if not known:
            raise RunnerError(f"no notebooks (*.ipynb) in {self.root / 'notebooks'}")
        unknown = [name for name in names if name not in known]
        if unknown:
            raise RunnerError(f"unknown notebook {unknown[0]!r}; valid: {', '.join(known)}")
        return [name for name in known if not names or name in names]


def check_profile(profile: str) -> str:
    """Return `profile` if it is one of `PROFILES`.

    Raises
    ------
    RunnerError
        Otherwise, listing the valid ones.
    """
    if profile not in PROFILES:
        raise RunnerError(f"unknown profile {profile!r}; valid: {', '.join(PROFILES)}")
    return profile


def available_cores() -> int:
    """Number of processor cores this process may use."""
    try:
        return max(1, len(os.sched_getaffinity(0)))
    except AttributeError:  # not on macOS and Windows
        return max(1, os.cpu_count() or 1)
