"""Tables keep every digit, and what is empty stays apart from what is zero."""

import csv
import math
from pathlib import Path

import pytest

from sealbench.reports.errors import ReportError
from sealbench.reports.files import write_rows_csv


def test_rows_come_back_as_they_were(tmp_path: Path) -> None:
    rows: list[dict[str, object]] = [
        {"name": 'a, "b"', "ratio": 0.1 + 0.2, "count": 0, "note": None},
        {"name": "b", "ratio": math.inf, "count": 3, "note": ""},
    ]
    path = write_rows_csv(rows, tmp_path / "table.csv")
    with path.open(encoding="utf-8", newline="") as file:
        read = list(csv.DictReader(file))
    assert list(read[0]) == ["name", "ratio", "count", "note"]
    assert [float(row["ratio"]) for row in read] == [0.1 + 0.2, math.inf]
    assert [row["count"] for row in read] == ["0", "3"]
    assert [row["note"] for row in read] == ["", ""]
    assert [row["name"] for row in read] == [row["name"] for row in rows]
    with pytest.raises(ReportError, match="cannot write"):
        write_rows_csv(rows, tmp_path / "none" / "table.csv")
