"""Judge a saved run and write its tables, plots and page again; measures nothing."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from sealbench.reports.errors import ReportError
from sealbench.reports.gates.judge import gates_of_run
from sealbench.reports.run.reader import is_run


def main(arguments: Sequence[str]) -> int:
    """Run the command.

    Args:
        arguments: what follows the command's name.

    Returns:
        The gates' exit code: 0, 1, 10 or 11.

    Raises:
        ReportError: the folder or the gates cannot be used.
    """
    parser = argparse.ArgumentParser(
        prog="sealbench report",
        description="Judge a saved run and write its verdicts, tables, plots and page again, without measuring.",
        epilog="Exit code: 0 all gates pass or do not apply, 1 a gate failed, 2 bad arguments, 10 inconclusive, "
        "11 nothing was measured.",
    )
    parser.add_argument("run_dir", type=Path, help="folder of a run, e.g. sealbench-runs/latest")
    parser.add_argument(
        "--gates",
        type=Path,
        metavar="FILE",
        help="gates to judge by (default: those that the run was judged by, else the built-in ones)",
    )
    options = parser.parse_args(arguments)
    if not is_run(options.run_dir):
        raise ReportError(f"{options.run_dir} is no run directory: expected a folder with a results.csv of ours")
    gates = gates_of_run(options.run_dir, options.gates)
    # Only now: drawing takes a second to import, and errors should come at once.
    from sealbench.reports.render.run import render
    from sealbench.reports.render.tables import console_summary

    rendered = render(options.run_dir, gates)
    print(console_summary(rendered.frame, color=sys.stdout.isatty()), end="")
    for note in rendered.notes:
        print(f"note: {note}")
    print(f"report: {rendered.page}")
    return rendered.exit_code
