"""The published script that converts a detector, under its published option names; see `sealbench convert`.

Example: `python converters/convert_detector_to_tflite.py --model_name videoseal --image_size 256 --quantize int8`
"""

import argparse
import sys
from collections.abc import Sequence

from sealbench.converters.command_line import add_published_options, exit_code
from sealbench.converters.export.precisions import PRECISIONS, get_precision
from sealbench.converters.families.watermark import get_variant
from sealbench.converters.shared_options import add_rewrite


def parse_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line; `--help` lists the known variants and precisions."""
    parser = argparse.ArgumentParser(description="Convert a watermark detector from PyTorch to .tflite.")
    add_published_options(parser)
    parser.add_argument(
        "--image_size",
        metavar="SIZE",
        help="side of the images, or HEIGHTxWIDTH (default: the size the model was trained at)",
    )
    described = "; ".join(f"{p.name}: {p.description}" for p in PRECISIONS.values())
    parser.add_argument("--quantize", default="float32", metavar="PRECISION", help=f"default float32. {described}")
    add_rewrite(parser.add_argument)
    parser.add_argument(
        "--no_simple",
        "--no-simple",
        action="store_true",
        help="the file takes images of --image_size and resizes them inside to the size it was trained at",
    )
    return parser.parse_args(arguments)


def convert(options: argparse.Namespace) -> None:
    """Convert as the options say, and print what came out.

    Raises:
        ConverterError: an option or a file is wrong.
    """
    variant = get_variant(options.model_name)
    precision = get_precision(options.quantize)
    from sealbench.converters.conversion import convert_models

    convert_models(
        [variant],
        [precision],
        options.output_dir,
        {variant.name: options.weights},
        options.image_size,
        "resize" if options.no_simple else "simple",
        options.rewrite,
        "--output_dir",
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code: 0, or 2 with one line on standard error for wrong input."""
    return exit_code(convert, parse_arguments, arguments)


if __name__ == "__main__":
    sys.exit(main())
