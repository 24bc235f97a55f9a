"""Files that are either whole or not there."""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from pathlib import Path

STALE_SECONDS = 3600


def replace_file(path: Path, content: bytes, exclusive: bool = False) -> None:
    """Write a file so that it is either whole or not there, even if the power fails.

    Parameters
    ----------
    path
        The file, in a folder that exists.
    content
        All it will hold.
    exclusive
        Whether a file that is there stays, also one that another process puts there meanwhile.
    """
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        Path(name).chmod(0o644)  # mkstemp makes files that only their owner may read
        if exclusive:
            try:
                with contextlib.suppress(FileExistsError):
                    os.link(name, path)
            except OSError:  # a file system without hard links
                Path(name).replace(path)
        else:
            Path(name).replace(path)
    finally:
        Path(name).unlink(missing_ok=True)
    with contextlib.suppress(OSError):  # directories cannot be flushed everywhere
        directory = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)


def sweep(folder: Path) -> None:
    """Remove what a killed process left half-written.

    Parameters
    ----------
    folder
        Where to look. A file younger than `STALE_SECONDS` may be of a living process and stays.
    """
    for path in folder.glob(".*.tmp"):
        with contextlib.suppress(FileNotFoundError):
            if time.time() - path.stat().st_mtime > STALE_SECONDS:
                path.unlink()
