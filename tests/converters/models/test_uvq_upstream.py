"""UVQ compared with upstream's own modules, from a checkout of google/uvq:

UVQ_SOURCE=/path/to/uvq make test TEST=tests/converters/models/test_uvq_upstream.py
"""

import importlib
import os
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from sealbench.converters.checkpoints.uvq import NETWORKS, load_chain, load_network
from sealbench.converters.models.uvq.networks import (
    UvqChain,
    content_view,
    patch_views,
)
from sealbench.datasets.distortions import distorted_samples
from tests.converters.uvq_inputs import features, seeded, signed


@pytest.fixture(scope="module")
def chain() -> UvqChain:
    return load_chain()


class _SqueezeExcitation(nn.Module):
    """Stands in for torchvision's: the same names, the same function."""

    def __init__(self, channels: int, squeezed: int, activation: Any):
        super().__init__()
        self.fc1 = nn.Conv2d(channels, squeezed, 1)
        self.fc2 = nn.Conv2d(squeezed, channels, 1)
        self.activation = activation()

    def forward(self, x: Tensor) -> Tensor:
        scale = nn.functional.adaptive_avg_pool2d(x, 1)
        return torch.sigmoid(self.fc2(self.activation(self.fc1(scale)))) * x


class _StochasticDepth(nn.Identity):
    """Of torchvision's nothing is left in evaluation mode."""


class _ConvNormActivation(nn.Sequential):
    """Stands in for torchvision's: convolution, norm, activation."""

    def __init__(self, *parts: Any):
        inputs, outputs, kernel, stride, padding, groups, norm, activation, dilation, _, bias, convolution = parts
        layers = [
            convolution(inputs, outputs, kernel, stride, padding, dilation=dilation, groups=groups, bias=bias or False),
            norm(outputs),
        ]
        super().__init__(*layers, *([activation()] if activation is not None else []))


@pytest.fixture(scope="module")
def upstream() -> Iterator[dict[str, nn.Module]]:
    """Upstream's own three networks, without values."""
    folder = os.environ.get("UVQ_SOURCE")
    if not folder:
        pytest.skip("set UVQ_SOURCE to a checkout of google/uvq to compare with it")
    before = dict(sys.modules)
    misc = ModuleType("torchvision.ops.misc")
    misc.__dict__.update(ConvNormActivation=_ConvNormActivation)
    operations = ModuleType("torchvision.ops")
    operations.__dict__.update(SqueezeExcitation=_SqueezeExcitation, StochasticDepth=_StochasticDepth, misc=misc)
    package = ModuleType("uvq_upstream")
    package.__path__ = [str(Path(folder) / "uvq1p5_pytorch" / "utils")]
    stand_ins = (ModuleType("torchvision"), operations, misc, package)
    sys.modules.update({module.__name__: module for module in stand_ins})
    try:
        parts = {name: importlib.import_module(f"uvq_upstream.{name}net") for name in NETWORKS}
        make = {
            "content": partial(parts["content"].ContentNet, pretrained=False),
            "distortion": partial(parts["distortion"].DistortionNet, pretrained=False),
            "aggregation": partial(parts["aggregation"].AggregationNet, pretrained=False),
        }
        yield {name: build() for name, build in make.items()}
    finally:
        for name in set(sys.modules) - set(before):
            if name.partition(".")[0] in {"torchvision", "uvq_upstream"}:
                del sys.modules[name]
        sys.modules.update(before)


@pytest.mark.parametrize("name", NETWORKS)
def test_state_has_upstreams_keys_and_shapes(upstream: dict[str, nn.Module], name: str) -> None:
    def shapes(module: nn.Module) -> dict[str, tuple[int, ...]]:
        return {key: tuple(value.shape) for key, value in module.state_dict().items()}

    assert shapes(seeded(name)) == shapes(upstream[name].get_submodule("model"))


def test_features_and_score_equal_upstreams(upstream: dict[str, nn.Module], chain: UvqChain) -> None:
    ours = {"content": chain.content_net, "distortion": chain.distortion_net, "aggregation": chain.aggregation_net}
    for name, network in ours.items():
        upstream[name].get_submodule("model").load_state_dict(network.state_dict(), strict=True)
    frames = torch.cat([signed(sample.image) for sample in distorted_samples("evaluation", (1080, 1920), 2)])
    video = frames[:, None]  # seconds, frames a second, channels, height, width
    with torch.inference_mode():
        content, distortion = upstream["content"](video), upstream["distortion"](video)
        assert largest_difference(chain.content_net(content_view(frames)), content) <= 1e-5
        assert largest_difference(chain.distortion_net(patch_views(frames)), distortion) <= 1e-5
        scores = upstream["aggregation"](content, distortion)["uvq_1p5_features"]
        assert largest_difference(chain.aggregation_net(content, distortion), scores) <= 1e-5
        assert largest_difference(chain(frames), scores) <= 1e-4
    assert scores.shape == (2, 1)


def largest_difference(ours: Tensor, upstreams: Tensor) -> float:
    """Of two tensors of one shape, relative to the second's largest value or 1."""
    assert ours.shape == upstreams.shape
    return ((ours - upstreams).abs().max() / upstreams.abs().max().clamp(min=1)).item()


def test_released_aggregation_fits_and_agrees_with_upstream(upstream: dict[str, nn.Module]) -> None:
    path = Path(os.environ["UVQ_SOURCE"]) / "uvq1p5_pytorch" / "checkpoints" / "aggregation_net.pth"
    if not path.is_file():
        pytest.skip(f"{path} is not in the checkout")
    ours = load_network("aggregation", path)
    upstream["aggregation"].load_state_dict(path)  # type: ignore[arg-type]
    with torch.inference_mode():
        for seed in range(4):
            expected = upstream["aggregation"](*features(seed))["uvq_1p5_features"]
            assert largest_difference(ours(*features(seed)), expected) <= 1e-5
