"""Follow the headline metrics through saved runs."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from sealbench.reports.errors import ReportError


def main(arguments: Sequence[str]) -> int:
    """Follow the headline metrics through saved runs.

    Args:
        arguments: What follows the command's name.

    Returns:
        0.

    Raises:
        ReportError: None of the folders holds a finished run, or a file cannot be written.
    """
    parser = argparse.ArgumentParser(
        prog="sealbench history",
        description="Follow size, speed and accuracy through saved runs, in order of time. Measures nothing. Folders "
        "without a finished run are named and skipped.",
        epilog="Exit code: 0, or 2 where there is no finished run among the folders.",
    )
    parser.add_argument("folders", type=Path, nargs="+", metavar="DIR", help="folders of runs, e.g. sealbench-runs/*")
    parser.add_argument("--out", type=Path, metavar="DIR", help="write history.csv, history.png and history.html there")
    options = parser.parse_args(arguments)
    from sealbench.reports.compare.history import history, load_runs
    from sealbench.reports.compare.history_files import history_console, write_history

    runs, notes = load_runs(options.folders)
    for note in notes:
        print(f"note: {note}")
    if not runs:
        raise ReportError(f"none of {len(options.folders)} folders holds a finished run")
    points = history(runs)
    print(history_console(points), end="")
    if options.out is not None:
        for file in write_history(points, notes, options.out):
            print(f"written: {file}")
    return 0
