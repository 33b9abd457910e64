"""From a saved record to verdicts, tables and pictures; measures nothing, so it can be repeated at will."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from reports.errors import ReportError
from reports.files import write_atomically
from reports.gates import EXIT_INCONCLUSIVE, EXIT_PASS, Gate, GateResult, exit_code, judge
from reports.markdown import summary_markdown
from reports.plots import FIGURES, write_plots
from reports.quality_plots import QUALITY_FIGURES
from reports.records import BIT_COLUMNS, SCORE_COLUMNS, Expectation, Measurement
from reports.robustness import robustness_markdown
from reports.run_reader import PLAN, load_bits, load_plan, load_results, load_scores
from reports.tables import summary_frame, write_summary_csv, write_verdicts_csv


@dataclass(frozen=True)
class Rendered:
    """What rendering a run gave.

    Attributes:
        results: Every verdict.
        frame: The summary, one row for each case (columns tables.SUMMARY_COLUMNS).
        exit_code: How the run ends: 0, 1, 10 or 11.
        notes: What the reader must know, e.g. that the run died half way or a picture could not be drawn.
        files: What was written.
    """

    results: tuple[GateResult, ...]
    frame: pd.DataFrame
    exit_code: int
    notes: tuple[str, ...]
    files: tuple[Path, ...]


def render(run_dir: Path | str, gates: Sequence[Gate]) -> Rendered:
    """Judge a run and write verdicts.csv, summary.csv, summary.md and plots/.

    Works on a run that died half way as well: what it promised and did not measure fails its gates.

    Args:
        run_dir: A run's folder.
        gates: What is asked; none when the run is only to be shown.

    Returns:
        The verdicts, the summary, and what was written. The exit code is 10 instead of 0 when gates judged a run
        without a plan: nobody knows then whether everything was measured.

    Raises:
        ReportError: The folder holds no run, its record is damaged, or a file cannot be written.
    """
    folder = Path(run_dir)
    measurements = load_results(folder)
    plan = load_plan(folder)
    results = judge(gates, measurements, plan or [])
    frame = summary_frame(measurements, results)
    notes = _notes_on_completeness(measurements, plan)
    # Verdicts first and pictures last: whatever happens to a picture, the answer is on disk.
    files = [
        write_verdicts_csv(results, folder / "verdicts.csv"),
        write_summary_csv(frame, folder / "summary.csv"),
        _write_page(folder, frame, results, measurements, notes),
    ]
    pictures, problems = _draw(folder, measurements)
    if problems:
        notes += problems
        _write_page(folder, frame, results, measurements, notes)
    code = exit_code(results, len(measurements))
    if code == EXIT_PASS and gates and plan is None:
        code = EXIT_INCONCLUSIVE
    return Rendered(tuple(results), frame, code, tuple(notes), (*files, *pictures))


def _draw(folder: Path, measurements: Sequence[Measurement]) -> tuple[list[Path], list[str]]:
    problems = []
    samples = []
    for load, columns in ((load_bits, BIT_COLUMNS), (load_scores, SCORE_COLUMNS)):
        try:
            samples.append(load(folder))
        except (ReportError, ValueError) as error:  # pandas' own parse errors are ValueErrors
            problems.append(f"the samples cannot be read: {error}")
            samples.append(pd.DataFrame(columns=list(columns)))
    plots = folder / "plots"
    try:
        plots.mkdir(exist_ok=True)
    except OSError as error:
        raise ReportError(f"cannot use {plots}: {error.strerror or error}") from error
    pictures = []
    for figures, frame in zip((FIGURES, QUALITY_FIGURES), samples, strict=True):
        drawn, failed = write_plots(measurements, frame, plots, figures)
        pictures += drawn
        problems += failed
    return pictures, problems


def _write_page(
    folder: Path,
    frame: pd.DataFrame,
    results: Sequence[GateResult],
    measurements: Sequence[Measurement],
    notes: Sequence[str],
) -> Path:
    page = summary_markdown(frame, results, len(measurements), notes, robustness_markdown(measurements))
    return write_atomically(folder / "summary.md", page)


def _notes_on_completeness(measurements: Sequence[Measurement], plan: Sequence[Expectation] | None) -> list[str]:
    if plan is None:
        return [f"{PLAN} is missing: it is not known whether everything that was asked for was measured."]
    measured = {row.expectation for row in measurements}
    missing = [promise for promise in plan if promise not in measured]
    if not missing:
        return []
    names = ", ".join(dict.fromkeys(promise.metric for promise in missing))
    return [f"{len(missing)} of {len(plan)} promised measurements are missing ({names}): the run did not finish."]
