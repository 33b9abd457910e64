"""A watermark variant's networks, loaded when they are asked for."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
from torch import nn

from sealbench.converters.cards.image_size import ImageSize
from sealbench.converters.cards.watermark import Variant
from sealbench.converters.checkpoints.loading import load_detector, load_watermarker
from sealbench.converters.checkpoints.weights import Weights
from sealbench.converters.export.calibration import calibration_images
from sealbench.converters.export.detector import export_float32
from sealbench.converters.models.watermarker import Watermarker
from sealbench.converters.rewrites.apply import apply_rewrites, source_state


class LazyModel:
    """The PyTorch networks of a variant with its weights; see `sealbench.converters.families.family.Model`.

    The detector is kept, since everything needs it; the whole model is not, since of chunkyseal the embedder alone has
    4.1 GB.

    Args:
        variant: the card.
        weights: where the values come from.
    """

    def __init__(self, variant: Variant, weights: Weights):
        self._variant = variant
        self._weights = weights

    @cached_property
    def detector(self) -> nn.Module:
        """Images (B, 3, H, W) in [0, 1] to logits (B, 1 + nbits).

        Raises:
            WeightsError: the checkpoint cannot be read, or its detector does not fit the variant exactly.
        """
        return load_detector(self._variant, self._weights)

    @property
    def network(self) -> nn.Module:
        """What is exported: the detector."""
        return self.detector

    def check(self) -> None:
        """Read the whole checkpoint.

        Raises:
            WeightsError: see `watermarker`.
        """
        self.watermarker()

    def watermarker(self) -> Watermarker:
        """Embedder and detector, loaded anew at every call.

        Raises:
            WeightsError: the checkpoint cannot be read, or does not fit the variant exactly.
        """
        return load_watermarker(self._variant, self._weights)

    def export(self, rewrites: Sequence[str], size: ImageSize, mode: str, path: Path) -> None:
        """See `sealbench.converters.export.detector.export_float32`."""
        export_float32(apply_rewrites(self.network, rewrites), self._variant, size, mode, path)

    def calibration(self, size: ImageSize) -> np.ndarray:
        """See `sealbench.converters.export.calibration.calibration_images`."""
        return calibration_images(self.watermarker(), self._variant.nbits, size)

    def source_state(self) -> Mapping[str, np.ndarray]:
        """See `sealbench.converters.rewrites.apply.source_state`; float32, by name, in PyTorch's shapes."""
        return source_state(self.network)
