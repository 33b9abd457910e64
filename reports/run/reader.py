"""Reading a run's record back: its tables, also those of a run that was killed.

Cheap to import: pandas is imported only by the functions that return frames.
"""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from sealbench.reports.errors import ReportError
from sealbench.reports.files import ENCODING_ERRORS
from sealbench.reports.schema.metrics import metric_named
from sealbench.reports.schema.records import (
    BIT_COLUMNS,
    IMAGE_COLUMNS,
    LATENCY_COLUMNS,
    LAYER_COLUMNS,
    PLAN_COLUMNS,
    RESULT_COLUMNS,
    SCORE_COLUMNS,
    SCORE_SUMS,
    TERM_COLUMNS,
    Case,
    Expectation,
    Measurement,
    measurement,
)

if TYPE_CHECKING:
    import pandas as pd

RESULTS, PLAN, ENVIRONMENT, GATES = "results.csv", "plan.csv", "environment.json", "gates.toml"
BITS, LATENCY, DURATIONS = "samples/bits.csv", "samples/latency.csv", "samples/durations.csv"
SCORES, IMAGES = "samples/scores.csv", "samples/images.csv"
ERROR_TERMS, LAYER_ERRORS = "samples/error_terms.csv", "samples/layer_errors.csv"
SAMPLE_TABLES: Mapping[str, tuple[str, ...]] = {
    BITS: BIT_COLUMNS,
    SCORES: SCORE_COLUMNS,
    LATENCY: LATENCY_COLUMNS,
    ERROR_TERMS: TERM_COLUMNS,
    LAYER_ERRORS: LAYER_COLUMNS,
}
# Columns of samples that are numbers; a message may be missing, so it is a float in frames.
_NUMBERS: dict[str, Callable[[str], float]] = {
    "bit": int,
    "message": float,
    "reference_logit": float,
    "logit": float,
    "threads": int,
    "round": int,
    "position": int,
    "latency_ms": float,
    "score": float,
    "reference_score": float,
    **dict.fromkeys(SCORE_SUMS, float),
    "images": int,
    **dict.fromkeys(("rms", "mae", "share_pct", "isolated_pct", "gain", "accumulated_pct"), float),
}
_HEADER = ",".join(RESULT_COLUMNS)


def is_run(path: Path) -> bool:
    """Whether a folder holds a run of ours.

    Args:
        path: Any path.

    Returns:
        True when it has a results.csv whose header is the contract's.
    """
    try:
        with (path / RESULTS).open(encoding="utf-8", errors=ENCODING_ERRORS) as stream:
            return stream.readline().rstrip("\n") == _HEADER
    except OSError:
        return False


def load_results(run_dir: Path) -> list[Measurement]:
    """Read results.csv, also of a run that was killed: a last line that was cut off is left out.

    Args:
        run_dir: A run's folder.

    Returns:
        The measurements in the order of the file; floats equal those written bit by bit.

    Raises:
        ReportError: The folder holds no run, or a row is not what the contract says (with its line).
    """
    path = run_dir / RESULTS
    if not is_run(run_dir):
        raise ReportError(f"{run_dir} is no run directory: expected {RESULTS} with the columns {_HEADER}")
    return [_parse_measurement(row, f"{path}, row {number}") for number, row in table_rows(path, RESULT_COLUMNS)]


def load_plan(run_dir: Path) -> list[Expectation] | None:
    """Read plan.csv.

    Args:
        run_dir: A run's folder.

    Returns:
        What the run promised, or None when the run died before it promised anything.

    Raises:
        ReportError: A row is not what the contract says.
    """
    path = run_dir / PLAN
    if not path.is_file():
        return None
    return [
        Expectation(_parse_case(row, f"{path}, row {number}"), row["dataset"], row["attack"], row["metric"])
        for number, row in table_rows(path, PLAN_COLUMNS)
    ]


def load_samples(run_dir: Path, name: str) -> pd.DataFrame:
    """Read a table of samples, or its compressed form.

    Args:
        run_dir: A run's folder.
        name: One of SAMPLE_TABLES.

    Returns:
        The columns of SAMPLE_TABLES, numbers as numbers: what is unknown (the message of an image, the score of
        features) is NaN. Empty when there is no such table.

    Raises:
        ReportError: The table has other columns, or a cell is no number where one is expected.
    """
    path, columns = run_dir / name, SAMPLE_TABLES[name]
    # Not by pandas' reader: which of its parsers keeps every digit and every file name differs between versions.
    import pandas as pd

    rows = (
        [list(row.values()) for _, row in table_rows(path, columns)]
        if path.is_file() or packed_name(path).is_file()
        else []
    )
    cells: dict[str, list[object]] = {}
    for column, texts in zip(columns, zip(*rows, strict=True) if rows else ((),) * len(columns), strict=True):
        kind = _NUMBERS.get(column)
        try:
            cells[column] = list(texts) if kind is None else [kind(text or "nan") for text in texts]
        except ValueError as error:
            raise ReportError(f"{path}, column {column}: {error}") from error
    return pd.DataFrame(cells, columns=list(columns))


def load_images(run_dir: Path) -> dict[str, str]:
    """Read samples/images.csv.

    Args:
        run_dir: A run's folder.

    Returns:
        For each image, as "dataset/name", the picture or video that it is of. Empty when there is no such table.

    Raises:
        ReportError: The table has other columns.
    """
    path = run_dir / IMAGES
    if not path.is_file():
        return {}
    return {f"{row['dataset']}/{row['image']}": row["picture"] for _, row in table_rows(path, IMAGE_COLUMNS)}


def packed_name(path: Path) -> Path:
    """The path of a table's compressed form."""
    return path.with_name(path.name + ".gz")


def complete_lines(path: Path) -> str:
    """Read the lines of a table that were written to their end.

    Args:
        path: The plain file; where there is none, its compressed form is read.

    Returns:
        The text; "" when there is neither.

    Raises:
        ReportError: The file cannot be read.
    """
    packed = packed_name(path)
    with told(path):
        if path.is_file():
            data = path.read_bytes()
        elif packed.is_file():
            data = gzip.decompress(packed.read_bytes())
        else:
            return ""
    return data[: data.rfind(b"\n") + 1].decode("utf-8", ENCODING_ERRORS)


def table_rows(path: Path, columns: tuple[str, ...]) -> Iterator[tuple[int, dict[str, str]]]:
    """Read the rows of a table one by one.

    Args:
        path: The plain file; where there is none, its compressed form is read.
        columns: What the contract says.

    Yields:
        The number of the row, from 1 after the header, and its cells as text by column.

    Raises:
        ReportError: The table has other columns, or a row has not as many cells.
    """
    reader = csv.reader(io.StringIO(complete_lines(path), newline=""))
    header = next(reader, [])
    if tuple(header) != columns:
        raise ReportError(f"{path}: found columns {','.join(header)}, expected {','.join(columns)}")
    for number, row in enumerate(reader, start=1):
        if len(row) != len(columns):
            raise ReportError(f"{path}, row {number}: found {len(row)} cells, expected {len(columns)}")
        yield number, dict(zip(columns, row, strict=True))


def _parse_case(row: Mapping[str, str], place: str) -> Case:
    try:
        threads = int(row["threads"])
    except ValueError as error:
        raise ReportError(f"{place}: threads is {row['threads']!r}, expected a whole number") from error
    return Case(
        variant=row["variant"],
        weights=row["weights"],
        precision=row["precision"],
        image_size=row["image_size"],
        mode=row["mode"],
        backend=row["backend"],
        threads=threads,
        rewrites=row["rewrites"],
    )


def _parse_measurement(row: Mapping[str, str], place: str) -> Measurement:
    case = _parse_case(row, place)
    try:
        unit = metric_named(row["metric"]).unit
        value = float(row["value"]) if row["value"] else float("nan")  # no value never passes a gate
        low, high = (float(row[name]) if row[name] else None for name in ("ci_low", "ci_high"))
        n = int(row["n"])
    except ValueError as error:
        raise ReportError(f"{place}: {error}") from error
    if row["unit"] != unit:
        raise ReportError(f"{place}: unit of {row['metric']} is {row['unit']!r}, expected {unit!r}")
    ci = None if low is None or high is None else (low, high)
    return measurement(row["run_id"], case, row["dataset"], row["attack"], row["metric"], value, n, ci)


@contextmanager
def told(path: Path) -> Iterator[None]:
    """Turn the operating system's refusal into one clear ReportError that names the path."""
    try:
        yield
    except OSError as error:
        raise ReportError(f"cannot use {path}: {error.strerror or error}") from error
