"""Look-up of pictures: drawn ones, those of a package, those of a local folder or the hub."""

from __future__ import annotations

import os
from collections.abc import Mapping

from xai_lib.data.dataset import DatasetNotFound
from xai_lib.data.image_dataset import ImageDataset, image_content_hash
from xai_lib.data.image_sources import (
    IMAGENETTE,
    IMAGENETTE_HUB,
    LOCAL,
    PHOTOGRAPH_CLASSES,
    imagenette_folder,
    imagenette_hub,
    photographs_package,
)
from xai_lib.data.loading import data_folder
from xai_lib.data.prepare import SourceUnavailable

__all__ = [
    "IMAGENET_CLASSES",
    "IMAGENET_INDEX",
    "IMAGE_SPLITS",
    "SHAPES_ROWS",
    "ImageDataset",
    "image_content_hash",
    "image_dataset_names",
    "load_images",
]

IMAGE_SPLITS: Mapping[str, tuple[str, ...]] = {
    "imagenette": ("train", "test"),
    "photographs": ("test",),
    "shapes": ("train", "validation", "test"),
}
"""Data sets and their splits."""

IMAGENET_CLASSES: Mapping[str, tuple[str, ...]] = {
    "imagenette": IMAGENETTE,
    "photographs": PHOTOGRAPH_CLASSES,
}
"""Class names of the data sets whose classes are of ImageNet, known without the pictures."""

IMAGENET_INDEX: Mapping[str, tuple[int, ...]] = {
    "imagenette": (0, 217, 482, 491, 497, 566, 569, 571, 574, 701),
    "photographs": (281, 287, 447, 518, 540, 657, 665, 809, 812, 872, 967),
}
"""Number of each of `IMAGENET_CLASSES` among the 1000 of ImageNet."""

SHAPES_ROWS: Mapping[str, int] = {"train": 2000, "validation": 200, "test": 500}
"""Drawn pictures in each split."""


def image_dataset_names() -> tuple[str, ...]:
    """Return the names that `load_images` knows."""
    return tuple(IMAGE_SPLITS)


def load_images(
    name: str, split: str = "test", data_dir: str | os.PathLike[str] | None = None
) -> ImageDataset:
    """Load one split of a data set of pictures.

    ``"imagenette"``: ten classes of ImageNet, from ``<data folder>/imagenette`` (meta.json,
    ``train/<wnid>/*.jpg``, ``val/<wnid>/*.jpg``; the official validation pictures are the split
    ``"test"``), then from the hub. The first source that has the data set decides: a changed
    picture is an error and never a reason to go on. ``"photographs"``: ten photographs out of
    the package scikit-image. ``"shapes"``: drawn, see `xai_lib.data.shapes`.

    Parameters
    ----------
    name
        One of `image_dataset_names`.
    split
        ``"train"``, ``"validation"`` or ``"test"``; not every data set has all.
    data_dir
        The data folder; default ``$XAI_DATA_DIR``.

    Returns
    -------
    ImageDataset
        Its `source` says where the pictures come from, its `notes` how they differ from the
        official data.

    Raises
    ------
    DatasetNotFound
        If no source has it; lists what was tried and how to get it.
    ValueError
        If the name or the split is unknown (lists the valid ones), the data folder does not
        exist, or a file is damaged.
    """
    if name not in IMAGE_SPLITS:
        raise ValueError(
            f"Unknown data set of images {name!r}. Valid names are: {', '.join(IMAGE_SPLITS)}."
        )
    if split not in IMAGE_SPLITS[name]:
        raise ValueError(
            f"Data set {name!r} has no split {split!r}. Valid splits are: "
            f"{', '.join(IMAGE_SPLITS[name])}."
        )
    if name == "shapes":
        from xai_lib.data.shapes import shapes

        return shapes(SHAPES_ROWS[split], split)
    if name == "photographs":
        try:
            return photographs_package()
        except SourceUnavailable as error:
            raise DatasetNotFound(f"Data set {name!r} was not found: {error}.") from error
    return _imagenette(split, data_dir)


def _imagenette(split: str, data_dir: str | os.PathLike[str] | None) -> ImageDataset:
    base = data_folder(data_dir)
    folder = None if base is None else base / "imagenette"
    if folder is not None and folder.is_dir():
        return imagenette_folder(folder, split)
    absent = "neither data_dir nor XAI_DATA_DIR is set"
    local = absent if folder is None else f"{folder} does not exist"
    try:
        return imagenette_hub(split)
    except SourceUnavailable as error:
        raise DatasetNotFound(
            f"Data set 'imagenette', split {split!r}, was not found. Tried:\n"
            f"  - {LOCAL}: {local}\n"
            f"  - hub {IMAGENETTE_HUB}: {error}\n"
            "How to get it:\n"
            "  - make a folder 'imagenette' with meta.json (classes, wnids) and the pictures as "
            "train/<wnid>/*.jpg and val/<wnid>/*.jpg, and set XAI_DATA_DIR, or pass data_dir, to "
            "the folder that holds it;\n"
            "  - or run once where the hub can be reached, with the extra 'hub' installed "
            "(pip install 'xai_lib[hub]'), and later with HF_HUB_OFFLINE=1;\n"
            "  - or use a data set that needs neither: photographs, shapes."
        ) from error
