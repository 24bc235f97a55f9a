"""A small convolutional network for drawn shapes, trained in seconds."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from xai_lib.data.image_dataset import ImageDataset
from xai_lib.data.shapes import NOTHING, TILE_SIDE, TILES
from xai_lib.rng import generator

# Part of the name under which trained weights are cached: change it with the computation.
ARCHITECTURE = "small-convnet-1"
CONFIG, WEIGHTS = "small_convnet.json", "model.safetensors"
# What enters the network is (pixel - MEAN) / STD, with pixels from 0 to 1.
MEAN, STD = (0.5, 0.5, 0.5), (0.25, 0.25, 0.25)


class SmallConvNet(nn.Module):
    """Three convolutions, the maximum of each channel over the picture, a linear layer.

    The maximum, not the mean, because one small glyph decides: where it stands does not matter,
    and the ground around it does not dilute it.

    Parameters
    ----------
    n_classes
        Number C of logits, at least 2.
    width
        Channels of the first convolution; the others have twice as many.

    Raises
    ------
    ValueError
        If a size is too small.
    """

    def __init__(self, n_classes: int, width: int = 8) -> None:
        super().__init__()
        if n_classes < 2 or width < 1:
            raise ValueError(
                f"A network needs 2 classes and a width of 1 at least, got {n_classes} and {width}."
            )
        self.first = nn.Conv2d(3, width, 5, stride=2, padding=2)
        self.second = nn.Conv2d(width, 2 * width, 3, stride=2, padding=1)
        self.third = nn.Conv2d(2 * width, 2 * width, 3, padding=1)
        self.classifier = nn.Linear(2 * width, n_classes)

    @property
    def last_convolution(self) -> nn.Module:
        """The convolution whose maps are pooled, before ReLU."""
        return self.third

    def features(self, x: torch.Tensor) -> torch.Tensor:
        """Turn normalised pictures (n, 3, h, w) into what the last layer reads, (n, 2 width)."""
        x = torch.relu(self.first(x))
        x = torch.relu(self.second(x))
        return torch.relu(self.third(x)).amax(dim=(2, 3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Turn normalised pictures (n, 3, h, w) into (n, C) logits."""
        logits: torch.Tensor = self.classifier(self.features(x))
        return logits


@dataclass(frozen=True)
class ConvNetRecipe:
    """How a network is trained on drawn shapes.

    Attributes
    ----------
    epochs, batch_size, learning_rate
        Adam with a rate that rises over the first fifth of the steps and then falls to 0.
    width
        See `SmallConvNet`.
    removed
        Share of pictures that lose tiles: of each such picture a share, uniform between 0 and 1,
        is replaced by the mean colour of the tile. A picture that loses its glyph becomes one of
        ``"nothing"``, so that the network knows what is left when segments are removed.
    seed
        Fixes the initial weights, the order of the pictures and the removed tiles.
    """

    epochs: int = 3
    batch_size: int = 32
    learning_rate: float = 1e-2
    width: int = 8
    removed: float = 0.5
    seed: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Return the recipe as plain data."""
        return asdict(self)


def new_convnet(n_classes: int, width: int = 8, seed: int = 0) -> SmallConvNet:
    """Make an untrained `SmallConvNet` with weights from a seed, leaving torch's own alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return SmallConvNet(n_classes, width)


def normalised(images: torch.Tensor) -> torch.Tensor:
    """Turn pixels (n, 3, h, w) from 0 to 255 into what the network reads."""
    mean, std = (
        torch.tensor(values, device=images.device)[:, None, None] for values in (MEAN, STD)
    )
    return (images.float() / 255 - mean) / std


def without_tiles(images: torch.Tensor, gone: torch.Tensor) -> torch.Tensor:
    """Replace tiles by their mean colour.

    Parameters
    ----------
    images
        (n, 3, 96, 96) pixels from 0 to 255.
    gone
        (n, 36) bool: tiles to replace, row by row from the upper left.

    Returns
    -------
    (n, 3, 96, 96) float32 tensor
        Means are rounded to whole grey levels, as a picture would hold them.
    """
    n = len(images)
    tiles = images.float().reshape(n, 3, TILES, TILE_SIDE, TILES, TILE_SIDE)
    means = tiles.mean(dim=(3, 5), keepdim=True).round()
    chosen = gone.reshape(n, 1, TILES, 1, TILES, 1)
    return torch.where(chosen, means, tiles).reshape(images.shape)


def train_small_convnet(
    data: ImageDataset,
    recipe: ConvNetRecipe,
    device: str = "cpu",
    progress: Callable[[int, int, float], None] | None = None,
) -> tuple[SmallConvNet, dict[str, Any]]:
    """Train a `SmallConvNet` on drawn shapes.

    The same recipe and data on the same device and number of threads give the same weights.

    Parameters
    ----------
    data
        Pictures as `xai_lib.data.shapes.shapes` draws them, at least one.
    recipe
        Training settings.
    device
        Torch device.
    progress
        Called as ``progress(step, steps, loss)`` after every step.

    Returns
    -------
    network : SmallConvNet
        On `device`, in float32, for evaluation.
    facts : dict
        ``seconds`` and the ``loss`` of the last step.

    Raises
    ------
    ValueError
        If there are no pictures, or the data set does not say which tile decides, or has no class
        ``"nothing"``.
    """
    if "deciding" not in data.extra or NOTHING not in data.classes or not len(data):
        raise ValueError(
            f"Training needs drawn pictures with the column 'deciding' and a class {NOTHING!r}; "
            f"{data!r} has the columns {', '.join(data.extra) or 'none'} and the classes "
            f"{', '.join(data.classes)}."
        )
    start = time.perf_counter()
    images = torch.from_numpy(np.stack(data.images)).permute(0, 3, 1, 2).to(device)
    network = new_convnet(len(data.classes), recipe.width, recipe.seed)
    network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = torch.optim.Adam(network.parameters(), lr=recipe.learning_rate)
    per_epoch = -(-len(data) // recipe.batch_size)
    steps = recipe.epochs * per_epoch
    rate = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, recipe.learning_rate, total_steps=steps, pct_start=0.2
    )
    step, value = 0, float("nan")
    for epoch in range(recipe.epochs):
        rng = generator(recipe.seed, "convnet", "epoch", epoch)
        for batch in np.array_split(rng.permutation(len(data)), per_epoch):
            gone, labels = _removal(data, batch, recipe.removed, rng)
            pictures = without_tiles(images[batch], torch.from_numpy(gone).to(device))
            inputs = normalised(pictures).contiguous(memory_format=torch.channels_last)
            wanted = torch.from_numpy(labels).to(device)
            loss = nn.functional.cross_entropy(network(inputs), wanted)
            loss.backward()
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            rate.step()
            step, value = step + 1, float(loss.detach())
            if progress is not None:
                progress(step, steps, value)
    network.eval().requires_grad_(False)
    return network, {"seconds": round(time.perf_counter() - start, 1), "loss": value}


def _removal(
    data: ImageDataset, batch: np.ndarray, share: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Draw the tiles that pictures lose, and return what they show then."""
    n = len(batch)
    rates = rng.random((n, 1)) * (rng.random((n, 1)) < share)
    gone = rng.random((n, TILES * TILES)) < rates
    deciding = np.array([data.extra["deciding"][i] for i in batch])
    lost = (deciding >= 0) & gone[np.arange(n), np.maximum(deciding, 0)]
    return gone, np.where(lost, data.classes.index(NOTHING), data.labels[batch])


def save_small_convnet(network: SmallConvNet, classes: tuple[str, ...], folder: str | Path) -> None:
    """Write weights, classes and sizes into an existing folder."""
    from safetensors.torch import save_file

    weights = {key: value.cpu().contiguous() for key, value in network.state_dict().items()}
    save_file(weights, Path(folder) / WEIGHTS)
    config = {
        "architecture": ARCHITECTURE,
        "classes": classes,
        "width": network.first.out_channels,
    }
    (Path(folder) / CONFIG).write_text(json.dumps(config, indent=1), encoding="utf-8")


def load_small_convnet(folder: str | Path) -> tuple[SmallConvNet, tuple[str, ...]]:
    """Read what `save_small_convnet` wrote.

    Returns
    -------
    network : SmallConvNet
        On the CPU, in float32, for evaluation.
    classes : tuple of str
        Names of the C classes.

    Raises
    ------
    ValueError
        If the folder lacks a file, or holds another architecture or other weights.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    path = Path(folder)
    if missing := [file for file in (CONFIG, WEIGHTS) if not (path / file).is_file()]:
        raise ValueError(
            f"{str(folder)!r} is no folder of a small convnet: it lacks {', '.join(missing)}."
        )
    config = json.loads((path / CONFIG).read_text("utf-8"))
    if config.get("architecture") != ARCHITECTURE:
        raise ValueError(
            f"{str(folder)!r} holds a network {config.get('architecture')!r}. Valid: "
            f"{ARCHITECTURE}."
        )
    network = new_convnet(len(config["classes"]), config["width"])
    try:
        network.load_state_dict(load_file(path / WEIGHTS))
    except (RuntimeError, SafetensorError) as error:
        raise ValueError(f"The weights in {str(folder)!r} do not fit: {error}") from error
    return network.eval().requires_grad_(False), tuple(config["classes"])
