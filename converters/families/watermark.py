"""Watermark detectors of the VideoSeal family: images in, detection confidence and bit logits out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sealbench.converters.cards.card import Card, Variant
from sealbench.converters.cards.image_size import ImageSize, check_image_size
from sealbench.converters.errors import WeightsError
from sealbench.converters.export.precisions import Precision, Rule
from sealbench.converters.families import Model
from sealbench.converters.tflite.model_file import ModelFile, check_detector_signature

if TYPE_CHECKING:
    import numpy as np
    from torch import nn

    from sealbench.converters.checkpoints.weights import Weights


@dataclass(frozen=True)
class WatermarkFamily:
    """See `sealbench.converters.families.Family`."""

    image_scale: float = 2.0
    seeding: Mapping[str, Any] = field(default_factory=dict)

    def default_size(self, card: Card) -> ImageSize:
        """A square."""
        side = as_variant(card).image_size
        return ImageSize(side, side)

    def check_size(self, card: Card, size: ImageSize, mode: str) -> None:
        """See `sealbench.converters.cards.image_size.check_image_size`."""
        check_image_size(as_variant(card), size, mode)

    def file_stem(self, card: Card) -> str:
        """As published."""
        return f"videoseal_detector_{card.name}"

    def check_file(self, file: ModelFile, card: Card, size: ImageSize) -> None:
        """See `sealbench.converters.tflite.model_file.check_detector_signature`."""
        check_detector_signature(file, as_variant(card).nbits, size.height, size.width)

    def checkpoints(self, card: Card, path: Path) -> Sequence[Path]:
        """One file.

        Raises:
            WeightsError: it is not there.
        """
        if not path.is_file():
            raise WeightsError(f"{path}: no such file; expected a .safetensors or .pth checkpoint of {card.name}")
        return (path,)

    def model(self, card: Card, weights: "Weights") -> Model:
        """Embedder and detector."""
        from sealbench.converters.families.watermark_model import LazyModel

        return LazyModel(as_variant(card), weights)

    def recipe(self, precision: Precision, rewrites: tuple[str, ...]) -> tuple[Rule, ...]:
        """See `sealbench.converters.export.precisions.Precision.recipe_for`."""
        return precision.recipe_for(rewrites)

    def export(self, network: "nn.Module", card: Card, size: ImageSize, mode: str, path: Path) -> None:
        """See `sealbench.converters.export.detector.export_float32`."""
        from sealbench.converters.export.detector import export_float32

        export_float32(network, as_variant(card), size, mode, path)

    def calibration(self, model: Model, card: Card, size: ImageSize) -> "np.ndarray":
        """See `sealbench.converters.export.calibration.calibration_images`."""
        from sealbench.converters.export.calibration import calibration_images
        from sealbench.converters.families.watermark_model import LazyModel

        assert isinstance(model, LazyModel)
        return calibration_images(model.watermarker(), as_variant(card).nbits, size)

    def calibration_fingerprint(self, card: Card, size: ImageSize) -> str:
        """See `sealbench.converters.export.calibration.calibration_fingerprint`."""
        from sealbench.converters.export.calibration import calibration_fingerprint

        return calibration_fingerprint(as_variant(card).nbits, size)

    def source_state(self, network: "nn.Module") -> "Mapping[str, np.ndarray]":
        """See `sealbench.converters.tflite.weight_slopes.source_state`."""
        from sealbench.converters.tflite.weight_slopes import source_state

        return source_state(network)


def as_variant(card: Card) -> Variant:
    """A card of this family as what it is."""
    assert isinstance(card, Variant)
    return card


FAMILY = WatermarkFamily()
