"""UVQ 1.5, a video quality model: a frame in, features or a score out. Imports no torch, no NumPy."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from sealbench.converters.cards.card import Card
from sealbench.converters.cards.image_size import ImageSize
from sealbench.converters.cards.quality import QualityVariant, quality_cards
from sealbench.converters.checkpoints.uvq_files import checkpoint_files
from sealbench.converters.checkpoints.weights import Weights
from sealbench.converters.errors import ImageSizeError
from sealbench.converters.export.precisions import SPLIT_DEPTHWISE, Precision, Rule
from sealbench.converters.families.family import Model, Shapes
from sealbench.converters.models.uvq.shapes import CHAIN, FRAME, INPUT_SHAPES, OUTPUT_SHAPES
from sealbench.converters.tflite.model_file import ModelFile, check_signature

# No depthwise convolution here has more than 25 taps, so the rules are those for graphs in which they have been split:
# XNNPACK runs the file in one part. By the others it is 17, and the error of the features is 1.26 times as large.
DEPTHWISE_IS_SMALL = (SPLIT_DEPTHWISE,)


@dataclass(frozen=True)
class QualityFamily:
    """See `sealbench.converters.families.family.Family`."""

    image_scale: float = 1.0

    @property
    def seeding(self) -> Mapping[str, Any]:
        """What the values of a seed depend on besides: the pictures, and a version.

        Raise that when `models/uvq/seeding.py` or the seeds of `checkpoints/uvq.py` give other values.
        """
        return {"uvq": 1, "pictures": _settling_fingerprint()}

    def cards(self) -> Mapping[str, QualityVariant]:
        """See `sealbench.converters.cards.quality.quality_cards`."""
        return quality_cards()

    def default_size(self, card: Card) -> ImageSize:
        """The one size that there is."""
        return ImageSize.parse(as_quality(card).image_size)

    def check_size(self, card: Card, size: ImageSize, mode: str) -> None:
        """Frames are brought to the one size before, as upstream does; the graph is made for it.

        Raises:
            ImageSizeError: it is another size, or the file is to resize inside.
        """
        own = self.default_size(card)
        if size != own or mode != "simple":
            raise ImageSizeError(
                f"{card.name} cannot take images of {size}{'' if mode == 'simple' else ' and resize inside'}: it takes "
                f"{own} only; leave --image-size and --no-simple out"
            )

    def inputs(self, card: Card, size: ImageSize) -> Shapes:
        """See `input_shapes`."""
        return input_shapes(as_quality(card))

    def outputs(self, card: Card, size: ImageSize) -> Shapes:
        """Features, or a score."""
        return (OUTPUT_SHAPES[_kind(as_quality(card))],)

    def file_stem(self, card: Card) -> str:
        """The card's name."""
        return card.name

    def check_file(self, file: ModelFile, card: Card, size: ImageSize) -> None:
        """Shapes of the tensors as published."""
        (output,) = self.outputs(card, size)
        check_signature(file, f"the network {card.name}", self.inputs(card, size), output)

    def checkpoints(self, card: Card, path: Path) -> Sequence[Path]:
        """A file of one network, or a folder with those of all that are needed, under their published names."""
        return tuple(checkpoint_files(as_quality(card), path).values())

    def recipe(self, precision: Precision, rewrites: tuple[str, ...]) -> tuple[Rule, ...]:
        """That for graphs with small depthwise convolutions only; there are no rewrites."""
        return precision.recipe_for(DEPTHWISE_IS_SMALL)

    def calibration_fingerprint(self, card: Card, size: ImageSize) -> str:
        """Of the frames, which are the same for all networks."""
        return _frames_fingerprint()

    def model(self, card: Card, weights: Weights) -> Model:
        """See `sealbench.converters.families.uvq_model.UvqModel`."""
        from sealbench.converters.families.uvq_model import UvqModel

        return UvqModel(as_quality(card), weights)


def as_quality(card: Card) -> QualityVariant:
    """A card of this family as what it is."""
    assert isinstance(card, QualityVariant)
    return card


def input_shapes(card: QualityVariant) -> Shapes:
    """Of the tensors that a card's file takes, in order."""
    return INPUT_SHAPES[_kind(card)]


def frame_size() -> tuple[int, int]:
    """Height and width in pixels of the frames that every network's input is made of."""
    return FRAME


def _kind(card: QualityVariant) -> str:
    return CHAIN if len(card.parts) > 1 else card.parts[0]


@cache
def _frames_fingerprint() -> str:
    from sealbench.converters.export.calibration_inputs import calibration_frames
    from sealbench.datasets.sample import fingerprint

    return fingerprint(calibration_frames())


@cache
def _settling_fingerprint() -> str:
    """Of the pictures that seeded batch norms are settled on: with others the seeded values are others."""
    from sealbench.converters.models.uvq.settling import settling_pictures

    return hashlib.sha256(b"".join(picture.tobytes() for picture in settling_pictures())).hexdigest()


FAMILY = QualityFamily()
