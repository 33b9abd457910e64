"""Models that a command line names by files instead of by names: factories of users' modules, and cards in TOML."""

from collections.abc import Sequence
from pathlib import Path

from sealbench.bench.tasks.registry import add_task
from sealbench.converters.cards.card import Card
from sealbench.converters.families.registry import add_card, read_card


def add_given(models: Sequence[str], cards: Sequence[str]) -> tuple[Card, ...]:
    """Make models known to this process by their names; a process that is to know them too is given the same texts.

    Args:
        models: of factories, each as `FILE.py:FACTORY`. They are called: the files are the user's own.
        cards: paths of TOML files.

    Returns:
        Their cards, cards in TOML first.

    Raises:
        CardError, FactoryError, RegistryError: a file or factory is not as it should be, or a name is taken.
    """
    return (*(add_card(read_card(Path(path))) for path in cards), *map(_add_model, models))


def _add_model(text: str) -> Card:
    from sealbench.converters.families.user_model import user_model

    file, _, factory = text.rpartition(":")
    model = user_model(f"{Path(file).resolve()}:{factory}" if file else text)
    card = model.card()
    if not isinstance(model.task, str):
        add_task(card.task, model.task)
    return add_card(card)
