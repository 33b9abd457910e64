"""The families that are installed, and their cards: entry points of the group `sealbench.families`.

To add a family, declare an entry point, in any package, that is an object with the members of `Family`; no file here
changes. `pyproject.toml` declares the two bundled ones in the same way.
"""

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

from sealbench.converters.cards.card import Card
from sealbench.converters.errors import RegistryError, UnknownNameError
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


@cache
def cards() -> Mapping[str, Card]:
    """The cards of all families by name, sorted.

    Raises:
        RegistryError: see `families`; also where two families have a card of one name, or a card names another family.
    """
    found: dict[str, Card] = {}
    for name, family in families().items():
        for card in family.cards().values():
            if card.family != name:
                raise RegistryError(f"the family {name} has the card {card.name}, which names the family {card.family}")
            if card.name in found:
                raise RegistryError(f"two families have a card {card.name}: {found[card.name].family} and {name}")
            found[card.name] = card
    return MappingProxyType(dict(sorted(found.items())))


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
