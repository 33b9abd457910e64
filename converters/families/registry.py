"""The families that are installed, and their cards: entry points of the group `sealbench.families`.

To add a family, declare an entry point, in any package, that is an object with the members of `Family`; no file here
changes. `pyproject.toml` declares the two bundled ones in the same way.
"""

from collections.abc import Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from types import MappingProxyType

from sealbench.converters.cards.card import Card
from sealbench.converters.errors import FamilyError, UnknownNameError
from sealbench.converters.families.family import Family

GROUP = "sealbench.families"
_MEMBERS = tuple(name for name in vars(Family) if not name.startswith("_"))


@cache
def families() -> Mapping[str, Family]:
    """The families by name, sorted.

    Raises:
        FamilyError: one cannot be loaded or lacks a member, two have one name, or none is declared.
    """
    found: dict[str, Family] = {}
    for entry in sorted(entry_points(group=GROUP), key=lambda entry: entry.name):
        if entry.name in found:
            raise FamilyError(f"{_named(entry)}: another package declares a family of this name; uninstall one of them")
        found[entry.name] = _load(entry)
    if not found:
        raise FamilyError(f"no entry points of the group {GROUP} are installed; run `pip install -e .` again")
    return MappingProxyType(found)


def family_of(card: Card) -> Family:
    """The family of a card.

    Raises:
        FamilyError: see `families`.
        UnknownNameError: the card names a family that is not installed.
    """
    if card.family not in families():
        raise UnknownNameError("family", card.family, tuple(families()))
    return families()[card.family]


@cache
def cards() -> Mapping[str, Card]:
    """The cards of all families by name, sorted.

    Raises:
        FamilyError: see `families`; also where two families have a card of one name, or a card names another family.
    """
    found: dict[str, Card] = {}
    for name, family in families().items():
        for card in family.cards().values():
            if card.family != name:
                raise FamilyError(f"the family {name} has the card {card.name}, which names the family {card.family}")
            if card.name in found:
                raise FamilyError(f"two families have a card {card.name}: {found[card.name].family} and {name}")
            found[card.name] = card
    return MappingProxyType(dict(sorted(found.items())))


def card_names() -> tuple[str, ...]:
    """Names of all cards, sorted."""
    return tuple(cards())


def get_card(name: str) -> Card:
    """The card called `name`, of whatever family.

    Raises:
        FamilyError: see `cards`.
        UnknownNameError: there is no such card; the message lists the known ones.
    """
    if name not in cards():
        raise UnknownNameError("variant", name, card_names())
    return cards()[name]


def _load(entry: EntryPoint) -> Family:
    try:
        family: Family = entry.load()
    except Exception as error:  # whatever a package raises while it is imported
        raise FamilyError(
            f"{_named(entry)} cannot be loaded ({type(error).__name__}: {error}); fix or uninstall that package"
        ) from error
    if missing := [name for name in _MEMBERS if not hasattr(family, name)]:
        raise FamilyError(
            f"{_named(entry)} has no {', '.join(missing)}; expected all members of "
            "sealbench.converters.families.family.Family"
        )
    return family


def _named(entry: EntryPoint) -> str:
    package = f" of the package {entry.dist.name}" if entry.dist is not None else ""
    return f"the family {entry.name} ({entry.value}{package})"
