"""The folder of one run: what is written while it measures. Cheap to import."""

from __future__ import annotations

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

from sealbench.reports.errors import ReportError
from sealbench.reports.files import ENCODING_ERRORS, csv_text, remove, write_atomically
from sealbench.reports.run.reader import (
    BITS,
    DURATIONS,
    ENVIRONMENT,
    GATES,
    IMAGES,
    LATENCY,
    PLAN,
    RESULTS,
    SCORES,
    complete_lines,
    is_run,
    load_results,
    load_samples,
    packed_name,
    table_rows,
    told,
)
from sealbench.reports.schema.metrics import metric_named
from sealbench.reports.schema.records import (
    BIT_COLUMNS,
    DURATION_COLUMNS,
    IMAGE_COLUMNS,
    LATENCY_COLUMNS,
    PLAN_COLUMNS,
    RESULT_COLUMNS,
    SCORE_COLUMNS,
    Expectation,
    Measurement,
)

DEFAULT_ROOT = Path("sealbench-runs")
"""Below the current folder."""
PLOTS = (
    "plots/accuracy_vs_size.png",
    "plots/accuracy_vs_latency.png",
    "plots/size_by_precision.png",
    "plots/latency_by_precision.png",
    "plots/latency_distributions.png",
    "plots/rewrite_effect.png",
    "plots/accuracy_by_precision.png",
    "plots/logits_scatter.png",
    "plots/error_histograms.png",
    "plots/bit_positions.png",
    "plots/robustness.png",
    "plots/score_scatter.png",
    "plots/layer_errors.png",
)
WORST_IMAGES = "samples/worst_images.csv"
# What a comparison leaves: in the run that was held against another, or in a folder of its own.
COMPARED = ("compare.csv", "compare.md", "compare.html", "plots/compare.png")
RENDERED = ("summary.csv", "verdicts.csv", "summary.md", "report.html", *PLOTS, *COMPARED)
# Up to here a table opens in an editor and is small enough to attach to a CI run; beyond, `finish` packs it.
PLAIN_LIMIT_BYTES = 16 * 1024 * 1024
_RUN_ID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")

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
        with told(path):
            if path.exists() and not path.is_dir():
                raise ReportError(f"run directory {path} is not a folder")
            if path.is_dir() and any(path.iterdir()) and not is_run(path):
                raise ReportError(f"run directory {path} is not empty and holds no run ({RESULTS} of ours)")
            path.mkdir(parents=True, exist_ok=True)
        # First, because it is what makes the folder a run: whatever dies after this can be begun anew.
        write_atomically(path / RESULTS, csv_text([RESULT_COLUMNS]))
        with told(path):
            for file in (
                PLAN,
                ENVIRONMENT,
                GATES,
                BITS + ".gz",
                SCORES,
                SCORES + ".gz",
                LATENCY + ".gz",
                IMAGES,
                WORST_IMAGES,
                *RENDERED,
            ):
                remove(path / file)
            (path / "samples").mkdir(exist_ok=True)
            (path / "plots").mkdir(exist_ok=True)
        write_atomically(path / BITS, csv_text([BIT_COLUMNS]))
        write_atomically(path / LATENCY, csv_text([LATENCY_COLUMNS]))
        write_atomically(path / DURATIONS, csv_text([DURATION_COLUMNS]))
        if run_dir is None:
            _point_latest(Path(root), name)
        return run

    @classmethod
    def resume(cls, run_dir: Path | str) -> RunDirectory:
        """Go on with a run that was interrupted: nothing of it is removed but a last line that was cut off.

        Args:
            run_dir: The folder of the run.

        Returns:
            The run, ready for appends, under the name that its rows have.

        Raises:
            ReportError: The folder holds no run, its record is damaged, or a file cannot be written.
        """
        path = Path(run_dir)
        rows = load_results(path)
        run = cls(path, rows[0].run_id if rows else new_run_id())
        for name in (RESULTS, BITS, LATENCY, DURATIONS):
            write_atomically(path / name, complete_lines(path / name))
            with told(path):
                remove(packed_name(path / name))
        if scores := complete_lines(path / SCORES):  # only models of quality leave any
            write_atomically(path / SCORES, scores)
            with told(path):
                remove(packed_name(path / SCORES))
        return run

    def keep_only(
        self,
        measurement: Callable[[Measurement], bool],
        bit_row: Callable[[Mapping[str, str]], bool],
        score_row: Callable[[Mapping[str, str]], bool],
        latency_row: Callable[[Mapping[str, str]], bool],
    ) -> None:
        """Drop from a resumed run what will be measured again.

        Args:
            measurement: Says of a row of results.csv whether it stays.
            bit_row: The same of samples/bits.csv; its mappings have BIT_COLUMNS as text.
            score_row: The same of samples/scores.csv; its mappings have SCORE_COLUMNS as text.
            latency_row: The same of samples/latency.csv; its mappings have LATENCY_COLUMNS as text.

        Raises:
            ReportError: A table is damaged or cannot be written.
        """
        kept = [row.cells for row in load_results(self.path) if measurement(row)]
        write_atomically(self.path / RESULTS, csv_text([RESULT_COLUMNS, *kept]))
        tables = [(BITS, BIT_COLUMNS, bit_row), (LATENCY, LATENCY_COLUMNS, latency_row)]
        if (self.path / SCORES).is_file():
            tables.append((SCORES, SCORE_COLUMNS, score_row))
        for name, columns, stays in tables:
            rows = [tuple(row.values()) for _, row in table_rows(self.path / name, columns) if stays(row)]
            write_atomically(self.path / name, csv_text([columns, *rows]))

    def append(self, measurements: Iterable[Measurement]) -> None:
        """Append rows to results.csv, each flushed before the next.

        Args:
            measurements: The rows, of this run.

        Raises:
            ReportError: A row is of another run, its metric is unknown, or the file cannot be written.
        """
        with told(self.path / RESULTS), _appending(self.path / RESULTS) as stream:
            for row in measurements:
                metric_named(row.metric)
                if row.run_id != self.run_id:
                    raise ReportError(f"{self.path}: a measurement of run {row.run_id!r}, expected {self.run_id!r}")
                stream.write(csv_text([row.cells]))
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

    def append_scores(self, rows: Iterable[Row]) -> None:
        """Append results of single frames to samples/scores.csv, which the first of them begins.

        Args:
            rows: Mappings with exactly SCORE_COLUMNS, or sequences in that order. `score` is NaN for features.

        Raises:
            ReportError: A row has other columns, or the file cannot be written.
        """
        if not (self.path / SCORES).is_file():
            write_atomically(self.path / SCORES, csv_text([SCORE_COLUMNS]))
        self._append_rows(SCORES, SCORE_COLUMNS, rows)

    def append_latency(self, rows: Iterable[Row]) -> None:
        """Append single timings to samples/latency.csv.

        Args:
            rows: Mappings with exactly LATENCY_COLUMNS, or sequences in that order. `round` counts the
                interleaved rounds, `position` the place within the round, both from 0.

        Raises:
            ReportError: A row has other columns, or the file cannot be written.
        """
        self._append_rows(LATENCY, LATENCY_COLUMNS, rows)

    def append_duration(self, row: Row) -> None:
        """Append to samples/durations.csv how long a test took.

        Args:
            row: A mapping with exactly DURATION_COLUMNS, or a sequence in that order.

        Raises:
            ReportError: The row has other columns, or the file cannot be written.
        """
        self._append_rows(DURATIONS, DURATION_COLUMNS, [row])

    def write_environment(self, environment: Mapping[str, object]) -> None:
        """Write environment.json, replacing what was there.

        Args:
            environment: Versions, CPU, threads, git commit, fingerprints; what JSON cannot hold becomes text.

        Raises:
            ReportError: The file cannot be written.
        """
        text = json.dumps(environment, indent=2, sort_keys=True, default=str)
        write_atomically(self.path / ENVIRONMENT, text + "\n")

    def write_images(self, rows: Iterable[Row]) -> None:
        """Write samples/images.csv: which picture each image was cut from, what intervals are clustered by.

        Args:
            rows: Mappings with exactly IMAGE_COLUMNS, or sequences in that order.

        Raises:
            ReportError: A row has other columns, or the file cannot be written.
        """
        path = self.path / IMAGES
        write_atomically(path, csv_text([IMAGE_COLUMNS, *(_ordered(row, IMAGE_COLUMNS, path) for row in rows)]))

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
        with told(gates_file):
            content = gates_file.read_bytes()
        write_atomically(self.path / GATES, content)

    def finish(self, attack_seed: Callable[[str], int] | None = None) -> None:
        """Write WORST_IMAGES and compress tables of samples above PLAIN_LIMIT_BYTES to NAME.csv.gz. Call it once, last.

        Args:
            attack_seed: Gives the seed of an image's attacks by its name; without it WORST_IMAGES tells none.

        Raises:
            ReportError: A file cannot be written, or the samples cannot be read; the plain ones are then still there.
        """
        from sealbench.reports.run.worst_images import write_worst_images  # pandas takes a second to load

        write_worst_images(load_samples(self.path, BITS), self.path / WORST_IMAGES, attack_seed)
        for name in (BITS, SCORES, LATENCY):
            plain = self.path / name
            with told(plain):
                if plain.is_file() and plain.stat().st_size > PLAIN_LIMIT_BYTES:
                    # No time stamp inside: the same samples give the same file.
                    packed = gzip.compress(plain.read_bytes(), compresslevel=6, mtime=0)
                    write_atomically(packed_name(plain), packed)
                    plain.unlink()

    def _append_rows(self, name: str, columns: tuple[str, ...], rows: Iterable[Row]) -> None:
        path = self.path / name
        with told(path), _appending(path) as stream:
            stream.write(csv_text(_ordered(row, columns, path) for row in rows))


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
