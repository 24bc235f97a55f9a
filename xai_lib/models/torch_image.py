"""Image classifiers that are PyTorch networks: masks on the device, gradients, features."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import nn

from xai_lib.image import ImageInstance
from xai_lib.models.batching import softmax
from xai_lib.models.image import ImageClassifier
from xai_lib.models.image_batching import (
    batches_of_pictures,
    exactly,
    pictures_at_once,
    probe_pictures,
    split_rows,
)
from xai_lib.models.precision import check_precision, fast_bfloat16, pick_device
from xai_lib.segmentation import Segmenter

# Largest change of a probability that bfloat16 may cause on the probe pictures.
BFLOAT16_TOLERANCE = 0.02


class TorchImageClassifier(ImageClassifier):
    """A convolutional network as a black box that also shows its gradients and features.

    Parameters
    ----------
    network
        A network with ``features``, a method from (n, 3, h, w) normalised pictures to what enters
        its last layer, (n, d); ``classifier``, that last layer, a linear one; and
        ``last_convolution``, the module whose output Grad-CAM reads. It is taken over: moved to
        the device in float32, put into evaluation mode, without gradients of weights.
    name
        What the black box is called in results.
    classes
        Names of the C classes.
    size
        Height and width that the network reads.
    mean, std
        Three numbers each: pixels of 0 to 1 enter as (pixel - mean) / std.
    class_index
        Which outputs of the network are the classes; the softmax is over these alone. Default all.
    segmenter
        What cuts a picture into segments.
    device
        ``"auto"``, ``"cpu"``, ``"cuda"``.
    precision
        ``"float32"``, ``"bfloat16"``, or ``"auto"``: bfloat16 where the device multiplies it in
        hardware (measured: twice the speed) and no probability of a probe picture moves by more
        than 0.02. Gradients are float32 always, and so is the last layer.

    Attributes
    ----------
    model
        The network in float32; predictions come from a copy where the precision is bfloat16.
    class_index, mean, std
        As given, as tuples.
    card
        What is known about the training; empty if nothing is.

    Raises
    ------
    ValueError
        If the network lacks one of the three, the numbers of classes or of channels do not fit, or
        the device or precision is unknown.
    """

    def __init__(
        self,
        network: Any,
        name: str,
        classes: Sequence[str],
        size: tuple[int, int],
        mean: Sequence[float],
        std: Sequence[float],
        class_index: Sequence[int] | None = None,
        segmenter: str | Segmenter = "slic",
        device: str = "cpu",
        precision: str = "auto",
    ) -> None:
        super().__init__(name, classes, size, segmenter)
        check_precision(precision)
        _check_network(network, name)
        self.class_index = _checked_index(class_index, network, self.classes)
        self.mean, self.std = (_three(values) for values in (mean, std))
        if min(self.std) <= 0:
            raise ValueError(f"std must be greater than 0 in each channel, got {list(std)}.")
        self.device, self.precision = pick_device(device), "float32"
        self.card: dict[str, Any] = {}
        network = network.to(self.device, torch.float32, memory_format=torch.channels_last)
        self.model: Any = network.eval().requires_grad_(False)
        self._runner: Any = self.model
        self._last = _rows_of(self.model.classifier, self.class_index)
        if precision == "bfloat16" or (precision == "auto" and fast_bfloat16(self.device)):
            self._use_bfloat16(BFLOAT16_TOLERANCE if precision == "auto" else None)

    def _use_bfloat16(self, tolerance: float | None) -> None:
        """Predict in bfloat16 unless it moves a probability of a probe by more than so much."""
        probes = probe_pictures(self.size)
        exact = None if tolerance is None else self._probabilities_of_images(probes)
        self._runner = copy.deepcopy(self.model).to(torch.bfloat16)
        self.precision = "bfloat16"
        if exact is None:
            return
        rounded = self._probabilities_of_images(probes)
        if np.abs(exact - rounded).max() > tolerance:
            self._runner, self.precision = self.model, "float32"
        self.calls = 0

    # Answers ------------------------------------------------------------------------------

    @property
    def _at_once(self) -> int:
        """Pictures in one batch."""
        return pictures_at_once(self.size, self.device)

    def _normalised(self, pixels: torch.Tensor) -> torch.Tensor:
        """Turn (..., 3) pixels of 0 to 1 into what the network reads."""
        mean, std = (torch.tensor(v, device=pixels.device) for v in (self.mean, self.std))
        return (pixels - mean) / std

    def _prepared(self, pixels: np.ndarray) -> torch.Tensor:
        """Bring (n, h, w, 3) uint8 pictures to the device, normalised, in the precision."""
        given = torch.from_numpy(pixels).to(self.device)
        return self._normalised(given.float() / 255).to(getattr(torch, self.precision))

    def _features(self, pieces: Iterable[torch.Tensor]) -> Iterator[np.ndarray]:
        """Send prepared pictures, in pieces of any length, through all but the last layer.

        Yields (m, d) float32 features of one batch after the other and counts its pictures.
        """
        for batch, n in batches_of_pictures(pieces, self._at_once, self.device):
            with torch.inference_mode(), exactly(self.device):
                # The channels of a pixel lie side by side, which convolutions are fastest with.
                features = self._runner.features(batch.permute(0, 3, 1, 2))[:n]
            self.calls += n
            yield features.float().cpu().numpy()

    def _probabilities(self, pieces: Iterable[torch.Tensor]) -> np.ndarray:
        """Return the (n, C) probabilities of prepared pictures."""
        weight = self._last.weight.cpu().numpy().T.astype(np.float64)
        bias = self._last.bias.cpu().numpy().astype(np.float64)
        logits = [features @ weight + bias for features in self._features(pieces)]
        return softmax(np.concatenate(logits)) if logits else np.empty((0, len(self.classes)))

    def _probabilities_of_images(self, images: np.ndarray) -> np.ndarray:
        step = self._at_once
        parts = (images[start : start + step] for start in range(0, len(images), step))
        return self._probabilities(self._prepared(part) for part in parts)

    def _probabilities_of_masks(
        self, instances: list[ImageInstance], masks: list[np.ndarray], removal: str
    ) -> list[np.ndarray]:
        answers = self._probabilities(self._masked(instances, masks, removal))
        return split_rows(answers, masks)

    def _masked(
        self, instances: Sequence[ImageInstance], masks: Sequence[np.ndarray], removal: str
    ) -> Iterator[torch.Tensor]:
        """Prepare the pictures of masks; a picture and its filling are normalised once."""
        for one, rows in zip(instances, masks, strict=True):
            if one.segments.shape != self.size:
                raise ValueError(
                    f"The black box {self.name!r} reads pictures of {self.size} pixels, got an "
                    f"instance of {one.segments.shape}; make it with this classifier."
                )
            picture, filled = self._prepared(np.stack([one.pixels, one.filled(removal)]))
            segments = torch.from_numpy(one.segments.astype(np.int64)).to(self.device)
            for part in torch.tensor(rows, device=self.device).split(self._at_once):
                yield torch.where(part[:, segments].unsqueeze(-1), picture, filled)

    # The inside ---------------------------------------------------------------------------

    def logits_of_pixels(self, pixels: torch.Tensor) -> torch.Tensor:
        """Run the float32 network on pixels; gradients flow where they are enabled.

        Parameters
        ----------
        pixels
            (n, h, w, 3) floats of 0 to 1, red, green and blue, on the classifier's device.

        Returns
        -------
        (n, C) float32 tensor
            Logits of the classes. They are not counted as calls.
        """
        return self._last(self.model.features(self._normalised(pixels).permute(0, 3, 1, 2)))

    def last_convolution(self) -> nn.Module:
        """Return the module of the float32 network whose output Grad-CAM reads."""
        return self.model.last_convolution

    def output_layer(self) -> nn.Linear:
        """Return the last layer, (C, d), with the rows of the classes only, in float32."""
        return self._last

    def masked_features(
        self,
        instances: Sequence[ImageInstance],
        masks: Sequence[np.ndarray],
        removal: str = "drop",
    ) -> list[np.ndarray]:
        """Return what enters the last layer for pictures with segments removed.

        Parameters
        ----------
        instances, masks, removal
            As for `predict_masked`, many instances.

        Returns
        -------
        list of (m, d) float32 array
            Multiplying by the weights of `output_layer` and adding its bias gives the logits.
        """
        batches = list(self._features(self._masked(instances, masks, removal)))
        empty = np.empty((0, self._last.in_features), dtype=np.float32)
        return split_rows(np.concatenate([empty, *batches]), masks)

    # Identity -----------------------------------------------------------------------------

    def _digest(self, *more: object) -> str:
        digest = hashlib.sha256()
        for name, tensor in sorted(self.model.state_dict().items()):
            digest.update(name.encode())
            digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
        settings = [self.size, self.class_index, self.mean, self.std, *more]
        digest.update(json.dumps(settings).encode())
        return digest.hexdigest()

    @cached_property
    def identity(self) -> str:
        """Hash of weights, size, classes read and normalisation; not of the segmenter."""
        return self._digest()

    @cached_property
    def fingerprint(self) -> str:
        """Hash of what `identity` holds, precision and kind of device."""
        return self._digest(self.precision, self.device.split(":")[0])


def _rows_of(layer: nn.Linear, rows: Sequence[int]) -> nn.Linear:
    """Make a linear layer of some rows of another one."""
    made = copy.deepcopy(layer)
    made.weight = nn.Parameter(layer.weight[list(rows)].contiguous(), requires_grad=False)
    bias = torch.zeros_like(layer.weight[:, 0]) if layer.bias is None else layer.bias
    made.bias = nn.Parameter(bias[list(rows)].contiguous(), requires_grad=False)
    made.out_features = len(rows)
    return made


def _check_network(network: Any, name: str) -> None:
    lacking = [
        part
        for part in ("features", "classifier", "last_convolution")
        if not hasattr(network, part)
    ]
    if lacking:
        raise ValueError(
            f"The network of {name!r} ({type(network).__name__}) has no {', '.join(lacking)}. "
            "Needed are features(x), classifier (torch.nn.Linear) and last_convolution."
        )
    if not isinstance(network.classifier, nn.Linear):
        raise ValueError(
            f"classifier of the network of {name!r} must be a torch.nn.Linear, got "
            f"{type(network.classifier).__name__}."
        )


def _checked_index(
    given: Sequence[int] | None, network: Any, classes: Sequence[str]
) -> tuple[int, ...]:
    outputs = network.classifier.out_features
    index = tuple(range(outputs)) if given is None else tuple(int(i) for i in given)
    if len(index) != len(classes):
        raise ValueError(
            f"{len(index)} outputs of the network were chosen, but {len(classes)} class names "
            f"were given: {list(classes)[:10]}."
        )
    if len(set(index)) != len(index) or min(index) < 0 or max(index) >= outputs:
        raise ValueError(
            f"class_index must hold different numbers from 0 to {outputs - 1}, got {list(index)}."
        )
    return index


def _three(values: Sequence[float]) -> tuple[float, float, float]:
    given = [float(value) for value in values]
    if len(given) != 3:
        raise ValueError(f"mean and std need one number for each of 3 channels, got {given}.")
    red, green, blue = given
    return red, green, blue
