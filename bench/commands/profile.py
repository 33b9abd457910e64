"""Show where the time of a file goes, by kind of operation."""

import argparse
from collections.abc import Sequence

from sealbench.bench.arguments import DEFAULT_THREADS
from sealbench.converters.command_line import require_at_least, writable_folder
from sealbench.converters.families.watermark import get_variant, variant_names
from sealbench.converters.families.weight_sources import find_weights
from sealbench.converters.rewrites import choose_rewrites
from sealbench.converters.shared_options import (
    add_out,
    add_precisions,
    add_rewrites,
    add_threads,
    add_variant,
    add_weights,
    listed,
    precisions_of,
)

ROUNDS = 20


def parse_arguments(arguments: Sequence[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="sealbench profile",
        description="Show where the time of a detector's file goes, by kind of operation.",
    )
    add_variant(parser.add_argument, variant_names())
    add_precisions(parser.add_argument)
    add_rewrites(parser.add_argument, "with none,auto both are measured in interleaved rounds")
    add_weights(parser.add_argument)
    add_threads(parser.add_argument, DEFAULT_THREADS)
    parser.add_argument("--rounds", type=int, default=ROUNDS, metavar="N", help="runs of each file (%(default)s)")
    add_out(parser.add_argument, "folder for profile-VARIANT-PRECISION .csv and .png")
    options = parser.parse_args(arguments)
    require_at_least(parser, options, {"threads": 1, "rounds": 1})
    return options


def main(arguments: Sequence[str]) -> int:
    """Run the command; returns its exit code: 0."""
    options = parse_arguments(arguments)
    variant = get_variant(options.variant)
    precisions = precisions_of(options.precision)
    choices = listed(options.rewrite) or ("auto",)
    rewrites = tuple(dict.fromkeys(choose_rewrites(choice, variant) for choice in choices))
    if options.out is not None:
        writable_folder(options.out, "--out")
    weights = find_weights(variant, options.weights)
    from sealbench.bench.analysis.operations.profile import run

    run(variant, weights, precisions, rewrites, options.threads, options.rounds, options.out)
    return 0
