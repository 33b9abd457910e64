"""A run that is compared with a baseline: whether it can be, before anything is measured, and how it ends."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from sealbench.reports.errors import ReportError
from sealbench.reports.gates.judge import EXIT_FAIL, EXIT_INCONCLUSIVE, EXIT_PASS, Gate
from sealbench.reports.run.baselines import save_baseline
from sealbench.reports.run.comparability import refusals
from sealbench.reports.run.reader import load_environment, load_results
from sealbench.reports.schema.records import CASE_COLUMNS, Expectation

_OF_TARGET = ("dataset", "attack", "metric")
_COORDINATES = (*(name for name in CASE_COLUMNS if name != "threads"), *_OF_TARGET)
_MOST_VALUES = 6


def check_baseline(run_dir: Path, environment: Mapping[str, Any], expected: Iterable[Expectation]) -> None:
    """Refuse a baseline that nothing of this run can be compared with.

    Args:
        run_dir: the baseline's folder.
        environment: what this run will write to environment.json.
        expected: what it will measure.

    Raises:
        ReportError: the baseline is of other weights, images or preprocessing, or of another matrix; the message says
            what was found in each and what to do.
    """
    reasons = refusals(load_environment(run_dir), environment)
    if reasons:
        raise ReportError(f"--against {run_dir}: cannot be compared with this run: " + "; ".join(reasons))
    ours, theirs = _files(row.expectation for row in load_results(run_dir)), _files(expected)
    if theirs and not ours & theirs:
        raise ReportError(
            f"--against {run_dir}: holds nothing that this run measures: {_apart(ours, theirs)}; give the options that "
            "it was measured with"
        )


def conclude(
    run_dir: Path, against: Path | None, baseline: str | None, gates: Sequence[Gate], exit_code: int
) -> tuple[list[str], int]:
    """Compare a finished run with its baseline, and keep it as one where that was asked for.

    Args:
        run_dir: the run's folder, rendered.
        against: the baseline's folder, or None.
        baseline: the name under which the run is kept, or None. A run that is worse than `against` is not kept.
        gates: what judges.
        exit_code: how the run would end without a comparison.

    Returns:
        Lines for the terminal, and how the run ends: 1 where a value that a gate judges is worse, or where what was
        asked for could not be done.
    """
    lines: list[str] = []
    failed = False
    if against is not None:
        lines, failed = _compared(run_dir, against, gates)
    if baseline is not None and failed:
        lines.append(f"baseline {baseline} was not saved: the run is worse than {against}")
    elif baseline is not None:
        try:
            lines.append(save_baseline(run_dir, baseline))
        except ReportError as error:
            lines.append(str(error))
            failed = True
    return lines, EXIT_FAIL if failed and exit_code in {EXIT_PASS, EXIT_INCONCLUSIVE} else exit_code


def _compared(run_dir: Path, against: Path, gates: Sequence[Gate]) -> tuple[list[str], bool]:
    from sealbench.reports.compare.files import compare_runs, write_comparison
    from sealbench.reports.compare.tables import compare_console, conclusion

    try:
        comparison = compare_runs(against, run_dir, gates)
        write_comparison(comparison, run_dir)
    except ValueError as error:  # a ReportError, or what pandas makes of damaged samples
        return [f"--against {against}: not compared: {error}"], True
    head = f"against {comparison.before.run_id}: {conclusion(comparison.changes)}"
    return [head, *compare_console(comparison.changes).splitlines()], comparison.failed


def _files(targets: Iterable[Expectation]) -> set[tuple[object, ...]]:
    """What is measured of files: the PyTorch reference is in every run, and makes no two of them alike."""
    return {_without_threads(target) for target in targets if not target.case.is_reference}


def _without_threads(target: Expectation) -> tuple[object, ...]:
    return tuple(getattr(target if name in _OF_TARGET else target.case, name) for name in _COORDINATES)


def _apart(ours: Collection[tuple[object, ...]], theirs: Collection[tuple[object, ...]]) -> str:
    """The coordinates in which two matrices differ, and their values in each."""
    differences = []
    for place, name in enumerate(_COORDINATES):
        found, now = ({str(row[place]) for row in rows} for rows in (ours, theirs))
        if found != now:
            differences.append(f"{name.replace('_', ' ')}: found {_some(found)}, now {_some(now)}")
    return "; ".join(differences) or "other combinations of the same"


def _some(values: Collection[str]) -> str:
    names = [value or "none" for value in sorted(values)]
    return ", ".join(names[:_MOST_VALUES] + (["..."] if len(names) > _MOST_VALUES else [])) or "nothing"
