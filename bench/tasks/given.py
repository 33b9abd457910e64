"""Models that a command line names by files instead of by names: factories of users' modules, and cards in TOML."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, TypeVar

from sealbench.bench.backends.worker.process import call_in_worker
from sealbench.bench.tasks.registry import add_task
from sealbench.converters.cards.card import Card
from sealbench.converters.cards.file import FileCard
from sealbench.converters.cards.image_size import ImageSize
from sealbench.converters.cards.module import ModuleCard
from sealbench.converters.export.precisions import Precision, get_precision
from sealbench.converters.families import family_of
from sealbench.converters.families.file import file_card
from sealbench.converters.families.registry import add_card, get_card, read_card
from sealbench.converters.tflite.model_file import read_model_file

# By a card's name the file that it was read from.
_FILES: dict[str, str] = {}


def add_given(models: Sequence[str], cards: Sequence[str]) -> tuple[Card, ...]:
    """Make models known to this process by their names.

    Args:
        models: factories, each as `FILE.py:FACTORY`. They are called: the files are the user's own.
        cards: paths of TOML files.

    Returns:
        Their cards, those in TOML first.

    Raises:
        CardError, FactoryError, RegistryError: a file or factory is not as it should be, or a name is taken.
    """
    return (*map(_add_card, cards), *map(_add_model, models))


def origin_of(card: Card) -> dict[str, Any]:
    """What `known_card` takes to know a card in another process, as JSON can hold it."""
    if isinstance(card, ModuleCard | FileCard):
        return {card.family: asdict(card)}
    return {"toml": _FILES[card.name]} if card.name in _FILES else {"name": card.name}


def known_card(origin: Mapping[str, Any]) -> Card:
    """The card of `origin_of`; no factory is called but for a task of the user's own.

    Raises:
        CardError, FactoryError, RegistryError, UnknownNameError: there is no such model any more.
    """
    match origin:
        case {"file": values}:
            return _card_of(FileCard, values)
        case {"module": values}:
            card = _card_of(ModuleCard, values)
            if card.task == card.name:  # no installed task
                _add_model(card.source)
            return card
        case {"toml": path}:
            return read_card(Path(path))
    return get_card(origin["name"])


def file_pair(path: Path, reference: Path, python: str, engine: str) -> tuple[FileCard, Precision]:
    """The card of a file and its reference, and the precision of the file; both are read in a worker process.

    Args:
        path: of the file.
        reference: of the file that it is compared with.
        python, engine: see `FileCard`.

    Raises:
        WorkerError: see `sealbench.converters.families.file.file_card`; or the process died of a file.
    """
    arguments = {"path": str(path), "reference": str(reference), "python": python, "engine": engine}
    found = call_in_worker(str(path), f"{__name__}:read_pair", **arguments)
    return _card_of(FileCard, found["card"]), get_precision(found["precision"])


def read_pair(path: str, reference: str, python: str, engine: str) -> dict[str, Any]:
    """`file_pair` in a worker process: the fields of the card, and the name of the precision."""
    card, precision = file_card(Path(path), Path(reference), python, engine)
    return {"card": asdict(card), "precision": precision.name}


def check_given_file(path: Path, card: Card, size: ImageSize) -> None:
    """Check that a file made elsewhere takes and gives what a model's does; it is read in a worker process.

    Raises:
        WorkerError: it does not, it is no model, or the process died of it.
    """
    function = f"{__name__}:check_signature"
    sides = [size.height, size.width]
    call_in_worker(str(path), function, path=str(path), origin=origin_of(card), size=sides)


def check_signature(path: str, origin: Mapping[str, Any], size: Sequence[int]) -> None:
    """`check_given_file` in a worker process; `origin` is of `origin_of`.

    Raises:
        ModelFileError: the file takes or gives other tensors, or is no model.
    """
    card = known_card(origin)
    family_of(card).check_file(read_model_file(Path(path)), card, ImageSize(*size))


Shaped = TypeVar("Shaped", ModuleCard, FileCard)


def _card_of(kind: type[Shaped], values: Mapping[str, Any]) -> Shaped:
    """A card from its fields by name, as JSON gives them back."""
    made = {part.name: values[part.name] for part in fields(kind) if part.init}
    return kind(**made | {side: tuple(map(tuple, made[side])) for side in ("inputs", "outputs")})


def _add_card(path: str) -> Card:
    card = add_card(read_card(Path(path)))
    _FILES[card.name] = str(Path(path).resolve())
    return card


def _add_model(text: str) -> Card:
    from sealbench.converters.families.user_model import user_model

    file, _, factory = text.rpartition(":")
    model = user_model(f"{Path(file).resolve()}:{factory}" if file else text)
    card = model.card()
    if not isinstance(model.task, str):
        add_task(card.task, model.task)
    return add_card(card)
