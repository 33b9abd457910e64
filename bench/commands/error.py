"""Show where the error of a file comes from, by step and by layer."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from sealbench.bench.arguments import DEFAULT_THREADS
from sealbench.converters.command_line import require_at_least, writable_folder
from sealbench.converters.families.watermark import get_variant, variant_names
from sealbench.converters.families.weight_sources import find_weights
from sealbench.converters.rewrites import choose_rewrites
from sealbench.converters.shared_options import (
    add_out,
    add_precisions,
    add_rewrite,
    add_samples,
    add_threads,
    add_variant,
    add_weights,
    precisions_of,
)

SAMPLES = 4


def parse_arguments(arguments: Sequence[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="sealbench error",
        description="Show where the error of a detector's file comes from, by step and by layer.",
    )
    add_variant(parser.add_argument, variant_names())
    add_precisions(parser.add_argument)
    add_rewrite(parser.add_argument)
    add_weights(parser.add_argument)
    add_samples(parser.add_argument, SAMPLES)
    add_threads(parser.add_argument, DEFAULT_THREADS, "of PyTorch and of the last step")
    add_out(parser.add_argument, "folder for the tables, the picture and the node data of each file")
    parser.add_argument(
        "--run-dir",
        type=Path,
        metavar="RUN_DIR",
        help="run that measured the files; its page gets the tables and a picture",
    )
    options = parser.parse_args(arguments)
    require_at_least(parser, options, {"samples": 1, "threads": 1})
    return options


def main(arguments: Sequence[str]) -> int:
    """Run the command; returns its exit code: 0."""
    options = parse_arguments(arguments)
    variant = get_variant(options.variant)
    precisions = precisions_of(options.precision)
    choose_rewrites(options.rewrite, variant)  # an unknown one is refused before any folder is made
    if options.out is not None:
        writable_folder(options.out, "--out")
    weights = find_weights(variant, options.weights)
    from sealbench.bench.analysis.layers.error import files_of, run

    files = files_of(variant, weights, precisions, options.rewrite, options.threads)
    run(files, options.samples, options.out, options.run_dir)
    return 0
