"""PyTorch detector to a float32 `.tflite` file."""

from pathlib import Path

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from sealbench.converters.cards.image_size import ImageSize
from sealbench.converters.cards.watermark import Variant
from sealbench.converters.export.float32 import write_float32


class ChannelsLast(nn.Module):
    """Gives a detector the input that phones have: (1, H, W, 3) instead of (1, 3, H, W)."""

    def __init__(self, detector: nn.Module):
        super().__init__()
        self.detector = detector

    def forward(self, images: Tensor) -> Tensor:
        """Images (1, H, W, 3) in [0, 1] to logits (1, 1 + nbits)."""
        return self.detector(images.permute(0, 3, 1, 2))


class ResizeFirst(nn.Module):
    """Antialiased bilinear resize of one fixed size to another, as two constant matrices, then the detector.

    The operation that PyTorch uses has no lowering to TFLite. For fixed sizes it is linear and separable, so that
    `rows @ image @ columns.T` for each channel equals it. It is computed as `rows @ (columns @ image.T).T`: with the
    constant on the left both products become BATCH_MATMUL, which a recipe can tell from the detector's own layers.
    """

    rows: Tensor
    columns: Tensor

    def __init__(self, detector: nn.Module, size: ImageSize, side: int):
        super().__init__()
        self.detector = detector
        self.register_buffer("rows", resize_matrix(size.height, side))
        self.register_buffer("columns", resize_matrix(size.width, side))

    def forward(self, images: Tensor) -> Tensor:
        """Images (1, 3, H, W) in [0, 1] to logits (1, 1 + nbits)."""
        narrow = (self.columns @ images.transpose(2, 3)).transpose(2, 3)  # (1, 3, H, side)
        return self.detector(self.rows @ narrow)


def resize_matrix(before: int, after: int) -> Tensor:
    """The matrix (after, before) that resizes a line of `before` pixels as `layers.resize` does.

    Column i is what becomes of a line that is 1 at pixel i and 0 elsewhere.
    """
    identity = torch.eye(before)[None, None]  # (1, 1, before, before)
    resized = F.interpolate(identity, size=(after, before), mode="bilinear", align_corners=False, antialias=True)
    return resized[0, 0]  # (after, before)


def wrap_detector(detector: nn.Module, variant: Variant, size: ImageSize, mode: str) -> nn.Module:
    """The module that is exported: channels-last input, resized inside the model in mode `resize`."""
    if mode == "resize":
        detector = ResizeFirst(detector, size, variant.image_size)
    return ChannelsLast(detector).eval()


def export_float32(detector: nn.Module, variant: Variant, size: ImageSize, mode: str, path: Path) -> None:
    """Convert a detector to float32 and write it to `path`.

    Args:
        detector: images (B, 3, H, W) in [0, 1] to logits (B, 1 + nbits).
        variant: its card.
        size: of the images that the file will take.
        mode: `simple` or `resize`.
        path: of the `.tflite` file; input (1, H, W, 3) float32, output (1, 1 + nbits) float32.
    """
    module = wrap_detector(detector, variant, size, mode)
    sample = torch.zeros(1, size.height, size.width, 3)
    # Constants of more than a million values stay where PyTorch has them instead of being copied from pass to pass:
    # the peak of memory for chunkyseal (2.95 GB of weights) is 10.2 GB, not 15.9 GB, and the graph is no worse.
    write_float32(module, path, (sample,), lightweight_conversion=True)
