"""A comparison of two runs, from their folders to the files that say what changed."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sealbench.reports.compare.changes import Change, compare, regressions
from sealbench.reports.compare.plot import compare_figure
from sealbench.reports.compare.tables import (
    changes_table,
    compare_csv,
    compare_markdown,
    conclusion,
    counts_text,
    other_tables,
)
from sealbench.reports.files import os_errors_as_report_errors, remove, write_atomically
from sealbench.reports.gates.judge import Gate
from sealbench.reports.render.page.templates import embedded, page
from sealbench.reports.render.plots.style import png
from sealbench.reports.run.comparability import Difference, allowed_differences
from sealbench.reports.run.loaded_run import LoadedRun, load_run

COMPARISON_DPI = 110
"""Pixels to the inch of the pictures that the pages of comparisons and histories hold as they are."""


@dataclass(frozen=True, eq=False)
class Comparison:
    """Two runs and what changed between them.

    Attributes:
        before: The earlier run.
        after: The later one.
        changes: What `compare` gives.
        differences: What else differs and may.
    """

    before: LoadedRun
    after: LoadedRun
    changes: tuple[Change, ...]
    differences: tuple[Difference, ...]

    @property
    def failed(self) -> bool:
        """Whether a value that a gate judges is worse."""
        return bool(regressions(self.changes))


def compare_runs(before: Path, after: Path, gates: Sequence[Gate]) -> Comparison:
    """Compare two saved runs.

    Args:
        before: Folder of the earlier run.
        after: Folder of the later one.
        gates: What judges.

    Returns:
        The comparison.

    Raises:
        ReportError: Either is no run, its record is damaged, or they cannot be compared.
    """
    first, second = load_run(before), load_run(after)
    changes = compare(first, second, gates)
    return Comparison(first, second, changes, allowed_differences(first.environment, second.environment))


def write_comparison(comparison: Comparison, folder: Path) -> list[Path]:
    """Write compare.csv, compare.md, compare.html and plots/compare.png.

    Args:
        comparison: What `compare_runs` gives.
        folder: Where to; made when missing.

    Returns:
        What was written; no picture where there is nothing to draw.

    Raises:
        ReportError: A file cannot be written.
    """
    with os_errors_as_report_errors(folder):
        (folder / "plots").mkdir(parents=True, exist_ok=True)
    changes = comparison.changes
    text = compare_markdown(comparison.before, comparison.after, changes, comparison.differences)
    files = [
        write_atomically(folder / "compare.csv", compare_csv(changes)),
        write_atomically(folder / "compare.md", text),
    ]
    figure = compare_figure(changes)
    picture = None if figure is None else png(figure, COMPARISON_DPI)
    if picture is None:
        remove(folder / "plots" / "compare.png")
    else:
        files.append(write_atomically(folder / "plots" / "compare.png", picture))
    files.append(write_atomically(folder / "compare.html", _page(comparison, picture)))
    return files


def _page(comparison: Comparison, picture: bytes | None) -> str:
    changes = comparison.changes
    return page(
        "compare.html.j2",
        {
            "before": comparison.before.run_id,
            "after": comparison.after.run_id,
            "conclusion": conclusion(changes),
            "counts": counts_text(changes),
            "picture": embedded(picture),
            "changes": changes_table(changes, len(changes)),
            "others": other_tables(changes, comparison.differences),
        },
    )
