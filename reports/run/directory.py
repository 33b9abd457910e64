"""The folder of one run: what is written while it measures. Cheap to import."""

from __future__ import annotations

import gzip
import json
import os
import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sealbench.reports.errors import ReportError
from sealbench.reports.files import (
    has_table,
    os_errors_as_report_errors,
    packed_name,
    remove,
    write_atomically,
)
from sealbench.reports.run.reader import ENVIRONMENT, GATES, is_run, load_results
from sealbench.reports.schema.columns import Cells, Row, Table
from sealbench.reports.schema.metrics import metric_named
from sealbench.reports.schema.records import Expectation, Measurement
from sealbench.reports.schema.tables import (
    BITS,
    DURATIONS,
    IMAGES,
    LATENCY,
    OUTPUTS,
    PLAN,
    RESULTS,
    SCORES,
    WORST_IMAGES,
    expectation_cells,
    measurement_cells,
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
# What a comparison leaves: in the run that was compared with another, or in a folder of its own.
COMPARED = ("compare.csv", "compare.md", "compare.html", "plots/compare.png")
RENDERED = ("summary.csv", "verdicts.csv", "summary.md", "report.html", *PLOTS, *COMPARED)
# Up to here a table opens in an editor and is small enough to attach to a CI run; beyond, `finish` packs it.
PLAIN_LIMIT_BYTES = 16 * 1024 * 1024
_PACKED = (BITS, SCORES, OUTPUTS, LATENCY)
_RUN_ID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")


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
        with os_errors_as_report_errors(path):
            if path.exists() and not path.is_dir():
                raise ReportError(f"run directory {path} is not a folder")
            if path.is_dir() and any(path.iterdir()) and not is_run(path):
                raise ReportError(f"run directory {path} is not empty and holds no run ({RESULTS} of ours)")
            path.mkdir(parents=True, exist_ok=True)
        # First, because it is what makes the folder a run: whatever dies after this can be begun anew.
        RESULTS.write(path)
        with os_errors_as_report_errors(path):
            for file in (PLAN, ENVIRONMENT, GATES, SCORES, OUTPUTS, IMAGES, WORST_IMAGES, *RENDERED):
                remove(path / file)
            for table in _PACKED:
                remove(packed_name(path / table))
            (path / "samples").mkdir(exist_ok=True)
            (path / "plots").mkdir(exist_ok=True)
        for table in (BITS, LATENCY, DURATIONS):
            table.write(path)
        if run_dir is None:
            _point_latest(Path(root), name)
        return run

    @classmethod
    def resume(cls, run_dir: Path | str) -> RunDirectory:
        """Resume a run that was interrupted: nothing of it is removed but a last line that was cut off.

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
        for table in (RESULTS, BITS, SCORES, OUTPUTS, LATENCY, DURATIONS):
            if has_table(path / table):
                table.write(path, (row for _, row in table.read(path)))  # an earlier version's with all columns
                remove(packed_name(path / table))
        return run

    def keep_measurements(self, stays: Callable[[Measurement], bool]) -> None:
        """Drop from results.csv of a resumed run what will be measured again.

        Args:
            stays: Whether a measurement is kept.

        Raises:
            ReportError: The table is damaged or cannot be written.
        """
        RESULTS.write(self.path, [measurement_cells(row) for row in load_results(self.path) if stays(row)])

    def keep_samples(self, table: Table, stays: Callable[[int, Cells], bool]) -> None:
        """Drop from a table of samples of a resumed run what will be measured again.

        Args:
            table: Of samples; where the run has none, nothing is done.
            stays: Whether a row, by its number from 1 and as text by column, is kept.

        Raises:
            ReportError: The table is damaged or cannot be written.
        """
        if has_table(self.path / table):
            table.write(self.path, [row for number, row in table.read(self.path) if stays(number, row)])

    def append(self, measurements: Iterable[Measurement]) -> None:
        """Append rows to results.csv, each on disk before the next is asked for.

        Args:
            measurements: The rows, of this run.

        Raises:
            ReportError: A row is of another run, its metric is unknown, or the file cannot be written.
        """
        for row in measurements:
            metric_named(row.metric)
            if row.run_id != self.run_id:
                raise ReportError(f"{self.path}: a measurement of run {row.run_id!r}, expected {self.run_id!r}")
            RESULTS.append(self.path, [measurement_cells(row)])

    def append_rows(self, table: Table, rows: Iterable[Row]) -> None:
        """Append rows to a table of samples; the first of them begins a table that is not there.

        Args:
            table: For example BITS.
            rows: Mappings with exactly the table's columns, or sequences in their order. What is unknown is None or
                NaN.

        Raises:
            ReportError: A row has other columns, or the file cannot be written.
        """
        table.append(self.path, rows)

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
            rows: Mappings with exactly the columns of IMAGES, or sequences in that order.

        Raises:
            ReportError: A row has other columns, or the file cannot be written.
        """
        IMAGES.write(self.path, rows)

    def write_plan(self, expectations: Iterable[Expectation]) -> None:
        """Write plan.csv: what must be measured for the run to be complete.

        Args:
            expectations: Everything that the selected suites promise, in the order of the run.

        Raises:
            ReportError: The file cannot be written.
        """
        PLAN.write(self.path, map(expectation_cells, expectations))

    def keep_gates(self, gates_file: Path) -> None:
        """Keep a copy of the gates with the run, so that rendering it again judges by the same ones.

        Args:
            gates_file: The TOML file of the gates that judge this run.

        Raises:
            ReportError: The file cannot be read or the copy not written.
        """
        with os_errors_as_report_errors(gates_file):
            content = gates_file.read_bytes()
        write_atomically(self.path / GATES, content)

    def finish(self, attack_seed: Callable[[str], int] | None = None) -> None:
        """Write WORST_IMAGES and compress tables of samples above PLAIN_LIMIT_BYTES to NAME.csv.gz. Call it once, last.

        Args:
            attack_seed: Gives the seed of an image's attacks by its name; without it WORST_IMAGES names none.

        Raises:
            ReportError: A file cannot be written, or the samples cannot be read; the plain ones are then still there.
        """
        from sealbench.reports.run.worst_images import write_worst_images  # pandas takes a second to load

        write_worst_images(self.path, attack_seed)
        for table in _PACKED:
            plain = self.path / table
            with os_errors_as_report_errors(plain):
                if plain.is_file() and plain.stat().st_size > PLAIN_LIMIT_BYTES:
                    # No time stamp inside: the same samples give the same file.
                    packed = gzip.compress(plain.read_bytes(), compresslevel=6, mtime=0)
                    write_atomically(packed_name(plain), packed)
                    plain.unlink()


def _point_latest(root: Path, name: str) -> None:
    # A convenience: on a file system without links the run is not affected.
    temporary = root / f".latest.{os.getpid()}"
    with suppress(OSError):
        temporary.unlink(missing_ok=True)
        temporary.symlink_to(name, target_is_directory=True)
        temporary.replace(root / "latest")
    with suppress(OSError):
        temporary.unlink(missing_ok=True)
