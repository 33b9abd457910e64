"""Users' own modules: whatever a factory in a file of theirs gives. Imports no torch, no NumPy."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from sealbench.converters.cards.card import Card
from sealbench.converters.cards.image_size import ImageSize
from sealbench.converters.cards.module import ModuleCard
from sealbench.converters.checkpoints.weights import Weights
from sealbench.converters.errors import CardError, WeightsError
from sealbench.converters.export.precisions import SPLIT_DEPTHWISE, Precision, Rule
from sealbench.converters.families.family import Model, Shapes
from sealbench.converters.families.shapes import check_one_size, check_shapes, size_of
from sealbench.converters.tflite.model_file import ModelFile

# Most depthwise convolutions have 9 or 25 taps: the rules are those for graphs in which the larger ones were split.
_DEPTHWISE_IS_SMALL = (SPLIT_DEPTHWISE,)


@dataclass(frozen=True)
class ModuleFamily:
    """See `sealbench.converters.families.family.Family`. Its cards are added by name: see `added_module`."""

    image_scale: float = 1.0
    seeding: Mapping[str, Any] = field(default_factory=dict)

    def cards(self) -> Mapping[str, ModuleCard]:
        """None are bundled."""
        return {}

    def read_card(self, name: str, table: Mapping[str, Any], place: str) -> NoReturn:
        """Raise CardError: a module has no card in TOML."""
        raise CardError(f"{place}: a module of your own has no card; name its factory with --model FILE.py:FACTORY")

    def default_size(self, card: Card) -> ImageSize:
        """Of the picture that the module takes first; of another input its last two sides."""
        return size_of(as_module(card).inputs)

    def check_size(self, card: Card, size: ImageSize, mode: str) -> None:
        """See `sealbench.converters.families.shapes.check_one_size`: a module takes what its factory's example is."""
        check_one_size(card, as_module(card).inputs, size, mode)

    def inputs(self, card: Card, size: ImageSize) -> Shapes:
        """As the example."""
        return as_module(card).inputs

    def outputs(self, card: Card, size: ImageSize) -> Shapes:
        """As the module gave of the example."""
        return as_module(card).outputs

    def file_stem(self, card: Card) -> str:
        """The card's name."""
        return card.name

    def check_file(self, file: ModelFile, card: Card, size: ImageSize) -> None:
        """See `sealbench.converters.families.shapes.check_shapes`."""
        check_shapes(file, card.name, as_module(card).inputs, as_module(card).outputs)

    def checkpoints(self, card: Card, path: Path) -> Sequence[Path]:
        """Raise WeightsError: there are none."""
        raise WeightsError(f"{card.name}: its factory brings its values; leave --weights out")

    def recipe(self, precision: Precision, rewrites: tuple[str, ...]) -> tuple[Rule, ...]:
        """See `sealbench.converters.export.precisions.Precision.recipe_for`; there are no rewrites."""
        return precision.recipe_for(_DEPTHWISE_IS_SMALL)

    def calibration_fingerprint(self, card: Card, size: ImageSize) -> str:
        """Of the inputs."""
        from sealbench.converters.families.module_model import calibration_arrays

        digest = hashlib.sha256()
        for arrays in calibration_arrays(as_module(card)):
            for array in arrays:
                digest.update(array.tobytes())
        return digest.hexdigest()

    def model(self, card: Card, weights: Weights) -> Model:
        """See `sealbench.converters.families.module_model.ModuleModel`."""
        from sealbench.converters.families.module_model import ModuleModel

        return ModuleModel(as_module(card))


def as_module(card: Card) -> ModuleCard:
    """A card of this family as what it is."""
    assert isinstance(card, ModuleCard)
    return card


FAMILY = ModuleFamily()
