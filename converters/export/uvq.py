"""The networks of UVQ to float32 `.tflite` files, with channels last and the published files' signatures."""

from pathlib import Path

import torch
from torch import Tensor, nn

from sealbench.converters.export.float32 import write_float32
from sealbench.converters.models.uvq.networks import AggregationNet, ContentNet, DistortionNet, UvqChain
from sealbench.converters.models.uvq.shapes import CHAIN, INPUT_SHAPES

Network = ContentNet | DistortionNet | AggregationNet | UvqChain
_NAMES: dict[type[nn.Module], str] = {
    ContentNet: "content",
    DistortionNet: "distortion",
    AggregationNet: "aggregation",
    UvqChain: CHAIN,
}


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


def export_uvq_float32(network: Network, path: Path) -> None:
    """Convert one of the three networks, or their chain, to float32 and write it to `path`.

    Args:
        network: in evaluation mode.
        path: of the `.tflite` file.
    """
    samples = tuple(torch.zeros(shape) for shape in INPUT_SHAPES[_NAMES[type(network)]])
    # Not with `lightweight_conversion`, as a detector: of the 1152 x 320 weights of the last block, the largest of
    # all, the batch norm is then not folded in but multiplied in each time the model runs. No recipe finds weights
    # there: an int8 file had 5.35 MB, not 4.25, and a static one did not run.
    write_float32(file_module(network).eval(), path, samples)
