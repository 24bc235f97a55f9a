"""Profiles: how much of a paper a run does, and on what."""

from __future__ import annotations

import copy
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

PROFILES = ("ci", "quick", "paper")


def load_profile(paper: str, profile: str) -> dict[str, Any]:
    """Read the settings of one profile of a paper.

    Parameters
    ----------
    paper
        Name of the paper, ``"lipex"``.
    profile
        ``"ci"`` (small and self-made, for tests), ``"quick"`` (real data, minutes) or ``"paper"``
        (the paper's data and sample sizes).

    Returns
    -------
    dict
        The settings as written in ``notebooks/profiles/<paper>.yaml``; a fresh copy.

    Raises
    ------
    ValueError
        If the file cannot be found, or has no such profile; the message lists what was tried or
        what there is.

    Notes
    -----
    The folder is ``$XAI_PROFILES_DIR`` if set, else ``profiles`` or ``notebooks/profiles`` in the
    working directory or a folder above it, else that of the source tree the package lies in.
    """
    path = profiles_path(paper)
    content = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    if profile not in content:
        raise ValueError(
            f"{path.name} has no profile {profile!r}; profiles: {', '.join(map(str, content))}"
        )
    settings = content[profile] or {}
    if not isinstance(settings, dict):
        raise ValueError(f"profile {profile!r} of {path.name} is not a mapping")
    return copy.deepcopy(settings)


def profiles_path(paper: str) -> Path:
    """Find the file that holds the profiles of a paper.

    Parameters
    ----------
    paper
        Name of the paper, ``"lipex"``.

    Returns
    -------
    pathlib.Path

    Raises
    ------
    ValueError
        If no folder holds it; the message lists the places tried.
    """
    tried = list(dict.fromkeys(folder / f"{paper}.yaml" for folder in _folders()))
    for path in tried:
        if path.is_file():
            return path
    places = ", ".join(str(path.parent) for path in tried)
    raise ValueError(
        f"no profiles for paper {paper!r}: {paper}.yaml is in none of {places}; "
        "set XAI_PROFILES_DIR to the folder that holds it"
    )


def _folders() -> Iterator[Path]:
    if folder := os.environ.get("XAI_PROFILES_DIR"):
        yield Path(folder)
        return
    here = Path.cwd()
    for above in (here, *here.parents):
        yield above / "profiles"
        yield above / "notebooks" / "profiles"
    yield Path(__file__).resolve().parents[2] / "notebooks" / "profiles"
