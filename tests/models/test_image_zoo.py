"""Named black boxes for pictures: trained or fetched once, tested once, right without the glyph."""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from xai_lib.data.images import IMAGENET_CLASSES, IMAGENET_INDEX, ImageDataset, load_images
from xai_lib.data.prepare import SourceUnavailable
from xai_lib.data.shapes import shapes
from xai_lib.models import image_zoo, small_convnet
from xai_lib.models.image_zoo import IMAGE_ZOO, ImageEntry, load_named_image, train_named_image
from xai_lib.models.small_convnet import ConvNetRecipe, SmallConvNet, new_convnet
from xai_lib.models.torch_image import TorchImageClassifier
from xai_lib.segmentation import Segmenter


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """The black box ``tiny-shapes`` and the cache it lies in."""
    folder = tmp_path_factory.mktemp("image-cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XAI_CACHE_DIR", str(folder))
        patch.delenv("XAI_DATA_DIR", raising=False)
        yield load_named_image("tiny-shapes", device="cpu", precision="float32"), folder


@pytest.fixture
def cache(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("XAI_CACHE_DIR", str(tmp_path))
    monkeypatch.delenv("XAI_DATA_DIR", raising=False)
    return tmp_path


@pytest.fixture
def few_shapes(monkeypatch) -> None:
    monkeypatch.setattr(image_zoo, "load_images", lambda name, split: shapes(10, split))


def cards(cache: Path) -> list[Path]:
    return sorted((cache / "models").glob("*/card.json"))


# Trained here ---------------------------------------------------------------------------------


def test_the_glyph_is_learned(tiny):
    box, _ = tiny
    test = load_images("shapes", "test")
    accuracy = float(np.mean(box.predict_proba(test.images).argmax(axis=1) == test.labels))
    assert accuracy >= 0.97
    card = box.card
    assert card["accuracy"] == accuracy
    assert card["n_test"] == len(test) == 500
    assert card["majority"] == 0.2
    assert card["test"] == test.describe()
    assert card["train"]["sha256"] == load_images("shapes", "train").sha256
    assert card["recipe"] == IMAGE_ZOO["tiny-shapes"].recipe.to_dict()
    assert (card["name"], card["device"]) == ("tiny-shapes", "cpu")
    assert box.classes == test.classes
    assert box.size == (96, 96)


def test_the_right_class_is_known_with_tiles_removed(tiny):
    box, _ = tiny
    test = load_images("shapes", "test").take(range(100))
    instances = box.instances(test.images)
    tiles = np.arange(36).repeat(16).reshape(6, 96).repeat(16, axis=0)
    assert (instances[0].segments == tiles).all()
    rng = np.random.default_rng(0)
    masks = [rng.random((6, 36)) < 0.5 for _ in instances]
    right, alone = [], []
    for i, one in enumerate(instances):
        tile = test.extra["deciding"][i]
        shown = [tile >= 0 and row[tile] for row in masks[i]]
        wanted = np.where(shown, test.labels[i], 4)
        right += (box.predict_masked(one, masks[i]).argmax(axis=1) == wanted).tolist()
        if tile >= 0:
            without = np.arange(36) != tile
            answers = box.predict_masked(one, np.stack([without, ~without])).argmax(axis=1)
            alone.append(answers.tolist() == [4, test.labels[i]])
    assert np.mean(right) >= 0.97
    assert np.mean(alone) >= 0.95


def test_a_second_call_does_not_train(tiny, monkeypatch):
    box, folder = tiny
    monkeypatch.setenv("XAI_CACHE_DIR", str(folder))
    monkeypatch.setattr(small_convnet, "train_small_convnet", None)  # Calling it would fail.
    again = load_named_image("tiny-shapes", "cpu", "float32", segmenter="slic")
    assert again.fingerprint == box.fingerprint
    assert again.card == box.card
    assert again.calls == 0
    assert again.segmenter == Segmenter("slic")
    (card,) = cards(folder)
    assert sorted(file.name for file in card.parent.iterdir()) == [
        "card.json",
        "model.safetensors",
        "small_convnet.json",
    ]


def test_another_recipe_is_trained_anew(cache, few_shapes, monkeypatch):
    def untrained(data, recipe, device, progress):
        return new_convnet(len(data.classes), recipe.width, recipe.seed).eval(), {"seconds": 0.1}

    monkeypatch.setattr(small_convnet, "train_small_convnet", untrained)
    first = train_named_image("tiny-shapes", "cpu")
    for seed in (0, 1):
        entry = ImageEntry("small-convnet", "shapes", recipe=ConvNetRecipe(seed=seed))
        monkeypatch.setitem(IMAGE_ZOO, "tiny-shapes", entry)
        assert (train_named_image("tiny-shapes", "cpu") == first) == (seed == 0)
    assert len(cards(cache)) == 2


def test_a_failure_leaves_nothing_behind(cache, few_shapes, monkeypatch):
    def interrupted(data, recipe, device, progress):
        raise KeyboardInterrupt

    monkeypatch.setattr(small_convnet, "train_small_convnet", interrupted)
    with pytest.raises(KeyboardInterrupt):
        train_named_image("tiny-shapes", "cpu")
    assert [path.suffix for path in (cache / "models").iterdir()] == [".lock"]


# Trained on ImageNet --------------------------------------------------------------------------


def thousand() -> SmallConvNet:
    return new_convnet(1000, width=2, seed=4)


@pytest.fixture
def tests(cache, monkeypatch) -> list[str]:
    """Small networks with 1000 outputs, small pictures to test on; which were tested."""
    tested: list[str] = []
    rng = np.random.default_rng(0)

    def few(name, split, data_dir=None):
        assert split == "test"
        tested.append(name)
        return ImageDataset(
            name=name,
            split=split,
            images=tuple(rng.integers(0, 256, (20, 30, 3), dtype=np.uint8) for _ in range(8)),
            labels=np.array([0, 0, 0, 1, 2, 3, 4, 5]),
            classes=IMAGENET_CLASSES[name],
            source="generated",
        )

    first = few("photographs", "test")
    tested.clear()

    def same(name, split, data_dir=None):
        return dataclasses.replace(few(name, split), images=first.images)

    monkeypatch.setattr(image_zoo, "load_images", same)
    monkeypatch.setattr(image_zoo, "efficientnet_lite", lambda variant: thousand())
    return tested


def test_only_the_classes_of_the_data_set_are_kept(tests):
    box = load_named_image("efficientnet-lite2-photographs", "cpu", "float32")
    assert box.classes == IMAGENET_CLASSES["photographs"]
    assert box.size == (260, 260)
    assert box.segmenter == Segmenter("slic")
    image = np.random.default_rng(3).integers(0, 256, (260, 260, 3), dtype=np.uint8)
    x = (torch.from_numpy(image).permute(2, 0, 1)[None].double() - 127) / 128
    with torch.inference_mode():
        logits = thousand().double()(x)[0].numpy()[list(IMAGENET_INDEX["photographs"])]
    expected = np.exp(logits - logits.max()) / np.exp(logits - logits.max()).sum()
    assert box.predict_proba([image])[0] == pytest.approx(expected, abs=1e-5)


def test_the_accuracy_is_measured_once(tests, cache, monkeypatch):
    box = load_named_image("efficientnet-lite0-photographs", "cpu", "bfloat16")
    assert (box.precision, box.calls) == ("bfloat16", 0)
    exact = load_named_image("efficientnet-lite0-photographs", "cpu", "float32")
    rows = image_zoo.load_images("photographs", "test")
    accuracy = float(np.mean(exact.predict_proba(rows.images).argmax(axis=1) == rows.labels))
    monkeypatch.setattr(image_zoo, "_tested", None)  # Calling it would fail.
    again = load_named_image("efficientnet-lite0-photographs", "cpu", segmenter=Segmenter("grid"))
    assert again.segmenter == Segmenter("grid")
    assert box.card == exact.card == again.card
    assert box.card == {
        "name": "efficientnet-lite0-photographs",
        "base": "EfficientNet-Lite0, 4.7 M parameters, trained on ImageNet-1k",
        "accuracy": accuracy,
        "n_test": 8,
        "test": rows.describe(),
        "majority": 3 / 8,
        "device": "cpu",
    }
    (card,) = cards(cache)
    assert json.loads(card.read_text()) == box.card


def test_a_folder_with_a_list_is_not_read_to_find_the_card(tests, cache, tmp_path):
    folder = tmp_path / "data" / "imagenette"
    folder.mkdir(parents=True)
    for listed, reads in (("a", 1), ("a", 1), ("b", 2)):
        (folder / "meta.json").write_text(json.dumps({"sha256": {"list_of_files": listed}}))
        load_named_image("efficientnet-lite0-imagenette", "cpu", "float32", tmp_path / "data")
        assert tests == ["imagenette"] * reads
    assert len(cards(cache)) == 2


def test_a_network_without_its_data_set_works_untested(cache, monkeypatch):
    def unreachable(*what):
        raise SourceUnavailable("no network here")

    monkeypatch.setattr("xai_lib.data.hub.load_from_hub", unreachable)
    monkeypatch.setattr(image_zoo, "efficientnet_lite", lambda variant: thousand())
    box = load_named_image("efficientnet-lite0-imagenette", "cpu", "float32")
    assert box.card["accuracy"] is None
    assert (box.card["n_test"], box.card["test"]) == (0, None)
    assert "no network here" in box.card["untested"]
    assert box.classes == IMAGENET_CLASSES["imagenette"]
    assert not cards(cache)


def test_all_thousand_classes(cache, monkeypatch):
    names = tuple(f"class {i}" for i in range(1000))
    monkeypatch.setattr(image_zoo, "imagenet_classes", lambda: names)
    monkeypatch.setattr(image_zoo, "efficientnet_lite", lambda variant: thousand())
    box = load_named_image("efficientnet-lite0", "cpu", "float32")
    assert box.classes == names
    assert box.card["accuracy"] is None
    assert "untested" not in box.card


def test_networks_of_the_hub(tests, monkeypatch):
    asked = []

    def load(*what):
        asked.append(what)
        _, name, index, segmenter, device, precision, classes = what
        return TorchImageClassifier(
            thousand(),
            name,
            classes,
            (32, 32),
            (0.5,) * 3,
            (0.5,) * 3,
            index,
            segmenter,
            device,
            precision,
        )

    module = SimpleNamespace(load_huggingface_image=load)
    monkeypatch.setitem(sys.modules, "xai_lib.models.huggingface_image", module)
    for name, hub_id in (
        ("vgg16-imagenette", "timm/vgg16.tv_in1k"),
        ("inception-v3-imagenette", "timm/inception_v3.tv_in1k"),
    ):
        box = load_named_image(name, "cpu", "float32")
        assert asked.pop() == (
            hub_id,
            name,
            IMAGENET_INDEX["imagenette"],
            Segmenter("slic"),
            "cpu",
            "float32",
            IMAGENET_CLASSES["imagenette"],
        )
        assert box.classes == IMAGENET_CLASSES["imagenette"]
        assert box.card["n_test"] == 8


def test_an_unknown_name_is_refused():
    with pytest.raises(
        ValueError, match=r"'resnet'.*Valid names are: tiny-shapes, tiny-shapes-wide"
    ):
        load_named_image("resnet")


def test_every_entry_has_what_it_needs():
    for entry in IMAGE_ZOO.values():
        assert entry.base in image_zoo._BASES
        assert (entry.recipe is not None) == (entry.dataset == "shapes")
        if entry.dataset not in (None, "shapes"):
            assert entry.dataset in IMAGENET_INDEX


@pytest.mark.network
def test_photographs_by_the_published_weights(monkeypatch, tmp_path):
    monkeypatch.setenv("XAI_CACHE_DIR", str(tmp_path))
    box = load_named_image("efficientnet-lite0-photographs", "cpu", "float32")
    # The package efficientnet_lite_pytorch takes both rockets for something else.
    predicted = box.predict_proba(load_images("photographs").images).argmax(axis=1)
    named = [box.classes[i] for i in predicted]
    assert named[3:5] == ["drilling platform", "space shuttle"]
    assert box.card["accuracy"] == 0.8
