"""Watermark a folder of pictures, and write a manifest of what each carries."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean

from sealbench.bench.errors import USAGE_ERROR
from sealbench.converters.command_line import check_folder, require_at_least
from sealbench.converters.families.watermark import get_variant, variant_names
from sealbench.converters.families.weight_sources import find_weights
from sealbench.converters.shared_options import add_message, add_out, add_seed, add_variant, add_weights


def parse_arguments(arguments: Sequence[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="sealbench embed",
        description="Watermark the pictures of a folder, each at its own size, and write them as PNG beside a "
        "manifest.csv of file,message: `sealbench bench --dataset` takes the new folder.",
        epilog="An alpha channel is kept as it is; the colours below it are watermarked. Sub-folders and hidden files "
        "are passed over. Exit code: 2 where a picture could not be read; the others are written.",
    )
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="of PNG, JPEG or WebP pictures; stays as it is")
    add_out(parser.add_argument, "a new or empty folder for the watermarked pictures", "FOLDER", required=True)
    add_variant(parser.add_argument, variant_names(), "videoseal_nano")
    add_weights(parser.add_argument)
    add_message(parser.add_argument, "embedded in every picture (default: random bits for each, from --seed)")
    add_seed(parser.add_argument, "of the random messages")
    options = parser.parse_args(arguments)
    require_at_least(parser, options, {"seed": 0})
    return options


def main(arguments: Sequence[str]) -> int:
    """Run the command; returns its exit code: 0, or 2 where a picture could not be read."""
    options = parse_arguments(arguments)
    variant = get_variant(options.variant)
    check_folder(options.out, "--out")
    from sealbench.bench.analysis.folder_embedding import check_folders, embed_folder, messages_for

    pictures = check_folders(options.folder, options.out)
    messages = messages_for(len(pictures), variant, options.message, options.seed)
    weights = find_weights(variant, options.weights)  # after the options, because it may download
    found = embed_folder(pictures, messages, options.out, variant, weights)
    if weights.path is None:
        print(f"weights seeded (untrained: no detector reads these watermarks; give --weights for {variant.name})")
    if found.psnr_db:
        mean, lowest = fmean(found.psnr_db), min(found.psnr_db)
        print(f"{len(found.psnr_db)} pictures, PSNR {mean:.1f} dB in the mean, {lowest:.1f} dB the lowest")
    if found.with_alpha:
        print(
            f"{found.with_alpha} of them have an alpha channel, kept as it was; where they are laid over a background, "
            "the watermark shows only as far as they are opaque"
        )
    print(f"manifest: {found.manifest}")
    for error in found.errors:
        print(f"error: {error}", file=sys.stderr)
    if found.errors:
        print(f"error: {len(found.errors)} of {len(pictures)} pictures could not be read", file=sys.stderr)
    return USAGE_ERROR if found.errors else 0
