"""What a run prints while it measures: a progress bar on a terminal, and a line for each finished file everywhere."""

import sys
from collections.abc import Iterable, Sequence
from typing import Any

import pytest

from sealbench.bench.session.progress import Progress
from sealbench.reports.gates.judge import GateResult, Verdict
from sealbench.reports.gates.standings import worst_verdict
from sealbench.reports.schema.formatting import format_value
from sealbench.reports.schema.records import UNATTACKED, Measurement
from sealbench.reports.schema.tasks import TASKS

# Of the headlines of all tasks these are printed of a finished file; the table at the end has the others.
PRINTED = ("size_bytes", "latency_ms", "bit_agreement", "bit_accuracy", "score_error_pct", "output_cosine")
_WORDS = {metric: headline.heading for task in TASKS for metric, headline in task.headlines.items()}


class RunConsole:
    """Writes through pytest's own terminal reporter, or above a bar of its own.

    The bar is drawn when a test begins and ends, never by a thread beside it: a measurement has the machine to itself.

    Args:
        terminal: pytest's reporter; None for `-p no:terminal`.
        config: of the session; a bar is drawn on a terminal, unless options ask for words of another kind: `-v`, `-s`
            and `--pdb` need every line as pytest writes it, and `-q` asks for none.
    """

    def __init__(self, terminal: pytest.TerminalReporter | None, config: pytest.Config):
        self._terminal = None if config.get_verbosity() < 0 else terminal
        plain = config.get_verbosity() != 0 or config.getoption("capture") == "no" or config.getoption("usepdb", False)
        self._may_draw = terminal is not None and not plain and terminal.isatty
        self._bar: Any = None  # a rich.progress.Progress: rich is imported where there is a bar

    @property
    def drawn(self) -> bool:
        """Whether there is a bar, and pytest's dots would spoil it."""
        return self._bar is not None

    def show(self, name: str, progress: Progress) -> None:
        """Draw the bar, where there may be one.

        Args:
            name: what the test measures that begins or has ended, and of which file.
            progress: of the run.
        """
        if self._may_draw and self._bar is None:
            self._bar = self._new_bar(progress.tests)
        if self._bar is not None:
            (task,) = self._bar.task_ids
            self._bar.update(task, completed=progress.done, description=name, rest=progress.rest_text)
            self._bar.refresh()

    def milestone(self, line: str) -> None:
        """Say how far a run is, where no bar does."""
        if self._bar is None:
            self.say(line)

    def say(self, line: str) -> None:
        """Write a line that stays."""
        if self._bar is not None:
            self._bar.console.print(line, markup=False, highlight=False, soft_wrap=True)
        elif self._terminal is not None:
            self._terminal.ensure_newline()
            self._terminal.write_line(line)

    def end(self) -> None:
        """Remove the bar."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def _new_bar(self, tests: int) -> Any:
        from rich.console import Console
        from rich.progress import BarColumn, TextColumn
        from rich.progress import Progress as Bar

        assert self._terminal is not None
        console = Console(file=sys.stdout)  # pytest's capture is off between tests, when it is written to
        if not console.is_interactive:  # a terminal that cannot move its cursor
            self._may_draw = False
            return None
        self._terminal.ensure_newline()
        # The reporter would write names of files and percentages into the bar's line.
        self._terminal.showfspath = False
        self._terminal._show_progress_info = False
        columns = (
            BarColumn(bar_width=24),
            TextColumn("{task.completed}/{task.total} tests"),
            TextColumn("{task.fields[rest]}"),
            TextColumn("{task.description}", markup=False),
        )
        bar = Bar(
            *columns, console=console, auto_refresh=False, transient=True, redirect_stdout=False, redirect_stderr=False
        )
        bar.add_task("", total=tests, rest="")
        bar.start()
        return bar


def file_line(name: str, rows: Iterable[Measurement], results: Sequence[GateResult]) -> str:
    """What was found of one file, on one line.

    Args:
        name: of the file.
        rows: what was measured of it.
        results: of its gates.

    Returns:
        For example `videoseal_nano 256 int8*: size 3.86 MB, agreement 100.00 %, accuracy 99.97 %, PASS`; metrics that
        were not measured are left out, and of several datasets the first is printed.
    """
    found: dict[str, Measurement] = {}
    for row in rows:
        if row.attack in UNATTACKED:
            found.setdefault(row.metric, row)
    values = [f"{_WORDS[metric]} {format_value(metric, found[metric].value)}" for metric in PRINTED if metric in found]
    verdict = worst_verdict(result.verdict for result in results)
    end = "no gate applies" if verdict is Verdict.NOT_APPLICABLE else verdict.value
    return f"{name}: {', '.join([*values, end])}"
