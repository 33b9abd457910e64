"""Show the latency of a file beside that of LiteRT's own benchmark."""

import argparse
from collections.abc import Sequence

from sealbench.bench.arguments import DEFAULT_THREADS
from sealbench.converters.command_line import require_at_least
from sealbench.converters.export.precisions import get_precision
from sealbench.converters.families.registry import card_names, get_card
from sealbench.converters.shared_options import add_precision, add_threads, add_variant

ROUNDS = 10


def parse_arguments(arguments: Sequence[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="sealbench litert-check", description="Compare our latency of a file with LiteRT's own benchmark."
    )
    add_variant(parser.add_argument, card_names(), "videoseal_nano")
    add_precision(parser.add_argument, "int8")
    add_threads(parser.add_argument, DEFAULT_THREADS, "of both")
    parser.add_argument("--rounds", type=int, default=ROUNDS, metavar="N", help="of each (%(default)s)")
    options = parser.parse_args(arguments)
    require_at_least(parser, options, {"threads": 1, "rounds": 1})
    return options


def main(arguments: Sequence[str]) -> int:
    """Run the command; returns its exit code: 0, 1 where the medians differ by more than 3 %."""
    options = parse_arguments(arguments)
    card, precision = get_card(options.variant), get_precision(options.precision)
    from sealbench.bench.analysis.aa import find_file
    from sealbench.bench.analysis.litert_check import run

    return run(find_file(card, precision), options.threads, options.rounds)
