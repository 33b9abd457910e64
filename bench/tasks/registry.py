"""The installed tasks, from the entry points `sealbench.tasks`."""

from sealbench.bench.tasks.protocol import Task
from sealbench.converters.cards.card import Card
from sealbench.converters.registry import Registry

GROUP = "sealbench.tasks"
_TASKS: Registry[Task] = Registry(GROUP, "task", Task)


def tasks() -> tuple[str, ...]:
    """Names of the installed tasks, in alphabetical order; imports none of them."""
    return _TASKS.names()


def add_task(name: str, task: Task) -> None:
    """Make a user's task known to this process.

    Raises:
        RegistryError: an installed task has the name, or it lacks a member of `Task`.
    """
    _TASKS.add(name, task)


def task_of(card: Card) -> Task:
    """The task of a card.

    Raises:
        RegistryError: no installed package provides it, or it cannot be loaded.
    """
    return _TASKS.get(card.task)
