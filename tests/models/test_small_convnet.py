"""The small convnet: what it computes, what it is trained on, and that it is the same again."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from torch.nn import functional

from xai_lib.data.images import ImageDataset
from xai_lib.data.shapes import shapes
from xai_lib.models.small_convnet import (
    MEAN,
    STD,
    ConvNetRecipe,
    SmallConvNet,
    _removal,
    load_small_convnet,
    new_convnet,
    normalised,
    save_small_convnet,
    train_small_convnet,
    without_tiles,
)

SHORT = ConvNetRecipe(epochs=1, batch_size=16, width=4)


@pytest.fixture(scope="module")
def drawn() -> ImageDataset:
    return shapes(40, "train")


def as_tensor(data: ImageDataset) -> torch.Tensor:
    return torch.from_numpy(np.stack(data.images)).permute(0, 3, 1, 2)


def test_the_network_is_three_convolutions_and_a_maximum(drawn):
    network = new_convnet(5, width=4, seed=1)
    x = normalised(as_tensor(drawn)[:6])
    w = {key: value.detach() for key, value in network.state_dict().items()}
    y = functional.conv2d(x, w["first.weight"], w["first.bias"], stride=2, padding=2).clamp(min=0)
    y = functional.conv2d(y, w["second.weight"], w["second.bias"], stride=2, padding=1).clamp(min=0)
    y = functional.conv2d(y, w["third.weight"], w["third.bias"], padding=1).clamp(min=0)
    assert y.shape == (6, 8, 24, 24)
    expected = y.flatten(2).max(dim=2).values
    with torch.inference_mode():
        torch.testing.assert_close(network.features(x), expected)
        logits = expected @ w["classifier.weight"].T + w["classifier.bias"]
        torch.testing.assert_close(network(x), logits)
    assert network.last_convolution is network.third


def test_pixels_are_normalised_channel_by_channel():
    pixels = torch.tensor([0, 128, 255], dtype=torch.uint8).view(1, 3, 1, 1)
    expected = [(value / 255 - m) / s for value, m, s in zip((0, 128, 255), MEAN, STD, strict=True)]
    assert normalised(pixels).flatten().tolist() == pytest.approx(expected, abs=1e-6)


def test_removed_tiles_show_their_mean_colour(drawn):
    images = as_tensor(drawn)[:4]
    gone = torch.from_numpy(np.random.default_rng(0).random((4, 36)) < 0.4)
    found = without_tiles(images, gone)
    for image, before, row in zip(found, images, gone, strict=True):
        for tile in range(36):
            top, left = 16 * (tile // 6), 16 * (tile % 6)
            for channel in range(3):
                old = before[channel, top : top + 16, left : left + 16].numpy().astype(float)
                new = image[channel, top : top + 16, left : left + 16].numpy()
                assert (new == (np.rint(old.mean()) if row[tile] else old)).all()


def test_a_picture_without_its_glyph_shows_nothing(drawn):
    batch = np.array([7, 3, 0, 4, 21, 9])
    gone, labels = _removal(drawn, batch, 1.0, np.random.default_rng(1))
    assert gone.shape == (6, 36)
    seen = set()
    for i, row, label in zip(batch, gone, labels, strict=True):
        tile = drawn.extra["deciding"][i]
        lost = tile >= 0 and bool(row[tile])
        assert label == (4 if lost else drawn.labels[i])
        seen.add(lost)
    assert seen == {True, False}
    gone, labels = _removal(drawn, batch, 0.0, np.random.default_rng(1))
    assert not gone.any()
    assert (labels == drawn.labels[batch]).all()


def test_about_the_asked_share_of_pictures_loses_tiles():
    data = shapes(10)
    batch = np.arange(4000) % 10
    gone, _ = _removal(data, batch, 0.5, np.random.default_rng(2))
    # Half are spared; of the others the share of removed tiles is uniform, with mean 1/2.
    assert gone.mean() == pytest.approx(0.25, abs=0.02)
    # A picture chosen to lose tiles keeps all 36 with probability 1/37.
    assert gone.any(axis=1).mean() == pytest.approx(0.5 * 36 / 37, abs=0.03)


def test_the_same_seed_gives_the_same_bits(drawn):
    state, numpy_state = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    steps = []
    first, facts = train_small_convnet(drawn, SHORT, progress=lambda *step: steps.append(step))
    torch.manual_seed(99)
    torch.set_rng_state(state)
    second, _ = train_small_convnet(drawn, SHORT)
    assert torch.equal(torch.get_rng_state(), state)
    assert (np.random.get_state()[1] == numpy_state).all()  # noqa: NPY002
    other, _ = train_small_convnet(drawn, ConvNetRecipe(epochs=1, batch_size=16, width=4, seed=1))
    for name, value in first.state_dict().items():
        assert torch.equal(value, second.state_dict()[name])
        assert not torch.equal(value, other.state_dict()[name])
    assert [step[:2] for step in steps] == [(1, 3), (2, 3), (3, 3)]
    assert facts["loss"] == steps[-1][2]
    assert not first.training
    assert not any(weight.requires_grad for weight in first.parameters())


def test_a_network_is_saved_and_loaded(drawn, tmp_path):
    network, _ = train_small_convnet(drawn, SHORT)
    save_small_convnet(network, drawn.classes, tmp_path)
    again, classes = load_small_convnet(tmp_path)
    assert classes == drawn.classes
    x = normalised(as_tensor(drawn)[:3])
    with torch.inference_mode():
        assert torch.equal(network(x), again(x))
    config = tmp_path / "small_convnet.json"
    content = json.loads(config.read_text())
    config.write_text(json.dumps({**content, "width": 5}))
    with pytest.raises(ValueError, match="do not fit"):
        load_small_convnet(tmp_path)
    config.write_text(json.dumps({**content, "architecture": "another"}))
    with pytest.raises(ValueError, match=r"'another'\. Valid: small-convnet-1"):
        load_small_convnet(tmp_path)
    config.unlink()
    with pytest.raises(ValueError, match=r"it lacks small_convnet\.json"):
        load_small_convnet(tmp_path)


def test_wrong_sizes_and_data_are_named(drawn):
    with pytest.raises(ValueError, match="got 1 and 8"):
        SmallConvNet(1)
    with pytest.raises(ValueError, match="got 2 and 0"):
        SmallConvNet(2, 0)
    plain = ImageDataset(
        "plain",
        "train",
        drawn.images,
        drawn.labels,
        drawn.classes,
        "generated",
        {"file": (1,) * 40},
    )
    with pytest.raises(ValueError, match="has the columns file and the classes ring"):
        train_small_convnet(plain, SHORT)
    with pytest.raises(ValueError, match="Training needs drawn pictures"):
        train_small_convnet(drawn.take([]), SHORT)
