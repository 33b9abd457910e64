"""What a value must be for a model to ship: gates, and judging measurements by them.

Cheap to import: plain Python only. Nothing that is missing, NaN or infinite ever passes, and what does not
apply is never counted as passed.
"""

import math
import operator
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from fnmatch import fnmatchcase
from pathlib import Path

from sealbench.reports.errors import GateError
from sealbench.reports.run.reader import GATES
from sealbench.reports.schema.formatting import exact_enough, interval_text
from sealbench.reports.schema.metrics import METRICS, reason_not_applicable
from sealbench.reports.schema.old_names import current_metric
from sealbench.reports.schema.records import UPSTREAM, Case, Expectation, Measurement

DEFAULT_GATES = Path(__file__).with_name("gates.toml")

EXIT_PASS = 0
EXIT_FAIL = 1
EXIT_INCONCLUSIVE = 10
EXIT_NOTHING_MEASURED = 11

OPERATORS: dict[str, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    ">": operator.gt,
    "<=": operator.le,
    "<": operator.lt,
}
JUDGE_BY = ("value", "interval")
CASE_KEYS = ("variant", "weights", "precision", "image_size", "mode", "backend", "rewrites", "preprocess")
IMAGE_KEYS = ("dataset", "attack")
WHERE_KEYS = (*CASE_KEYS, *IMAGE_KEYS)
GATE_KEYS = ("metric", "where", "op", "limit", "reason", "judge_by")


class Verdict(StrEnum):
    """The outcome of one gate on one measurement."""

    PASS = "PASS"  # noqa: S105  (a verdict, no password)
    FAIL = "FAIL"
    INCONCLUSIVE = "INCONCLUSIVE"
    NOT_APPLICABLE = "NOT_APPLICABLE"


@dataclass(frozen=True)
class Gate:
    """A limit on one metric for the cases that match.

    Attributes:
        metric: A known metric's name.
        where: For any of WHERE_KEYS a shell pattern or several (one must match); a key left out matches all, but
            `preprocess` upstream's alone: what another resize changes is not the file's doing.
        op: ">=", ">", "<=" or "<": how the value must stand to the limit.
        limit: In the metric's unit; finite.
        reason: Why this limit; shown with the verdict.
        judge_by: "value", or "interval": PASS when the whole interval meets the limit, FAIL when none of it
            does, INCONCLUSIVE between, and where there is no interval.

    Raises:
        GateError: Anything else; the message names what was found and expected.
    """

    metric: str
    where: Mapping[str, str | Sequence[str]] = field(hash=False)
    op: str
    limit: float
    reason: str
    judge_by: str = "value"

    def __post_init__(self) -> None:
        if self.metric not in METRICS:
            raise GateError(f"unknown metric {self.metric!r}, expected one of {', '.join(METRICS)}")
        if self.op not in OPERATORS:
            raise GateError(f"unknown op {self.op!r}, expected one of {' '.join(OPERATORS)}")
        if isinstance(self.limit, bool) or not isinstance(self.limit, int | float):
            raise GateError(f"limit is {self.limit!r}, expected a number")
        if not math.isfinite(self.limit):
            raise GateError(f"limit is {self.limit!r}, expected a finite number")
        if not isinstance(self.reason, str) or not self.reason.strip():
            raise GateError(f"reason is {self.reason!r}, expected why this limit was chosen")
        if self.judge_by not in JUDGE_BY:
            raise GateError(f"unknown judge_by {self.judge_by!r}, expected one of {', '.join(JUDGE_BY)}")
        if not isinstance(self.where, Mapping):
            raise GateError(f"where is {self.where!r}, expected a table of patterns")
        object.__setattr__(self, "where", {key: _patterns(key, found) for key, found in self.where.items()})

    @property
    def where_text(self) -> str:
        """The patterns for people, e.g. "precision=int8 backend=litert"; "everything" when there are none."""
        return " ".join(f"{key}={'|'.join(found)}" for key, found in self.where.items()) or "everything"

    def matches_case(self, case: Case) -> bool:
        """Whether the patterns on the case match, whatever dataset and attack are."""
        return all(self._matches(key, getattr(case, key)) for key in CASE_KEYS)

    def matches(self, target: Expectation) -> bool:
        """Whether this gate judges a measurement of that metric on that case and those images."""
        return (
            target.metric == self.metric
            and self.matches_case(target.case)
            and all(self._matches(key, getattr(target, key)) for key in IMAGE_KEYS)
        )

    def _matches(self, key: str, found: str) -> bool:
        unsaid = (UPSTREAM,) if key == "preprocess" else ("*",)
        return any(fnmatchcase(found, pattern) for pattern in self.where.get(key, unsaid))


@dataclass(frozen=True)
class GateResult:
    """One row of verdicts.csv.

    Attributes:
        verdict: The outcome.
        gate: What was asked.
        case: Of what; None when no case of the run matches the gate.
        dataset: On which images; "" when none are involved or nothing was judged.
        attack: "none", "name:strength", or "" when nothing was judged.
        measurement: What was judged, or None.
        explanation: One sentence for people.
    """

    verdict: Verdict
    gate: Gate
    case: Case | None
    dataset: str
    attack: str
    measurement: Measurement | None
    explanation: str

    def __bool__(self) -> bool:
        return self.verdict in {Verdict.PASS, Verdict.NOT_APPLICABLE}


def gates_of_run(run_dir: Path, gates_file: Path | None = None) -> tuple[Gate, ...]:
    """The gates to judge a run by: those that are named, else those that it was judged by, else the built-in ones.

    Args:
        run_dir: A run's folder.
        gates_file: Of the user, or None.

    Raises:
        GateError: As `load_gates`.
    """
    kept = run_dir / GATES
    return load_gates(gates_file or (kept if kept.is_file() else DEFAULT_GATES))


def load_gates(path: Path | str = DEFAULT_GATES) -> tuple[Gate, ...]:
    """Read gates from a TOML file of [[gate]] tables.

    Args:
        path: The file.

    Returns:
        The gates in the order of the file.

    Raises:
        GateError: The file cannot be read, holds no gate, or a gate is not well-formed; names the file,
            the number of the gate (from 1), what was found and what was expected.
    """
    try:
        document = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise GateError(f"cannot read gates {path}: {error.strerror or error}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise GateError(f"{path} is not TOML: {error}") from error
    tables = document.pop("gate", None)
    if document:
        raise GateError(f"{path}: unknown key {next(iter(document))!r}, expected only [[gate]] tables")
    if not isinstance(tables, list) or not tables:
        raise GateError(f"{path}: found no gate, expected at least one [[gate]] table")
    return tuple(_gate_from_table(table, f"{path}, gate {number}") for number, table in enumerate(tables, start=1))


def judge(
    gates: Iterable[Gate], measurements: Iterable[Measurement], expectations: Iterable[Expectation]
) -> list[GateResult]:
    """Judge a run.

    Args:
        gates: What is asked.
        measurements: What was measured; also what was not promised is judged, and twice if measured twice.
        expectations: What the selected suites promised; a promise that was not kept fails its gate.

    Returns:
        For each gate: one result for each matching measurement or broken promise, one NOT_APPLICABLE for each
        matching case where the metric means nothing or was not asked for, or one when no case matches at all.
    """
    # Promises first, so that verdicts come in the order of the run.
    found: dict[Expectation, list[Measurement]] = {promise: [] for promise in expectations}
    for row in measurements:
        found.setdefault(row.expectation, []).append(row)
    cases: dict[Case, dict[Expectation, list[Measurement]]] = {}
    for target, rows in found.items():
        cases.setdefault(target.case, {})[target] = rows
    return [result for gate in gates for result in _judge_gate(gate, cases)]


def exit_code(results: Iterable[GateResult], measured: int) -> int:
    """The exit code of a run.

    Args:
        results: The verdicts.
        measured: How many measurements the run made, at least 0.

    Returns:
        1 when a gate failed, 11 when nothing was measured, 10 when a gate is inconclusive, and 0 when all
        pass or do not apply.
    """
    verdicts = {result.verdict for result in results}
    if Verdict.FAIL in verdicts:
        return EXIT_FAIL
    if measured == 0:
        return EXIT_NOTHING_MEASURED
    return EXIT_INCONCLUSIVE if Verdict.INCONCLUSIVE in verdicts else EXIT_PASS


def _judge_gate(gate: Gate, cases: Mapping[Case, Mapping[Expectation, list[Measurement]]]) -> list[GateResult]:
    results = [
        result for case, found in cases.items() if gate.matches_case(case) for result in _judge_case(gate, case, found)
    ]
    nothing = f"no case of this run matches {gate.where_text}"
    return results or [_result(Verdict.NOT_APPLICABLE, gate, None, nothing)]


def _judge_case(gate: Gate, case: Case, found: Mapping[Expectation, list[Measurement]]) -> list[GateResult]:
    if reason := reason_not_applicable(gate.metric, case.weights):
        return [_result(Verdict.NOT_APPLICABLE, gate, case, reason)]
    targets = [target for target in found if gate.matches(target)]
    if not targets:
        elsewhere = any(target.metric == gate.metric for target in found)
        reason = (
            f"no dataset or attack of this run matches {gate.where_text}"
            if elsewhere
            else f"{gate.metric} of this case was not asked for in this run (its suite was not selected)"
        )
        return [_result(Verdict.NOT_APPLICABLE, gate, case, reason)]
    return [result for target in targets for result in _judge_target(gate, target, found[target])]


def _judge_target(gate: Gate, target: Expectation, rows: list[Measurement]) -> list[GateResult]:
    if not rows:
        lost = _result(Verdict.FAIL, gate, target.case, "promised but not measured: the suite did not finish")
        return [replace(lost, dataset=target.dataset, attack=target.attack)]
    judged = _by_interval if gate.judge_by == "interval" else _by_value
    return [
        GateResult(verdict, gate, target.case, target.dataset, target.attack, row, explanation)
        for row in rows
        for verdict, explanation in [judged(gate, row)]
    ]


def _by_value(gate: Gate, row: Measurement) -> tuple[Verdict, str]:
    if not math.isfinite(row.value):
        return Verdict.FAIL, f"the value is {row.value}: not a finite number"
    met = OPERATORS[gate.op](row.value, gate.limit)
    value, limit = exact_enough(row.value, gate.limit), f"{gate.limit:g} {row.unit}"
    if met:
        return Verdict.PASS, f"{value} {gate.op} {limit}"
    return Verdict.FAIL, f"{value} is not {gate.op} {limit}"


def _by_interval(gate: Gate, row: Measurement) -> tuple[Verdict, str]:
    if not math.isfinite(row.value):
        return Verdict.FAIL, f"the value is {row.value}: not a finite number"
    if row.ci_low is None or row.ci_high is None:
        return (
            Verdict.INCONCLUSIVE,
            "no interval was measured (fewer than five pictures, one round, or too busy a machine): nothing is known",
        )
    interval = interval_text(row)
    if not (math.isfinite(row.ci_low) and math.isfinite(row.ci_high) and row.ci_low <= row.ci_high):
        return Verdict.FAIL, f"the interval {interval} is not one: expected two finite numbers in order"
    met = [OPERATORS[gate.op](end, gate.limit) for end in (row.ci_low, row.ci_high)]
    limit = f"{gate.op} {gate.limit:g} {row.unit}"
    if all(met):
        return Verdict.PASS, f"the whole interval {interval} is {limit}"
    if any(met):
        return Verdict.INCONCLUSIVE, f"only a part of the interval {interval} is {limit}"
    return Verdict.FAIL, f"nothing of the interval {interval} is {limit}"


def _result(verdict: Verdict, gate: Gate, case: Case | None, explanation: str) -> GateResult:
    return GateResult(verdict, gate, case, "", "", None, explanation)


def _gate_from_table(table: object, place: str) -> Gate:
    if not isinstance(table, dict):
        raise GateError(f"{place}: found {table!r}, expected a table")
    unknown = [key for key in table if key not in GATE_KEYS]
    if unknown:
        raise GateError(f"{place}: unknown key {unknown[0]!r}, expected {', '.join(GATE_KEYS)}")
    missing = [key for key in ("metric", "op", "limit", "reason") if key not in table]
    if missing:
        raise GateError(f"{place}: {missing[0]!r} is missing, expected {', '.join(GATE_KEYS)}")
    try:
        return Gate(**{"where": {}, **table, "metric": current_metric(table["metric"])})
    except GateError as error:
        raise GateError(f"{place} ({table['metric']}): {error}") from error
    except TypeError as error:  # e.g. a list where a name is expected: it cannot be looked up
        raise GateError(f"{place}: {error}, expected text for metric and op") from error


def _patterns(key: str, found: object) -> tuple[str, ...]:
    if key not in WHERE_KEYS:
        raise GateError(f"unknown key {key!r} in where, expected {', '.join(WHERE_KEYS)}")
    patterns = (found,) if isinstance(found, str) else found
    if (
        not isinstance(patterns, list | tuple)
        or not patterns
        or not all(isinstance(pattern, str) for pattern in patterns)
    ):
        raise GateError(f"where.{key} is {found!r}, expected a pattern or a list of patterns")
    return tuple(patterns)
