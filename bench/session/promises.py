"""What a test of the bench says of itself to the plugin: its target, its images, and what it promises to measure."""

import pytest

from sealbench.bench.options import Options, dataset_name
from sealbench.bench.session.progress import Step
from sealbench.bench.session.recorder import NO_DATASET
from sealbench.bench.session.resume import Promise
from sealbench.bench.suites import ROBUSTNESS
from sealbench.bench.targets import Target
from sealbench.reports.schema.records import NO_ATTACK, Expectation


def item_target(item: pytest.Item) -> Target:
    """The target of a test of the bench, under whichever name the test takes it."""
    parameters = item.callspec.params  # type: ignore[attr-defined]
    return next(value for value in parameters.values() if isinstance(value, Target))


def is_bench(item: pytest.Item) -> bool:
    """Whether a test measures something for the record."""
    return item.get_closest_marker("measures") is not None


def has_matrix(item: pytest.Item) -> bool:
    """Whether every parameter of a test has a value; pytest puts a marker of its own for an empty set."""
    values = item.callspec.params.values()  # type: ignore[attr-defined]
    return all(isinstance(value, Target | str) for value in values)


def item_promises(item: pytest.Item) -> list[Expectation]:
    """What a test of the bench promises to measure."""
    marker = item.get_closest_marker("measures")
    assert marker is not None
    case, dataset, attack = item_target(item).case, item_dataset(item), item_attack(item)
    return [Expectation(case, dataset, attack, metric) for metric in marker.args]


def item_dataset(item: pytest.Item) -> str:
    """The name of the images that a test measures on; empty for a property of the file."""
    parameters = item.callspec.params  # type: ignore[attr-defined]
    names = ("dataset", "plain_dataset", "jpeg_dataset")
    dataset = next((parameters[name] for name in names if name in parameters), None)
    return NO_DATASET if dataset is None else dataset_name(dataset)


def item_attack(item: pytest.Item) -> str:
    """What is done to the images that a test measures on."""
    attack: str = item.callspec.params.get("attack", NO_ATTACK)  # type: ignore[attr-defined]
    return attack


def promise_of(item: pytest.Item) -> Promise:
    """The same, with the test's name and place."""
    return Promise(item.nodeid, suite_of(item), str(item_target(item).group), tuple(item_promises(item)))


def step_of(item: pytest.Item, options: Options) -> Step:
    """What the time of a test depends on."""
    target = item_target(item)
    variant = target.group.variant.name
    precision = "PyTorch" if target.is_reference else target.precision.name
    samples = options.samples[variant] if item_dataset(item) else 0
    if suite_of(item) == ROBUSTNESS:  # all tests of a step together run on so many
        samples *= len(options.attacks)
    return Step(variant, suite_of(item), precision, samples)


def suite_of(item: pytest.Item) -> str:
    """The suite of a test: `latency` for one in `test_latency.py`."""
    return item.path.stem.removeprefix("test_")
