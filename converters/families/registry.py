"""The families that are installed, and their cards: entry points of the group `sealbench.families`, and users' cards.

To add a family, declare an entry point, in any package, that is an object with the members of `Family`; no file here
changes. `pyproject.toml` declares the two bundled ones in the same way.
"""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType

from sealbench.converters.cards.card import Card, read_table
from sealbench.converters.errors import CardError, RegistryError, UnknownNameError
from sealbench.converters.families.family import Family
from sealbench.converters.registry import Registry

GROUP = "sealbench.families"
_FAMILIES: Registry[Family] = Registry(GROUP, "family", Family)


@cache
def families() -> Mapping[str, Family]:
    """The families by name, in alphabetical order.

    Raises:
        RegistryError: one cannot be loaded or lacks a member, two have one name, or none is declared.
    """
    found = {name: _FAMILIES.get(name) for name in _FAMILIES.names()}
    if not found:
        raise RegistryError(f"no entry points of the group {GROUP} are installed; run `pip install -e .` again")
    return MappingProxyType(found)


def family_of(card: Card) -> Family:
    """The family of a card.

    Raises:
        RegistryError: see `families`.
        UnknownNameError: the card names a family that is not installed.
    """
    if card.family not in families():
        raise UnknownNameError("family", card.family, tuple(families()))
    return families()[card.family]


def cards() -> Mapping[str, Card]:
    """The cards of all families and those that were added, by name, sorted.

    Raises:
        RegistryError: see `families`; also where two families have a card of one name, or a card names another family.
    """
    return MappingProxyType(dict(sorted((_installed() | _ADDED).items())))


@cache
def _installed() -> dict[str, Card]:
    found: dict[str, Card] = {}
    for name, family in families().items():
        for card in family.cards().values():
            if card.family != name:
                raise RegistryError(f"the family {name} has the card {card.name}, which names the family {card.family}")
            if card.name in found:
                raise RegistryError(f"two families have a card {card.name}: {found[card.name].family} and {name}")
            found[card.name] = card
    return found


# Cards of this process that no package brings: what its command line named.
_ADDED: dict[str, Card] = {}


def add_card(card: Card) -> Card:
    """Make a card known to this process by its name; returns it.

    Raises:
        CardError: another card has the name.
    """
    if cards().get(card.name, card) != card:
        raise CardError(f"a model is called {card.name} already; give the card's file, or the factory, another name")
    _ADDED[card.name] = card
    return card


def read_card(path: Path) -> Card:
    """The card of a user's TOML file, of the keys of those in converters/cards; its name is the file's.

    Raises:
        CardError: the file cannot be read, names no family by its `task`, or has other keys or values than its cards.
    """
    table = read_table(path)
    known = ", ".join(families())
    if "task" not in table:
        raise CardError(f"{path}: has no 'task'; expected one of {known}")
    if table["task"] not in families():
        raise CardError(f"{path}: task is {table['task']!r}; expected one of {known}")
    return families()[table["task"]].read_card(path.stem, table, str(path))


def card_names() -> tuple[str, ...]:
    """Names of all cards, sorted."""
    return tuple(cards())


def get_card(name: str) -> Card:
    """The card called `name`, of whatever family.

    Raises:
        RegistryError: see `cards`.
        UnknownNameError: there is no such card; the message lists the known ones.
    """
    if name not in cards():
        raise UnknownNameError("variant", name, card_names())
    return cards()[name]
