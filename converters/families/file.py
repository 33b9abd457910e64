"""Files that are compared with another file: the reference is a file, too. Imports no torch, no NumPy."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from sealbench.converters.cards.card import Card
from sealbench.converters.cards.file import FileCard
from sealbench.converters.cards.image_size import ImageSize
from sealbench.converters.checkpoints.file_hashes import file_sha256
from sealbench.converters.checkpoints.weights import Weights
from sealbench.converters.errors import CardError, ModelFileError, WeightsError
from sealbench.converters.export.precisions import Precision, Rule, get_precision
from sealbench.converters.families.family import Model, Shapes
from sealbench.converters.families.shapes import check_one_size, check_shapes, size_of
from sealbench.converters.tflite.model_file import ModelFile, read_model_file

# By the number type that most of a file's weights are stored in.
_PRECISIONS = {"INT4": "int4", "INT8": "int8", "UINT8": "int8", "FLOAT16": "fp16", "BFLOAT16": "fp16"}


@dataclass(frozen=True)
class FileFamily:
    """See `sealbench.converters.families.family.Family`. Its cards are made by `file_card`."""

    image_scale: float = 1.0
    seeding: Mapping[str, Any] = field(default_factory=dict)

    def cards(self) -> Mapping[str, FileCard]:
        """None are bundled."""
        return {}

    def read_card(self, name: str, table: Mapping[str, Any], place: str) -> NoReturn:
        """Raise CardError: a file has no card in TOML."""
        raise CardError(f"{place}: a file has no card; compare it with another by --file FILE --reference FILE")

    def default_size(self, card: Card) -> ImageSize:
        """See `sealbench.converters.families.shapes.size_of`."""
        return size_of(as_file(card).inputs)

    def check_size(self, card: Card, size: ImageSize, mode: str) -> None:
        """See `sealbench.converters.families.shapes.check_one_size`."""
        check_one_size(card, as_file(card).inputs, size, mode)

    def inputs(self, card: Card, size: ImageSize) -> Shapes:
        """As the reference file."""
        return as_file(card).inputs

    def outputs(self, card: Card, size: ImageSize) -> Shapes:
        """As the reference file."""
        return as_file(card).outputs

    def file_stem(self, card: Card) -> str:
        """The card's name."""
        return card.name

    def check_file(self, file: ModelFile, card: Card, size: ImageSize) -> None:
        """See `sealbench.converters.families.shapes.check_shapes`."""
        check_shapes(file, as_file(card).source, as_file(card).inputs, as_file(card).outputs)

    def checkpoints(self, card: Card, path: Path) -> Sequence[Path]:
        """Raise WeightsError: there are none."""
        raise WeightsError(f"{card.name}: the reference file holds the values; leave --weights out")

    def recipe(self, precision: Precision, rewrites: tuple[str, ...]) -> tuple[Rule, ...]:
        """None: nothing is made but a copy of the reference, which sizes and speeds are compared with."""
        return ()

    def calibration_fingerprint(self, card: Card, size: ImageSize) -> str:
        """Nothing is calibrated."""
        return ""

    def model(self, card: Card, weights: Weights) -> Model:
        """See `ReferenceFile`."""
        return ReferenceFile(as_file(card))


class ReferenceFile:
    """A reference file in the place of PyTorch; see `sealbench.converters.families.family.Model`.

    Args:
        card: names it.
    """

    def __init__(self, card: FileCard):
        self._path = Path(card.source)

    @property
    def network(self) -> Path:
        """The file."""
        return self._path

    def check(self) -> None:
        """The card has been made of it."""

    def export(self, rewrites: Sequence[str], size: ImageSize, mode: str, path: Path) -> None:
        """Copy the reference, which stands for the float32 file."""
        path.write_bytes(self._path.read_bytes())

    def calibration(self, size: ImageSize) -> NoReturn:
        """Never asked for: nothing is quantized."""
        raise NotImplementedError

    def source_state(self) -> None:
        """None: the weights are those of the copy."""
        return


def file_card(path: Path, reference: Path, python: str = "", engine: str = "") -> tuple[FileCard, Precision]:
    """The card of a file and its reference, and the precision that the file is measured as.

    Args:
        path: of the file.
        reference: of the file that it is compared with.
        python, engine: see `FileCard`.

    Raises:
        ModelFileError: one of them is missing, damaged, no model or takes other numbers than float32, or they take or
            give tensors of other shapes.
    """
    file, other = read_model_file(path), read_model_file(reference)
    for one in (file, other):
        if wrong := next((tensor for tensor in one.inputs if tensor.dtype != "FLOAT32"), None):
            raise ModelFileError(f"{one.path}: takes {wrong}; expected float32 inputs, which both files can be given")
    inputs, outputs = (tuple(tensor.shape for tensor in side) for side in (other.inputs, other.outputs))
    check_shapes(file, f"its reference {reference}", inputs, outputs)
    if not inputs or not outputs:
        raise ModelFileError(f"{reference}: takes or gives nothing; expected a model with inputs and outputs")
    sha256 = file_sha256(reference)
    card = FileCard(path.stem, str(reference.resolve()), _precision(other), python, engine, inputs, outputs, sha256)
    return card, get_precision(_precision(file))


def as_file(card: Card) -> FileCard:
    """A card of this family as what it is."""
    assert isinstance(card, FileCard)
    return card


def _precision(file: ModelFile) -> str:
    """By the type that most values are stored in; float32 for a file without weights."""
    counts = file.weight_counts
    return _PRECISIONS.get(max(counts, key=lambda dtype: counts[dtype]), "float32") if counts else "float32"


FAMILY = FileFamily()
