"""Where the suites are: those of sealbench, and those that the tasks of other packages bring."""

from collections.abc import Iterable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import pytest

from sealbench.bench.errors import BenchError
from sealbench.bench.tasks.registry import task_of
from sealbench.converters.cards.card import Card

PACKAGE = "sealbench.bench.suites"
FOLDER = Path(__file__).parents[1] / "suites"
PATTERN = "test_*.py"
ONE_PROCESS = (
    "the bench runs in one process: its latencies would be measured beside each other, each of its rows would be "
    "written twice, and no process could decide the exit code; leave out -n (--numprocesses)"
)


@dataclass(frozen=True)
class Suite:
    """What a suite says of itself by its marker `suite`; a module without one gets what stands here.

    Attributes:
        order: suites of a group run from the lowest to the highest: cheap and decisive first.
        outputs: the outputs (`Task.gives`) of the models that it runs on; empty for all models.
        gated: whether it is left out where no gate judges what it measures: it takes long and few need it.
        timed: whether it times calls: it is repeated for each number of threads, and what it measures of a group is
            measured again as a whole after an interruption.
    """

    order: int = 90
    outputs: tuple[str, ...] = ()
    gated: bool = False
    timed: bool = False


def suite_of(node: pytest.Item) -> Suite:
    """The suite of a test."""
    marker = node.get_closest_marker("suite")
    return Suite() if marker is None else Suite(**marker.kwargs)


def suite_name(node: pytest.Item) -> str:
    """The name of a test's suite: `latency` for `test_latency.py`."""
    return node.path.stem.removeprefix("test_")


def suite_modules(variants: Iterable[Card]) -> dict[Path, str]:
    """The names of all suite modules by their files: those of sealbench, and those of the variants' tasks.

    Raises:
        BenchError: a task cannot be loaded, or names a module that cannot be found.
    """
    names = {PACKAGE: "sealbench"} | {name: card.task for card in variants for name in task_of(card).suites}
    found: dict[Path, str] = {}
    for name, task in names.items():
        try:
            spec = find_spec(name)
        except ImportError:  # its package
            spec = None
        if spec is None or spec.origin is None:
            raise BenchError(
                f"the task {task!r} names its suites {name!r}, which cannot be found; install the package again that "
                "provides the task"
            )
        if spec.submodule_search_locations is None:
            found[Path(spec.origin)] = name
        else:
            folder = Path(spec.origin).parent
            found |= {path: f"{name}.{path.stem}" for path in sorted(folder.glob(PATTERN))}
    return found
