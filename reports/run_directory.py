"""The folder of one run: what is appended while it measures, and reading it back.

Cheap to import: pandas is imported only by the functions that return frames.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import astuple, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from reports.errors import ReportError
from reports.files import ENCODING_ERRORS, csv_text, remove, write_atomically
from reports.metric_registry import metric_named
from reports.records import (
    BIT_COLUMNS,
    LATENCY_COLUMNS,
    PLAN_COLUMNS,
    RESULT_COLUMNS,
    Case,
    Expectation,
    Measurement,
    measurement,
)

if TYPE_CHECKING:
    import pandas as pd

DEFAULT_ROOT = Path(__file__).parent / "out"
RESULTS, PLAN, ENVIRONMENT, GATES = "results.csv", "plan.csv", "environment.json", "gates.toml"
BITS, LATENCY = "samples/bits.csv", "samples/latency.csv"
PLOTS = (
    "plots/size_by_precision.png",
    "plots/latency_by_precision.png",
    "plots/accuracy_by_precision.png",
    "plots/logits_scatter.png",
    "plots/accuracy_vs_size.png",
    "plots/accuracy_vs_latency.png",
)
RENDERED = ("summary.csv", "verdicts.csv", "summary.md", *PLOTS)
# Up to here a table opens in an editor and is small enough to attach to a CI run; beyond, `finish` packs it.
PLAIN_LIMIT_BYTES = 16 * 1024 * 1024
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
}
_RUN_ID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")
_HEADER = ",".join(RESULT_COLUMNS)

Row = Mapping[str, object] | Sequence[object]


def new_run_id(now: datetime | None = None) -> str:
    """Make a name for a run that sorts by time.

    Args:
        now: The time to name it after; the present when None.

    Returns:
        For example "20250131-235959-123456", in UTC with microseconds.
    """
    return (now or datetime.now(UTC)).astimezone(UTC).strftime("%Y%m%d-%H%M%S-%f")


@dataclass(frozen=True)
class RunDirectory:
    """The files of one run. Every append is on disk (as far as the operating system) when it returns.

    Attributes:
        path: The folder.
        run_id: The name of the run; the same in every row of results.csv.
    """

    path: Path
    run_id: str

    @classmethod
    def open(
        cls, run_id: str | None = None, run_dir: Path | str | None = None, root: Path | str = DEFAULT_ROOT
    ) -> RunDirectory:
        """Begin a run: make its folder, with the headers of its tables in it.

        A folder that holds an earlier run is begun anew: that run's files are removed, no others.

        Args:
            run_id: Name of the run; made from the time when None.
            run_dir: The folder; when None, `root`/`run_id`, and `root`/latest then points at it.
            root: Where runs go that name no folder.

        Returns:
            The run, ready for appends.

        Raises:
            ReportError: The folder cannot be written, is a file, or is neither empty nor a run.
        """
        name = new_run_id() if run_id is None else run_id
        if not _RUN_ID.fullmatch(name) or name == "latest":
            raise ReportError(f"run id {name!r}: expected letters, digits, '.', '_' and '-', and not 'latest'")
        path = Path(root) / name if run_dir is None else Path(run_dir)
        run = cls(path, name)
        with _told(path):
            if path.exists() and not path.is_dir():
                raise ReportError(f"run directory {path} is not a folder")
            if path.is_dir() and any(path.iterdir()) and not is_run(path):
                raise ReportError(f"run directory {path} is not empty and holds no run ({RESULTS} of ours)")
            path.mkdir(parents=True, exist_ok=True)
        # First, because it is what makes the folder a run: whatever dies after this can be begun anew.
        write_atomically(path / RESULTS, csv_text([RESULT_COLUMNS]))
        with _told(path):
            for file in (PLAN, ENVIRONMENT, GATES, BITS + ".gz", LATENCY + ".gz", *RENDERED):
                remove(path / file)
            (path / "samples").mkdir(exist_ok=True)
            (path / "plots").mkdir(exist_ok=True)
        write_atomically(path / BITS, csv_text([BIT_COLUMNS]))
        write_atomically(path / LATENCY, csv_text([LATENCY_COLUMNS]))
        if run_dir is None:
            _point_latest(Path(root), name)
        return run

    def append(self, measurements: Iterable[Measurement]) -> None:
        """Append rows to results.csv, each flushed before the next.

        Args:
            measurements: The rows, of this run.

        Raises:
            ReportError: A row is of another run, its metric is unknown, or the file cannot be written.
        """
        with _told(self.path / RESULTS), _appending(self.path / RESULTS) as stream:
            for row in measurements:
                metric_named(row.metric)
                if row.run_id != self.run_id:
                    raise ReportError(f"{self.path}: a measurement of run {row.run_id!r}, expected {self.run_id!r}")
                stream.write(csv_text([astuple(row)]))
                stream.flush()

    def append_bits(self, rows: Iterable[Row]) -> None:
        """Append per-bit results to samples/bits.csv.

        Args:
            rows: Mappings with exactly BIT_COLUMNS, or sequences in that order. `message` is 0, 1 or None
                (unknown), `bit` counts from 0, the logits are raw.

        Raises:
            ReportError: A row has other columns, or the file cannot be written.
        """
        self._append_rows(BITS, BIT_COLUMNS, rows)

    def append_latency(self, rows: Iterable[Row]) -> None:
        """Append single timings to samples/latency.csv.

        Args:
            rows: Mappings with exactly LATENCY_COLUMNS, or sequences in that order. `round` counts the
                interleaved rounds, `position` the place within the round, both from 0.

        Raises:
            ReportError: A row has other columns, or the file cannot be written.
        """
        self._append_rows(LATENCY, LATENCY_COLUMNS, rows)

    def write_environment(self, environment: Mapping[str, object]) -> None:
        """Write environment.json, replacing what was there.

        Args:
            environment: Versions, CPU, threads, git commit, fingerprints; what JSON cannot hold becomes text.

        Raises:
            ReportError: The file cannot be written.
        """
        text = json.dumps(environment, indent=2, sort_keys=True, default=str)
        write_atomically(self.path / ENVIRONMENT, text + "\n")

    def write_plan(self, expectations: Iterable[Expectation]) -> None:
        """Write plan.csv: what must be measured for the run to be complete.

        Args:
            expectations: Everything that the selected suites promise, in the order of the run.

        Raises:
            ReportError: The file cannot be written.
        """
        rows = [(*astuple(item.case), item.dataset, item.attack, item.metric) for item in expectations]
        write_atomically(self.path / PLAN, csv_text([PLAN_COLUMNS, *rows]))

    def keep_gates(self, gates_file: Path) -> None:
        """Keep a copy of the gates with the run, so that rendering it again judges by the same ones.

        Args:
            gates_file: The TOML file of the gates that judge this run.

        Raises:
            ReportError: The file cannot be read or the copy not written.
        """
        with _told(gates_file):
            content = gates_file.read_bytes()
        write_atomically(self.path / GATES, content)

    def finish(self) -> None:
        """Compress each table of samples above PLAIN_LIMIT_BYTES to NAME.csv.gz. Call it once, last.

        Raises:
            ReportError: The compressed file cannot be written; the plain one is then still there.
        """
        for name in (BITS, LATENCY):
            plain = self.path / name
            with _told(plain):
                if plain.is_file() and plain.stat().st_size > PLAIN_LIMIT_BYTES:
                    # No time stamp inside: the same samples give the same file.
                    packed = gzip.compress(plain.read_bytes(), compresslevel=6, mtime=0)
                    write_atomically(_packed(plain), packed)
                    plain.unlink()

    def _append_rows(self, name: str, columns: tuple[str, ...], rows: Iterable[Row]) -> None:
        path = self.path / name
        with _told(path), _appending(path) as stream:
            stream.write(csv_text(_ordered(row, columns, path) for row in rows))


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
    return [_parse_measurement(row, f"{path}, row {number}") for number, row in _rows(path, RESULT_COLUMNS)]


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
        for number, row in _rows(path, PLAN_COLUMNS)
    ]


def results_frame(measurements: Iterable[Measurement]) -> pd.DataFrame:
    """Put measurements into a long frame.

    Args:
        measurements: Any measurements.

    Returns:
        One row each, columns RESULT_COLUMNS.
    """
    import pandas as pd

    return pd.DataFrame([astuple(item) for item in measurements], columns=list(RESULT_COLUMNS))


def load_bits(run_dir: Path) -> pd.DataFrame:
    """Read samples/bits.csv or its compressed form.

    Args:
        run_dir: A run's folder.

    Returns:
        Columns BIT_COLUMNS; `message` is NaN where unknown, logits are raw. Empty when there are no samples.

    Raises:
        ReportError: The table has other columns, or a cell is no number where one is expected.
    """
    return _sample_frame(run_dir / BITS, BIT_COLUMNS)


def load_latency(run_dir: Path) -> pd.DataFrame:
    """Read samples/latency.csv or its compressed form.

    Args:
        run_dir: A run's folder.

    Returns:
        Columns LATENCY_COLUMNS, one timing a row in milliseconds. Empty when there are no samples.

    Raises:
        ReportError: The table has other columns, or a cell is no number where one is expected.
    """
    return _sample_frame(run_dir / LATENCY, LATENCY_COLUMNS)


def _sample_frame(path: Path, columns: tuple[str, ...]) -> pd.DataFrame:
    # Not by pandas' reader: which of its parsers keeps every digit and every file name differs between versions.
    import pandas as pd

    rows = [list(row.values()) for _, row in _rows(path, columns)] if path.is_file() or _packed(path).is_file() else []
    cells: dict[str, list[object]] = {}
    for name, texts in zip(columns, zip(*rows, strict=True) if rows else ((),) * len(columns), strict=True):
        kind = _NUMBERS.get(name)
        try:
            cells[name] = list(texts) if kind is None else [kind(text or "nan") for text in texts]
        except ValueError as error:
            raise ReportError(f"{path}, column {name}: {error}") from error
    return pd.DataFrame(cells, columns=list(columns))


def _packed(path: Path) -> Path:
    return path.with_name(path.name + ".gz")


def _complete_lines(path: Path) -> str:
    """Read the lines that were written to their end; "" when there is no such file."""
    packed = _packed(path)
    with _told(path):
        if path.is_file():
            data = path.read_bytes()
        elif packed.is_file():
            data = gzip.decompress(packed.read_bytes())
        else:
            return ""
    return data[: data.rfind(b"\n") + 1].decode("utf-8", ENCODING_ERRORS)


def _rows(path: Path, columns: tuple[str, ...]) -> Iterator[tuple[int, dict[str, str]]]:
    """Number the rows of a table from 1, after its header; the contract's columns or an error."""
    reader = csv.reader(io.StringIO(_complete_lines(path), newline=""))
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


def _ordered(row: Row, columns: tuple[str, ...], path: Path) -> Sequence[object]:
    if isinstance(row, Mapping):
        if set(row) != set(columns):
            raise ReportError(f"{path}: found columns {', '.join(row)}, expected {', '.join(columns)}")
        return [row[name] for name in columns]
    if len(row) != len(columns):
        raise ReportError(f"{path}: found {len(row)} values, expected {len(columns)}: {', '.join(columns)}")
    return row


def _point_latest(root: Path, name: str) -> None:
    # A convenience: on a file system without links the run is none the worse.
    temporary = root / f".latest.{os.getpid()}"
    with suppress(OSError):
        temporary.unlink(missing_ok=True)
        temporary.symlink_to(name, target_is_directory=True)
        temporary.replace(root / "latest")
    with suppress(OSError):
        temporary.unlink(missing_ok=True)


@contextmanager
def _appending(path: Path) -> Iterator[io.TextIOWrapper]:
    with path.open("a", encoding="utf-8", errors=ENCODING_ERRORS, newline="") as stream:
        yield stream


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Turn the operating system's refusal into one clear error that names the path."""
    try:
        yield
    except OSError as error:
        raise ReportError(f"cannot use {path}: {error.strerror or error}") from error
