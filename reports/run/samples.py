"""Tables of samples as data frames."""

from pathlib import Path

import pandas as pd

from sealbench.reports.schema.columns import Table


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
    texts = zip(*rows, strict=True) if rows else ((),) * len(table.columns)
    path = str(run_dir / table)
    cells = {column.name: column.parse(found, path) for column, found in zip(table.columns, texts, strict=True)}
    return pd.DataFrame(cells, columns=list(table.names))
