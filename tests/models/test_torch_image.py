"""Networks as black boxes for pictures, against the same worked out in numpy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from xai_lib.image import IMAGE_REMOVALS, ImageInstance
from xai_lib.models import image_batching, torch_image
from xai_lib.models.image_batching import batches_of_pictures, exactly, pictures_at_once
from xai_lib.models.torch_image import TorchImageClassifier

SIZE = (12, 16)
MEAN, STD = (0.4, 0.5, 0.6), (0.2, 0.25, 0.3)
INDEX = (4, 0, 2)


class Means(nn.Module):
    """Features are the mean colours of the four quarters; logits are linear in them."""

    def __init__(self, outputs: int = 5, bias: bool = True) -> None:
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(2)
        self.classifier = nn.Linear(12, outputs, bias=bias)
        generator = torch.Generator().manual_seed(0)
        with torch.no_grad():
            self.classifier.weight.copy_(torch.randn(outputs, 12, generator=generator))
            if bias:
                self.classifier.bias.copy_(torch.randn(outputs, generator=generator))

    @property
    def last_convolution(self) -> nn.Module:
        return self.pool

    def features(self, x: torch.Tensor) -> torch.Tensor:
        return self.pool(x).flatten(1)


class Convolutional(nn.Module):
    """Two convolutions, a batch norm and a mean."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first = nn.Conv2d(3, 8, 3, padding=1)
        self.norm = nn.BatchNorm2d(8)
        self.last_convolution = nn.Conv2d(8, 16, 3, stride=2, padding=1)
        self.classifier = nn.Linear(16, 5)

    def features(self, x: torch.Tensor) -> torch.Tensor:
        return self.last_convolution(self.norm(self.first(x)).relu()).relu().mean(dim=(2, 3))


def box(network: nn.Module | None = None, **settings) -> TorchImageClassifier:
    given = {
        "classes": ["a", "b", "c"],
        "size": SIZE,
        "mean": MEAN,
        "std": STD,
        "class_index": INDEX,
        "segmenter": "grid",
        "precision": "float32",
    }
    return TorchImageClassifier(network or Convolutional(), "box", **(given | settings))


def pictures(n: int, size=SIZE, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (n, *size, 3)).astype(np.uint8)


def tiled(seed: int = 0) -> ImageInstance:
    """A picture of 12 x 16 in six segments of different shapes."""
    segments = np.zeros(SIZE, dtype=np.int32)
    segments[:, 8:] = 1
    segments[6:, :4] = 2
    segments[3:9, 6:12] = 3
    segments[0, 0] = 4
    segments[11, :] = 5
    return ImageInstance(pictures(1, seed=seed)[0], segments, "by hand", SIZE)


def by_hand(network: Means, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Features and probabilities of `Means` in float64."""
    x = (images / 255 - np.array(MEAN)) / np.array(STD)
    quarters = [x[:, r : r + 6, c : c + 8].mean(axis=(1, 2)) for r in (0, 6) for c in (0, 8)]
    # Channel after channel, four quarters each.
    features = np.stack(quarters, axis=2).reshape(len(images), 12)
    weight, bias = (p.detach().double().numpy() for p in network.classifier.parameters())
    logits = (features @ weight.T + bias)[:, list(INDEX)]
    odds = np.exp(logits)
    return features, odds / odds.sum(axis=1, keepdims=True)


# Answers --------------------------------------------------------------------------------------


def test_probabilities_by_hand():
    network = Means()
    classifier = box(network)
    images = pictures(9)
    found = classifier.predict_proba(list(images))
    np.testing.assert_allclose(found, by_hand(network, images)[1], atol=1e-6)
    assert classifier.calls == 9
    assert found.dtype == np.float64
    assert classifier.predict_proba([]).shape == (0, 3)


@pytest.mark.parametrize("removal", IMAGE_REMOVALS)
def test_masks_equal_rendered_pictures(removal):
    classifier = box()
    one = tiled()
    masks = np.random.default_rng(1).random((20, 6)) < 0.5
    masks[:2] = [[True] * 6, [False] * 6]
    rendered = np.stack([one.render(mask, removal) for mask in masks])
    prepared = torch.cat(list(classifier._masked([one], [masks], removal)))
    assert torch.equal(prepared, classifier._prepared(rendered))
    found = classifier.predict_masked(one, masks, removal)
    np.testing.assert_allclose(found, classifier.predict_proba(list(rendered)), atol=1e-6)
    assert np.ptp(found, axis=0).max() > 1e-3


def test_several_instances_share_batches(monkeypatch):
    monkeypatch.setitem(image_batching.PIXEL_BUDGET, "cpu", 4 * 12 * 16)
    network = Means()
    classifier = box(network)
    rng = np.random.default_rng(2)
    ones = [tiled(seed) for seed in range(4)]
    masks = [rng.random((n, 6)) < 0.5 for n in (3, 0, 6, 2)]
    masks[0][2] = masks[0][0]  # Sent once.
    sizes = []
    features = network.features
    monkeypatch.setattr(network, "features", lambda x: sizes.append(len(x)) or features(x))
    answers = classifier.predict_masked(ones, masks)
    distinct = sum(len(np.unique(rows, axis=0)) for rows in masks)
    assert classifier.calls == distinct
    assert sizes == [4, 4, 2][: len(sizes)]
    assert sum(sizes) == distinct
    for one, rows, answer in zip(ones, masks, answers, strict=True):
        assert answer.shape == (len(rows), 3)
        if len(rows):
            rendered = np.stack([one.render(mask) for mask in rows])
            np.testing.assert_allclose(answer, by_hand(network, rendered)[1], atol=1e-6)


def test_nothing_to_answer():
    classifier = box()
    assert classifier.predict_masked([], []) == []
    assert classifier.predict_masked(tiled(), np.empty((0, 6), dtype=bool)).shape == (0, 3)
    assert [rows.shape for rows in classifier.masked_features([tiled()], [np.empty((0, 6), bool)])]
    assert classifier.masked_features([], []) == []
    assert classifier.calls == 0


def test_one_segment():
    classifier = box()
    plain = np.full((*SIZE, 3), 77, dtype=np.uint8)
    one = ImageInstance(plain, np.zeros(SIZE, dtype=np.int32), "one", SIZE)
    found = classifier.predict_masked(one, np.array([[True], [False]]))
    np.testing.assert_array_equal(found[0], found[1])  # The mean colour is the colour.


@pytest.mark.parametrize("precision, tolerance", [("float32", 1e-6), ("bfloat16", 1e-5)])
def test_company_does_not_matter(monkeypatch, precision, tolerance):
    classifier = box(precision=precision)
    images = pictures(23)
    together = classifier.predict_proba(list(images))
    alone = np.concatenate([classifier.predict_proba([image]) for image in images])
    np.testing.assert_allclose(together, alone, atol=tolerance)
    monkeypatch.setitem(image_batching.PIXEL_BUDGET, "cpu", 5 * 12 * 16)
    np.testing.assert_allclose(classifier.predict_proba(list(images)), alone, atol=tolerance)


def test_instance_of_another_size():
    other = ImageInstance(np.zeros((8, 8, 3), np.uint8), np.zeros((8, 8), np.int32), "one", (8, 8))
    with pytest.raises(ValueError, match=r"reads pictures of \(12, 16\) pixels, got .* \(8, 8\)"):
        box().predict_masked(other, np.ones((1, 1), dtype=bool))


# The inside -----------------------------------------------------------------------------------


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_logits_of_pixels_and_their_gradient(precision):
    network = Means()
    classifier = box(network, precision=precision)
    images = pictures(3)
    pixels = torch.from_numpy(images / 255).float().requires_grad_()
    logits = classifier.logits_of_pixels(pixels)
    assert logits.dtype == torch.float32
    expected = by_hand(network, images)[1]
    np.testing.assert_allclose(logits.softmax(dim=1).detach().numpy(), expected, atol=1e-6)
    logits[:, 1].sum().backward()
    # d logit / d pixel = weight of (channel, quarter) / std of the channel / pixels of a quarter.
    weight = network.classifier.weight[INDEX[1]].reshape(3, 2, 2) / torch.tensor(STD)[:, None, None]
    slope = weight.repeat_interleave(6, dim=1).repeat_interleave(8, dim=2) / 48
    for gradient in pixels.grad:
        torch.testing.assert_close(gradient, slope.permute(1, 2, 0))
    assert classifier.calls == 0


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_features_times_output_layer_are_the_answers(precision):
    network = Means()
    classifier = box(network, precision=precision)
    ones = [tiled(0), tiled(1)]
    masks = [np.eye(6, dtype=bool), np.ones((1, 6), dtype=bool)]
    features = classifier.masked_features(ones, masks)
    assert classifier.calls == 7
    assert [rows.shape for rows in features] == [(6, 12), (1, 12)]
    layer = classifier.output_layer()
    torch.testing.assert_close(layer.weight, network.classifier.weight[list(INDEX)])
    torch.testing.assert_close(layer.bias, network.classifier.bias[list(INDEX)])
    assert (layer.in_features, layer.out_features) == (12, 3)
    answers = classifier.predict_masked(ones, masks)
    for one, rows, given, answer in zip(ones, masks, features, answers, strict=True):
        assert given.dtype == np.float32
        found = layer(torch.from_numpy(given)).softmax(dim=1).numpy()
        np.testing.assert_allclose(found, answer, atol=1e-6)
        rendered = np.stack([one.render(mask) for mask in rows])
        tolerance = 1e-5 if precision == "float32" else 0.02
        np.testing.assert_allclose(given, by_hand(network, rendered)[0], atol=tolerance)


def test_last_layer_without_bias():
    classifier = box(Means(bias=False))
    assert classifier.output_layer().bias.tolist() == [0.0, 0.0, 0.0]
    logits = classifier.logits_of_pixels(torch.tensor(MEAN).expand(1, *SIZE, 3))
    torch.testing.assert_close(logits, torch.zeros(1, 3), rtol=0, atol=1e-6)


def test_network_is_taken_over():
    network = Convolutional().double().train()
    classifier = box(network, class_index=None, classes=list("abcde"))
    assert classifier.model is network
    assert classifier.last_convolution() is network.last_convolution
    assert not network.training
    assert {p.dtype for p in network.parameters()} == {torch.float32}
    assert not any(p.requires_grad for p in network.parameters())
    assert classifier.class_index == (0, 1, 2, 3, 4)
    assert classifier.card == {}


# Number format --------------------------------------------------------------------------------


class Cancelling(Means):
    """Logits are small differences of large numbers: what bfloat16 cannot do."""

    def features(self, x: torch.Tensor) -> torch.Tensor:
        return super().features(x + 1000) - super().features(torch.full_like(x, 1000))


@pytest.mark.parametrize(
    "network, fast, expected",
    [
        (Convolutional, True, "bfloat16"),
        (Convolutional, False, "float32"),
        (Cancelling, True, "float32"),
    ],
)
def test_automatic_precision(monkeypatch, network, fast, expected):
    monkeypatch.setattr(torch_image, "fast_bfloat16", lambda device: fast)
    classifier = box(network(), precision="auto")
    assert classifier.precision == expected
    assert classifier.calls == 0
    exact, images = box(network()), list(pictures(5))
    moved = np.abs(classifier.predict_proba(images) - exact.predict_proba(images)).max()
    assert moved == 0.0 if expected == "float32" else 0.0 < moved < 0.02
    assert {p.dtype for p in classifier.model.parameters()} == {torch.float32}


def test_asked_for_bfloat16_is_not_checked():
    assert box(Cancelling(), precision="bfloat16").precision == "bfloat16"


# Identity -------------------------------------------------------------------------------------


def test_identity_is_of_what_answers():
    same = {"classes": ["x", "y", "z"], "segmenter": "slic", "precision": "bfloat16"}
    assert box().identity == box(**same).identity
    assert box().fingerprint != box(precision="bfloat16").fingerprint
    assert box().fingerprint == box(segmenter="slic").fingerprint
    shifted = Convolutional()
    with torch.no_grad():
        shifted.norm.running_mean[3] += 1e-3
    others = [
        box(shifted),
        box(size=(12, 17)),
        box(class_index=(0, 4, 2)),
        box(mean=(0.4, 0.5, 0.7)),
        box(std=(0.2, 0.25, 0.31)),
    ]
    assert len({box().identity, *(other.identity for other in others)}) == 6


# What is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"class_index": (0, 1)}, "2 outputs of the network were chosen, but 3 class names"),
        ({"class_index": (0, 1, 1)}, "different numbers from 0 to 4"),
        ({"class_index": (0, 1, 5)}, "different numbers from 0 to 4"),
        ({"class_index": (0, 1, -1)}, "different numbers from 0 to 4"),
        ({"class_index": None}, "5 outputs of the network were chosen, but 3 class names"),
        ({"mean": (0.5,)}, "one number for each of 3 channels"),
        ({"std": (0.5, 0.0, 0.5)}, "std must be greater than 0"),
        ({"precision": "float16"}, "Valid: auto, float32, bfloat16"),
        ({"device": "abacus"}, "Unknown device 'abacus'"),
        ({"network": nn.Conv2d(3, 4, 1)}, "has no features, classifier, last_convolution"),
    ],
)
def test_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        box(**settings)


def test_last_layer_must_be_linear():
    network = Convolutional()
    network.classifier = nn.Sequential(nn.Linear(16, 5))
    with pytest.raises(ValueError, match=r"must be a torch\.nn\.Linear, got Sequential"):
        box(network)


# Batches --------------------------------------------------------------------------------------


def test_batches_of_pieces():
    pieces = [torch.arange(0, 3), torch.arange(3, 3), torch.arange(3, 11), torch.arange(11, 12)]
    batches = list(batches_of_pictures(iter(pieces), 5, "cpu"))
    assert [(batch.tolist(), n) for batch, n in batches] == [
        ([0, 1, 2, 3, 4], 5),
        ([5, 6, 7, 8, 9], 5),
        ([10, 11], 2),
    ]
    filled = list(batches_of_pictures(iter(pieces), 5, "cuda:1"))
    assert [(batch.tolist(), n) for batch, n in filled][2] == ([10, 11, 10, 10, 10], 2)
    assert list(batches_of_pictures([], 5, "cuda")) == []


def test_pictures_at_once():
    assert pictures_at_once((224, 224), "cpu") == 5
    assert pictures_at_once((260, 260), "cpu") == 3
    assert pictures_at_once((224, 224), "cuda:0") == 64
    assert pictures_at_once((4000, 4000), "cpu") == 1


def test_settings_of_a_gpu_hold_for_the_batch_only():
    def settings() -> tuple[bool, ...]:
        cudnn = torch.backends.cudnn
        return (cudnn.enabled, cudnn.benchmark, cudnn.deterministic, cudnn.allow_tf32)

    before = settings()
    with exactly("cuda:0"):
        assert settings() == (True, False, True, False)
    assert settings() == before
    with exactly("cpu"):
        assert settings() == before
