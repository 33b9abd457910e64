"""Headline metrics over many runs, in the order of time, and where their line breaks."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sealbench.reports.errors import ReportError
from sealbench.reports.run.comparability import SAME, depends_on_machine, other_machine, refusals
from sealbench.reports.run.loaded_run import LoadedRun, load_run
from sealbench.reports.run.reader import load_plan
from sealbench.reports.schema.metrics import reason_not_applicable
from sealbench.reports.schema.records import Case
from sealbench.reports.schema.tasks import HEADLINES

_RUN_ID_TIME = "%Y%m%d-%H%M%S-%f"


@dataclass(frozen=True)
class Point:
    """One headline value of one run.

    Attributes:
        run: The number of the run in order of time, from 0.
        run_id: Its name.
        time: When it began, UTC.
        commit: Of the code that measured, or "".
        case: Of what.
        dataset: On which images; "" where none are involved.
        metric: A headline's name.
        value: In the metric's unit.
        low: Lower end of its interval, or None; see `sealbench.reports.schema.records.Measurement`.
        high: Upper end, or None.
        segment: Counts from 0 up where this value cannot be compared with the one before it: other weights, images or
            preprocessing, or for what depends on it another machine.
    """

    run: int
    run_id: str
    time: datetime
    commit: str
    case: Case
    dataset: str
    metric: str
    value: float
    low: float | None
    high: float | None
    segment: int


def load_runs(folders: Iterable[Path]) -> tuple[list[LoadedRun], list[str]]:
    """Read the runs among some folders.

    Args:
        folders: Any; one that is given twice, or by a link as well, counts once.

    Returns:
        The runs in order of time, and for each folder that was skipped a note with the reason: it holds no run, its
        record is damaged, or the run did not finish.
    """
    runs: list[LoadedRun] = []
    notes = []
    for folder in {path.resolve(): path for path in folders}.values():
        try:
            run = load_run(folder)
            missing = _unfinished(run)
            time_of(run)
        except ReportError as error:
            notes.append(f"skipped: {error}")
            continue
        if missing:
            notes.append(f"skipped: {folder}: {missing}")
        else:
            runs.append(run)
    return sorted(runs, key=lambda run: (time_of(run), run.run_id)), notes


def time_of(run: LoadedRun) -> datetime:
    """When a run began.

    Args:
        run: Any run.

    Returns:
        The time, UTC: as environment.json says it, else as the name of the run does.

    Raises:
        ReportError: Neither does.
    """
    recorded = run.environment.get("time")
    try:
        if isinstance(recorded, str):
            return datetime.fromisoformat(recorded).astimezone(UTC)
        return datetime.strptime(run.run_id, _RUN_ID_TIME).replace(tzinfo=UTC)
    except ValueError as error:
        raise ReportError(f"{run.path}: neither environment.json nor the run's name says when it began") from error


def history(runs: Sequence[LoadedRun]) -> tuple[Point, ...]:
    """Follow the headline metrics of every case through runs.

    Args:
        runs: In order of time.

    Returns:
        The values on images without an attack that mean something for their weights, run by run.
    """
    points = []
    last: dict[tuple[Case, str, str], tuple[LoadedRun, int]] = {}
    for number, run in enumerate(runs):
        commit = str(run.environment.get("git_commit") or "")
        for row in run.measurements:
            if row.metric not in HEADLINES or row.attack not in {"none", ""}:
                continue
            if reason_not_applicable(row.metric, row.case.weights):
                continue
            key = (row.case, row.dataset, row.metric)
            before, segment = last.get(key, (run, 0))
            if before is not run and _breaks(before, run, row.case.variant, row.metric):
                segment += 1
            last[key] = (run, segment)
            points.append(
                Point(
                    run=number,
                    run_id=run.run_id,
                    time=time_of(run),
                    commit=commit,
                    case=row.case,
                    dataset=row.dataset,
                    metric=row.metric,
                    value=row.value,
                    low=row.ci_low,
                    high=row.ci_high,
                    segment=segment,
                )
            )
    return tuple(points)


def _breaks(before: LoadedRun, after: LoadedRun, variant: str, metric: str) -> bool:
    ours, theirs = (_of_variant(run, variant) for run in (before, after))
    if refusals(ours, theirs):
        return True
    return depends_on_machine(metric) and bool(other_machine(before.environment, after.environment))


def _of_variant(run: LoadedRun, variant: str) -> dict[str, object]:
    """The fingerprints that concern one variant; those of data are named "DATASET for VARIANT at SIZE"."""
    found: dict[str, object] = {}
    for field in SAME:
        entries = run.environment.get(field)
        if isinstance(entries, dict):
            found[field] = {
                name: entry for name, entry in entries.items() if name == variant or f" for {variant} at " in name
            }
    return found


def _unfinished(run: LoadedRun) -> str:
    plan = load_plan(run.path)
    if plan is None:
        return "the run did not finish: it has no plan.csv"
    done = {row.expectation for row in run.measurements}
    missing = sum(promise not in done for promise in plan)
    if missing:
        return f"the run did not finish: {missing} of {len(plan)} promised measurements are missing"
    return "" if run.measurements else "nothing was measured"
