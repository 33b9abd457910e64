"""Measure every recipe that a precision's was chosen from, side by side."""

import argparse
from collections.abc import Sequence

from sealbench.converters.cards.image_size import ImageSize, check_image_size
from sealbench.converters.command_line import require_at_least, writable_folder
from sealbench.converters.export.precisions import PRECISIONS
from sealbench.converters.families.watermark import get_variant, variant_names
from sealbench.converters.families.weight_sources import find_weights
from sealbench.converters.shared_options import (
    add_image_size,
    add_out,
    add_precisions,
    add_samples,
    add_variant,
    add_weights,
    precisions_of,
)

SAMPLES = 24
ROUNDS = 24


def parse_arguments(arguments: Sequence[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="sealbench candidates",
        description="Measure the recipes that a precision's was chosen from, side by side.",
    )
    add_variant(parser.add_argument, variant_names())
    add_precisions(parser.add_argument, tuple(PRECISIONS))
    add_weights(parser.add_argument)
    add_image_size(parser.add_argument)
    add_samples(parser.add_argument, SAMPLES)
    parser.add_argument(
        "--rounds", type=int, default=ROUNDS, metavar="N", help="rounds of latency; 0: none (%(default)s)"
    )
    add_out(parser.add_argument, "CSV file for all columns", "FILE")
    options = parser.parse_args(arguments)
    require_at_least(parser, options, {"samples": 1, "rounds": 0})
    return options


def main(arguments: Sequence[str]) -> int:
    """Run the command; returns its exit code: 0."""
    options = parse_arguments(arguments)
    variant = get_variant(options.variant)
    precisions = precisions_of(options.precision) or tuple(PRECISIONS.values())
    size = ImageSize.parse(options.image_size or str(variant.image_size))
    check_image_size(variant, size, "simple")
    if options.out is not None:
        writable_folder(options.out.parent, "--out")
    weights = find_weights(variant, options.weights)  # after the options, because it may download
    from sealbench.bench.analysis.candidates import run

    run(variant, weights, size, precisions, options.samples, options.rounds, options.out)
    return 0
