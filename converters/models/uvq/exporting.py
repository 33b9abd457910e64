"""The networks of UVQ to float32 `.tflite` files, with channels last and the published files' signatures."""

from pathlib import Path

import torch
from torch import Tensor, nn

from sealbench.converters.export.float32 import write_float32
from sealbench.converters.models.uvq.efficientnet import FEATURE_CHANNELS
from sealbench.converters.models.uvq.networks import (
    CONTENT_SIDE,
    FEATURE_SIDE,
    FRAME,
    GRID,
    PATCH,
    AggregationNet,
    ContentNet,
    DistortionNet,
    UvqChain,
)

INPUT_SHAPES: dict[type[nn.Module], tuple[tuple[int, ...], ...]] = {
    ContentNet: ((1, CONTENT_SIDE, CONTENT_SIDE, 3),),
    DistortionNet: ((GRID**2, *PATCH, 3),),
    AggregationNet: (
        (1, FEATURE_SIDE, FEATURE_SIDE, FEATURE_CHANNELS),
        (1, GRID * FEATURE_SIDE, GRID * FEATURE_SIDE, FEATURE_CHANNELS),
    ),
    UvqChain: ((1, *FRAME, 3),),
}
"""What the file of each network takes, float32; pixels are in [-1, 1]."""

OUTPUT_SHAPES: dict[type[nn.Module], tuple[int, ...]] = {
    ContentNet: (1, FEATURE_SIDE, FEATURE_SIDE, FEATURE_CHANNELS),
    DistortionNet: (1, GRID * FEATURE_SIDE, GRID * FEATURE_SIDE, FEATURE_CHANNELS),
    AggregationNet: (1, 1),
    UvqChain: (1, 1),
}
"""What it gives, float32: features, or a score."""


class PixelsLast(nn.Module):
    """Gives a network the pixels that phones have: (B, H, W, 3) instead of (B, 3, H, W)."""

    def __init__(self, network: nn.Module):
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        """Images (B, H, W, 3) to what the network gives of them."""
        return self.network(images.permute(0, 3, 1, 2))


def file_module(network: nn.Module) -> nn.Module:
    """The network as its file computes it: with the pixels last. Features are so already."""
    return network if isinstance(network, AggregationNet) else PixelsLast(network)


def export_uvq_float32(network: nn.Module, path: Path) -> None:
    """Convert one of the three networks, or their chain, to float32 and write it to `path`.

    Args:
        network: an instance of a class in INPUT_SHAPES.
        path: of the `.tflite` file.
    """
    samples = tuple(torch.zeros(shape) for shape in INPUT_SHAPES[type(network)])
    # Not with `lightweight_conversion`, as a detector: of the 1152 x 320 weights of the last block, the largest of
    # all, the batch norm is then not folded in but multiplied in each time the model runs. No recipe finds weights
    # there: an int8 file had 5.35 MB, not 4.25, and a static one did not run.
    write_float32(file_module(network).eval(), path, samples)
