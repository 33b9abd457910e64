"""The state of a run of the bench."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sealbench.bench.measuring.context import RunContext, Shown
from sealbench.bench.options import Options
from sealbench.bench.session.console import RunConsole
from sealbench.bench.session.progress import Progress
from sealbench.bench.session.resume import PlannedTest, can_resume
from sealbench.bench.targets import Target
from sealbench.reports.gates.judge import Gate
from sealbench.reports.run.directory import RunDirectory
from sealbench.reports.schema.records import Expectation


@dataclass
class BenchRun:
    """The state of a run between pytest's hooks.

    Attributes:
        options: what to measure.
        targets: the matrix.
        suites: names of the suite modules by their files.
        gates: what is judged; empty with --no-gate.
        run: the open run directory, once there is something to measure.
        context: what the groups share, once there is something to measure.
        started: clock reading at the start, in seconds.
        planned: every test of the bench with what it will record, the finished ones of a resumed run too.
        shown: pictures that the tests that are left need outputs for.
        progress: how far it is.
        milestones: tests after which the progress is printed: the last of each suite of a group.
        ends: tests after which nothing more is measured of a file.
        console: prints it.
        summary: lines for the terminal at the end.
    """

    options: Options
    targets: tuple[Target, ...]
    suites: Mapping[Path, str]
    gates: Sequence[Gate] = ()
    run: RunDirectory | None = None
    context: RunContext | None = None
    started: float = field(default_factory=time.perf_counter)
    planned: list[PlannedTest] = field(default_factory=list)
    shown: tuple[Shown, ...] = ()
    progress: Progress = field(default_factory=Progress)
    milestones: set[str] = field(default_factory=set)
    ends: set[str] = field(default_factory=set)
    console: RunConsole | None = None
    summary: list[str] = field(default_factory=list)

    @property
    def resumed(self) -> bool:
        """Whether an earlier run is resumed."""
        return self.options.resume and self.options.run_dir is not None and can_resume(self.options.run_dir)

    @property
    def expectations(self) -> list[Expectation]:
        """All measurements that the selected tests will record."""
        return [expectation for test in self.planned for expectation in test.expectations]
