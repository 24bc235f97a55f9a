"""Image classifiers of transformers, cut in two, against the whole."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from transformers import ResNetConfig, ResNetForImageClassification, ResNetModel

from xai_lib.models.huggingface_image import SplitNetwork, load_huggingface_image, normalisation
from xai_lib.models.torch_image import TorchImageClassifier

LABELS = ["crane", "tench", "crane", "church"]
PROCESSOR = {
    "image_processor_type": "ConvNextImageProcessor",
    "do_resize": True,
    "size": {"shortest_edge": 40},
    "do_center_crop": True,
    "crop_size": {"height": 32, "width": 48},
    "do_rescale": True,
    "rescale_factor": 1 / 255,
    "do_normalize": True,
    "image_mean": [0.4, 0.5, 0.6],
    "image_std": [0.2, 0.25, 0.3],
}


def resnet(kind: Any = ResNetForImageClassification) -> Any:
    torch.manual_seed(0)
    config = ResNetConfig(
        embedding_size=8,
        hidden_sizes=[8, 16],
        depths=[1, 1],
        layer_type="basic",
        id2label=dict(enumerate(LABELS)),
        label2id={},
    )
    model = kind(config).eval()
    with torch.no_grad():
        for name, buffer in model.named_buffers():
            if name.endswith("running_mean"):
                buffer.uniform_(-0.5, 0.5)
    return model


@pytest.fixture(scope="module")
def saved(tmp_path_factory) -> tuple[Path, Any]:
    folder = tmp_path_factory.mktemp("tiny-resnet")
    model = resnet()
    model.save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(json.dumps(PROCESSOR))
    return folder, model


def picture(high: int = 32, wide: int = 48) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (high, wide, 3)).astype(np.uint8)


def test_answers_are_the_models(saved):
    folder, model = saved
    classifier = load_huggingface_image(folder, segmenter="grid", device="cpu", precision="float32")
    assert isinstance(classifier, TorchImageClassifier)
    assert classifier.name == folder.name
    assert classifier.size == (32, 48)
    assert classifier.classes == ("crane (0)", "tench", "crane (2)", "church")
    pixels = torch.from_numpy(picture()).double() / 255
    x = (pixels - torch.tensor(PROCESSOR["image_mean"])) / torch.tensor(PROCESSOR["image_std"])
    with torch.no_grad():
        expected = model(x.permute(2, 0, 1)[None].float()).logits
    found = classifier.predict_proba([picture()])
    np.testing.assert_allclose(found, expected.softmax(dim=1).numpy(), atol=1e-6)
    assert np.ptp(found) > 1e-3
    # Of some classes: the softmax over these alone.
    some = load_huggingface_image(
        folder, "some", class_index=[3, 1], segmenter="grid", precision="float32"
    )
    assert (some.name, some.classes) == ("some", ("church", "tench"))
    np.testing.assert_allclose(
        some.predict_proba([picture()]), expected[:, [3, 1]].softmax(dim=1).numpy(), atol=1e-6
    )
    named = load_huggingface_image(
        folder, class_index=[3, 1], classes=["a", "b"], segmenter="grid", precision="float32"
    )
    assert named.classes == ("a", "b")
    assert named.identity == some.identity


def test_features_gradients_and_map(saved):
    folder, model = saved
    classifier = load_huggingface_image(folder, segmenter="grid", precision="float32")
    one = classifier.instance(picture())
    masks = np.random.default_rng(1).random((5, one.n_features)) < 0.5
    features = torch.from_numpy(classifier.masked_features([one], [masks])[0])
    assert features.shape == (5, 16)
    with torch.no_grad():
        answers = classifier.output_layer()(features).softmax(dim=1).numpy()
    np.testing.assert_allclose(answers, classifier.predict_masked(one, masks), atol=1e-6)
    pixels = torch.rand(1, 32, 48, 3, requires_grad=True)
    classifier.logits_of_pixels(pixels)[0, 0].backward()
    assert pixels.grad.abs().max() > 1e-6
    # The last feature map is what the model pools: the output of the encoder.
    caught = []
    layer = classifier.last_convolution()
    hook = layer.register_forward_hook(lambda *arguments: caught.append(arguments[-1]))
    with torch.no_grad():
        classifier.logits_of_pixels(pixels)
        x = classifier._normalised(pixels).permute(0, 3, 1, 2)
        expected = model.resnet(x).last_hidden_state
    hook.remove()
    torch.testing.assert_close(caught[0], expected, rtol=1e-4, atol=1e-5)


def test_what_cannot_be_loaded(tmp_path, saved):
    with pytest.raises(ValueError, match="No image classifier could be loaded from"):
        load_huggingface_image(tmp_path)
    resnet().save_pretrained(tmp_path / "no-processor")
    with pytest.raises(ValueError, match="No image classifier could be loaded from"):
        load_huggingface_image(tmp_path / "no-processor")
    encoder = tmp_path / "encoder"
    resnet(ResNetModel).save_pretrained(encoder)
    (encoder / "preprocessor_config.json").write_text(json.dumps(PROCESSOR))
    with pytest.raises(ValueError, match=r"lacks weights of a ResNet.*classifier\.1\.bias"):
        load_huggingface_image(encoder)


# The cut --------------------------------------------------------------------------------------


class Pictures(nn.Module):
    """A model in the manner of transformers, of one function of modules."""

    def __init__(self, **parts: nn.Module) -> None:
        super().__init__()
        torch.manual_seed(0)
        for name, part in parts.items():
            self.add_module(name, part)

    def forward(self, pixel_values: torch.Tensor) -> Any:
        x = pixel_values
        for module in self.children():
            x = module(x)
        return SimpleNamespace(logits=x)


class Branches(nn.Module):
    """Two convolutions side by side."""

    def __init__(self) -> None:
        super().__init__()
        self.left, self.right = nn.Conv2d(4, 5, 1), nn.Conv2d(4, 6, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([self.left(x), self.right(x)], dim=1)


def check_cut(model: Pictures, width: int, layer: str, size=(12, 8)) -> None:
    x = torch.randn(3, 3, *size, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        expected = model(pixel_values=x).logits.flatten(1)
        network = SplitNetwork(model, size)
        assert network.features(x).shape == (3, width)
        torch.testing.assert_close(network(x), expected, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(network.classifier(network.features(x)), expected)
    assert network.last_convolution is model.get_submodule(layer)


def test_cut_like_vgg():
    body = nn.Sequential(
        *(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(inplace=True), nn.MaxPool2d(2)),
        *(nn.Conv2d(4, 6, 3, padding=1), nn.ReLU(inplace=True), nn.MaxPool2d(2)),
    )
    to_one = nn.Conv2d(6, 7, (3, 2))  # A convolution that leaves one position is no map.
    last = nn.Sequential(nn.Flatten(), nn.Linear(7, 9), nn.ReLU(), nn.Linear(9, 4))
    model = Pictures(body=body, to_one=to_one, last=last)
    check_cut(model, 9, "body.4")
    assert not any(getattr(module, "inplace", False) for module in model.modules())


def test_cut_like_inception():
    model = Pictures(
        stem=nn.Conv2d(3, 4, 3),
        mixed=Branches(),
        pool=nn.AdaptiveAvgPool2d(1),
        flat=nn.Flatten(),
        fc=nn.Linear(11, 4, bias=False),
    )
    check_cut(model, 11, "mixed")


def test_cut_before_a_convolution():
    model = Pictures(stem=nn.Conv2d(3, 6, 3), pool=nn.AdaptiveAvgPool2d(1), head=nn.Conv2d(6, 4, 1))
    x = torch.randn(2, 3, 9, 9)
    with torch.no_grad():
        expected = model(pixel_values=x).logits.flatten(1)
    model.add_module("flat", nn.Flatten())
    network = SplitNetwork(model, (9, 9))
    with torch.no_grad():
        torch.testing.assert_close(network(x), expected)
    assert isinstance(network.classifier, nn.Linear)
    assert network.last_convolution is model.stem


def test_map_of_tokens_is_no_map():
    model = Pictures(
        patches=nn.Conv2d(3, 4, 4, stride=4),  # 3 x 2 positions.
        tokens=nn.Flatten(2),
        heads=nn.Unflatten(1, (2, 2)),  # (n, 2, 2, 6), as attention has it.
        scaled=nn.Identity(),
        flat=nn.Flatten(),
        head=nn.Linear(24, 4),
    )
    check_cut(model, 24, "patches")


def test_what_cannot_be_cut():
    ends = nn.Sequential(nn.Flatten(), nn.Linear(3 * 12 * 8, 4), nn.Tanh())
    with pytest.raises(ValueError, match="does not end in one linear layer with 4 outputs"):
        SplitNetwork(Pictures(ends=ends), (12, 8))
    no_linear = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
    with pytest.raises(ValueError, match="does not end in one linear layer with 3 outputs"):
        SplitNetwork(Pictures(body=no_linear), (12, 8))
    only_linear = nn.Sequential(nn.Flatten(), nn.Linear(3 * 12 * 8, 4))
    network = SplitNetwork(Pictures(body=only_linear), (12, 8))
    with pytest.raises(ValueError, match="Pictures has no convolution"):
        _ = network.last_convolution


# What an image processor says -----------------------------------------------------------------


@pytest.mark.parametrize(
    "change, size",
    [
        ({}, (32, 48)),
        ({"do_center_crop": False}, (40, 40)),
        ({"do_center_crop": False, "size": {"height": 20, "width": 30}}, (20, 30)),
        ({"do_center_crop": False, "size": 50}, (50, 50)),
        ({"crop_size": 28}, (28, 28)),
    ],
)
def test_size(change, size):
    assert normalisation(PROCESSOR | change) == (
        size,
        pytest.approx([0.4, 0.5, 0.6]),
        pytest.approx([0.2, 0.25, 0.3]),
    )


@pytest.mark.parametrize(
    "change, entering",
    [
        # What a pixel of 51 becomes in the first channel.
        ({}, (51 / 255 - 0.4) / 0.2),
        ({"rescale_factor": 1 / 51}, (1.0 - 0.4) / 0.2),
        ({"do_rescale": False}, (51.0 - 0.4) / 0.2),
        ({"do_normalize": False}, 0.2),
        ({"do_normalize": False, "do_rescale": False}, 51.0),
    ],
)
def test_range_of_pixels(change, entering):
    _, mean, std = normalisation(PROCESSOR | change)
    assert (51 / 255 - mean[0]) / std[0] == pytest.approx(entering)


def test_settings_of_timm():
    settings = {"input_size": [3, 299, 300], "mean": [0.5] * 3, "std": [0.25] * 3}
    assert normalisation(settings) == ((299, 300), [0.5] * 3, [0.25] * 3)


def test_unknown_settings():
    with pytest.raises(ValueError, match="step that is not known: do_flip_channel_order"):
        normalisation(PROCESSOR | {"do_flip_channel_order": True})
    with pytest.raises(ValueError, match=r"no height and width, but the size \{'longest_edge'"):
        normalisation({"size": {"longest_edge": 40}})
