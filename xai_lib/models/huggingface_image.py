"""Hugging Face image classifiers, cut before their last layer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from xai_lib.models.torch_image import TorchImageClassifier
from xai_lib.segmentation import Segmenter

# What some processors do beyond scaling and normalising, and nothing here does.
_UNKNOWN_STEPS = ("rescale_offset", "include_top", "do_flip_channel_order", "do_color_quantize")


class SplitNetwork(nn.Module):
    """An image classifier of transformers as features and a last linear layer.

    Parameters
    ----------
    model
        Called with ``pixel_values``, (n, 3, h, w), it returns what has ``logits``. Its last layer
        is taken out of it: a linear one, or a convolution of 1 x 1 on a single position.
    size
        Height and width that it reads.

    Attributes
    ----------
    network
        The model without its last layer.
    classifier
        The last layer.

    Raises
    ------
    ValueError
        If the model does not end in a layer of this kind.
    """

    def __init__(self, model: Any, size: tuple[int, int]) -> None:
        super().__init__()
        self.network = model.eval()
        for module in model.modules():
            # Else an activation would overwrite what Grad-CAM reads.
            if getattr(module, "inplace", False) is True:
                module.inplace = False
        x = torch.linspace(-1, 1, 3 * size[0] * size[1]).view(1, 3, *size)
        logits, ran = _watched(model, x)
        heads = [name for name, module, _ in ran if _is_head(module, logits.shape[1])]
        if heads:
            head = model.get_submodule(heads[-1])
            self.classifier = _linear(head)
            parent, _, last = heads[-1].rpartition(".")
            setattr(model.get_submodule(parent), last, nn.Identity())
        if not heads or not self._equals(x, logits):
            raise ValueError(
                f"{type(model).__name__} does not end in one linear layer with "
                f"{logits.shape[1]} outputs, which is needed to read its features."
            )
        self._maps = _last_map(ran)

    def _equals(self, x: torch.Tensor, logits: torch.Tensor) -> bool:
        with torch.no_grad():
            features = self.features(x)
            if features.shape != (1, self.classifier.in_features):
                return False
            return torch.allclose(self.classifier(features), logits, rtol=1e-3, atol=1e-4)

    def features(self, x: torch.Tensor) -> torch.Tensor:
        """Turn (n, 3, h, w) normalised pictures into what enters the last layer, (n, d)."""
        return self.network(pixel_values=x).logits.flatten(1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the logits of normalised pictures (n, 3, h, w)."""
        return self.classifier(self.features(x))

    @property
    def last_convolution(self) -> nn.Module:
        """The module after which the last map of features is complete, before pooling.

        The last one whose output has the height and width of what the last convolution returns:
        its activation, or the whole block where several convolutions are joined, as in Inception.
        """
        if self._maps is None:
            raise ValueError(f"{type(self.network).__name__} has no convolution.")
        return self.network.get_submodule(self._maps)


def _watched(model: Any, x: torch.Tensor) -> tuple[torch.Tensor, list[tuple[str, nn.Module, Any]]]:
    """Run a model and note its modules with their outputs, in the order of their end."""
    ran: list[tuple[str, nn.Module, Any]] = []

    def noting(name: str) -> Any:
        return lambda module, _, output: ran.append((name, module, output))

    hooks = [m.register_forward_hook(noting(name)) for name, m in model.named_modules() if name]
    try:
        with torch.no_grad():
            return model(pixel_values=x).logits, ran
    finally:
        for hook in hooks:
            hook.remove()


def _is_head(module: nn.Module, outputs: int) -> bool:
    if isinstance(module, nn.Linear):
        return module.out_features == outputs
    return (
        isinstance(module, nn.Conv2d)
        and module.out_channels == outputs
        and module.kernel_size == (1, 1)
        and module.groups == 1
    )


def _linear(head: Any) -> nn.Linear:
    """Return a last layer as a linear one."""
    if isinstance(head, nn.Linear):
        return head
    layer = nn.Linear(head.in_channels, head.out_channels, bias=head.bias is not None)
    layer.weight = nn.Parameter(head.weight.detach().flatten(1))
    if head.bias is not None:
        layer.bias = nn.Parameter(head.bias.detach())
    return layer


def _last_map(ran: list[tuple[str, nn.Module, Any]]) -> str | None:
    """Name the last module with a map of the height and width of the last convolution's."""
    sizes = [
        output.shape[2:]
        for _, module, output in ran
        if isinstance(module, nn.Conv2d) and output.shape[2:].numel() > 1
    ]
    for name, _, output in reversed(ran):
        is_map = isinstance(output, torch.Tensor) and output.ndim == 4
        if sizes and is_map and output.shape[2:] == sizes[-1]:
            return name
    return None


def normalisation(
    settings: Mapping[str, Any],
) -> tuple[tuple[int, int], list[float], list[float]]:
    """Read size, mean and standard deviation out of the settings of an image processor.

    Parameters
    ----------
    settings
        ``preprocessor_config.json`` of transformers, or ``pretrained_cfg`` of timm.

    Returns
    -------
    size : (int, int)
        Height and width that enter the network: of the cropped picture where it is cropped.
    mean, std : list of float
        For pixels of 0 to 1.

    Raises
    ------
    ValueError
        If the size is missing, or the processor takes steps that are not known here.
    """
    if "input_size" in settings:
        _, high, wide = settings["input_size"]
        return (int(high), int(wide)), list(settings["mean"]), list(settings["std"])
    if unknown := [step for step in _UNKNOWN_STEPS if settings.get(step)]:
        raise ValueError(f"The image processor has a step that is not known: {', '.join(unknown)}.")
    cropped = settings.get("do_center_crop") and settings.get("crop_size")
    given = settings["crop_size"] if cropped else settings.get("size")
    if isinstance(given, int):
        given = {"shortest_edge": given}
    if isinstance(given, Mapping) and "shortest_edge" in given:
        given = {"height": given["shortest_edge"], "width": given["shortest_edge"]}
    if not (isinstance(given, Mapping) and {"height", "width"} <= set(given)):
        raise ValueError(f"The image processor gives no height and width, but the size {given!r}.")
    # Networks may read pixels of another range than 0 to 1.
    factor = settings.get("rescale_factor", 1 / 255) if settings.get("do_rescale", True) else 1.0
    mean, std = [0.0] * 3, [1.0] * 3
    if settings.get("do_normalize", True):
        mean, std = settings.get("image_mean", mean), settings.get("image_std", std)
    scale = 255 * factor
    size = (int(given["height"]), int(given["width"]))
    return size, [value / scale for value in mean], [value / scale for value in std]


def _processor_settings(path: str, config: Any) -> Mapping[str, Any]:
    """Read an image processor's file; the processor itself may need torchvision."""
    from transformers.image_processing_base import ImageProcessingMixin

    # A checkpoint of timm has its settings in the model's configuration.
    if pretrained := getattr(config, "pretrained_cfg", None):
        return pretrained
    settings, _ = ImageProcessingMixin.get_image_processor_dict(path)
    return settings


def load_huggingface_image(
    path: str | Path,
    name: str | None = None,
    class_index: Sequence[int] | None = None,
    segmenter: str | Segmenter = "slic",
    device: str = "auto",
    precision: str = "auto",
    classes: Sequence[str] | None = None,
) -> TorchImageClassifier:
    """Load an image classifier from a local folder or by its hub id.

    Pictures are scaled to the size that enters the network, without keeping their aspect ratio
    and without cropping, whatever the checkpoint's own image processor does.

    Parameters
    ----------
    path
        Folder written by ``save_pretrained`` with its ``preprocessor_config.json``, or a hub id.
        Ids of timm's checkpoints, such as ``timm/vgg16.tv_in1k``, need the package ``timm``.
    name
        What the black box is called in results; default the last part of `path`.
    class_index
        Which outputs of the network are the classes; default all.
    segmenter, device, precision
        See `TorchImageClassifier`.
    classes
        Names of the classes; default the model's own, with the number of the output added where
        two have the same.

    Returns
    -------
    TorchImageClassifier

    Raises
    ------
    ValueError
        If nothing can be loaded from there, weights are missing, the model does not end in a
        linear layer, or its image processor does what is not known here.
    """
    from transformers import AutoModelForImageClassification

    try:
        model, loading = AutoModelForImageClassification.from_pretrained(
            path, dtype=torch.float32, output_loading_info=True
        )
        settings = _processor_settings(str(path), model.config)
    except (OSError, ValueError, ImportError) as error:
        raise ValueError(
            f"No image classifier could be loaded from {str(path)!r}, neither as a folder "
            f"written by save_pretrained nor as a hub id: {error}"
        ) from error
    learned = {key for key, _ in model.named_parameters(remove_duplicate=False)}
    if missing := sorted(learned & set(loading["missing_keys"])):
        raise ValueError(
            f"{str(path)!r} lacks weights of a {type(model).__name__}, which would be random "
            f"numbers: {', '.join(missing[:6])}."
        )
    labels = [str(model.config.id2label[i]) for i in range(len(model.config.id2label))]
    often = Counter(labels)
    labels = [f"{one} ({i})" if often[one] > 1 else one for i, one in enumerate(labels)]
    if classes is None:
        classes = labels if class_index is None else [labels[i] for i in class_index]
    size, mean, std = normalisation(settings)
    return TorchImageClassifier(
        SplitNetwork(model, size),
        *(name or Path(path).name, classes, size, mean, std, class_index),
        *(segmenter, device, precision),
    )
