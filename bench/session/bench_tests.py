"""What a test of the bench says of itself to the plugin: its target, its images, and what it will measure."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from sealbench.bench.backends.registry import DEFAULT_BACKEND
from sealbench.bench.measuring.context import Shown
from sealbench.bench.options import Options
from sealbench.bench.session.progress import Step
from sealbench.bench.session.recorder import NO_DATASET
from sealbench.bench.session.resume import PlannedTest
from sealbench.bench.session.suite_modules import suite_name, suite_of
from sealbench.bench.targets import Target, dataset_name
from sealbench.datasets.attacks import jpeg_qualities
from sealbench.reports.schema.records import NO_ATTACK, Expectation

DATASETS = ("dataset", "plain_dataset", "jpeg_dataset")
"""Names under which a test takes its pictures, see `sealbench.bench.matrix.datasets_of`."""


def target_of(item: pytest.Item) -> Target:
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


def expectations_of(item: pytest.Item) -> list[Expectation]:
    """The measurements that a test of the bench will record."""
    marker = item.get_closest_marker("measures")
    assert marker is not None
    case, dataset, attack = target_of(item).case, dataset_of(item), attack_of(item)
    return [Expectation(case, dataset, attack, metric) for metric in marker.args]


def dataset_of(item: pytest.Item) -> str:
    """The name of the images that a test measures on; empty for a property of the file."""
    parameters = item.callspec.params  # type: ignore[attr-defined]
    dataset = next((parameters[name] for name in DATASETS if name in parameters), None)
    return NO_DATASET if dataset is None else dataset_name(dataset)


def attack_of(item: pytest.Item) -> str:
    """What is done to the images that a test measures on."""
    attack: str = item.callspec.params.get("attack", NO_ATTACK)  # type: ignore[attr-defined]
    return attack


def shown_of(item: pytest.Item, attacks: Sequence[str]) -> list[Shown]:
    """Pictures that a test needs outputs for; `attacks` are those of the run."""
    parameters = item.callspec.params  # type: ignore[attr-defined]
    found = [
        (parameters[name], tuple(jpeg_qualities(attacks)) if name == "jpeg_dataset" else (attack_of(item),))
        for name in DATASETS
        if name in parameters
    ]
    target = target_of(item)
    targets = [target]
    if "second_target" in parameters:
        targets.append(replace(target, backend=DEFAULT_BACKEND))
    return [Shown(target, dataset, attack) for dataset, shown in found for attack in shown for target in targets]


def planned_test(item: pytest.Item) -> PlannedTest:
    """The expectations of a test, with its name and place."""
    return PlannedTest(item.nodeid, suite_of(item).timed, str(target_of(item).group), tuple(expectations_of(item)))


def step_of(item: pytest.Item, options: Options) -> Step:
    """What the time of a test depends on."""
    target = target_of(item)
    variant = target.variant.name
    precision = "PyTorch" if target.is_reference else target.precision.name
    return Step(variant, suite_name(item), precision, options.samples[variant] if dataset_of(item) else 0)
