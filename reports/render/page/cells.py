"""What a table of report.html is made of: cells as text, with what they are sorted by and what they say when asked."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from sealbench.reports.gates.judge import Verdict
from sealbench.reports.schema.metrics import METRICS

# A page must open on a phone: what is beyond stands in the CSV tables.
MOST_ROWS = 600
VERDICT_WORDS = {
    Verdict.FAIL: "failed",
    Verdict.INCONCLUSIVE: "inconclusive",
    Verdict.PASS: "pass",
    Verdict.NOT_APPLICABLE: "do not apply",
}
"""In words that follow a number; the worst first."""
WORST_FIRST = tuple(VERDICT_WORDS)
_SHORT = {
    Verdict.PASS: "pass",
    Verdict.FAIL: "FAIL",
    Verdict.INCONCLUSIVE: "open",
    Verdict.NOT_APPLICABLE: "n/a",
}


@dataclass(frozen=True)
class Cell:
    """One cell of a table.

    Attributes:
        text: What it shows.
        key: What it is sorted by; None for a value that is missing, which comes last.
        tip: What it says when asked, or "".
        kind: "text", "words" (a sentence, broken where it is long), "number", or the verdict in lower case, which
            colours it.
    """

    text: str
    key: float | str | None = None
    tip: str = ""
    kind: str = "text"

    @property
    def sort_key(self) -> str:
        """For the script: digits, text, or nothing."""
        return "" if self.key is None else str(self.key)


@dataclass(frozen=True)
class Column:
    """A heading.

    Attributes:
        text: What it shows.
        tip: The definition of what stands below it.
        numeric: Whether numbers stand below it.
    """

    text: str
    tip: str = ""
    numeric: bool = False


@dataclass(frozen=True)
class Table:
    """A table that can be sorted.

    Attributes:
        caption: What it is.
        columns: Its headings.
        rows: As many cells each as there are headings.
        left_out: A sentence on rows that are not shown, or "".
    """

    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    left_out: str = ""


def limited(caption: str, columns: Sequence[Column], rows: Sequence[tuple[Cell, ...]], file: str) -> Table:
    """Make a table that a page can hold.

    Args:
        caption: What it is.
        columns: Its headings.
        rows: All of them; at most MOST_ROWS are shown.
        file: Of the run, where the others are.
    """
    more = len(rows) - MOST_ROWS
    return Table(
        caption, tuple(columns), tuple(rows[:MOST_ROWS]), f"{more} more rows are in {file}." if more > 0 else ""
    )


def verdict_cell(verdict: Verdict, tip: str = "") -> Cell:
    """Show a verdict as a word with a colour.

    Args:
        verdict: Which.
        tip: What it rests on.
    """
    return Cell(_SHORT[verdict], WORST_FIRST.index(verdict), tip, verdict.value.lower())


def name_cell(text: str) -> Cell:
    """Show a name on one line."""
    return Cell(text, text)


def words_cell(text: str) -> Cell:
    """Show a sentence, broken where it is long."""
    return Cell(text, text, "", "words")


def number_cell(value: float, text: str, tip: str = "") -> Cell:
    """Show a number; NaN comes last, as what is missing does.

    Args:
        value: What it is sorted by, in the unit of its column.
        text: What is shown.
        tip: What it says when asked.
    """
    return Cell(text, None if math.isnan(value) else value, tip, "number")


def missing_cell(text: str = "n/a", why: str = "") -> Cell:
    """Say that there is no number."""
    return Cell(text, None, why, "number")


def definition(metric: str) -> str:
    """The name and definition of a metric."""
    return f"{metric}: {METRICS[metric].description}"
