"""One type of table and its writers: terminal, Markdown and CSV; templates/table.html.j2 writes it as HTML.

A table is made once from typed cells; every writer escapes names in its own way. Cheap to import: plain Python only.
"""

import io
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sealbench.reports.files import csv_text
from sealbench.reports.gates.judge import Verdict
from sealbench.reports.schema.formatting import NOT_APPLICABLE_TEXT, markdown_text, plain_text
from sealbench.reports.schema.metrics import METRICS

CONSOLE_WIDTH = 100
# A page must open on a phone, and a comment on GitHub may have 65 536 characters: more rows are in the CSV tables.
MOST_ROWS_OF_PAGE = 600
MOST_ROWS_OF_MARKDOWN = 40
VERDICT_WORDS = {
    Verdict.FAIL: "failed",
    Verdict.INCONCLUSIVE: "inconclusive",
    Verdict.PASS: "pass",
    Verdict.NOT_APPLICABLE: "do not apply",
}
"""In words that follow a number; the worst first."""
WORST_FIRST = tuple(VERDICT_WORDS)
_VERDICTS = {
    Verdict.PASS: "pass",
    Verdict.FAIL: "FAIL",
    Verdict.INCONCLUSIVE: "inconclusive",
    Verdict.NOT_APPLICABLE: NOT_APPLICABLE_TEXT,
}
_TERMINAL_STYLES = {
    "pass": "green",
    "fail": "bold red",
    "inconclusive": "yellow",
    "not_applicable": "dim",
    "worse": "bold red",
    "better": "green",
}


@dataclass(frozen=True)
class Cell:
    """One cell of a table.

    Attributes:
        text: What it shows.
        key: What it is sorted by, and its value in CSV; None for a value that is missing, which is sorted last.
        tip: What a page shows when the reader points at it, or "".
        kind: "text", "words" (a sentence, broken where it is long), "number", or a verdict or status in lower case,
            which colours it.
        short: What is shown instead where there is little room, or "".
        strong: Whether Markdown and page stress it.
    """

    text: str
    key: float | str | None = None
    tip: str = ""
    kind: str = "text"
    short: str = ""
    strong: bool = False

    @property
    def sort_key(self) -> str:
        """For the script of a page: digits, text, or nothing."""
        return "" if self.key is None else str(self.key)


@dataclass(frozen=True)
class Column:
    """A heading.

    Attributes:
        text: What it shows.
        tip: The definition of what stands below it.
        numeric: Whether numbers stand below it, on the right.
        width: In a terminal, in characters; 0 for a column that is not shown there.
        short: What is shown instead where cells are short, with the unit that those lack; on one or two lines.
    """

    text: str
    tip: str = ""
    numeric: bool = False
    width: int = 0
    short: str = ""


@dataclass(frozen=True)
class Table:
    """A table.

    Attributes:
        title: What it is.
        columns: Its headings.
        rows: As many cells each as there are headings.
        note: A sentence on rows that are not shown, or "".
    """

    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""


def limited(
    title: str,
    columns: Sequence[Column],
    rows: Sequence[tuple[Cell, ...]],
    file: str,
    most: int = MOST_ROWS_OF_PAGE,
    count: int | None = None,
) -> Table:
    """Make a table of the first rows.

    Args:
        title: What it is.
        columns: Its headings.
        rows: At least those that are shown.
        file: Of the run, where the others are.
        most: How many are shown.
        count: How many there are; those of `rows` when None.
    """
    more = (len(rows) if count is None else count) - most
    note = f"{more} more rows are in {file}." if more > 0 else ""
    return Table(title, tuple(columns), tuple(rows[:most]), note)


def verdict_cell(verdict: Verdict, tip: str = "") -> Cell:
    """Show a verdict as a word with a colour.

    Args:
        verdict: Which.
        tip: What it rests on.
    """
    strong = verdict in {Verdict.FAIL, Verdict.INCONCLUSIVE}
    return Cell(_VERDICTS[verdict], WORST_FIRST.index(verdict), tip, verdict.value.lower(), strong=strong)


def name_cell(text: str) -> Cell:
    """Show a name on one line."""
    return Cell(text, text)


def words_cell(text: str) -> Cell:
    """Show a sentence, broken where it is long."""
    return Cell(text, text, "", "words")


def number_cell(value: float, text: str, tip: str = "", short: str = "") -> Cell:
    """Show a number; NaN is sorted last, as what is missing is.

    Args:
        value: What it is sorted by, in the unit of its column.
        text: What is shown.
        tip: What a page shows when the reader points at it.
        short: What is shown where there is little room.
    """
    return Cell(text, None if math.isnan(value) else value, tip, "number", short)


def missing_cell(text: str = NOT_APPLICABLE_TEXT, why: str = "") -> Cell:
    """Say that there is no number."""
    return Cell(text, None, why, "number")


def definition(metric: str) -> str:
    """The name and definition of a metric."""
    return f"{metric}: {METRICS[metric].description}"


def csv_table(columns: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    """Write values for programs, no digit lost.

    Args:
        columns: The headings.
        rows: Values as `files.cell` takes them: None becomes an empty cell and NaN "nan".

    Returns:
        The content of a CSV file.
    """
    return csv_text([columns, *rows])


def markdown_table(table: Table, heading: str = "") -> str:
    """Write a table for a pull request.

    Args:
        table: Any.
        heading: What begins the line of its title, such as "### "; without it the title is not written.

    Returns:
        Markdown, every name in it escaped; "" for a table without rows.
    """
    if not table.rows:
        return ""
    lines = [
        *([heading + markdown_text(table.title), ""] if heading else []),
        _line(column.text for column in table.columns),
        _line("---:" if column.numeric else "---" for column in table.columns),
        *(_line(map(_markdown_cell, row)) for row in table.rows),
        *(["", markdown_text(table.note)] if table.note else []),
    ]
    return "\n".join(lines)


def console_text(blocks: Iterable[Table | str], width: int = CONSOLE_WIDTH, color: bool = False) -> str:
    """Write tables and lines for a terminal.

    Args:
        blocks: In order. Of a table the columns that have a width are shown, below its title where it has one.
        width: Columns of the terminal.
        color: Whether to colour verdicts with escape sequences.

    Returns:
        Text, its tables at most `width` wide; names are cut where they are longer than their column.
    """
    from rich import box
    from rich.console import Console
    from rich.table import Table as RichTable
    from rich.text import Text

    console = Console(file=io.StringIO(), width=width, force_terminal=color, no_color=not color, legacy_windows=False)
    with console.capture() as capture:
        for block in blocks:
            if isinstance(block, str):
                console.print(Text(plain_text(block)))
                continue
            if block.title:
                console.print(Text(plain_text(block.title), style="bold", overflow="ellipsis", no_wrap=True))
            drawn = RichTable(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=0)
            shown = [place for place, column in enumerate(block.columns) if column.width]
            for column in (block.columns[place] for place in shown):
                drawn.add_column(
                    column.short or column.text,
                    justify="right" if column.numeric else "left",
                    no_wrap=True,
                    overflow="ellipsis",
                    width=column.width,
                )
            for row in block.rows:
                drawn.add_row(*(Text(_short(row[place]), style=_terminal_style(row[place])) for place in shown))
            console.print(drawn)
    return "\n".join(line.rstrip() for line in capture.get().splitlines()) + "\n"


def _short(cell: Cell) -> str:
    return plain_text(cell.short or cell.text)


def _terminal_style(cell: Cell) -> str:
    missing = cell.kind == "number" and cell.text == NOT_APPLICABLE_TEXT
    return "dim" if missing else _TERMINAL_STYLES.get(cell.kind, "")


def _markdown_cell(cell: Cell) -> str:
    text = markdown_text(cell.text)
    return f"**{text}**" if cell.strong else text


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"
