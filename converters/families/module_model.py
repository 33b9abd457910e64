"""A user's own module, made by its factory when it is asked for."""

from collections.abc import Sequence
from functools import cached_property
from itertools import islice
from pathlib import Path

import numpy as np
from torch import nn

from sealbench.converters.cards.image_size import ImageSize
from sealbench.converters.cards.module import ModuleCard
from sealbench.converters.errors import FactoryError
from sealbench.converters.export.calibration_inputs import CALIBRATION_SAMPLES
from sealbench.converters.export.float32 import write_float32
from sealbench.converters.families.user_model import UserModel, user_model
from sealbench.datasets.arrays import ArraySample, random_arrays

_CALIBRATION_SEED = 2  # not that of the random inputs which are evaluated


class ModuleModel:
    """The module of a card; see `sealbench.converters.families.family.Model`.

    Args:
        card: names the factory.
    """

    def __init__(self, card: ModuleCard):
        self._card = card

    @cached_property
    def user(self) -> UserModel:
        """What the factory gives.

        Raises:
            FactoryError: see `sealbench.converters.families.user_model.user_model`.
        """
        return user_model(self._card.source)

    @property
    def network(self) -> nn.Module:
        """The module itself, in evaluation mode."""
        return self.user.module

    def check(self) -> None:
        """The card has been made of it."""

    def export(self, rewrites: Sequence[str], size: ImageSize, mode: str, path: Path) -> None:
        """As it is: its inputs and outputs are those of the file, in their order; there are no rewrites."""
        write_float32(self.network, path, self.user.example)

    def calibration(self, size: ImageSize) -> list[tuple[np.ndarray, ...]]:
        """See `calibration_arrays`, in the shapes of the module's inputs."""
        return calibration_arrays(self._card)

    def source_state(self) -> None:
        """None: the converter folds norms and factors into weights that no rule of ours can tell."""
        return


def calibration_arrays(card: ModuleCard) -> list[tuple[np.ndarray, ...]]:
    """The first inputs of the factory's dataset, which are not evaluated; random ones where it gave none.

    Returns:
        Tuples of float32 arrays in the shapes of the module's inputs.

    Raises:
        FactoryError: the dataset has no more inputs than these, or one is not like the example.
    """
    user = user_model(card.source)
    if user.dataset is None:
        return [sample.arrays for sample in random_arrays(card.inputs, CALIBRATION_SAMPLES, _CALIBRATION_SEED)]
    return [sample.arrays for sample in _dataset(user, 0, CALIBRATION_SAMPLES)]


def evaluation_samples(card: ModuleCard, count: int) -> list[ArraySample]:
    """Inputs of the factory's dataset after those that calibrate, at most `count`.

    Raises:
        FactoryError: see `calibration_arrays`.
    """
    user = user_model(card.source)
    found = _dataset(user, CALIBRATION_SAMPLES, CALIBRATION_SAMPLES + count)
    if not found:
        raise FactoryError(
            f"{card.source}: its dataset has {CALIBRATION_SAMPLES} inputs or fewer; expected more: the first "
            f"{CALIBRATION_SAMPLES} calibrate static precisions and are never evaluated"
        )
    return found


def _dataset(user: UserModel, start: int, stop: int) -> list[ArraySample]:
    return [
        ArraySample(str(number), tuple(tensor.detach().cpu().numpy() for tensor in inputs), str(number))
        for number, inputs in enumerate(islice(user.samples(), start, stop), start)
    ]
