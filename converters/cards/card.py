"""What the cards of all families have in common, and how they are read. Imports no torch, so that `--help` is fast."""

import tomllib
from dataclasses import MISSING, asdict, fields
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, Protocol, TypeVar

CARDS = Path(__file__).parent
Made = TypeVar("Made")


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


def card_facts(card: Card) -> dict[str, Any]:
    """A card as plain data, without what changes no value of the model."""
    return {key: value for key, value in asdict(card).items() if key != "official_sha256"}


def card_tables(task: str) -> dict[str, dict[str, Any]]:
    """The bundled cards of a task by name, as plain data; copies, which the caller may change."""
    return {name: dict(table) for name, table in _tables(CARDS).items() if table.get("task") == task}


@cache
def _tables(folder: Path) -> dict[str, dict[str, Any]]:
    files = sorted(folder.glob("*.toml"))
    return {path.stem: tomllib.loads(path.read_text(encoding="utf-8")) for path in files}


def from_table(kind: type[Made], table: dict[str, Any]) -> Made:
    """An instance of the dataclass `kind` from a TOML table; lists become tuples, so that it is hashable.

    Raises:
        ValueError: a key is missing or unknown.
    """
    known = {part.name for part in fields(kind) if part.init}  # type: ignore[arg-type]
    needed = {part.name for part in fields(kind) if part.init and part.default is MISSING}  # type: ignore[arg-type]
    if not needed <= set(table) <= known:
        raise ValueError(f"{kind.__name__}: expected the keys {sorted(known)}, found {sorted(table)}")
    return kind(**{key: tuple(value) if isinstance(value, list) else value for key, value in table.items()})
