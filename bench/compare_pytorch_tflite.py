"""The published script that compares a file with PyTorch, under its published option names; see `sealbench check`.

    python bench/compare_pytorch_tflite.py --input photo.jpg --model_name videoseal --tflite_model FILE --output_dir OUT

watermarks the photograph, reads it back with both, prints the comparison, and writes OUT/photo_watermarked.png and
OUT/comparison.json. An image that is watermarked already is compared with

    ... --watermarked_image FILE --skip_embed --message BITS_OR_FILE
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from sealbench.bench.arguments import DEFAULT_THREADS
from sealbench.bench.errors import INPUT_ERRORS, USAGE_ERROR, OptionError
from sealbench.converters.families.watermark import get_variant, variant_names
from sealbench.converters.shared_options import add_threads, add_weights


def parse_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="Compare a .tflite detector with its PyTorch original on one image.")
    image = parser.add_mutually_exclusive_group(required=True)
    image.add_argument("--input", type=Path, metavar="FILE", help="a photograph to watermark (PNG, JPEG or WebP)")
    image.add_argument("--watermarked_image", type=Path, metavar="FILE", help="an image that is watermarked already")
    parser.add_argument("--skip_embed", action="store_true", help="embed nothing; goes with --watermarked_image")
    parser.add_argument("--model_name", required=True, metavar="VARIANT", help=f"one of: {', '.join(variant_names())}")
    parser.add_argument("--tflite_model", required=True, type=Path, metavar="FILE", help="the converted detector")
    parser.add_argument("--output_dir", required=True, type=Path, metavar="FOLDER", help="made where it is missing")
    parser.add_argument(
        "--message",
        metavar="BITS_OR_FILE",
        help="0101..., 0x and hexadecimal digits, or a text file with either: what the watermarked image carries, or "
        "what to embed (default: unknown, or random bits from --seed)",
    )
    add_weights(parser.add_argument, "the PyTorch model")
    parser.add_argument(
        "--no_simple",
        "--no-simple",
        action="store_true",
        help="the file was converted with --no_simple: it resizes images inside, and PyTorch does the same",
    )
    add_threads(parser.add_argument, DEFAULT_THREADS, "of both, at least 1")
    parser.add_argument("--seed", type=int, default=0, help="of the random message, 0 or more (default: 0)")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code: 0, or 2 with one line on standard error for wrong input."""
    try:
        _compare(parse_arguments(arguments))
    except INPUT_ERRORS as error:
        print(f"error: {error}", file=sys.stderr)
        return USAGE_ERROR
    return 0


def _compare(options: argparse.Namespace) -> None:
    if options.skip_embed and options.watermarked_image is None:
        raise OptionError("--skip_embed needs --watermarked_image FILE in place of --input")
    if options.seed < 0:
        raise OptionError(f"--seed {options.seed}: expected 0 or more")
    variant = get_variant(options.model_name)
    from sealbench.bench.analysis.pytorch_check import compare, render

    comparison = compare(
        options.tflite_model,
        options.input or options.watermarked_image,
        variant,
        marked=options.input is None,
        message=options.message,
        source=options.weights,
        mode="resize" if options.no_simple else "simple",
        threads=options.threads,
        seed=options.seed,
        out=options.output_dir,
        out_option="--output_dir",
    )
    print(render(comparison))


if __name__ == "__main__":
    sys.exit(main())
