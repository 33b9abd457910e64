"""Measure how well PyTorch reads a model's watermarks, attack by attack."""

import argparse
from collections.abc import Sequence

from sealbench.converters.command_line import require_at_least, writable_folder
from sealbench.converters.families.watermark import get_variant, variant_names
from sealbench.converters.families.weight_sources import find_weights
from sealbench.converters.shared_options import add_out, add_samples, add_variant, add_weights


def parse_arguments(arguments: Sequence[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="sealbench evaluate",
        description="The quality of a watermark model on photographs it was not trained on. Watermarked images are "
        "rounded to 8 bits before anything else, as a file would be. Every interval resamples source photographs, not "
        "crops: crops of one photograph are not independent.",
    )
    add_variant(parser.add_argument, variant_names(), "videoseal_nano")
    add_weights(parser.add_argument)
    parser.add_argument("--scaling-w", type=float, metavar="X", help="blending strength (default: the card's)")
    add_samples(parser.add_argument, 96, "watermarked crops")
    parser.add_argument(
        "--null-samples", type=int, default=300, metavar="N", help="unmarked images of each kind (default: %(default)s)"
    )
    parser.add_argument(
        "--seed", type=int, default=1, help="of crops, messages and attacks (default: %(default)s)", metavar="N"
    )
    add_out(parser.add_argument, "also write evaluation.md, attacks.csv and null.csv there")
    options = parser.parse_args(arguments)
    require_at_least(parser, options, {"samples": 2, "null_samples": 2, "seed": 0, "scaling_w": 0})
    return options


def main(arguments: Sequence[str]) -> int:
    """Run the command; returns its exit code: 0."""
    options = parse_arguments(arguments)
    if options.out:
        writable_folder(options.out, "--out")
    variant = get_variant(options.variant)
    weights = find_weights(variant, options.weights)
    from sealbench.bench.analysis.evaluate import as_markdown, evaluate, write
    from sealbench.converters.checkpoints.loading import load_watermarker

    watermarker = load_watermarker(variant, weights)
    if options.scaling_w is not None:
        watermarker.scaling_w = options.scaling_w
    result = evaluate(
        watermarker, variant.nbits, images=options.samples, null_images=options.null_samples, seed=options.seed
    )
    if options.out:
        write(result, options.out)
    print(as_markdown(result), end="")
    return 0
