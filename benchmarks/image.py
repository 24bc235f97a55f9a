"""LIME on one picture against the ``lime`` package: same network, same masks, all classes."""

from __future__ import annotations

import contextlib
import io
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.results import Row, spread
from benchmarks.settings import Settings
from xai_lib.data.images import load_images
from xai_lib.explainers.lime import Lime
from xai_lib.image import ImageInstance
from xai_lib.masks import sample_masks
from xai_lib.models.image_zoo import load_named_image
from xai_lib.models.torch_image import TorchImageClassifier
from xai_lib.rng import generator

AT_LEAST = 2.0
BLACK_BOX, PICTURES = "efficientnet-lite0-photographs", "photographs"


class _GivenMasks(np.random.RandomState):
    """Gives the lime package our masks where it draws its own."""

    def __init__(self, masks: np.ndarray) -> None:
        super().__init__(0)
        self.masks = masks

    def randint(self, *given: Any, **more: Any) -> Any:
        """Return the masks, flat, as `lime_image` reshapes them."""
        return self.masks.astype(int).ravel()


def _plain(box: TorchImageClassifier) -> Callable[[np.ndarray], np.ndarray]:
    """Write what a user of the lime package writes: pictures in, probabilities out."""

    def predict(images: np.ndarray) -> np.ndarray:
        pixels = torch.from_numpy(images).float() / 255
        with torch.inference_mode():
            return torch.softmax(box.logits_of_pixels(pixels), dim=1).double().numpy()

    return predict


def _theirs(
    one: ImageInstance, masks: np.ndarray, predict: Callable[[np.ndarray], np.ndarray], size: int
) -> Any:
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
    """Explain pictures by both sides in turn.

    Both run the same float32 network on the CPU, theirs by a plain predict function with batches
    of 10, the package's default, and of 64; ours also in the precision it would choose itself.

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
    predict = _plain(exact)
    seconds: dict[str, list[float]] = {"10": [], "64": [], "float32": [], "auto": []}
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
        for side in ("10", "64"):
            start = time.perf_counter()
            other = _theirs(one, masks, predict, int(side))
            seconds[side].append(time.perf_counter() - start)
        theirs = {segment for segment, _ in other.local_exp[found.predicted][:5]}
        shared.append(len(ours & theirs) / 5)

    def ratio(over: str, under: str) -> dict[str, Any]:
        return spread([a / b for a, b in zip(seconds[over], seconds[under], strict=True)])

    medians = {f"{side}_seconds": float(np.median(all_of)) for side, all_of in seconds.items()}
    details = {**medians, "our_precision": own.precision, "network": BLACK_BOX}
    what = f"LIME, one picture, {n} masks, {len(exact.classes)} classes: the lime package's time"
    return [
        Row("image", "image-lime", f"{what} over ours, both float32", **ratio("10", "float32"),
            at_least=AT_LEAST, details=details),
        Row("image", "image-lime-batched", f"{what} in batches of 64 over ours, both float32",
            **ratio("64", "float32")),
        Row("image", "image-lime-auto", f"{what} over ours in {own.precision}",
            **ratio("10", "auto")),
        Row("image", "image-lime-top-5", "The same: share of the top five segments in common",
            **spread(shared), at_least=1.0),
    ]  # fmt: skip
