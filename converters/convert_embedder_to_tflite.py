"""The published script that converts an embedder, under its published option names; see `sealbench convert`.

Example: `python converters/convert_embedder_to_tflite.py --model_name videoseal_nano --quantize fp16`
"""

import argparse
import sys
from collections.abc import Sequence

from sealbench.converters.command_line import add_published_options, exit_code
from sealbench.converters.export.precisions import EMBEDDER_PRECISIONS, get_precision
from sealbench.converters.families.watermark import get_variant


def parse_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line; `--help` lists the known variants."""
    parser = argparse.ArgumentParser(description="Convert a watermark embedder from PyTorch to .tflite.")
    add_published_options(parser)
    parser.add_argument(
        "--quantize",
        default="float32",
        metavar="PRECISION",
        help=f"default float32; one of: {', '.join(EMBEDDER_PRECISIONS)}",
    )
    return parser.parse_args(arguments)


def convert(options: argparse.Namespace) -> None:
    """Convert as the options say, and print what came out.

    Raises:
        ConverterError: an option or a file is wrong.
    """
    variant = get_variant(options.model_name)
    sources = {variant.name: options.weights}
    precision = get_precision(options.quantize)
    from sealbench.converters.embedder_conversion import convert_embedders

    convert_embedders([variant], [precision], options.output_dir, sources, "--quantize", "--output_dir")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code: 0, or 2 with one line on standard error for wrong input."""
    return exit_code(convert, parse_arguments, arguments)


if __name__ == "__main__":
    sys.exit(main())
