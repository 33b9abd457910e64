"""A column and a table of a run: defined once, read and written by kind. Cheap to import."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from pathlib import Path
from typing import Any

from sealbench.reports.errors import ReportError
from sealbench.reports.files import append_text, complete_lines, csv_rows, csv_text, has_table, write_atomically
from sealbench.reports.schema.old_names import LATER_COLUMNS, RENAMED_COLUMNS

Row = Mapping[str, object] | Sequence[object]
"""By column name, or in the order of the columns."""
Cells = dict[str, str]
"""A row as it stands in the file: text by column name."""


class Kind(Enum):
    """What the cells of a column hold. All are written by `sealbench.reports.files.cell`."""

    TEXT = "text"
    WHOLE = "whole number"
    NUMBER = "number, NaN where the cell is empty"
    OPTIONAL = "number, none where the cell is empty"


_PARSERS: Mapping[Kind, Callable[[str], object]] = {
    Kind.TEXT: str,
    Kind.WHOLE: int,
    Kind.NUMBER: lambda text: float(text or "nan"),
    Kind.OPTIONAL: lambda text: float(text) if text else None,
}


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Attributes:
        name: In the header.
        kind: What its cells hold.
        description: What a value means, with its unit.
    """

    name: str
    kind: Kind
    description: str

    def parse(self, cells: Iterable[str], place: str) -> list[Any]:
        """Read cells of this column.

        Args:
            cells: Text.
            place: The file, or file and row, for the message.

        Returns:
            For each cell str, int, float, or None, by the kind.

        Raises:
            ReportError: A cell holds no such value; the message names place and column.
        """
        try:
            return list(map(_PARSERS[self.kind], cells))
        except ValueError as error:
            raise ReportError(f"{place}, column {self.name}: {error}") from error


@dataclass(frozen=True)
class Table:
    """A CSV table in a run's folder. It is a path below that folder: `run_dir / table` is the file.

    Attributes:
        path: Where it stands below the run's folder.
        columns: In the order of the file.
    """

    path: str
    columns: tuple[Column, ...]

    def __fspath__(self) -> str:
        return self.path

    def __str__(self) -> str:
        return self.path

    @cached_property  # a table of samples has a million rows
    def names(self) -> tuple[str, ...]:
        """The names of the columns in the order of the file."""
        return tuple(column.name for column in self.columns)

    def read(self, run_dir: Path) -> Iterator[tuple[int, Cells]]:
        """Read the rows one by one, also of a table that was packed, without a last line that was cut off.

        Args:
            run_dir: A run's folder; where it has no such table, there are no rows.

        Yields:
            The number of the row, from 1 after the header, and its cells by column in the order of the table; of one of
            LATER_COLUMNS that an earlier version had not its default.

        Raises:
            ReportError: The table has other columns, or a row has another number of cells.
        """
        path = run_dir / self
        if not has_table(path):
            return
        rows = csv_rows(complete_lines(path))
        header = next(rows, [])
        if not self.has_header(header):
            raise ReportError(f"{path}: found columns {','.join(header)}, expected {','.join(self.names)}")
        names = [RENAMED_COLUMNS.get(name, name) for name in header]
        for number, row in enumerate(rows, start=1):
            if len(row) != len(names):
                raise ReportError(f"{path}, row {number}: found {len(row)} cells, expected {len(names)}")
            cells = dict(zip(names, row, strict=True))
            if len(names) < len(self.columns):
                cells = {name: cells.get(name, LATER_COLUMNS.get(name, "")) for name in self.names}
            yield number, cells

    def has_header(self, header: Sequence[str]) -> bool:
        """Whether a header is this table's, or that of an earlier version, which may lack LATER_COLUMNS.

        Args:
            header: The names of columns, in order.
        """
        found = tuple(RENAMED_COLUMNS.get(name, name) for name in header)
        return found == tuple(name for name in self.names if name in found or name not in LATER_COLUMNS)

    def write(self, run_dir: Path, rows: Iterable[Row] = ()) -> Path:
        """Write the whole table, header first, in place of an earlier one.

        Args:
            run_dir: A run's folder.
            rows: Each with exactly the columns of the table.

        Returns:
            The file.

        Raises:
            ReportError: A row has other columns, or the file cannot be written.
        """
        path = run_dir / self
        return write_atomically(path, csv_text([self.names, *(self._ordered(row, path) for row in rows)]))

    def append(self, run_dir: Path, rows: Iterable[Row]) -> None:
        """Append rows to the table; the first of them begins it where there is none.

        Args:
            run_dir: A run's folder.
            rows: Each with exactly the columns of the table.

        Raises:
            ReportError: A row has other columns, or the file cannot be written.
        """
        path = run_dir / self
        if not path.is_file():
            self.write(run_dir)
        append_text(path, csv_text(self._ordered(row, path) for row in rows))

    def parse(self, cells: Cells, place: str) -> dict[str, Any]:
        """Read the cells of one row by their kinds.

        Args:
            cells: The row.
            place: File and row, for the message.

        Returns:
            By column name str, int, float, or None.

        Raises:
            ReportError: A cell holds no such value; the message names place and column.
        """
        return {column.name: column.parse([cells[column.name]], place)[0] for column in self.columns}

    def _ordered(self, row: Row, path: Path) -> Sequence[object]:
        names = self.names
        if isinstance(row, Mapping):
            if set(row) != set(names):
                raise ReportError(f"{path}: found columns {', '.join(row)}, expected {', '.join(names)}")
            return [row[name] for name in names]
        if len(row) != len(names):
            raise ReportError(f"{path}: found {len(row)} values, expected {len(names)}: {', '.join(names)}")
        return row
