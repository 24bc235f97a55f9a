from __future__ import annotations

import dataclasses
import sys
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import saliency.core as pair
import torch
from captum.attr import LayerAttribution, LayerGradCam
from saliency.core import xrai as pair_xrai
from scipy.ndimage import gaussian_filter

from xai_lib.explainers.pixel_base import LogitGradient, PixelExplainer
from xai_lib.explainers.pixel_gradients import (
    GradCam,
    PixelIntegratedGradients,
    PixelSmoothGrad,
    VanillaGradient,
)
from xai_lib.explainers.pixel_paths import BlurIG, GuidedIG, blurred
from xai_lib.explainers.xrai import Xrai, covering, regions
from xai_lib.image import ImageInstance
from xai_lib.models.image import ImageClassifier, as_image_classifier
from xai_lib.rng import generator

CLASSES = ["cat", "dog", "owl"]
ALL = [
    VanillaGradient(),
    PixelSmoothGrad(),
    PixelIntegratedGradients(),
    GuidedIG(n_steps=20),
    BlurIG(n_steps=20),
    Xrai(n_steps=5),
    Xrai(n_steps=5, algorithm="fast"),
    GradCam(),
]
every_method = pytest.mark.parametrize("method", ALL, ids=lambda one: one.name)


class Box(ImageClassifier):
    """A black box whose logits are a given function of pixels."""

    device = "cpu"

    def __init__(
        self, logits: Callable[[torch.Tensor], torch.Tensor], last: torch.nn.Module | None = None
    ) -> None:
        super().__init__("box", CLASSES, (8, 8), "grid")
        self.logits, self.last = logits, last

    def logits_of_pixels(self, pixels: torch.Tensor) -> torch.Tensor:
        return self.logits(pixels)

    def last_convolution(self) -> torch.nn.Module:
        assert self.last is not None
        return self.last

    def _probabilities_of_images(self, images: np.ndarray) -> np.ndarray:
        self.calls += len(images)
        with torch.no_grad():
            logits = self.logits(torch.from_numpy(images.astype(np.float32) / 255))
        return logits.double().softmax(dim=1).numpy()


def picture(high: int, wide: int, seed: int = 0, blocks: int = 3) -> ImageInstance:
    """Make a picture of random pixels on a smooth ground, in blocks x blocks segments."""
    rng = np.random.default_rng(seed)
    ground = gaussian_filter(rng.normal(size=(high, wide, 3)), (3, 3, 0), mode="reflect")
    values = np.clip(0.5 + 2 * ground + 0.1 * rng.normal(size=ground.shape), 0, 1)
    row = np.arange(high) * blocks // high
    column = np.arange(wide) * blocks // wide
    labels = np.unique(row[:, None] * blocks + column, return_inverse=True)[1]
    segments = labels.reshape(high, wide).astype(np.int32)
    return ImageInstance((values * 255).astype(np.uint8), segments, "blocks", (high, wide))


def plain(one: ImageInstance, pixels: np.ndarray | None = None, n: int = 1) -> ImageInstance:
    """Return the picture with other pixels, or one colour, and n segments."""
    pixels = np.full_like(one.pixels, 77) if pixels is None else pixels
    segments = one.segments if n > 1 else np.zeros_like(one.segments)
    return ImageInstance(pixels, segments, "blocks", one.original_size)


def by_segment(one: ImageInstance, pixels: np.ndarray) -> np.ndarray:
    return np.array([pixels[one.segments == i].sum() for i in range(one.n_features)])


def linear(one: ImageInstance) -> tuple[np.ndarray, Box]:
    """Return slopes (3, h, w, 3) and a black box with just these; class 1 is predicted."""
    slopes = np.random.default_rng(1).normal(size=(3, *one.pixels.shape)).astype(np.float32)
    weights = torch.from_numpy(slopes)
    bias = torch.tensor([0.0, 1e3, 0.0])
    return slopes, Box(lambda x: torch.einsum("nhwc,khwc->nk", x, weights) + bias)


def convolutional() -> Box:
    """Return a small network with smooth and with rectified parts, for pictures of any size."""
    torch.manual_seed(0)
    last = torch.nn.Conv2d(6, 8, 3, padding=1)
    network = torch.nn.Sequential(
        torch.nn.Conv2d(3, 6, 3, padding=1),
        torch.nn.Tanh(),
        last,
        torch.nn.ReLU(inplace=True),
        torch.nn.AdaptiveAvgPool2d(1),
        torch.nn.Flatten(),
        torch.nn.Linear(8, 3),
    ).requires_grad_(False)
    for layer in network:
        if hasattr(layer, "weight"):
            layer.weight *= 6
    return Box(lambda x: network(x.permute(0, 3, 1, 2)), last)


def weights_of(method: PixelExplainer, one: ImageInstance, box: Box, seed: int = 0) -> np.ndarray:
    (found,) = method.attribute([one], box, seed)
    predicted = int(np.argmax(found.probabilities))
    others = np.delete(found.weights, predicted, axis=0)
    assert np.isnan(others).all() or method.target == "all"
    return found.weights[predicted]


def pair_model(box: Box, index: int) -> Callable[..., dict[str, np.ndarray]]:
    """Return the gradient of a class as PAIR's package asks for it."""

    def call(x: np.ndarray, call_model_args: Any = None, expected_keys: Any = None) -> Any:
        pixels = torch.tensor(x, dtype=torch.float32, requires_grad=True)
        (slope,) = torch.autograd.grad(box.logits_of_pixels(pixels)[:, index].sum(), pixels)
        return {pair.INPUT_OUTPUT_GRADIENTS: slope.double().numpy()}

    return call


def predicted_by(box: Box, one: ImageInstance) -> int:
    return int(np.argmax(box._probabilities_of_images(one.pixels[None])[0]))


# --- closed forms ---------------------------------------------------------------------------------


def test_a_linear_black_box_gives_its_slopes() -> None:
    one = picture(12, 10)
    slopes, box = linear(one)
    slope, x = slopes[1].astype(np.float64), one.pixels / 255
    expected = {
        VanillaGradient(): np.abs(slope),
        VanillaGradient(signed=True): slope,
        PixelSmoothGrad(): slope**2,
        PixelSmoothGrad(magnitude=False): np.abs(slope),
        PixelSmoothGrad(magnitude=False, signed=True, n_draws=3): slope,
        PixelIntegratedGradients(): np.abs(slope * x),
        PixelIntegratedGradients(signed=True): slope * x,
        PixelIntegratedGradients(signed=True, n_steps=2, batch_size=1): slope * x,
        GuidedIG(signed=True): slope * x,
        GuidedIG(n_steps=7, max_dist=1.0): np.abs(slope * x),
        GuidedIG(n_steps=7, fraction=1.0): np.abs(slope * x),
    }
    for method, pixels in expected.items():
        true = by_segment(one, pixels)
        np.testing.assert_allclose(weights_of(method, one, box), true, rtol=1e-5, atol=1e-5)
        mean = dataclasses.replace(method, aggregation="mean")
        np.testing.assert_allclose(
            weights_of(mean, one, box), true / one.sizes, rtol=1e-5, atol=1e-6
        )


def test_integrated_gradients_of_a_cube() -> None:
    # The logit is sum(w x^3): n points at equal distances average 3 w x^2 to
    # 3 w x^2 (2 n - 1) / (6 (n - 1)), a third only as n grows.
    one = picture(6, 5)
    w = np.random.default_rng(2).normal(size=(3, *one.pixels.shape))
    w[1] += 9
    slopes = torch.from_numpy(w).float()
    box = Box(lambda x: torch.einsum("nhwc,khwc->nk", x**3, slopes))
    x = one.pixels / 255
    (found,) = PixelIntegratedGradients(n_steps=11, signed=True).attribute([one], box, 0)
    share = 3 * 21 / 60
    np.testing.assert_allclose(found.weights[1], by_segment(one, share * w[1] * x**3), rtol=1e-5)
    gap = abs((share - 1) * (w[1] * x**3).sum())
    assert found.diagnostics is not None
    np.testing.assert_allclose(found.diagnostics["completeness_gap"], gap, rtol=1e-5)


def test_guided_ig_on_the_straight_way_is_a_left_sum() -> None:
    # With no room off the straight way and the logit sum(w x^2), step k of n adds
    # 2 w x^2 k / n^2, in all w x^2 (n - 1) / n, and w x^2 / n is missing.
    one = picture(6, 5)
    w = np.random.default_rng(2).normal(size=(3, *one.pixels.shape))
    w[1] += 9
    slopes = torch.from_numpy(w).float()
    box = Box(lambda x: torch.einsum("nhwc,khwc->nk", x**2, slopes))
    true = by_segment(one, w[1] * (one.pixels / 255) ** 2)
    (found,) = GuidedIG(n_steps=10, max_dist=0.0, signed=True).attribute([one], box, 0)
    np.testing.assert_allclose(found.weights[1], 0.9 * true, rtol=1e-5)
    assert found.diagnostics is not None
    np.testing.assert_allclose(found.diagnostics["completeness_gap"], 0.1 * true.sum(), rtol=1e-4)


def test_guided_ig_moves_flat_values_first() -> None:
    # Logit a b + 4 a at a = b = 1, from 0, in two steps that each bridge half the way: first b
    # moves, where the gradient (4, 0) is flat, then a, where it is (5, 0). Weights 5 and 0; the
    # straight way would give 4.5 and 0.5.
    pixels = np.zeros((1, 2, 3), dtype=np.uint8)
    pixels[0, :, 0] = 255
    one = ImageInstance(pixels, np.array([[0, 1]], dtype=np.int32), "pixels", (1, 2))

    def logits(x: torch.Tensor) -> torch.Tensor:
        a, b = x[:, 0, 0, 0], x[:, 0, 1, 0]
        return torch.stack([a * b + 4 * a, 0 * a, 0 * a], dim=1)

    guided = GuidedIG(n_steps=2, max_dist=1.0, fraction=0.1, signed=True)
    np.testing.assert_allclose(weights_of(guided, one, Box(logits)), [5.0, 0.0], atol=1e-6)


def test_blur_ig_is_its_sum() -> None:
    one = picture(14, 11)
    w = np.random.default_rng(3).normal(size=(3, *one.pixels.shape))
    w[1] += 2
    slopes = torch.from_numpy(w).float()
    box = Box(lambda x: torch.einsum("nhwc,khwc->nk", torch.sin(3 * x), slopes))
    x = one.pixels / 255
    true = np.zeros_like(x)
    for k in range(25):
        sigma = 8.0 * k / 25
        at, after = (
            gaussian_filter(x, (s, s, 0), mode="constant", truncate=4.0) if s else x
            for s in (sigma, sigma + 0.02)
        )
        true -= 8.0 / 25 * (after - at) / 0.02 * 3 * np.cos(3 * at) * w[1]
    method = BlurIG(max_sigma=8.0, n_steps=25, grad_step=0.02, signed=True, batch_size=4)
    (found,) = method.attribute([one], box, 0)
    expected = by_segment(one, true)
    np.testing.assert_allclose(found.weights[1], expected, rtol=1e-4, atol=1e-4)
    end = gaussian_filter(x, (8, 8, 0), mode="constant")
    difference = ((np.sin(3 * x) - np.sin(3 * end)) * w[1]).sum()
    assert found.diagnostics is not None
    gap = found.diagnostics["completeness_gap"]
    np.testing.assert_allclose(gap, abs(true.sum() - difference), rtol=1e-3, atol=1e-3)
    assert gap < 0.2 * abs(difference)


@pytest.mark.parametrize("sigma", [0.0, 0.01, 0.6, 3.0, 50.0])
def test_the_blur_is_that_of_scipy(sigma: float) -> None:
    x = np.random.default_rng(0).random((17, 9, 3))
    expected = gaussian_filter(x, (sigma, sigma, 0), mode="constant") if sigma else x
    found = blurred(torch.from_numpy(x), sigma).numpy()
    np.testing.assert_allclose(found, expected, atol=1e-14)


def test_grad_cam_by_hand() -> None:
    pixels = np.random.default_rng(4).integers(0, 256, (4, 4, 3), dtype=np.uint8)
    one = plain(picture(4, 4, blocks=2), pixels, n=4)
    convolution = torch.nn.Conv2d(3, 2, 2, stride=2, bias=False).requires_grad_(False)
    kernels = np.random.default_rng(0).normal(size=(2, 3, 2, 2))
    kernels -= kernels.mean(axis=(1, 2, 3), keepdims=True)
    convolution.weight[:] = torch.from_numpy(kernels).float()
    readout = torch.tensor([[0.0, 0.0], [2.0, -1.0], [-9.0, 0.0]])
    bias = torch.tensor([0.0, 99.0, 0.0])

    def logits(x: torch.Tensor) -> torch.Tensor:
        maps = convolution(x.permute(0, 3, 1, 2)).relu_()  # in place
        return maps.sum(dim=(2, 3)) @ readout.T + bias

    tiles = (one.pixels / 255).reshape(2, 2, 2, 2, 3)  # row, inner row, column, inner column
    maps = np.einsum("ryscd,kdyc->krs", tiles, kernels)
    steep = np.array([2.0, -1.0]) * (maps > 0).mean(axis=(1, 2))
    cam = np.einsum("k,krs->rs", steep, maps)
    # Bilinear from 2 to 4: centres at -0.25, 0.25, 0.75, 1.25, held at the ends.
    up = np.array([[1, 0], [0.75, 0.25], [0.25, 0.75], [0, 1]])
    box = Box(logits, convolution)
    for signed, values in ((True, cam), (False, np.maximum(cam, 0))):
        found = weights_of(GradCam(signed=signed), one, box)
        np.testing.assert_allclose(found, by_segment(one, up @ values @ up.T), rtol=1e-5)
    for values in (maps[0], maps[1], cam):
        assert values.min() < 0 < values.max()


# --- against the packages -------------------------------------------------------------------------


@pytest.fixture
def old_quantile(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give numpy's quantile the argument back that PAIR's Guided IG uses."""
    quantile = np.quantile
    monkeypatch.setattr(
        np, "quantile", lambda a, q, interpolation: quantile(a, q, method=interpolation)
    )


@pytest.mark.usefixtures("old_quantile")
@pytest.mark.parametrize("high, wide", [(30, 34), (8, 8)])
def test_the_paths_give_what_pair_gives(high: int, wide: int) -> None:
    one, box = picture(high, wide), convolutional()
    index, x = predicted_by(box, one), one.pixels / 255
    model = pair_model(box, index)
    for method, theirs in (
        (VanillaGradient(), pair.GradientSaliency().GetMask(x, model)),
        (PixelIntegratedGradients(), pair.IntegratedGradients().GetMask(x, model)),
        (GuidedIG(), pair.GuidedIG().GetMask(x, model)),
        (BlurIG(), pair.BlurIG().GetMask(x, model)),
    ):
        assert isinstance(method, VanillaGradient | PixelIntegratedGradients | GuidedIG | BlurIG)
        true = by_segment(one, np.abs(theirs).sum(axis=-1))
        np.testing.assert_allclose(weights_of(method, one, box), true, rtol=1e-4)
        signed = weights_of(dataclasses.replace(method, signed=True), one, box)
        size = np.abs(true).max()
        np.testing.assert_allclose(signed, by_segment(one, theirs.sum(axis=-1)), atol=1e-4 * size)


@pytest.mark.parametrize("magnitude", [True, False])
def test_smoothgrad_gives_what_pair_gives(magnitude: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    one, box = picture(20, 16), convolutional()
    rng = generator(5, "pixel_smoothgrad", one.content)
    monkeypatch.setattr(np.random, "normal", lambda _, std, size: std * rng.standard_normal(size))
    theirs = pair.GradientSaliency().GetSmoothedMask(
        one.pixels / 255, pair_model(box, predicted_by(box, one)), magnitude=magnitude
    )
    found = weights_of(PixelSmoothGrad(magnitude=magnitude), one, box, seed=5)
    np.testing.assert_allclose(found, by_segment(one, np.abs(theirs).sum(axis=-1)), rtol=1e-4)


@pytest.mark.parametrize("algorithm", ["full", "fast"])
@pytest.mark.parametrize("high, wide", [(60, 48), (8, 8)])
def test_xrai_gives_what_pair_gives(algorithm: str, high: int, wide: int) -> None:
    one, box = picture(high, wide), convolutional()
    x = one.pixels / 255
    theirs = pair.XRAI().GetMask(
        x,
        pair_model(box, predicted_by(box, one)),
        baselines=[np.zeros_like(x), np.ones_like(x)],
        extra_parameters=pair.XRAIParameters(algorithm=algorithm, steps=20),
    )
    found = weights_of(Xrai(n_steps=20, algorithm=algorithm), one, box)
    true = by_segment(one, theirs)
    np.testing.assert_allclose(found, true, rtol=1e-4, atol=1e-5 * np.abs(true).max())
    assert np.unique(theirs).size > 5 or high == 8


def test_regions_are_those_of_pair() -> None:
    for high, wide in ((70, 50), (9, 7)):
        x = picture(high, wide).pixels / 255
        # Of a small picture, labels are lost when they are scaled down to it.
        theirs = np.stack([one for one in pair_xrai._get_segments_felzenszwalb(x) if one.any()])
        found = regions(x)
        np.testing.assert_array_equal(found[found.any(axis=(1, 2))], theirs)


@pytest.mark.parametrize("algorithm", ["full", "fast"])
def test_covering_is_that_of_pair(algorithm: str) -> None:
    rng = np.random.default_rng(0)
    for n in (1, 2, 40):
        masks = gaussian_filter(rng.normal(size=(n, 25, 30)), (0, 4, 4)) > 0.05
        weights = rng.normal(size=(25, 30))
        grow = pair.XRAI._xrai if algorithm == "full" else pair.XRAI._xrai_fast
        expected, _ = grow(weights, list(masks))
        np.testing.assert_allclose(covering(masks, weights, algorithm), expected, atol=1e-12)


def test_grad_cam_is_that_of_captum() -> None:
    one, box = picture(20, 16), convolutional()
    torch.manual_seed(1)
    last = torch.nn.Conv2d(3, 5, 4, stride=3)

    class Network(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.last = last

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            maps = self.last(x.permute(0, 3, 1, 2))
            return torch.stack([maps[:, 0].square().mean((1, 2)), maps.tanh().mean((1, 2, 3))]).T

    network = Network()
    box = Box(lambda x: torch.nn.functional.pad(network(x), (0, 1), value=-9.0), last)
    index = predicted_by(box, one)
    pixels = torch.from_numpy(one.pixels[None].astype(np.float32) / 255)
    maps = LayerGradCam(network, last).attribute(pixels, index, relu_attributions=True)
    large = LayerAttribution.interpolate(maps, (20, 16), "bilinear")[0, 0].detach().numpy()
    np.testing.assert_allclose(
        weights_of(GradCam(), one, box), by_segment(one, large), rtol=1e-5, atol=1e-7
    )
    assert not last._forward_hooks


# --- what every method must do --------------------------------------------------------------------


COSTS = {
    "vanilla_gradient": 1,
    "pixel_smoothgrad": 25,
    "pixel_integrated_gradients": 25,
    "guided_ig": 21,
    "blur_ig": 21,
    "xrai": 10,
    "grad_cam": 1,
}


@every_method
def test_calls_classes_and_repetition(method: PixelExplainer) -> None:
    box = convolutional()
    pictures = [picture(16, 14, seed=seed) for seed in range(2)]
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    found = method.attribute(pictures, box, 3)
    np.testing.assert_array_equal(np.random.get_state()[1], state)  # noqa: NPY002
    assert [one.model_calls for one in found] == [1 + COSTS[method.name]] * 2
    assert box.calls == 2 * (1 + COSTS[method.name])
    for one, many in zip(pictures, found, strict=True):
        (alone,) = method.attribute([one], box, 3)
        np.testing.assert_array_equal(alone.weights, many.weights)
        assert alone.weights.shape == (3, one.n_features)
        box.calls = 0
        (every,) = dataclasses.replace(method, target="all").attribute([one], box, 3)
        assert every.model_calls == box.calls == 1 + 3 * COSTS[method.name]
        predicted = int(np.argmax(alone.probabilities))
        np.testing.assert_array_equal(every.weights[predicted], alone.weights[predicted])
        assert np.isfinite(every.weights).all()
        assert np.ptp(every.weights[predicted]) > 0


def test_the_noise_depends_on_seed_and_picture() -> None:
    box, method = convolutional(), PixelSmoothGrad()
    one = picture(16, 14)
    found = weights_of(method, one, box, 0)
    assert not np.array_equal(found, weights_of(method, one, box, 1))
    small = PixelSmoothGrad(batch_size=1)
    np.testing.assert_allclose(weights_of(small, one, box, 0), found, rtol=1e-5)


@every_method
def test_odd_pictures(method: PixelExplainer) -> None:
    box = convolutional()
    large = picture(24, 20)
    odd = {
        "one colour": plain(large, n=9),
        "black": plain(large, np.zeros_like(large.pixels), n=9),
        "white": plain(large, np.full_like(large.pixels, 255), n=9),
        "one segment": plain(large, large.pixels),
        "tiny": picture(8, 8),
        "2 x 3": picture(2, 3, blocks=1),
        "1 x 1": picture(1, 1, blocks=1),
        "30 x 2": picture(30, 2, blocks=2),
    }
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for name, one in odd.items():
            found = weights_of(method, one, box)
            assert found.shape == (one.n_features,), name
            assert np.isfinite(found).all(), name
    if method.name in ("pixel_integrated_gradients", "guided_ig", "blur_ig"):
        assert (weights_of(method, odd["black"], box) == 0).all()


@every_method
def test_constant_black_boxes(method: PixelExplainer) -> None:
    one, last = picture(12, 12), torch.nn.Conv2d(3, 2, 3)

    def blind(x: torch.Tensor) -> torch.Tensor:
        last(x.permute(0, 3, 1, 2))
        return torch.tensor([[0.0, 1.0, 0.0]]).repeat(len(x), 1)

    def flat(x: torch.Tensor) -> torch.Tensor:
        maps = last(x.permute(0, 3, 1, 2))
        return torch.tensor([[0.0, 1.0, 0.0]]) + 0 * maps.sum(dim=(1, 2, 3))[:, None]

    for logits in (blind, flat):
        assert (weights_of(method, one, Box(logits, last)) == 0).all()


@every_method
def test_what_gives_no_gradients_is_refused(method: PixelExplainer) -> None:
    answers = as_image_classifier(lambda x: np.full((len(x), 2), 0.5), ["a", "b"], (8, 8), "grid")
    with pytest.raises(ValueError, match=f"'{method.name}' needs gradients.*'function'.*lime"):
        method.explain([picture(8, 8).pixels], answers)


@every_method
def test_gradients_that_are_not_finite_name_the_image(method: PixelExplainer) -> None:
    last = torch.nn.Conv2d(3, 2, 3)

    def logits(x: torch.Tensor) -> torch.Tensor:
        maps = last(x.permute(0, 3, 1, 2)).sum(dim=(1, 2, 3))
        broken = torch.sqrt(maps - maps.detach())  # 0, with an infinite gradient
        return torch.stack([broken + 1, 0 * maps, 0 * maps], dim=1)

    with pytest.raises(ValueError, match=r"'box' are not finite for the image of 12 x 12 pixels"):
        method.attribute([picture(12, 12)], Box(logits, last), 0)


def test_grad_cam_says_what_it_needs() -> None:
    layer = torch.nn.Linear(3, 3)
    box = Box(lambda x: layer(x).sum(dim=(1, 2)), layer)
    with pytest.raises(ValueError, match=r"runs once and returns \(n, K, a, b\)") as caught:
        GradCam().attribute([picture(8, 8)], Box(lambda x: x.sum(dim=(1, 2)), layer), 0)
    assert "ran 0 times" in str(caught.value)
    box = Box(lambda x: layer(x[:, 0]).sum(dim=1), layer)
    with pytest.raises(ValueError, match=r"ran 1 times and returned \[\(1, 8, 3\)\]"):
        GradCam().attribute([picture(8, 8)], box, 0)
    assert not layer._forward_hooks


def test_xrai_names_the_package_that_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "skimage.segmentation", None)
    with pytest.raises(ImportError, match=r"scikit-image.*pip install 'xai_lib\[images\]'"):
        regions(picture(8, 8).pixels / 255)


def test_an_explanation_keeps_the_settings() -> None:
    box = convolutional()
    box.size = (16, 14)
    (found,) = Xrai(n_steps=3, algorithm="fast").explain([picture(16, 14).pixels], box)
    assert found.method == "xrai"
    assert found.settings == {
        "aggregation": "sum",
        "target": "predicted",
        "n_steps": 3,
        "algorithm": "fast",
        "batch_size": 10,
    }
    assert found.diagnostics["completeness_gap"] > 0


@pytest.mark.parametrize(
    "kind, settings, message",
    [
        (VanillaGradient, {"aggregation": "max"}, "Unknown aggregation 'max'. Valid: sum, mean"),
        (GradCam, {"target": "gold"}, "Unknown target 'gold'. Valid: predicted, all"),
        (PixelSmoothGrad, {"n_draws": 0}, "n_draws must be at least 1, got 0"),
        (PixelSmoothGrad, {"stdev_share": -1}, "stdev_share must be a number of 0 or more"),
        (PixelSmoothGrad, {"stdev_share": float("nan")}, "stdev_share must be a number"),
        (PixelSmoothGrad, {"signed": True}, "signed=True needs magnitude=False"),
        (PixelIntegratedGradients, {"n_steps": 1}, "n_steps must be at least 2, got 1"),
        (PixelIntegratedGradients, {"batch_size": 0}, "batch_size must be at least 1"),
        (GuidedIG, {"n_steps": 0}, "n_steps must be at least 1"),
        (GuidedIG, {"fraction": 0.0}, "fraction must be above 0"),
        (GuidedIG, {"max_dist": 1.5}, "max_dist must be a number from 0 to 1, got 1.5"),
        (BlurIG, {"max_sigma": 0.0}, "must be above 0"),
        (BlurIG, {"grad_step": -0.1}, "grad_step must be a number of 0 or more"),
        (Xrai, {"algorithm": "slow"}, "Unknown algorithm 'slow'. Valid: full, fast"),
    ],
)
def test_settings_are_checked(
    kind: type[PixelExplainer], settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        kind(**settings)


def test_a_gradient_counts_what_it_sends() -> None:
    one = picture(6, 5)
    slopes, box = linear(one)
    gradient = LogitGradient(box, 2)
    found, logits = gradient(torch.rand(4, 6, 5, 3, dtype=torch.float64))
    np.testing.assert_allclose(found.numpy(), np.broadcast_to(slopes[2], (4, 6, 5, 3)), rtol=1e-6)
    assert logits.shape == (4,)
    assert gradient.calls == box.calls == 4
