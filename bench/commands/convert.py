"""Convert detectors, embedders and quality models from PyTorch to `.tflite` files."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from sealbench.converters.export.precisions import EMBEDDER_PRECISIONS, get_precision
from sealbench.converters.families.registry import card_names, get_card
from sealbench.converters.families.watermark import get_variant, variant_names
from sealbench.converters.shared_options import (
    add_image_size,
    add_no_simple,
    add_out,
    add_precisions,
    add_rewrite,
    add_variants,
    add_weights_of_several,
    names_of,
    precisions_of,
    sources_of,
)

OUT = Path("models")


def parse_arguments(arguments: Sequence[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="sealbench convert",
        description="Convert every variant at every precision to a .tflite file, and say what each file is.",
        epilog="The files are named videoseal_detector_VARIANT_SIZE_PRECISION.tflite, videoseal_embedder_... and, of a "
        "quality model, by the name of its variant; float32 has no suffix. All that can be wrong is looked at before "
        "the first conversion.",
    )
    add_variants(parser.add_argument, card_names())
    add_precisions(parser.add_argument, ("float32",))
    add_weights_of_several(parser.add_argument)
    add_image_size(parser.add_argument)
    add_no_simple(parser.add_argument)
    add_rewrite(parser.add_argument)
    parser.add_argument(
        "--embedder",
        action="store_true",
        help=f"the embedders of watermark models instead of their detectors; at {' or '.join(EMBEDDER_PRECISIONS)}",
    )
    add_out(parser.add_argument, "folder for the files", default=OUT)
    options = parser.parse_args(arguments)
    if options.embedder and (options.image_size or options.no_simple or options.rewrite != "auto"):
        parser.error("--embedder goes without --image-size, --no-simple and --rewrite: it has one size and one form")
    return options


def main(arguments: Sequence[str]) -> int:
    """Run the command; returns its exit code: 0."""
    options = parse_arguments(arguments)
    if options.embedder:
        embedders = [get_variant(name) for name in names_of(options.variant, variant_names())]
        named = names_of(options.precision, EMBEDDER_PRECISIONS) or ("float32",)
        precisions = [get_precision(name) for name in named]
        sources = sources_of(embedders, options.weights or (), card_names())
        from sealbench.converters.embedder_conversion import convert_embedders

        convert_embedders(embedders, precisions, options.out, sources)
        return 0
    variants = [get_card(name) for name in names_of(options.variant, card_names())]
    named_precisions = precisions_of(options.precision or ("float32",))
    sources = sources_of(variants, options.weights or (), card_names())
    from sealbench.converters.conversion import convert_models

    convert_models(
        variants,
        named_precisions,
        options.out,
        sources,
        options.image_size,
        "resize" if options.no_simple else "simple",
        options.rewrite,
    )
    return 0
