"""Time one file against itself and a slowed copy: the noise of this machine, and the slow-down that is found."""

import argparse
import math
from collections.abc import Sequence

from sealbench.bench.arguments import DEFAULT_THREADS
from sealbench.converters.command_line import require_at_least, writable_folder
from sealbench.converters.export.precisions import get_precision
from sealbench.converters.families.registry import card_names, get_card
from sealbench.converters.shared_options import add_out, add_precision, add_threads, add_variant
from sealbench.reports.gates.slowdown import MARGIN


def parse_arguments(arguments: Sequence[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="sealbench aa",
        description="Compare a file with itself, and with a copy that is slowed down: noise, and what is found in it.",
    )
    add_variant(parser.add_argument, card_names(), "videoseal_nano")
    add_precision(parser.add_argument, "int8")
    parser.add_argument(
        "--comparisons", type=int, default=300, metavar="N", help="of the file with itself (%(default)s)"
    )
    parser.add_argument("--trials", type=int, default=100, metavar="N", help="with the slow-down (%(default)s)")
    parser.add_argument("--slowdown", type=float, default=10, metavar="PERCENT", help="that is planted (%(default)s)")
    add_threads(parser.add_argument, DEFAULT_THREADS, "of both")
    add_out(parser.add_argument, "CSV file to which every comparison is added", "FILE")
    options = parser.parse_args(arguments)
    require_at_least(parser, options, {"comparisons": 0, "trials": 0, "threads": 1})
    if not options.comparisons and not options.trials:
        parser.error("--comparisons 0 --trials 0: there is nothing to compare; ask for at least 1 of either")
    if not 100 * MARGIN < options.slowdown < math.inf:
        parser.error(f"--slowdown {options.slowdown:g}: expected more than the {100 * MARGIN:g} % that are let pass")
    return options


def main(arguments: Sequence[str]) -> int:
    """Run the command; returns its exit code: 0, 1 where not all is well."""
    options = parse_arguments(arguments)
    card, precision = get_card(options.variant), get_precision(options.precision)
    if options.out is not None:
        writable_folder(options.out.parent, "--out")
    from sealbench.bench.analysis.aa import find_file, run

    path = find_file(card, precision)
    return run(path, options.threads, options.comparisons, options.trials, options.slowdown / 100, options.out)
