"""Render a saved run again: `python -m reports RUN_DIR [--gates FILE]`, or compare and export saved runs."""

import argparse
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path

from reports.errors import ReportError
from reports.gates import gates_of_run
from reports.run_reader import is_run

EXIT_USAGE = 2
# A run in a folder of such a name is reached as ./compare.
COMMANDS = {
    "compare": "reports.compare_command",
    "history": "reports.history_command",
    "bencher": "reports.bencher",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: Without the program's name; those of the process when None.

    Returns:
        The gates' exit code (0, 1, 10, 11), or 2 when the folder or the gates cannot be used; for a command of
        COMMANDS what its `main` says.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given and given[0] in COMMANDS:
        command: Callable[[Sequence[str]], int] = import_module(COMMANDS[given[0]]).main
        return _told(lambda: command(given[1:]))
    parser = argparse.ArgumentParser(
        prog="python -m reports",
        description="Judge a saved run and write its verdicts, tables, plots and page again, without measuring.",
        epilog="Exit code: 0 all gates pass or do not apply, 1 a gate failed, 2 bad arguments, 10 inconclusive, "
        "11 nothing was measured. Other commands, each with its own --help: " + ", ".join(COMMANDS) + ".",
    )
    parser.add_argument("run_dir", type=Path, help="folder of a run, e.g. reports/out/latest")
    parser.add_argument(
        "--gates",
        type=Path,
        metavar="FILE",
        help="gates to judge by (default: those that the run was judged by, else the built-in ones)",
    )
    options = parser.parse_args(given)
    return _told(lambda: _render(options.run_dir, options.gates))


def _told(run: Callable[[], int]) -> int:
    try:
        return run()
    except ReportError as error:
        print(f"error: {error}", file=sys.stderr)
        return EXIT_USAGE


def _render(run_dir: Path, gates_file: Path | None) -> int:
    if not is_run(run_dir):
        raise ReportError(f"{run_dir} is no run directory: expected a folder with a results.csv of ours")
    gates = gates_of_run(run_dir, gates_file)
    # Only now: drawing takes a second to import, and errors should come at once.
    from reports.render import render
    from reports.tables import console_summary

    rendered = render(run_dir, gates)
    print(console_summary(rendered.frame, color=sys.stdout.isatty()), end="")
    for note in rendered.notes:
        print(f"note: {note}")
    print(f"report: {rendered.page}")
    return rendered.exit_code


if __name__ == "__main__":
    sys.exit(main())
