"""The limits that one run would pass, beside those of the gates: where to begin with gates for other weights."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sealbench.reports.gates.judge import Gate, judge
from sealbench.reports.schema.formatting import precision_name
from sealbench.reports.schema.records import Measurement

DIGITS = 4  # significant ones of a limit; the rest is rounded to the side that lets the run pass
PYTORCH = "PyTorch"


@dataclass(frozen=True)
class RunLimit:
    """One gated metric of one file, or of PyTorch.

    Attributes:
        precision: of the file, starred where it was rewritten; `PyTorch` for the reference.
        metric, unit: what was measured.
        value: the worst that was found, of all images and attacks of the run.
        limit: what the gate asks, like `>= 0.98`; None where no gate is on this metric of this model.
        verdict: the gate's, or None.
        supported: the tightest limit that this run would pass, or None where there is no finite value.
    """

    precision: str
    metric: str
    unit: str
    value: float
    limit: str | None
    verdict: str | None
    supported: str | None


def run_limits(measurements: Sequence[Measurement], gates: Iterable[Gate]) -> list[RunLimit]:
    """What a run says of every metric on which there is a gate, by file and then in the order of the gates.

    A gate that is judged by the interval is held against the end of the interval that is worse, others against the
    value. A metric whose gates are all for other models is held against the value, in their direction.

    Args:
        measurements: of a run.
        gates: those that it is judged by.
    """
    gates = tuple(gates)
    judged = [result for result in judge(gates, measurements, ()) if result.measurement is not None]
    found = [(result.gate, str(result.verdict), row) for result in judged if (row := result.measurement) is not None]
    with_a_gate = {id(row) for _, _, row in found}
    first = {gate.metric: gate for gate in reversed(gates)}
    rest = [row for row in measurements if row.metric in first and id(row) not in with_a_gate]
    found += [(first[row.metric], "", row) for row in rest]
    worst: dict[tuple[str, str, str], RunLimit] = {}
    bounds: dict[tuple[str, str, str], float] = {}
    for gate, verdict, row in found:
        file = PYTORCH if row.case.is_reference else precision_name(row.case.precision, row.case.rewrites)
        key = (file, row.metric, gate.where_text if verdict else "")
        bound = _bound(gate, row) if verdict else row.value
        if key in bounds and not _is_worse(gate.op, bound, bounds[key]):
            continue
        bounds[key] = bound
        limit = f"{gate.op} {gate.limit:g}" if verdict else None
        worst[key] = RunLimit(file, row.metric, row.unit, row.value, limit, verdict or None, _supported(gate.op, bound))
    order = {gate.metric: place for place, gate in reversed(list(enumerate(gates)))}
    files = list(dict.fromkeys(file for file, _, _ in worst))
    return sorted(worst.values(), key=lambda entry: (files.index(entry.precision), order[entry.metric]))


def _bound(gate: Gate, row: Measurement) -> float:
    """What the gate holds against its limit."""
    if gate.judge_by == "value":
        return row.value
    end = row.ci_low if gate.op in {">=", ">"} else row.ci_high
    return math.nan if end is None else end


def _is_worse(op: str, one: float, other: float) -> bool:
    if math.isnan(one) or math.isnan(other):
        return math.isnan(one)
    return one < other if op in {">=", ">"} else one > other


def _supported(op: str, bound: float) -> str | None:
    """`>=` or `<=` and a number of DIGITS significant digits that the bound just passes."""
    if not math.isfinite(bound):
        return None
    upwards = op in {"<=", "<"}
    if bound == 0:
        return "<= 0" if upwards else ">= 0"
    step = 10.0 ** (math.floor(math.log10(abs(bound))) - DIGITS + 1)
    steps = round(bound / step, 6)  # 0.97 / 0.0001 is not quite 9700
    rounded = (math.ceil(steps) if upwards else math.floor(steps)) * step
    return f"{'<=' if upwards else '>='} {rounded:.{DIGITS}g}"


def table(limits: Sequence[RunLimit]) -> list[str]:
    """Lines for people: columns as wide as what is in them, nothing wrapped."""
    rows = [("precision", "metric", "value", "default gate", "verdict", "limit from this run", "unit")]
    rows += [
        (
            entry.precision,
            entry.metric,
            f"{entry.value:.{DIGITS}g}",
            entry.limit or "none",
            entry.verdict or "",
            entry.supported or "none",
            entry.unit,
        )
        for entry in limits
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
