"""Files that are written whole or line by line, and CSV cells that lose no digit. Cheap to import."""

import contextlib
import csv
import gzip
import io
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from sealbench.reports.errors import ReportError

# File names may hold bytes that are no UTF-8; Python carries them as surrogates, and so must our files.
ENCODING_ERRORS = "surrogateescape"


@contextlib.contextmanager
def os_errors_as_report_errors(path: Path) -> Iterator[None]:
    """Raise an error of the operating system as a ReportError that names a path.

    Args:
        path: What is read or written inside.

    Raises:
        ReportError: The operating system refused something.
    """
    try:
        yield
    except OSError as error:
        raise ReportError(f"cannot use {path}: {error.strerror or error}") from error


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


def append_text(path: Path, text: str) -> None:
    """Append to a text file; what was written is with the operating system when this returns.

    Args:
        path: Which; made when missing.
        text: Stored as UTF-8.

    Raises:
        ReportError: The file cannot be written.
    """
    with os_errors_as_report_errors(path), path.open("a", encoding="utf-8", errors=ENCODING_ERRORS, newline="") as file:
        file.write(text)


def packed_name(path: Path) -> Path:
    """The path of a table's compressed form."""
    return path.with_name(path.name + ".gz")


def has_table(path: Path) -> bool:
    """Whether a table is there, plain or compressed."""
    return path.is_file() or packed_name(path).is_file()


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
    with os_errors_as_report_errors(path):
        if path.is_file():
            data = path.read_bytes()
        elif packed.is_file():
            data = gzip.decompress(packed.read_bytes())
        else:
            return ""
    return data[: data.rfind(b"\n") + 1].decode("utf-8", ENCODING_ERRORS)


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
        The text, always on one line, so that a row that was cut off can be recognised.
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


def csv_rows(text: str) -> Iterator[list[str]]:
    """Read the rows of a CSV text, the header first.

    Args:
        text: What `csv_text` gave.

    Returns:
        An iterator over the rows, each a list of cells as text.
    """
    return csv.reader(io.StringIO(text, newline=""))


def write_rows_csv(rows: Sequence[Mapping[str, object]], path: Path) -> Path:
    """Write a table of rows with the same columns, floats with every digit.

    Args:
        rows: At least one; the keys of the first are the columns, in their order.
        path: Where to.

    Returns:
        The path.

    Raises:
        ReportError: The file cannot be written.
    """
    return write_atomically(path, csv_text([rows[0], *(row.values() for row in rows)]))
