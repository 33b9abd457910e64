"""Whatever the bench promises to measure of a variant at a precision is judged by a gate, or a reason says why not."""

import importlib
import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import pytest

from sealbench.bench import suites
from sealbench.bench.tasks.registry import task_of
from sealbench.converters.cards.card import Card
from sealbench.converters.cards.module import ModuleCard
from sealbench.converters.export.precisions import PRECISIONS
from sealbench.converters.families import family_of
from sealbench.converters.families.registry import card_names, get_card
from sealbench.reports.gates.exemptions import EXEMPTIONS, Exemption, reason_without_gate
from sealbench.reports.gates.judge import load_gates
from sealbench.reports.schema.metrics import METRICS, reason_not_applicable
from sealbench.reports.schema.records import Case

# What a test of a suite runs on, by the name of its fixture: backends of files, and the reference.
BACKENDS = {
    "target": ("litert", "tensorflow", "torch"),
    "file_target": ("litert", "tensorflow"),
    "quantized_target": ("litert", "tensorflow"),
    "rewritten_target": ("litert", "tensorflow"),
    "second_target": ("tensorflow",),
    "conversion_target": ("litert",),
    "reference_target": ("torch",),
}
GATES = load_gates()
# A user's module has the metrics of the task tensor, which no bundled model has.
OWN = ModuleCard("my_network", "mine.py:my_network", "tensor", ((1, 3, 32, 32),), ((1, 10),), False, "graph", "values")
CARDS = [*(get_card(name) for name in card_names()), OWN]


@dataclass(frozen=True)
class Suite:
    """What one test of the bench promises to measure, on models of which outputs (none: all), on what."""

    name: str
    metrics: tuple[str, ...]
    gives: tuple[str, ...]
    fixture: str


def suite_tests() -> Iterator[Suite]:
    """Every test of the bench that promises a metric, read from its markers."""
    for path in sorted(Path(suites.__file__).parent.glob("test_*.py")):
        module = importlib.import_module(f"sealbench.bench.suites.{path.stem}")
        for name, function in inspect.getmembers(module, inspect.isfunction):
            marks = [*_marks(module), *_marks(function)]
            metrics = tuple(metric for mark in marks if mark.name == "measures" for metric in mark.args)
            if metrics:
                (fixture,) = BACKENDS.keys() & inspect.signature(function).parameters.keys()
                gives = tuple(
                    output for mark in marks if mark.name == "suite" for output in mark.kwargs.get("outputs", ())
                )
                yield Suite(name, metrics, gives, fixture)


def _marks(of: object) -> list[pytest.Mark]:
    found = getattr(of, "pytestmark", [])
    return [mark.mark if isinstance(mark, pytest.MarkDecorator) else mark for mark in _as_list(found)]


def _as_list(found: object) -> list:
    return found if isinstance(found, list) else [found]


SUITES = list(suite_tests())


def cases(card: Card, precision: str, fixture: str) -> Iterator[Case]:
    """Every case of a card at a precision that tests with a fixture may meet, at the size it was trained at."""
    weights = ["own"] if card.own_weights else ["file", "seeded"]
    weights += ["bundled"] if card.bundled_weights else []
    weights += ["official"] if card.official_weights else []
    modes = ("simple", "resize") if card.task == "watermark" else ("simple",)
    size = str(family_of(card).default_size(card))
    for kind, mode, backend in product(weights, modes, BACKENDS[fixture]):
        measured = precision == "float32" if backend == "torch" else True
        if measured and not (fixture == "quantized_target" and precision == "float32"):
            yield Case(card.name, kind, precision, size, mode, backend, threads=2)


def promised() -> Iterator[tuple[str, Case]]:
    """Metric and case of all that may be measured and means something."""
    for card, suite, precision in product(CARDS, SUITES, PRECISIONS):
        if not suite.gives or task_of(card).gives(card) in suite.gives:
            for case, metric in product(cases(card, precision, suite.fixture), suite.metrics):
                if reason_not_applicable(metric, case.weights) is None:
                    yield metric, case


PROMISED = list(dict.fromkeys(promised()))


def gated(metric: str, case: Case) -> bool:
    return any(gate.metric == metric and gate.matches_case(case) for gate in GATES)


def test_every_metric_is_promised_by_a_suite() -> None:
    """A metric that nothing measures could have any gate."""
    assert {metric for suite in SUITES for metric in suite.metrics} == set(METRICS)
    assert {case.variant for _, case in PROMISED} == {card.name for card in CARDS}
    assert {case.precision for _, case in PROMISED} == set(PRECISIONS)


@pytest.mark.parametrize("metric", METRICS)
def test_a_gate_or_a_reason(metric: str) -> None:
    open_cases = [
        f"{case.variant} {case.precision} {case.weights} {case.mode} {case.backend}"
        for found, case in PROMISED
        if found == metric and not gated(found, case) and reason_without_gate(found, case) is None
    ]
    assert not open_cases, (
        f"{metric} has neither a gate in reports/gates/gates.toml nor a reason (its own in reports/schema/metrics.py, "
        f"or one in reports/gates/exemptions.py) for "
        f"{len(open_cases)} cases, such as {open_cases[0]}"
    )


@pytest.mark.parametrize("metric", METRICS)
def test_a_metric_has_gates_or_says_why_it_never_has_one(metric: str) -> None:
    assert any(gate.metric == metric for gate in GATES) is not bool(METRICS[metric].no_gate)


@pytest.mark.parametrize("entry", EXEMPTIONS, ids=lambda entry: entry.reason[:40])
def test_exemptions_are_needed(entry: Exemption) -> None:
    """One that no case without a gate calls for is out of date."""
    needed = any(
        not gated(metric, case) and reason_without_gate(metric, case) == entry.reason for metric, case in PROMISED
    )
    assert needed, f"nothing needs the exemption {entry.reason!r}"


def test_reasons_are_sentences() -> None:
    reasons = [entry.reason for entry in EXEMPTIONS]
    assert len(set(reasons)) == len(reasons)
    reasons += [metric.no_gate for metric in METRICS.values() if metric.no_gate]
    assert all(reason.strip().endswith(".") for reason in reasons)


def test_a_removed_gate_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The gates on the bundled weights' bits gone, nothing answers for them any more."""
    rest = tuple(gate for gate in GATES if gate.metric != "bit_accuracy_delta")
    monkeypatch.setitem(globals(), "GATES", rest)
    with pytest.raises(AssertionError, match="bit_accuracy_delta has neither"):
        test_a_gate_or_a_reason("bit_accuracy_delta")
