"""Watermark detectors of the VideoSeal family: images in, confidence and bit logits out. Imports no torch, no NumPy."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sealbench.converters.cards.card import Card
from sealbench.converters.cards.image_size import ImageSize, check_image_size
from sealbench.converters.cards.watermark import Variant, watermark_cards
from sealbench.converters.checkpoints.weights import Weights
from sealbench.converters.errors import UnknownNameError, WeightsError, WrongTaskError
from sealbench.converters.export.precisions import Precision, Rule
from sealbench.converters.families.family import Model, Shapes
from sealbench.converters.families.registry import card_names, cards, get_card
from sealbench.converters.tflite.model_file import ModelFile, check_detector_signature


@dataclass(frozen=True)
class WatermarkFamily:
    """See `sealbench.converters.families.family.Family`."""

    image_scale: float = 2.0
    seeding: Mapping[str, Any] = field(default_factory=dict)

    def cards(self) -> Mapping[str, Variant]:
        """See `sealbench.converters.cards.watermark.watermark_cards`."""
        return watermark_cards()

    def default_size(self, card: Card) -> ImageSize:
        """A square."""
        side = as_variant(card).image_size
        return ImageSize(side, side)

    def check_size(self, card: Card, size: ImageSize, mode: str) -> None:
        """See `sealbench.converters.cards.image_size.check_image_size`."""
        check_image_size(as_variant(card), size, mode)

    def inputs(self, card: Card, size: ImageSize) -> Shapes:
        """One image with channels last."""
        return ((1, size.height, size.width, 3),)

    def outputs(self, card: Card, size: ImageSize) -> Shapes:
        """The detection confidence and the bits."""
        return ((1, 1 + as_variant(card).nbits),)

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

    def recipe(self, precision: Precision, rewrites: tuple[str, ...]) -> tuple[Rule, ...]:
        """See `sealbench.converters.export.precisions.Precision.recipe_for`."""
        return precision.recipe_for(rewrites)

    def calibration_fingerprint(self, card: Card, size: ImageSize) -> str:
        """See `sealbench.converters.export.calibration_inputs.calibration_fingerprint`."""
        from sealbench.converters.export.calibration_inputs import calibration_fingerprint

        return calibration_fingerprint(as_variant(card).nbits, size)

    def model(self, card: Card, weights: Weights) -> Model:
        """Embedder and detector."""
        from sealbench.converters.families.watermark_model import LazyModel

        return LazyModel(as_variant(card), weights)


def as_variant(card: Card) -> Variant:
    """A card of this family as what it is."""
    assert isinstance(card, Variant)
    return card


def variant_names() -> tuple[str, ...]:
    """Names of the watermark models, sorted."""
    return tuple(name for name, card in cards().items() if isinstance(card, Variant))


def get_variant(name: str) -> Variant:
    """The watermark model called `name`.

    Raises:
        UnknownNameError: there is no such card, or its detector is of an unknown architecture.
        WrongTaskError: it is a model of another task.
    """
    if name not in card_names():
        raise UnknownNameError("variant", name, variant_names())
    card = get_card(name)
    if not isinstance(card, Variant):
        raise WrongTaskError(
            f"variant {name!r} is a model of the task {card.task}; expected one for watermarks: "
            f"{', '.join(variant_names())}"
        )
    return card


FAMILY = WatermarkFamily()
