"""What a family of models must have: the protocol of an entry point of the group `sealbench.families`.

Imports neither torch nor NumPy: a family is asked for its cards and sizes while the command line is read, and for help.
Its `Model` may import all that it needs, and is asked for when a model is to be loaded, exported or run.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from sealbench.converters.cards.card import Card
from sealbench.converters.cards.image_size import ImageSize
from sealbench.converters.checkpoints.weights import Weights
from sealbench.converters.export.precisions import Precision, Rule
from sealbench.converters.tflite.model_file import ModelFile

if TYPE_CHECKING:  # for annotations alone: help lists the models, and NumPy takes longer than all the rest
    import numpy as np

    from sealbench.converters.export.calibration_inputs import CalibrationInputs

Shapes = tuple[tuple[int, ...], ...]


class Model(Protocol):
    """The PyTorch networks of a card with its weights; each is loaded when it is first needed.

    Every method raises WeightsError where the checkpoint cannot be read, or does not fit the card exactly.
    """

    @property
    def network(self) -> object:
        """The `torch.nn.Module` that is exported and that files are compared with, in evaluation mode."""

    def check(self) -> None:
        """Read all that the checkpoint must hold."""

    def export(self, rewrites: Sequence[str], size: ImageSize, mode: str, path: Path) -> None:
        """Write the network as a float32 `.tflite` file, after the rewrites that are named."""

    def calibration(self, size: ImageSize) -> "CalibrationInputs":
        """What static quantization takes ranges from; nothing that is evaluated on."""

    def source_state(self) -> "Mapping[str, np.ndarray]":
        """The weights that a file made of the network may hold, float32, by name, in PyTorch's shapes.

        See `sealbench.converters.tflite.weight_slopes`.
        """


class Family(Protocol):
    """Models that are found, loaded, exported and calibrated in one way."""

    @property
    def image_scale(self) -> float:
        """Factor by which a network multiplies its images before its first convolution; converters fold it in."""

    @property
    def seeding(self) -> Mapping[str, Any]:
        """What beside the card says which values `seeded` weights have, as JSON can hold it."""

    def cards(self) -> Mapping[str, Card]:
        """Its models by name. Each names the family's entry point (`family`) and a task of the bench (`task`)."""

    def default_size(self, card: Card) -> ImageSize:
        """Of the images that a model was trained on."""

    def check_size(self, card: Card, size: ImageSize, mode: str) -> None:
        """Raise ImageSizeError, which names the sizes that are possible, for a size that the model cannot take."""

    def inputs(self, card: Card, size: ImageSize) -> Shapes:
        """Shapes of the tensors that a model's file takes, in order; float32."""

    def outputs(self, card: Card, size: ImageSize) -> Shapes:
        """Shapes of the tensors that a model's file gives, in order; float32."""

    def file_stem(self, card: Card) -> str:
        """What the name of a model's file begins with."""

    def check_file(self, file: ModelFile, card: Card, size: ImageSize) -> None:
        """Raise ModelFileError for a file that takes or gives other tensors than the model's."""

    def checkpoints(self, card: Card, path: Path) -> Sequence[Path]:
        """The files at `path` that hold a model's values; raises WeightsError where there are none."""

    def recipe(self, precision: Precision, rewrites: tuple[str, ...]) -> tuple[Rule, ...]:
        """The rules that make a file of that precision; none for float32."""

    def calibration_fingerprint(self, card: Card, size: ImageSize) -> str:
        """SHA-256 of what `Model.calibration` is made from, beside the weights."""

    def model(self, card: Card, weights: Weights) -> Model:
        """The networks, not loaded yet."""
