"""EfficientNet-Lite against a slow reading of the architecture, and against another package."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pytest
import torch
from torch.nn import functional

from benchmarks.image import shipped_network
from xai_lib.data.prepare import SourceUnavailable
from xai_lib.models import convolution, efficientnet_lite
from xai_lib.models.convolution import Convolution, can_fuse
from xai_lib.models.efficientnet_lite import EfficientNetLite, load_original

# Channels in, channels out, kernel, stride, widening of each block, multiplied out by hand.
BLOCKS = {
    0: [
        (32, 16, 3, 1, 1),
        *[(16, 24, 3, 2, 6), (24, 24, 3, 1, 6)],
        *[(24, 40, 5, 2, 6), (40, 40, 5, 1, 6)],
        *[(40, 80, 3, 2, 6), (80, 80, 3, 1, 6), (80, 80, 3, 1, 6)],
        *[(80, 112, 5, 1, 6), (112, 112, 5, 1, 6), (112, 112, 5, 1, 6)],
        *[(112, 192, 5, 2, 6), *[(192, 192, 5, 1, 6)] * 3],
        (192, 320, 3, 1, 6),
    ],
    2: [
        (32, 16, 3, 1, 1),
        *[(16, 24, 3, 2, 6), (24, 24, 3, 1, 6), (24, 24, 3, 1, 6)],
        *[(24, 48, 5, 2, 6), (48, 48, 5, 1, 6), (48, 48, 5, 1, 6)],
        *[(48, 88, 3, 2, 6), *[(88, 88, 3, 1, 6)] * 3],
        *[(88, 120, 5, 1, 6), *[(120, 120, 5, 1, 6)] * 3],
        *[(120, 208, 5, 2, 6), *[(208, 208, 5, 1, 6)] * 4],
        (208, 352, 3, 1, 6),
    ],
}


def random_state(variant: int) -> dict[str, torch.Tensor]:
    """A state dict with the original's names and random values, those of the norms included."""
    torch_generator = torch.Generator().manual_seed(variant)
    state = {}

    def unit(name: str, norm: str, channels: int, out: int, kernel: int) -> None:
        weight = torch.randn(out, channels, kernel, kernel, generator=torch_generator)
        state[f"{name}.weight"] = weight / math.sqrt(channels * kernel**2)
        for part, low, high in [
            ("weight", 1.0, 1.6),
            ("bias", -0.5, 0.5),
            ("running_mean", -0.5, 0.5),
            ("running_var", 0.5, 2.0),
        ]:
            values = torch.rand(out, generator=torch_generator)
            state[f"{norm}.{part}"] = low + (high - low) * values
        state[f"{norm}.num_batches_tracked"] = torch.tensor(7)

    unit("_conv_stem", "_bn0", 3, 32, 3)
    for i, (channels, out, kernel, _, widening) in enumerate(BLOCKS[variant]):
        block, inside = f"_blocks.{i}.", channels * widening
        if widening > 1:
            unit(block + "_expand_conv", block + "_bn0", channels, inside, 1)
        unit(block + "_depthwise_conv", block + "_bn1", 1, inside, kernel)
        unit(block + "_project_conv", block + "_bn2", inside, out, 1)
    unit("_conv_head", "_bn1", BLOCKS[variant][-1][1], 1280, 1)
    state["_fc.weight"] = torch.randn(1000, 1280, generator=torch_generator) / 36
    state["_fc.bias"] = torch.randn(1000, generator=torch_generator)
    return state


def slow_map(state: dict[str, torch.Tensor], variant: int, x: torch.Tensor) -> torch.Tensor:
    """The last feature map, step by step, with batch norms and TensorFlow's padding as they are."""

    def unit(x, name, norm, stride=1, groups=1, linear=False):
        weight = state[f"{name}.weight"]
        kernel = weight.shape[-1]
        for axis in (2, 3):
            n = x.shape[axis]
            total = max((math.ceil(n / stride) - 1) * stride + kernel - n, 0)
            sides = [total // 2, total - total // 2]
            x = functional.pad(x, [0, 0, *sides] if axis == 2 else [*sides, 0, 0])
        x = functional.conv2d(x, weight, stride=stride, groups=groups)
        statistics = [state[f"{norm}.{p}"] for p in ("running_mean", "running_var")]
        affine = [state[f"{norm}.{p}"] for p in ("weight", "bias")]
        x = functional.batch_norm(x, *statistics, *affine, eps=1e-3)
        return x if linear else x.clamp(0, 6)

    x = unit(x, "_conv_stem", "_bn0", stride=2)
    for i, (channels, out, _, stride, widening) in enumerate(BLOCKS[variant]):
        block, inside = f"_blocks.{i}.", channels * widening
        y = unit(x, block + "_expand_conv", block + "_bn0") if widening > 1 else x
        y = unit(y, block + "_depthwise_conv", block + "_bn1", stride, groups=inside)
        y = unit(y, block + "_project_conv", block + "_bn2", linear=True)
        x = x + y if stride == 1 and channels == out else y
    return unit(x, "_conv_head", "_bn1")


@pytest.fixture(scope="module", params=[0, 2])
def loaded(request) -> Iterator[tuple[int, dict[str, torch.Tensor], EfficientNetLite]]:
    """A variant, random weights in the original's names, and our network with them."""
    state = random_state(request.param)
    network = EfficientNetLite(request.param).eval()
    load_original(network, state)
    return request.param, state, network.requires_grad_(False)


@pytest.mark.parametrize("size", [(64, 64), (65, 65), (50, 37), (9, 100), (1, 1)])
def test_equals_the_slow_reading(loaded, size):
    variant, state, network = loaded
    x = torch.rand(2, 3, *size, generator=torch.Generator().manual_seed(0)) * 2 - 1
    features = slow_map(state, variant, x).mean(dim=(2, 3))
    logits = features @ state["_fc.weight"].T + state["_fc.bias"]
    # What differs between two pictures is much larger than the tolerance; one pixel is lost in
    # the zeros around it.
    assert size == (1, 1) or (features[0] - features[1]).abs().max() > 1e-2
    for mode in (torch.inference_mode, torch.enable_grad):
        with mode():
            torch.testing.assert_close(network.features(x), features, rtol=1e-4, atol=1e-4)
            torch.testing.assert_close(network(x), logits, rtol=1e-4, atol=1e-4)


def test_last_convolution_sees_the_picture_upright(loaded):
    variant, state, network = loaded
    x = torch.zeros(1, 3, 128, 128)
    x[:, :, :32, :64] = 1.0
    expected = slow_map(state, variant, x)
    caught = []
    hook = network.last_convolution.register_forward_hook(lambda *args: caught.append(args[-1]))
    network(x)
    hook.remove()
    assert caught[0].shape == (1, 1280, 4, 4)
    torch.testing.assert_close(caught[0], expected, rtol=1e-4, atol=1e-4)
    assert (expected - expected.flip(2, 3)).abs().max() > 0.1


def test_gradient_equals_the_slow_readings(loaded):
    variant, state, network = loaded
    x = torch.rand(1, 3, 40, 40, generator=torch.Generator().manual_seed(1))
    ours, slow = x.clone().requires_grad_(), x.clone().requires_grad_()
    network.features(ours)[0, :50].sum().backward()
    slow_map(state, variant, slow).mean(dim=(2, 3))[0, :50].sum().backward()
    assert slow.grad.abs().max() > 1e-2
    torch.testing.assert_close(ours.grad, slow.grad, rtol=1e-3, atol=1e-5)


def test_size_and_number_of_weights():
    # Weights by hand, for each block: kernels and one bias for each output channel.
    for variant, size in ((0, 224), (2, 260)):
        network = EfficientNetLite(variant)
        count = 3 * 32 * 9 + 32
        for channels, out, kernel, _, widening in BLOCKS[variant]:
            inside = channels * widening
            count += (channels * inside + inside) if widening > 1 else 0
            count += inside * kernel**2 + inside + inside * out + out
        count += BLOCKS[variant][-1][1] * 1280 + 1280 + 1280 * 1000 + 1000
        assert sum(p.numel() for p in network.parameters()) == count
        assert network.size == (size, size)


def test_every_tensor_is_used():
    state = random_state(0)
    network = EfficientNetLite(0)
    lacking = {name: tensor for name, tensor in state.items() if name != "_blocks.3._bn1.bias"}
    with pytest.raises(ValueError, match=r"Missing: \['_blocks\.3\._bn1\.bias'\]; left over: \[\]"):
        load_original(network, lacking)
    with pytest.raises(ValueError, match=r"Missing: \[\]; left over: \['_se\.weight'\]"):
        load_original(network, state | {"_se.weight": torch.ones(1)})
    with pytest.raises(ValueError, match="not the weights of this EfficientNet-Lite"):
        load_original(network, random_state(2))


def test_unknown_variant():
    with pytest.raises(ValueError, match=r"no EfficientNet-Lite1 here\. Valid variants: 0, 2\."):
        efficientnet_lite.efficientnet_lite(1)


# One convolution ------------------------------------------------------------------------------


@pytest.mark.parametrize("linear", [False, True])
@pytest.mark.parametrize("kernel, stride, groups", [(1, 1, 1), (3, 2, 1), (5, 2, 8), (3, 1, 8)])
def test_fused_and_plain_convolutions_agree(monkeypatch, linear, kernel, stride, groups):
    layer = Convolution(8, 16, kernel, stride, groups, linear)
    x = torch.randn(3, 8, 11, 14, generator=torch.Generator().manual_seed(0)) * 4
    plain = functional.conv2d(x, layer.weight, layer.bias, stride, kernel // 2, 1, groups)
    expected = (plain if linear else plain.clamp(0, 6)).detach()
    fusing = can_fuse(torch.float32)
    for allowed in (fusing, False):
        monkeypatch.setattr(convolution, "can_fuse", lambda dtype, allowed=allowed: allowed)
        with torch.inference_mode():
            torch.testing.assert_close(layer(x), expected, rtol=1e-5, atol=1e-5)
    assert layer(x).requires_grad


def test_what_cannot_be_fused_is_not(monkeypatch):
    def fails(*args: object, **kwargs: object) -> torch.Tensor:
        raise AttributeError("no such operation")

    def wrong(x: torch.Tensor, *args: object, **kwargs: object) -> torch.Tensor:
        return torch.zeros(1, 16, 3, 3)

    for broken in (fails, wrong):
        monkeypatch.setattr(convolution, "_fused", broken)
        assert not can_fuse.__wrapped__(torch.float32)


# The real weights -----------------------------------------------------------------------------


@pytest.mark.network
@pytest.mark.parametrize("variant", [0, 2])
def test_equals_the_reference_package(variant):
    try:
        network, reference = efficientnet_lite.efficientnet_lite(variant), shipped_network(variant)
    except SourceUnavailable as error:
        pytest.skip(f"no package registry: {error}")
    given = efficientnet_lite.VARIANTS[variant]
    x = torch.randn(2, 3, given.size, given.size, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected, pooled = reference(x), reference.extract_features(x).mean(dim=(2, 3))
        assert expected.abs().max() > 3
        torch.testing.assert_close(network(x), expected, rtol=0, atol=1e-4)
        torch.testing.assert_close(network.features(x), pooled, rtol=0, atol=1e-4)
    assert not network.training
