"""Writing files that are never half there, and CSV cells that lose no digit."""

import contextlib
import csv
import io
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from sealbench.reports.errors import ReportError

# File names may hold bytes that are no UTF-8; Python carries them as surrogates, and so must our files.
ENCODING_ERRORS = "surrogateescape"


def write_atomically(path: Path, content: str | bytes) -> Path:
    """Write a whole file under a temporary name, then rename it: a reader sees the old one or the new one.

    Args:
        path: Where to; its folder must exist.
        content: Text (stored as UTF-8) or bytes.

    Returns:
        The path.

    Raises:
        ReportError: The file cannot be written; nothing is left behind.
    """
    data = content.encode("utf-8", ENCODING_ERRORS) if isinstance(content, str) else content
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_bytes(data)
        temporary.replace(path)
    except OSError as error:
        raise ReportError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()
    return path


def remove(path: Path) -> None:
    """Remove a file if it is there.

    Args:
        path: Which.

    Raises:
        ReportError: It is there and cannot be removed.
    """
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise ReportError(f"cannot remove {path}: {error.strerror or error}") from error


def cell(value: object) -> str:
    """Turn one value into the text of a CSV cell, so that reading it back gives the same value.

    Args:
        value: str, int, bool (stored as 0 or 1), float, None (stored empty), or a NumPy or PyTorch scalar.

    Returns:
        The text, always on one line: a row that is one line can be told from a row that was cut off.
    """
    # The common types first: a run writes a million cells.
    if isinstance(value, str):
        return value.replace("\r", "\\r").replace("\n", "\\n")
    if type(value) in {int, float}:
        return repr(value)
    item = getattr(value, "item", None)
    plain = item() if callable(item) else value
    if plain is None:
        return ""
    if isinstance(plain, int | float):
        return repr(int(plain) if isinstance(plain, bool) else plain)
    return cell(str(plain))


def csv_text(rows: Iterable[Iterable[object]]) -> str:
    """Format rows as CSV, floats with every digit.

    Args:
        rows: Rows of values as `cell` takes them.

    Returns:
        The text, each row ended by a newline.
    """
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerows([cell(value) for value in row] for row in rows)
    return buffer.getvalue()


def write_rows_csv(rows: Sequence[Mapping[str, object]], path: Path) -> Path:
    """Write a table of rows with the same columns, floats with every digit.

    Args:
        rows: At least one; the first says which columns there are, in its order.
        path: Where to.

    Returns:
        The path.

    Raises:
        ReportError: The file cannot be written.
    """
    return write_atomically(path, csv_text([rows[0], *(row.values() for row in rows)]))
