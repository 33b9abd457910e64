"""The recommendation of a run: which file of each model may ship, and why the others may not."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sealbench.reports.gates.judge import GateResult, Verdict
from sealbench.reports.gates.standings import Standing
from sealbench.reports.render.tables import case_of, model_label, models_task, precision_label
from sealbench.reports.schema.formatting import format_value
from sealbench.reports.schema.metrics import METRICS, SEEDED
from sealbench.reports.schema.records import RANDOM, REFERENCES, Case

Row = dict  # one row of the summary frame
_MOST_METRICS = 3


@dataclass(frozen=True)
class Recommendation:
    """What is recommended for one model.

    Attributes:
        model: See `model_label`.
        seeded: Whether its weights are untrained, so that nothing can be said of its accuracy.
        random: Whether it was measured on made-up inputs, so that nothing can be said of its use.
        measured: Whether anything was measured of its files.
        ship: Label of the smallest file that passes, or None where none does.
        facts: Its headline facts, e.g. "72.9 % smaller than float32".
        remarks: Sentences on the others: the fastest that passes, what fails and where, what is inconclusive.
    """

    model: str
    seeded: bool
    random: bool
    measured: bool
    ship: str | None
    facts: tuple[str, ...]
    remarks: tuple[str, ...]


def by_model(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """Group rows of the summary frame by `model_label`, in their order."""
    models: dict[str, list[Row]] = {}
    for row in rows:
        models.setdefault(model_label(row), []).append(row)
    return models


def is_measured(row: Row) -> bool:
    """Whether a row of the summary frame has any value."""
    return any(row[metric] is not None for metric in METRICS)


def smallest_that_passes(rows: Sequence[Row]) -> Row | None:
    """Find the smallest file that a gate judged and none rejected.

    Args:
        rows: The summary's rows of one model.

    Returns:
        Its row, or None.
    """
    passed = [row for row in _passing(rows) if _finite(row["size_bytes"])]
    return min(passed, key=lambda row: row["size_bytes"], default=None)


def headline_facts(row: Row, rows: Sequence[Row]) -> tuple[str, ...]:
    """Say the headlines of a file in words.

    Args:
        row: Its row of the summary frame.
        rows: Those of its model.

    Returns:
        For example ("72.9 % smaller than float32", "2.96 x as fast as PyTorch").
    """
    return tuple(
        f"{format_value(metric, row[metric])} {headline.words}"
        for metric, headline in models_task(rows).headlines.items()
        if headline.words and row[metric] is not None
    )


def recommend(rows: Sequence[Row], standings: Mapping[Case, Standing]) -> list[Recommendation]:
    """Say of each model what may ship.

    Args:
        rows: The summary's rows.
        standings: What `standings` gives.

    Returns:
        One for each model, in the order of the rows.
    """
    return [_recommendation(model, own, standings) for model, own in by_model(rows).items()]


def overall(results: Sequence[GateResult], measured: int) -> tuple[Verdict, str]:
    """Sum a run up.

    Args:
        results: The verdicts.
        measured: How many measurements the run made.

    Returns:
        The verdict, NOT_APPLICABLE where nothing was measured or judged, and a sentence without its full stop; "passed"
        only where a gate really judged.
    """
    count = Counter(result.verdict for result in results)
    skipped = count[Verdict.NOT_APPLICABLE]
    judged = len(results) - skipped
    aside = f"; {skipped} do not apply, which is no pass" if skipped else ""
    if count[Verdict.FAIL]:
        return Verdict.FAIL, f"{count[Verdict.FAIL]} of {judged} checks failed{aside}"
    if measured == 0:
        return Verdict.NOT_APPLICABLE, "Nothing was measured, so nothing can be said"
    if count[Verdict.INCONCLUSIVE]:
        return (
            Verdict.INCONCLUSIVE,
            f"{count[Verdict.INCONCLUSIVE]} of {judged} checks are inconclusive, none failed{aside}",
        )
    if judged == 0:
        return Verdict.NOT_APPLICABLE, f"No verdict: {measured} measurements, but no gate applied to them"
    return Verdict.PASS, f"All {judged} checks passed{aside}"


def _recommendation(model: str, rows: Sequence[Row], standings: Mapping[Case, Standing]) -> Recommendation:
    best = smallest_that_passes(rows)
    remarks = [_fastest(rows, best)]
    files = [(precision_label(row), standings[case_of(row)]) for row in rows if case_of(row) in standings]
    failed = [(label, standing.failed) for label, standing in files if standing.verdict is Verdict.FAIL]
    by_reason: dict[tuple[str, ...], list[str]] = {}
    for label, metrics in failed:
        by_reason.setdefault(metrics, []).append(label)
    remarks += [f"{_list(labels)} {_fails(labels)} {_metrics(metrics)}" for metrics, labels in by_reason.items()]
    if unsure := [label for label, standing in files if standing.verdict is Verdict.INCONCLUSIVE]:
        remarks.append(f"{_list(unsure)} {'is' if len(unsure) == 1 else 'are'} inconclusive")
    return Recommendation(
        model,
        rows[0]["weights"] == SEEDED,
        any(row["dataset"] == RANDOM for row in rows),
        any(is_measured(row) for row in rows),
        None if best is None else precision_label(best),
        () if best is None else headline_facts(best, rows),
        tuple(remark for remark in remarks if remark),
    )


def _passing(rows: Sequence[Row]) -> list[Row]:
    return [row for row in rows if row["verdict"] == Verdict.PASS and row["backend"] not in REFERENCES]


def _finite(value: float | None) -> bool:
    return value is not None and math.isfinite(value)


def _fastest(rows: Sequence[Row], best: Row | None) -> str:
    timed = [row for row in _passing(rows) if _finite(row["latency_ms"])]
    fastest = min(timed, key=lambda row: row["latency_ms"], default=None)
    if fastest is None or fastest is best:
        return ""
    speed = fastest["speedup_vs_torch"]
    how = "" if speed is None else f" ({format_value('speedup_vs_torch', speed)} as fast as PyTorch)"
    return f"the fastest that passes is {precision_label(fastest)}{how}"


def _fails(labels: Sequence[str]) -> str:
    return "fails" if len(labels) == 1 else "fail"


def _metrics(metrics: Sequence[str]) -> str:
    more = len(metrics) - _MOST_METRICS
    return _list(metrics) if more <= 0 else ", ".join(metrics[:_MOST_METRICS]) + f" and {more} more"


def _list(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + " and " + words[-1]
