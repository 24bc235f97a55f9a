"""Named black boxes for pictures: trained or fetched on first use, with their accuracy recorded."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from xai_lib.data.dataset import DatasetNotFound
from xai_lib.data.imagenet_names import imagenet_classes
from xai_lib.data.images import IMAGENET_CLASSES, IMAGENET_INDEX, SHAPES_ROWS, load_images
from xai_lib.data.loading import data_folder
from xai_lib.data.shapes import SIDE, TILES, shapes
from xai_lib.data.wheels import cache_folder
from xai_lib.models import small_convnet
from xai_lib.models.efficientnet_lite import MEAN, STD, VARIANTS, efficientnet_lite
from xai_lib.models.precision import pick_device
from xai_lib.models.small_convnet import ConvNetRecipe, load_small_convnet, save_small_convnet
from xai_lib.models.torch_image import TorchImageClassifier
from xai_lib.models.training_run import FileLock, progress_bar
from xai_lib.segmentation import Segmenter

_HUB_IDS = {"vgg16": "timm/vgg16.tv_in1k", "inception-v3": "timm/inception_v3.tv_in1k"}
_LITE = {"efficientnet-lite0": 0, "efficientnet-lite2": 2}
_BASES = {
    "small-convnet": "Three convolutions and a maximum over the picture, from scratch",
    "efficientnet-lite0": "EfficientNet-Lite0, 4.7 M parameters, trained on ImageNet-1k",
    "efficientnet-lite2": "EfficientNet-Lite2, 6.1 M parameters, trained on ImageNet-1k",
    "vgg16": "VGG16, 138 M parameters, trained on ImageNet-1k (torchvision)",
    "inception-v3": "Inception v3, 24 M parameters, trained on ImageNet-1k (torchvision)",
}


@dataclass(frozen=True)
class ImageEntry:
    """A named black box for pictures.

    Attributes
    ----------
    base
        ``"small-convnet"``: trained here. ``"efficientnet-lite0"``, ``"efficientnet-lite2"``:
        weights from the package registry. ``"vgg16"``, ``"inception-v3"``: weights from the model
        hub.
    dataset
        What it is tested on (and trained, for ``"small-convnet"``), a name of
        `xai_lib.data.images`. A network trained on ImageNet keeps the outputs of its classes
        only. None keeps all 1000 classes, and there is no accuracy.
    segmenter
        What cuts pictures into segments, unless another one is asked for.
    recipe
        How ``"small-convnet"`` is trained.
    """

    base: str
    dataset: str | None = None
    segmenter: Segmenter = field(default_factory=Segmenter)
    recipe: ConvNetRecipe | None = None


_TILES = Segmenter("grid", TILES * TILES)
IMAGE_ZOO: dict[str, ImageEntry] = {
    "tiny-shapes": ImageEntry("small-convnet", "shapes", _TILES, ConvNetRecipe()),
    "tiny-shapes-wide": ImageEntry(
        "small-convnet", "shapes", _TILES, ConvNetRecipe(epochs=2, width=16)
    ),
    "efficientnet-lite0-imagenette": ImageEntry("efficientnet-lite0", "imagenette"),
    "efficientnet-lite2-imagenette": ImageEntry("efficientnet-lite2", "imagenette"),
    "efficientnet-lite0-photographs": ImageEntry("efficientnet-lite0", "photographs"),
    "efficientnet-lite2-photographs": ImageEntry("efficientnet-lite2", "photographs"),
    "vgg16-imagenette": ImageEntry("vgg16", "imagenette"),
    "inception-v3-imagenette": ImageEntry("inception-v3", "imagenette"),
    "efficientnet-lite0": ImageEntry("efficientnet-lite0"),
    "efficientnet-lite2": ImageEntry("efficientnet-lite2"),
}


def load_named_image(
    name: str,
    device: str = "auto",
    precision: str = "auto",
    data_dir: str | Path | None = None,
    segmenter: str | Segmenter | None = None,
) -> TorchImageClassifier:
    """Load a black box of the zoo; on first use it is trained or fetched, and tested.

    Parameters
    ----------
    name
        A name of `IMAGE_ZOO`.
    device, precision
        See `TorchImageClassifier`.
    data_dir
        Folder of data sets, see `xai_lib.data.images.load_images`.
    segmenter
        What cuts pictures into segments; default what the zoo says.

    Returns
    -------
    TorchImageClassifier
        Its `card` has ``name``, ``base``, ``accuracy``, ``n_test``, ``test`` (what the data are),
        ``majority`` (share of the largest class) and ``device``; for a network trained here also
        ``recipe``, ``train`` and ``seconds``. The accuracy is measured in float32 on the whole
        test split. Where there is no test data set, or where it cannot be had, it is None; in the
        second case ``untested`` says why.

    Raises
    ------
    ValueError
        If the name is unknown (lists the valid ones), or a file is damaged.
    SourceUnavailable
        If the weights or class names cannot be had.
    """
    if name not in IMAGE_ZOO:
        raise ValueError(
            f"Unknown black box for images {name!r}. Valid names are: {', '.join(IMAGE_ZOO)}."
        )
    entry, device = IMAGE_ZOO[name], pick_device(device)
    cut = entry.segmenter if segmenter is None else segmenter
    if entry.recipe is not None:
        folder = train_named_image(name, device)
        box = _drawn_box(folder, name, device, precision, cut)
        box.card = json.loads((folder / "card.json").read_text(encoding="utf-8"))
        return box
    box = _pretrained_box(name, entry, device, precision, cut)
    box.card = _measured_card(name, entry, box, data_dir)
    return box


# Trained here ---------------------------------------------------------------------------------


def train_named_image(
    name: str,
    device: str = "auto",
    progress: Callable[[int, int, float], None] | None = None,
) -> Path:
    """Train a black box on drawn shapes unless it is cached, and return its folder.

    Parameters
    ----------
    name
        A name of `IMAGE_ZOO` that has a recipe.
    device
        Where to train.
    progress
        Called as ``progress(step, steps, loss)``; default a bar on standard error.

    Returns
    -------
    pathlib.Path
        Folder with weights and ``card.json``. It is complete or absent, also when several
        processes train at once.
    """
    recipe = IMAGE_ZOO[name].recipe
    assert recipe is not None
    facts = {
        "recipe": recipe.to_dict(),
        "network": small_convnet.ARCHITECTURE,
        # A smaller set is the beginning of a larger one: a few pictures tell whether all are same.
        "shapes": [shapes(20).sha256, dict(SHAPES_ROWS)],
    }

    def fill(folder: Path) -> None:
        where, bar = pick_device(device), progress or progress_bar(f"training {name}")
        train, test = load_images("shapes", "train"), load_images("shapes", "test")
        network, found = small_convnet.train_small_convnet(train, recipe, where, bar)
        save_small_convnet(network, train.classes, folder)
        box = _drawn_box(folder, name, where, "float32", "grid")
        card = {
            "name": name,
            "base": _BASES["small-convnet"],
            "recipe": recipe.to_dict(),
            "train": train.describe(),
            **_tested(box, test.images, test.labels),
            "test": test.describe(),
            **found,
            "device": where,
        }
        (folder / "card.json").write_text(json.dumps(card, indent=1), encoding="utf-8")

    return _cached_folder(name, facts, fill)


def _drawn_box(
    folder: Path, name: str, device: str, precision: str, segmenter: str | Segmenter
) -> TorchImageClassifier:
    network, classes = load_small_convnet(folder)
    return TorchImageClassifier(
        network,
        name,
        classes,
        (SIDE, SIDE),
        small_convnet.MEAN,
        small_convnet.STD,
        segmenter=segmenter,
        device=device,
        precision=precision,
    )


# Trained on ImageNet --------------------------------------------------------------------------


def _pretrained_box(
    name: str, entry: ImageEntry, device: str, precision: str, segmenter: str | Segmenter
) -> TorchImageClassifier:
    index = None if entry.dataset is None else IMAGENET_INDEX[entry.dataset]
    classes = imagenet_classes() if entry.dataset is None else IMAGENET_CLASSES[entry.dataset]
    if entry.base in _HUB_IDS:
        from xai_lib.models.huggingface_image import load_huggingface_image

        return load_huggingface_image(
            _HUB_IDS[entry.base], name, index, segmenter, device, precision, classes
        )
    variant = _LITE[entry.base]
    side = VARIANTS[variant].size
    return TorchImageClassifier(
        efficientnet_lite(variant),
        name,
        classes,
        (side, side),
        MEAN,
        STD,
        index,
        segmenter,
        device,
        precision,
    )


def _measured_card(
    name: str, entry: ImageEntry, box: TorchImageClassifier, data_dir: str | Path | None
) -> dict[str, Any]:
    """Return the card of a fetched network, after testing it if that was not done before."""
    untested = {
        "name": name,
        "base": _BASES[entry.base],
        "accuracy": None,
        "n_test": 0,
        "test": None,
        "majority": None,
        "device": box.device,
    }
    if entry.dataset is None:
        return untested
    try:
        data = _data_key(entry.dataset, data_dir)
    except DatasetNotFound as error:
        return {**untested, "untested": str(error)}

    def fill(folder: Path) -> None:
        test = load_images(entry.dataset or "", "test", data_dir)
        exact = box
        if box.precision != "float32":
            exact = _pretrained_box(name, entry, box.device, "float32", box.segmenter)
        card = {
            **untested,
            **_tested(exact, test.images, test.labels),
            "test": test.describe(),
        }
        (folder / "card.json").write_text(json.dumps(card, indent=1), encoding="utf-8")

    facts = {"base": entry.base, "identity": box.identity, "test": data}
    folder = _cached_folder(name, facts, fill)
    card: dict[str, Any] = json.loads((folder / "card.json").read_text(encoding="utf-8"))
    return card


def _data_key(dataset: str, data_dir: str | Path | None) -> str:
    """Identify the test pictures, without reading them where their folder has a list."""
    base = data_folder(data_dir)
    meta_file = None if base is None else base / dataset / "meta.json"
    if meta_file is not None and meta_file.is_file():
        meta = json.loads(meta_file.read_text(encoding="utf-8"))
        if listed := meta.get("sha256", {}).get("list_of_files"):
            return f"list of files {listed}"
    return load_images(dataset, "test", data_dir).sha256


# Both -----------------------------------------------------------------------------------------


def _tested(
    box: TorchImageClassifier, images: tuple[np.ndarray, ...], labels: np.ndarray
) -> dict[str, Any]:
    """Measure the accuracy; the pictures sent for that are not counted as calls."""
    predicted = box.predict_proba(images).argmax(axis=1)
    box.calls = 0
    return {
        "accuracy": float(np.mean(predicted == labels)),
        "n_test": len(labels),
        "majority": float(np.bincount(labels).max() / len(labels)),
    }


def _cached_folder(name: str, facts: Mapping[str, Any], fill: Callable[[Path], None]) -> Path:
    """Return the folder that belongs to a name and to facts, filled by one process at a time."""
    # What the content depends on is in the folder's name.
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:12]
    folder = cache_folder() / "models" / f"{name}-{digest}"
    if (folder / "card.json").is_file():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_suffix(".lock")):
        if not (folder / "card.json").is_file():
            scratch = Path(tempfile.mkdtemp(prefix=f".{name}-", dir=folder.parent))
            try:
                fill(scratch)
                # What is there has no card, so it was cut off; a folder with files stays.
                shutil.rmtree(folder, ignore_errors=True)
                scratch.replace(folder)
            finally:
                shutil.rmtree(scratch, ignore_errors=True)
    return folder
