"""Tables of samples as data frames."""

from pathlib import Path

import pandas as pd

from sealbench.reports.schema.columns import Kind, Table
from sealbench.reports.schema.records import UPSTREAM

_DTYPES = {Kind.TEXT: "object", Kind.WHOLE: "int64", Kind.NUMBER: "float64", Kind.OPTIONAL: "float64"}


def no_samples(table: Table) -> pd.DataFrame:
    """A table of samples without rows; its numbers are of the type that `load_samples` gives them."""
    return pd.DataFrame({column.name: pd.Series(dtype=_DTYPES[column.kind]) for column in table.columns})


def of_files(samples: pd.DataFrame) -> pd.DataFrame:
    """Select what the files themselves do: not PyTorch, and on pictures that were resized as upstream does it.

    Args:
        samples: Of a table with the columns of SAMPLE_CASE_COLUMNS.

    Returns:
        The rows of files.
    """
    return samples[(samples["backend"] != "torch") & (samples["preprocess"] == UPSTREAM)]


def load_samples(run_dir: Path, table: Table) -> pd.DataFrame:
    """Read a table of samples, or its compressed form.

    Args:
        run_dir: A run's folder.
        table: For example BITS.

    Returns:
        The table's columns, numbers as numbers: what is unknown (the message of an image, the score of features) is
        NaN. Empty when there is no such table.

    Raises:
        ReportError: The table has other columns, or a cell is no number where one is expected.
    """
    # Not by pandas' reader: which of its parsers keeps every digit and every file name differs between versions.
    rows = [list(row.values()) for _, row in table.read(run_dir)]
    if not rows:
        return no_samples(table)
    path = str(run_dir / table)
    cells = {
        column.name: column.parse(found, path)
        for column, found in zip(table.columns, zip(*rows, strict=True), strict=True)
    }
    return pd.DataFrame(cells, columns=list(table.names))
