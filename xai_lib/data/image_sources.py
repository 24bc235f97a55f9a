"""Where pictures come from: a local folder, the hub, and what scikit-image ships."""

from __future__ import annotations

import hashlib
import importlib.util
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from xai_lib.data import hub
from xai_lib.data.image_dataset import ImageDataset
from xai_lib.data.prepare import SourceUnavailable
from xai_lib.data.wheels import file_hash

LOCAL = "local folder"
IMAGENETTE = (
    "tench",
    "English springer",
    "cassette player",
    "chain saw",
    "church",
    "French horn",
    "garbage truck",
    "gas pump",
    "golf ball",
    "parachute",
)
"""Classes of Imagenette in label order."""

IMAGENETTE_HUB = "frgfm/imagenette"
_FOLDERS = {"train": "train", "test": "val"}
_HUB_SPLITS = {"train": "train", "test": "validation"}
# The repository has a loading script, which `datasets` no longer runs; the hub keeps a copy of
# the rows as parquet files on this branch.
_HUB_REVISION = "refs/convert/parquet"
_SIDE = 224
_HUB_NOTE = (
    "The version with 320 pixels on the shorter side, scaled to 224 x 224 without keeping the "
    "ratio of the sides."
)

PHOTOGRAPH_CLASSES = (
    "tabby",
    "lynx",
    "binoculars",
    "crash helmet",
    "drilling platform",
    "missile",
    "moped",
    "soup bowl",
    "space shuttle",
    "tripod",
    "espresso",
)
"""Classes of the photographs: six that are right for one of them, five that are nearly right."""

Crop = tuple[int, int, int, int]
# File, crop (left, upper, right, lower; None is the whole photograph), class.
PHOTOGRAPHS: tuple[tuple[str, Crop | None, str], ...] = (
    ("chelsea.png", None, "tabby"),
    ("coffee.png", None, "espresso"),
    ("coffee.png", (160, 10, 430, 280), "espresso"),
    ("rocket.jpg", None, "missile"),
    ("rocket.jpg", (220, 80, 420, 427), "missile"),
    ("motorcycle_left.png", None, "moped"),
    ("motorcycle_right.png", None, "moped"),
    ("camera.png", None, "tripod"),
    ("camera.png", (150, 30, 480, 360), "tripod"),
    ("astronaut.png", (352, 0, 512, 230), "space shuttle"),
)
_PHOTOGRAPH_NOTES = (
    """
    Six scenes, ten pictures: coffee, rocket and camera come whole and as a crop, the motorcycle
    from the left and the right eye of one camera; of the astronaut only the model of the space
    shuttle is shown. They are not a sample of anything.
    """,
    """
    The labels are ours: of ImageNet's 1000 classes the one nearest to what is seen. ImageNet has
    no motorcycle and no rocket; moped and missile stand for them. Classes that would fit as well
    (Egyptian cat, tiger cat, motor scooter, projectile, cup) are left out.
    """,
)


def read_picture(file: Path, crop: Crop | None = None) -> np.ndarray:
    """Read a picture, or a part of it, as (H, W, 3) uint8; grey becomes three equal channels."""
    from PIL import Image

    try:
        with Image.open(file) as opened:
            picture = opened.convert("RGB")
    except OSError as error:
        raise ValueError(f"{file} cannot be read as a picture: {error}") from error
    return np.asarray(picture if crop is None else picture.crop(crop))


def imagenette_folder(folder: Path, split: str) -> ImageDataset:
    """Read a split of Imagenette from a folder.

    Parameters
    ----------
    folder
        Holds ``meta.json`` (``classes`` and ``wnids`` in label order; ``sha256``, where
        ``list_of_files`` is the hash of the lines ``<path> <hash of the file>``, all files
        sorted) and the pictures as ``train/<wnid>/*.jpg`` and ``val/<wnid>/*.jpg``.
    split
        ``"train"``, or ``"test"`` for the folder ``val``.

    Returns
    -------
    ImageDataset
        ``extra["file"]`` has the path of each picture under `folder`.

    Raises
    ------
    ValueError
        If meta.json is missing or says otherwise, the split is not there, or a picture was
        changed, added or taken away.
    """
    meta_file = folder / "meta.json"
    if not meta_file.is_file():
        raise ValueError(f"{folder} has no meta.json (classes and wnids in label order).")
    meta = json.loads(meta_file.read_text(encoding="utf-8"))
    if tuple(meta.get("classes", ())) != IMAGENETTE or len(meta.get("wnids", ())) != 10:
        raise ValueError(
            f"{meta_file} must list as classes {', '.join(IMAGENETTE)}, and a folder name for each "
            "as wnids."
        )
    _check_list(folder, meta_file, meta.get("sha256", {}).get("list_of_files"))
    files, labels = [], []
    for label, wnid in enumerate(meta["wnids"]):
        found = sorted((folder / _FOLDERS[split] / wnid).glob("*.jpg"))
        files += found
        labels += [label] * len(found)
    if not files:
        raise ValueError(
            f"{folder} has no pictures of split {split!r}: "
            f"{_FOLDERS[split]}/{meta['wnids'][0]}/*.jpg and so on."
        )
    return ImageDataset(
        name="imagenette",
        split=split,
        images=tuple(read_picture(file) for file in files),
        labels=np.array(labels, dtype=np.int64),
        classes=IMAGENETTE,
        source=LOCAL,
        extra={"file": tuple(file.relative_to(folder).as_posix() for file in files)},
        notes=tuple(
            f"{key}: {meta[key]}" for key in ("changes", "differs_from_paper") if meta.get(key)
        ),
    )


def _check_list(folder: Path, meta_file: Path, expected: str | None) -> None:
    """Compare the pictures of both splits with the hash that meta.json gives."""
    if expected is None:
        return
    files = {path.relative_to(folder).as_posix(): path for path in folder.glob("*/*/*.jpg")}
    lines = "".join(f"{name} {file_hash(files[name])}\n" for name in sorted(files))
    found = hashlib.sha256(lines.encode()).hexdigest()
    if found != expected:
        raise ValueError(
            f"The {len(files)} pictures in {folder} have the hash {found} (list_of_files), but "
            f"{meta_file.name} beside them says {expected}: a picture was changed or is missing. "
            "Copy the folder again, or correct meta.json."
        )


def imagenette_hub(split: str) -> ImageDataset:
    """Read a split of Imagenette from the hub, whole, scaled to 224 x 224 pixels.

    Raises
    ------
    SourceUnavailable
        If the hub cannot be reached or has other classes.
    """
    from PIL import Image

    table = hub.load_from_hub(IMAGENETTE_HUB, "320px", _HUB_SPLITS[split], _HUB_REVISION)
    names = getattr(table.features.get("label"), "names", None)
    if names is None or tuple(names) != IMAGENETTE:
        have = "not given" if names is None else ", ".join(names)
        raise SourceUnavailable(f"its classes are {have}; expected {', '.join(IMAGENETTE)}")
    images = [
        np.asarray(image.convert("RGB").resize((_SIDE, _SIDE), Image.Resampling.BICUBIC))
        for image in table["image"]
    ]
    return ImageDataset(
        name="imagenette",
        split=split,
        images=tuple(images),
        labels=np.array(list(table["label"]), dtype=np.int64),
        classes=IMAGENETTE,
        source=f"hub {IMAGENETTE_HUB}",
        notes=(_HUB_NOTE,),
    )


def photographs_package() -> ImageDataset:
    """Read the photographs that scikit-image ships, without importing or downloading anything.

    Raises
    ------
    SourceUnavailable
        If the package is not installed or ships other files.
    """
    spec = importlib.util.find_spec("skimage")
    if spec is None or not spec.submodule_search_locations:
        raise SourceUnavailable("scikit-image is not installed (pip install 'xai_lib[images]')")
    folder = Path(next(iter(spec.submodule_search_locations))) / "data"
    missing = _missing(folder, [file for file, _, _ in PHOTOGRAPHS])
    if missing:
        raise SourceUnavailable(f"the installed scikit-image does not ship {', '.join(missing)}")
    return ImageDataset(
        name="photographs",
        split="test",
        images=tuple(read_picture(folder / file, crop) for file, crop, _ in PHOTOGRAPHS),
        labels=np.array([PHOTOGRAPH_CLASSES.index(label) for _, _, label in PHOTOGRAPHS]),
        classes=PHOTOGRAPH_CLASSES,
        source="package scikit-image",
        extra={
            "file": tuple(file for file, _, _ in PHOTOGRAPHS),
            "crop": tuple(crop for _, crop, _ in PHOTOGRAPHS),
        },
        notes=tuple(" ".join(note.split()) for note in _PHOTOGRAPH_NOTES),
    )


def _missing(folder: Path, files: Sequence[str]) -> list[str]:
    return [name for name in dict.fromkeys(files) if not (folder / name).is_file()]
