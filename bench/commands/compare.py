"""Say what changed from one run to another, and how sure that is."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from sealbench.reports.gates.judge import EXIT_FAIL, EXIT_PASS, gates_of_run
from sealbench.reports.run.baselines import find_run


def main(arguments: Sequence[str]) -> int:
    """Compare two saved runs.

    Args:
        arguments: What follows the command's name.

    Returns:
        1 where a value that a gate judges is worse, else 0.

    Raises:
        ReportError: Either is no run, or the two cannot be compared.
    """
    parser = argparse.ArgumentParser(
        prog="sealbench compare",
        description="Say what changed from run A to run B, and how sure that is. Measures nothing.",
        epilog="Exit code: 0 nothing that a gate judges is worse, 1 something is, 2 bad arguments, or runs that cannot "
        "be compared.",
    )
    parser.add_argument("before", metavar="RUN_A", help="the earlier run: its folder, or the name of a baseline")
    parser.add_argument("after", metavar="RUN_B", help="the later run: its folder, or the name of a baseline")
    parser.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        help="write compare.csv, compare.md, compare.html and plots/compare.png there",
    )
    parser.add_argument(
        "--gates", type=Path, metavar="FILE", help="gates to judge by (default: those of run B, else the built-in ones)"
    )
    options = parser.parse_args(arguments)
    before, after = find_run(options.before), find_run(options.after)
    gates = gates_of_run(after, options.gates)
    # Only now: pandas and scipy take seconds to import, and errors should come at once.
    from sealbench.reports.compare.files import compare_runs, write_comparison
    from sealbench.reports.compare.tables import compare_console, conclusion

    comparison = compare_runs(before, after, gates)
    print(f"{comparison.after.run_id} against {comparison.before.run_id}: {conclusion(comparison.changes)}")
    print(compare_console(comparison.changes, color=sys.stdout.isatty()), end="")
    for item in comparison.differences:
        print(f"differs: {item.field}: {item.before} -> {item.after}")
    if options.out is not None:
        for file in write_comparison(comparison, options.out):
            print(f"written: {file}")
    return EXIT_FAIL if comparison.failed else EXIT_PASS
