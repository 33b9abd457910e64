"""Compare a file with its PyTorch original on one picture."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from sealbench.bench.arguments import DEFAULT_THREADS
from sealbench.converters.command_line import require_at_least
from sealbench.converters.families.watermark import get_variant, variant_names
from sealbench.converters.shared_options import (
    add_json,
    add_message,
    add_no_simple,
    add_out,
    add_seed,
    add_threads,
    add_variant,
    add_weights,
)


def parse_arguments(arguments: Sequence[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="sealbench check",
        description="Watermark a picture, read it with PyTorch and with a .tflite detector, and compare the two.",
    )
    parser.add_argument("file", type=Path, metavar="FILE", help="the .tflite detector")
    parser.add_argument("picture", type=Path, metavar="PICTURE", help="PNG, JPEG or WebP")
    add_variant(parser.add_argument, variant_names())
    parser.add_argument("--marked", action="store_true", help="the picture is watermarked already: embed nothing")
    add_message(
        parser.add_argument, "what is embedded (default: random bits from --seed), or what a marked one carries"
    )
    add_seed(parser.add_argument, "of the random message")
    add_weights(parser.add_argument, "the PyTorch model")
    add_no_simple(parser.add_argument)
    add_threads(parser.add_argument, DEFAULT_THREADS, "of both")
    add_out(parser.add_argument, "write comparison.json and the watermarked picture there")
    add_json(parser.add_argument)
    options = parser.parse_args(arguments)
    require_at_least(parser, options, {"seed": 0, "threads": 1})
    return options


def main(arguments: Sequence[str]) -> int:
    """Run the command; returns its exit code: 0."""
    options = parse_arguments(arguments)
    variant = get_variant(options.variant)
    from sealbench.bench.analysis.pytorch_check import as_json, compare, render

    comparison = compare(
        options.file,
        options.picture,
        variant,
        marked=options.marked,
        message=options.message,
        source=options.weights,
        mode="resize" if options.no_simple else "simple",
        threads=options.threads,
        seed=options.seed,
        out=options.out,
    )
    print(as_json(comparison) if options.json else render(comparison), end="" if options.json else "\n")
    return 0
