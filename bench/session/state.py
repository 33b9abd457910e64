"""The state of a run of the bench."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sealbench.bench.options import Options
from sealbench.bench.session.console import RunConsole
from sealbench.bench.session.progress import Progress
from sealbench.bench.session.resume import Promise, can_resume
from sealbench.bench.targets import Target
from sealbench.reports.gates.judge import Gate
from sealbench.reports.run.directory import RunDirectory

if TYPE_CHECKING:
    from sealbench.bench.session.workbench import Workbench


@dataclass
class BenchRun:
    """The state of a run between pytest's hooks.

    Attributes:
        options: what to measure.
        targets: the matrix.
        gates: what is judged; empty with --no-gate.
        run: the open run directory, once there is something to measure.
        workbench: what the suites share.
        started: clock reading at the start, in seconds.
        promises: what every test of the bench promises, the finished ones of a resumed run too.
        progress: how far it is.
        milestones: tests after which that is told: the last of each suite of a group.
        ends: tests after which nothing more is measured of a file.
        console: says it.
        summary: lines for the terminal at the end.
    """

    options: Options
    targets: tuple[Target, ...]
    gates: Sequence[Gate] = ()
    run: RunDirectory | None = None
    workbench: Workbench | None = None
    started: float = field(default_factory=time.perf_counter)
    promises: list[Promise] = field(default_factory=list)
    progress: Progress = field(default_factory=lambda: Progress((), {}))
    milestones: set[str] = field(default_factory=set)
    ends: set[str] = field(default_factory=set)
    console: RunConsole | None = None
    summary: list[str] = field(default_factory=list)

    @property
    def resumed(self) -> bool:
        """Whether an earlier run is gone on with."""
        return self.options.resume and self.options.run_dir is not None and can_resume(self.options.run_dir)
