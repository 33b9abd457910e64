"""From a suite to the record: a suite says what it measured, the recorder writes it and judges it."""

from collections.abc import Sequence

from sealbench.reports.gates.judge import Gate, GateResult, Verdict, judge
from sealbench.reports.run.directory import RunDirectory
from sealbench.reports.schema.formatting import interval_text
from sealbench.reports.schema.records import NO_ATTACK, Case, Expectation, Measurement, measurement

NO_DATASET = ""


class Recorder:
    """Records the measurements of one test.

    Args:
        run: where they are written.
        gates: what they are judged by.
        case: what is measured.
        dataset: on which images; empty for a metric that needs none.
        attack: what was done to them.
        expectations: what the test will measure; other metrics are refused, and a missing one fails its gate.
    """

    def __init__(
        self,
        run: RunDirectory,
        gates: Sequence[Gate],
        case: Case,
        dataset: str,
        attack: str,
        expectations: Sequence[Expectation],
    ):
        self._run = run
        self._gates = gates
        self._case = case
        self._dataset = dataset
        self._attack = attack
        self._expectations = expectations
        self._measured: list[Measurement] = []

    def __call__(self, metric: str, value: float, n: int, ci: tuple[float, float] | None = None) -> None:
        """Record one value, in the unit of the metric's entry in the registry.

        Args:
            metric: one of those that the test's marker `measures` names.
            value: may be NaN, which never passes a gate.
            n: how many images or rounds it rests on; 1 for a property of the file.
            ci: its interval, see `sealbench.reports.schema.records.Measurement`.

        Raises:
            ValueError: the marker does not name this metric.
        """
        if metric not in {expectation.metric for expectation in self._expectations}:
            raise ValueError(f"{metric} was measured but not expected: add it to the test's `measures` marker")
        row = measurement(self._run.run_id, self._case, self._dataset, self._attack, metric, value, n, ci)
        self._measured.append(row)
        self._run.append([row])

    def results(self) -> list[GateResult]:
        """What the gates say of it, and of what was expected and is missing."""
        return judge(self._gates, self._measured, self._expectations)

    def failures(self) -> list[GateResult]:
        """The gates that what was measured so far does not pass."""
        return [result for result in self.results() if result.verdict is Verdict.FAIL]

    def properties(self) -> list[tuple[str, object]]:
        """What was measured and what the gates say of it, as the properties of a test in JUnit XML.

        Returns:
            Names and values: the metric and its value with every digit, its unit, interval and count behind a point;
            a gate that applies, written with its limit, and its verdict.
        """
        found: list[tuple[str, object]] = []
        for row in self._measured:
            name = row.metric if row.attack == NO_ATTACK else f"{row.metric}, {row.attack}"
            found += [(name, repr(row.value)), (f"{name}.unit", row.unit), (f"{name}.n", row.n)]
            if interval := interval_text(row):
                found.append((f"{name}.interval", interval))
        return found + [
            (f"{result.gate.metric} {result.gate.op} {result.gate.limit:g}", result.verdict.value)
            for result in self.results()
            if result.verdict is not Verdict.NOT_APPLICABLE
        ]
