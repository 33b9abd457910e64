"""What the cards of all families have in common, and how they are read. Imports no torch, so that `--help` is fast."""

import tomllib
from dataclasses import MISSING, asdict, fields
from functools import cache
from pathlib import Path
from types import UnionType
from typing import Any, ClassVar, Protocol, TypeVar, get_args, get_origin, get_type_hints

from sealbench.converters.errors import CardError

CARDS = Path(__file__).parent
Made = TypeVar("Made")
_WORDS = {int: "a whole number", float: "a number", str: "text", type(None): "nothing"}
# Of a card: they change no value of the model.
_NO_FACTS = ("official_sha256", "source", "has_dataset", "python", "engine")


class Card(Protocol):
    """One published (or bundled) model of any family: what all of them say of themselves."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def name(self) -> str:
        """As on the command line and in every table."""

    @property
    def family(self) -> str:
        """Name of its family's entry point; see `sealbench.converters.families.registry`."""

    @property
    def task(self) -> str:
        """Key of its task, which says what is measured; see `sealbench.bench.tasks`."""

    @property
    def architecture(self) -> str:
        """Names the rewrites that find something in it."""

    @property
    def official_weights(self) -> str | None:
        """Address of the publisher's checkpoint, if there is one."""

    @property
    def official_sha256(self) -> str | None:
        """Of that checkpoint, hexadecimal, if it is known; else the first download is pinned."""

    @property
    def bundled_weights(self) -> str | None:
        """Name of the file in converters/weights, if the model is shipped here."""

    @property
    def own_weights(self) -> str | None:
        """SHA-256 of the values of a model that brings its own, so that no others can be asked for; else None."""


def card_facts(card: Card) -> dict[str, Any]:
    """A card as plain data, without what changes no value of the model."""
    return {key: value for key, value in asdict(card).items() if key not in _NO_FACTS}


def card_tables(task: str) -> dict[str, dict[str, Any]]:
    """The bundled cards of a task by name, as plain data; copies, which the caller may change."""
    return {name: dict(table) for name, table in _tables(CARDS).items() if table.get("task") == task}


@cache
def _tables(folder: Path) -> dict[str, dict[str, Any]]:
    files = sorted(folder.glob("*.toml"))
    return {path.stem: read_table(path) for path in files}


def read_table(path: Path) -> dict[str, Any]:
    """The content of a card's file.

    Raises:
        CardError: it cannot be read, or is not TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise CardError(f"{path}: cannot be read ({error.strerror}); expected a card in TOML") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise CardError(f"{path}: is not TOML ({error}); expected the keys of a card") from error


def from_table(kind: type[Made], table: dict[str, Any], place: str) -> Made:
    """An instance of the dataclass `kind` from a TOML table; lists become tuples, so that it is hashable.

    Args:
        kind: what is made.
        table: values by the names of its fields.
        place: the file, and the table in it, for messages.

    Raises:
        CardError: a key is missing or unknown, or holds what the field cannot be.
    """
    kinds = get_type_hints(kind)
    known = {part.name for part in fields(kind) if part.init}  # type: ignore[arg-type]
    needed = {part.name for part in fields(kind) if part.init and part.default is MISSING}  # type: ignore[arg-type]
    for wrong, keys in (("has no", needed - set(table)), ("has the unknown", set(table) - known)):
        if keys:
            raise CardError(
                f"{place}: {wrong} {', '.join(map(repr, sorted(keys)))}; expected the keys {', '.join(sorted(known))}"
            )
    values = {key: tuple(value) if isinstance(value, list) else value for key, value in table.items()}
    for key, value in values.items():
        if not _is_a(value, kinds[key]):
            raise CardError(f"{place}: {key} is {table[key]!r}; expected {_words(kinds[key])}")
    try:
        return kind(**values)
    except CardError:
        raise
    except ValueError as error:
        raise CardError(f"{place}: {error}") from error


def _is_a(value: object, kind: Any) -> bool:
    """Whether a value is of a field's type: of a class, of one of several, or a tuple of one."""
    if isinstance(kind, UnionType):
        return any(_is_a(value, part) for part in get_args(kind))
    if get_origin(kind) is tuple:
        return isinstance(value, tuple) and all(_is_a(part, get_args(kind)[0]) for part in value)
    return type(value) in ((int, float) if kind is float else (kind,))  # True is no number


def _words(kind: Any) -> str:
    """A field's type for people."""
    if isinstance(kind, UnionType):
        return " or ".join(_words(part) for part in get_args(kind))
    if get_origin(kind) is tuple:
        return f"a list, each {_words(get_args(kind)[0])}"
    return _WORDS.get(kind, "a table")
