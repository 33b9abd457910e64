"""Families of models: how one of a task is found in its files, filled, exported and calibrated. Imports no torch.

Everything else asks the family. To add one, add a module here and its entry in `family_of`.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from sealbench.converters.cards.card import Card
from sealbench.converters.cards.image_size import ImageSize
from sealbench.converters.export.precisions import Precision, Rule
from sealbench.converters.tflite.model_file import ModelFile

if TYPE_CHECKING:
    import numpy as np
    from torch import nn

    from sealbench.converters.checkpoints.weights import Weights
    from sealbench.converters.export.quantize import CalibrationInputs


class Model(Protocol):
    """The PyTorch networks of a card with its weights, loaded when they are asked for."""

    @property
    def network(self) -> "nn.Module":
        """What is exported and what files are compared with.

        Raises:
            WeightsError: the checkpoint cannot be read, or does not fit the card exactly.
        """

    def check(self) -> None:
        """Read all that the checkpoint must hold; errors as `network`."""


class Family(Protocol):
    """What differs between the models of one task and those of another."""

    @property
    def image_scale(self) -> float:
        """Factor by which a network multiplies its images before its first convolution; converters fold it in."""

    @property
    def seeding(self) -> Mapping[str, Any]:
        """What beside the card says which values `seeded` weights have."""

    def default_size(self, card: Card) -> ImageSize:
        """Of the images that a model was trained on."""

    def check_size(self, card: Card, size: ImageSize, mode: str) -> None:
        """Raise ImageSizeError, which names what is taken, for a size that the model cannot take."""

    def file_stem(self, card: Card) -> str:
        """What the name of a model's file begins with."""

    def check_file(self, file: ModelFile, card: Card, size: ImageSize) -> None:
        """Raise ModelFileError for a file that takes or gives other tensors than the model's."""

    def checkpoints(self, card: Card, path: Path) -> Sequence[Path]:
        """The files at `path` that hold a model's values; raises WeightsError where there are none."""

    def model(self, card: Card, weights: "Weights") -> Model:
        """The networks, not loaded yet."""

    def recipe(self, precision: Precision, rewrites: tuple[str, ...]) -> tuple[Rule, ...]:
        """The rules that make a file of that precision; none for float32."""

    def export(self, network: "nn.Module", card: Card, size: ImageSize, mode: str, path: Path) -> None:
        """Write a network as a float32 file."""

    def calibration(self, model: Model, card: Card, size: ImageSize) -> "CalibrationInputs":
        """What static quantization takes ranges from; nothing that is evaluated on."""

    def calibration_fingerprint(self, card: Card, size: ImageSize) -> str:
        """SHA-256 of what `calibration` is made from, beside the weights; needs no torch."""

    def source_state(self, network: "nn.Module") -> "Mapping[str, np.ndarray]":
        """The weights that a file made of the network may hold, float32, by name, in PyTorch's shapes.

        See `sealbench.converters.tflite.weight_slopes`.
        """


def family_of(card: Card) -> Family:
    """The family of a card's task."""
    from sealbench.converters.families import quality, watermark

    families: dict[str, Family] = {"watermark": watermark.FAMILY, "quality": quality.FAMILY}
    return families[card.task]
