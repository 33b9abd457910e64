"""What changed between two runs, row by row: new, missing, better, worse, unchanged, and what cannot be compared."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from sealbench.reports.compare.evidence import Evidence, NoEvidence, SamplePairs
from sealbench.reports.errors import ReportError
from sealbench.reports.gates.judge import Gate
from sealbench.reports.run.comparability import depends_on_machine, other_machine, refusals
from sealbench.reports.run.loaded_run import LoadedRun
from sealbench.reports.schema.metrics import METRICS, reason_not_applicable
from sealbench.reports.schema.records import Case, Expectation, Measurement


class Status(StrEnum):
    """What became of one value."""

    WORSE = "worse"
    BETTER = "better"
    CHANGED = "changed"
    MISSING = "missing"
    NEW = "new"
    NOT_COMPARED = "not compared"
    UNCHANGED = "unchanged"


@dataclass(frozen=True)
class Change:
    """One value of either run beside its counterpart of the other.

    Attributes:
        status: What became of it; "changed" where its metric has no better direction.
        case: Of what; as the later run has it, where it has it.
        dataset: On which images; "" where none are involved.
        attack: "none" or "name:strength".
        metric: A known metric's name.
        before: The earlier run's value; None where it has none.
        after: The later run's value; None where it has none.
        change: After minus before in the metric's unit, or after / before where `ratio`; None where not compared.
        low: Lower end of the 95 % interval of the change, or None.
        high: Upper end.
        ratio: Whether the change is a ratio.
        evidence: "exact", "paired", "rounds", "intervals", or "".
        gated: Whether a gate judges this value: one that is worse fails a run that is compared with a baseline.
        words: The reason where it was not compared, or what the evidence is.
    """

    status: Status
    case: Case
    dataset: str
    attack: str
    metric: str
    before: float | None
    after: float | None
    change: float | None = None
    low: float | None = None
    high: float | None = None
    ratio: bool = False
    evidence: str = ""
    gated: bool = False
    words: str = ""


def compare(before: LoadedRun, after: LoadedRun, gates: Sequence[Gate] = ()) -> tuple[Change, ...]:
    """Compare two runs.

    Rows belong together that have the same case, dataset, attack and metric. Where a row has no counterpart but for
    another number of threads, the two are put together: times are then not compared, everything else is.

    Args:
        before: The earlier run.
        after: The later one.
        gates: What judges; they say which rows are gated.

    Returns:
        A row for each value of either run: those of the later run in its order, then what is missing from it.

    Raises:
        ReportError: The runs are of other weights, images or preprocessing.
    """
    reasons = refusals(before.environment, after.environment)
    if reasons:
        raise ReportError(f"{before.path} and {after.path} cannot be compared: " + "; ".join(reasons))
    # Where a value was measured twice the last one counts, as in every file of a resumed run.
    ours = {row.expectation: row for row in before.measurements}
    theirs = {row.expectation: row for row in after.measurements}
    partners = _partners(ours, theirs)
    pairs = SamplePairs(before, after)
    machine = other_machine(before.environment, after.environment)
    changes = [
        _new(row) if key not in partners else _compared(ours[partners[key]], row, pairs, machine)
        for key, row in theirs.items()
    ]
    left = ours.keys() - set(partners.values())
    changes += [_missing(row) for key, row in ours.items() if key in left]
    return tuple(replace(change, gated=_gated(change, gates)) for change in changes)


def count_statuses(changes: Iterable[Change]) -> dict[Status, int]:
    """Count the rows of each status.

    Args:
        changes: What `compare` gives.

    Returns:
        The counts, zeros too, in the order of `Status`.
    """
    counts = Counter(change.status for change in changes)
    return {status: counts[status] for status in Status}


def regressions(changes: Iterable[Change]) -> list[Change]:
    """The rows that fail a run which is compared with a baseline: worse, and of a gated metric.

    Args:
        changes: What `compare` gives.
    """
    return [change for change in changes if change.status is Status.WORSE and change.gated]


def _partners(ours: Iterable[Expectation], theirs: Iterable[Expectation]) -> dict[Expectation, Expectation]:
    """For rows of the later run their counterparts of the earlier one."""
    first, second = set(ours), list(theirs)
    partners = {key: key for key in second if key in first}
    left, alone = _by_threadless(first - set(second)), _by_threadless(key for key in second if key not in partners)
    for name, keys in alone.items():
        if len(keys) == 1 and len(left.get(name, ())) == 1:
            partners[keys[0]] = left[name][0]
    return partners


def _by_threadless(keys: Iterable[Expectation]) -> dict[Expectation, list[Expectation]]:
    found: dict[Expectation, list[Expectation]] = {}
    for key in keys:
        found.setdefault(replace(key, case=replace(key.case, threads=0)), []).append(key)
    return found


def _compared(before: Measurement, after: Measurement, pairs: SamplePairs, machine: str) -> Change:
    row = _row(Status.NOT_COMPARED, after, before.value, after.value)
    if reason := _reason_not_compared(before, after, machine):
        return replace(row, words=reason)
    if before.value == after.value or (math.isnan(before.value) and math.isnan(after.value)):
        return replace(row, status=Status.UNCHANGED, change=0.0, evidence="exact")
    if not (math.isfinite(before.value) and math.isfinite(after.value)):
        return replace(row, status=_without_noise(before, after), words="a value that is not finite")
    found = pairs.evidence(before, after)
    if isinstance(found, NoEvidence):
        return replace(row, words=found.reason)
    return replace(
        row,
        status=_status(after.metric, found),
        change=found.change,
        low=found.low,
        high=found.high,
        ratio=found.ratio,
        evidence=found.kind,
        words=found.words,
    )


def _reason_not_compared(before: Measurement, after: Measurement, machine: str) -> str:
    """Why two values are not compared, before anything is known of noise; "" where they may be."""
    if reason := reason_not_applicable(after.metric, after.case.weights):
        return reason
    if not depends_on_machine(after.metric):
        return ""
    if before.case.threads != after.case.threads:
        return f"other threads: {before.case.threads} and {after.case.threads}"
    return machine


def _status(metric: str, found: Evidence) -> Status:
    if not found.real:
        return Status.UNCHANGED
    return _direction(metric, rises=found.change > (1 if found.ratio else 0))


def _without_noise(before: Measurement, after: Measurement) -> Status:
    """NaN is the worst there is; infinities lie where they lie."""
    if math.isnan(before.value) or math.isnan(after.value):
        better = METRICS[after.metric].better
        return Status.CHANGED if better == "neither" else Status.WORSE if math.isnan(after.value) else Status.BETTER
    return _direction(after.metric, rises=after.value > before.value)


def _direction(metric: str, *, rises: bool) -> Status:
    better = METRICS[metric].better
    if better == "neither":
        return Status.CHANGED
    return Status.BETTER if rises == (better == "higher") else Status.WORSE


def _new(row: Measurement) -> Change:
    return _row(Status.NEW, row, None, row.value)


def _missing(row: Measurement) -> Change:
    return _row(Status.MISSING, row, row.value, None)


def _row(status: Status, row: Measurement, before: float | None, after: float | None) -> Change:
    return Change(status, row.case, row.dataset, row.attack, row.metric, before, after)


def _gated(change: Change, gates: Sequence[Gate]) -> bool:
    target = Expectation(change.case, change.dataset, change.attack, change.metric)
    judged = reason_not_applicable(change.metric, change.case.weights) is None
    return judged and any(gate.matches(target) for gate in gates)
