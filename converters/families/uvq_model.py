"""UVQ's networks of a card, loaded when they are asked for."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np

from sealbench.converters.cards.image_size import ImageSize
from sealbench.converters.cards.quality import PARTS, QualityVariant
from sealbench.converters.checkpoints.uvq import load_chain, load_network
from sealbench.converters.checkpoints.uvq_files import checkpoint_files
from sealbench.converters.checkpoints.weights import Weights
from sealbench.converters.export.calibration_inputs import calibration_frames
from sealbench.converters.export.uvq import Network, export_uvq_float32
from sealbench.converters.models.uvq.folding import folded_state
from sealbench.converters.models.uvq.inputs import content_input, distortion_input, features, signed
from sealbench.converters.models.uvq.networks import ContentNet, DistortionNet


class UvqModel:
    """The networks of a card with its weights; see `sealbench.converters.families.family.Model`.

    Args:
        card: which of them.
        weights: where their values come from.
    """

    def __init__(self, card: QualityVariant, weights: Weights):
        self.card = card
        self._weights = weights

    @cached_property
    def network(self) -> Network:
        """One of the three networks, or their chain.

        Raises:
            WeightsError: a checkpoint cannot be read, or does not fit its network exactly.
        """
        found = self._found()
        if self.card.parts == PARTS:
            return load_chain(found or None)
        (part,) = self.card.parts
        return load_network(part, found.get(part))

    def check(self) -> None:
        """Load the networks."""
        _ = self.network

    def inputs(self, frame: np.ndarray) -> tuple[np.ndarray, ...]:
        """What the file takes of a frame (1080, 1920, 3) uint8: tensors in its order, float32.

        Of AggregationNet these are the features that the other two networks give: those of its folder of checkpoints,
        else seeded ones.
        """
        match self.card.parts:
            case ("content",):
                return (content_input(frame),)
            case ("distortion",):
                return (distortion_input(frame),)
            case ("aggregation",):
                return features(frame, *self._trunks)
        return (signed(frame),)

    def export(self, rewrites: Sequence[str], size: ImageSize, mode: str, path: Path) -> None:
        """See `sealbench.converters.export.uvq.export_uvq_float32`; there are no rewrites, and one size and mode."""
        export_uvq_float32(self.network, path)

    def calibration(self, size: ImageSize) -> list[tuple[np.ndarray, ...]]:
        """What the file takes, in the shapes of its inputs, of distorted photographs kept for calibration."""
        return [self.inputs(sample.image) for sample in calibration_frames()]

    def source_state(self) -> Mapping[str, np.ndarray]:
        """See `sealbench.converters.models.uvq.folding.folded_state`."""
        return folded_state(self.network)

    @cached_property
    def _trunks(self) -> tuple[ContentNet, DistortionNet]:
        found = self._found()
        content, distortion = (load_network(part, found.get(part)) for part in PARTS[:2])
        assert isinstance(content, ContentNet)
        assert isinstance(distortion, DistortionNet)
        return content, distortion

    def _found(self) -> dict[str, Path]:
        """Checkpoints by the name of their network; none for seeded values."""
        path = self._weights.path
        return {} if path is None else checkpoint_files(self.card, path)
