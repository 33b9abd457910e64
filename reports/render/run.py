"""From a saved record to verdicts, tables and pictures; measures nothing, so it can be repeated at will."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from sealbench.reports.errors import ReportError
from sealbench.reports.files import write_atomically
from sealbench.reports.gates.judge import EXIT_INCONCLUSIVE, EXIT_PASS, Gate, GateResult, exit_code, judge
from sealbench.reports.render.markdown import summary_markdown
from sealbench.reports.render.page.run import PAGE, page_html
from sealbench.reports.render.picture_path import picture_path_table
from sealbench.reports.render.plots.figures import FIGURES, Draw, compose, write_plots
from sealbench.reports.render.plots.robustness import robustness_markdown
from sealbench.reports.render.record import load_record
from sealbench.reports.render.table import Table, markdown_table
from sealbench.reports.render.tables import summary_frame, write_summary_csv, write_verdicts_csv
from sealbench.reports.run.reader import load_plan, load_results
from sealbench.reports.schema.records import Expectation, Measurement
from sealbench.reports.schema.tables import PLAN

_MOST_NAMES = 8


@dataclass(frozen=True)
class Rendered:
    """What rendering a run gave.

    Attributes:
        results: Every verdict.
        frame: The summary, one row for each case (columns tables.SUMMARY_COLUMNS).
        exit_code: How the run ends: 0, 1, 10 or 11.
        notes: What the reader must know, e.g. that the run died half way or a picture could not be drawn.
        page: Where report.html is.
        files: What was written, the page among it.
    """

    results: tuple[GateResult, ...]
    frame: pd.DataFrame
    exit_code: int
    notes: tuple[str, ...]
    page: Path
    files: tuple[Path, ...]


def render(run_dir: Path | str, gates: Sequence[Gate], figures: Mapping[str, Draw] = FIGURES) -> Rendered:
    """Judge a run and write verdicts.csv, summary.csv, summary.md, plots/ and report.html.

    Works on a run that died half way as well: what it promised and did not measure fails its gates.

    Args:
        run_dir: A run's folder.
        gates: What is asked; none when the run is only to be shown.
        figures: The pictures by name; they take most of the time, and a caller that needs none of them gives none.

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
    # Verdicts first, pictures after them and the page last: whatever happens to a picture, the verdicts are on disk.
    files = [
        write_verdicts_csv(results, folder / "verdicts.csv"),
        write_summary_csv(frame, folder / "summary.csv"),
        _write_summary(folder, frame, results, measurements, notes),
    ]
    record, problems = load_record(folder, measurements, results)
    paths = picture_path_table(record)
    pictures, uncomposed = compose(record, figures)
    plots, unwritten = write_plots(pictures, _plots_folder(folder))
    problems += [*uncomposed, *unwritten]
    notes += problems
    if problems or paths.rows:
        _write_summary(folder, frame, results, measurements, notes, paths)
    page = write_atomically(folder / PAGE, page_html(folder, record, frame, gates, pictures, paths, notes))
    code = exit_code(results, len(measurements))
    if code == EXIT_PASS and gates and plan is None:
        code = EXIT_INCONCLUSIVE
    return Rendered(tuple(results), frame, code, tuple(notes), page, (*files, page, *plots))


def _plots_folder(folder: Path) -> Path:
    plots = folder / "plots"
    try:
        plots.mkdir(exist_ok=True)
    except OSError as error:
        raise ReportError(f"cannot use {plots}: {error.strerror or error}") from error
    return plots


def _write_summary(
    folder: Path,
    frame: pd.DataFrame,
    results: Sequence[GateResult],
    measurements: Sequence[Measurement],
    notes: Sequence[str],
    paths: Table | None = None,
) -> Path:
    sections = [robustness_markdown(measurements), *([] if paths is None else [markdown_table(paths, "### ")])]
    page = summary_markdown(frame, results, len(measurements), notes, sections)
    return write_atomically(folder / "summary.md", page)


def _notes_on_completeness(measurements: Sequence[Measurement], plan: Sequence[Expectation] | None) -> list[str]:
    if plan is None:
        return [f"{PLAN} is missing: it is not known whether everything that was asked for was measured."]
    measured = {row.expectation for row in measurements}
    missing = [promise for promise in plan if promise not in measured]
    if not missing:
        return []
    metrics = list(dict.fromkeys(promise.metric for promise in missing))
    more = len(metrics) - _MOST_NAMES
    names = ", ".join(metrics[:_MOST_NAMES]) + (f" and {more} more metrics" if more > 0 else "")
    return [f"{len(missing)} of {len(plan)} promised measurements are missing ({names}): the run did not finish."]
