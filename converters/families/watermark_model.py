"""A variant's networks, loaded when they are asked for. Imports no torch."""

from functools import cached_property
from typing import TYPE_CHECKING

from sealbench.converters.cards.card import Variant
from sealbench.converters.checkpoints.weights import Weights, load_detector, load_watermarker

if TYPE_CHECKING:
    from torch import nn

    from sealbench.converters.models.watermarker import Watermarker


class LazyModel:
    """The PyTorch networks of a variant with its weights.

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
    def detector(self) -> "nn.Module":
        """Images (B, 3, H, W) in [0, 1] to logits (B, 1 + nbits).

        Raises:
            WeightsError: the checkpoint cannot be read, or its detector does not fit the variant exactly.
        """
        return load_detector(self._variant, self._weights)

    @property
    def network(self) -> "nn.Module":
        """What is exported: the detector."""
        return self.detector

    def check(self) -> None:
        """Read the whole checkpoint.

        Raises:
            WeightsError: see `watermarker`.
        """
        self.watermarker()

    def watermarker(self) -> "Watermarker":
        """Embedder and detector, loaded anew at every call.

        Raises:
            WeightsError: the checkpoint cannot be read, or does not fit the variant exactly.
        """
        return load_watermarker(self._variant, self._weights)
