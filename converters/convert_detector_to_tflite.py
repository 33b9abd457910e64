"""Convert a detector to `.tflite` at one precision and compare it with its float32 file.

Example: `python converters/convert_detector_to_tflite.py --model_name videoseal --image_size 256 --quantize int8`
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from sealbench.converters.cards.image_size import ImageSize, check_image_size
from sealbench.converters.command_line import add_model_options, check_folder, copy_whole, exit_code, writable_folder
from sealbench.converters.export.precisions import PRECISIONS, get_precision
from sealbench.converters.families.watermark import get_variant
from sealbench.converters.families.weight_sources import find_weights
from sealbench.converters.rewrites import REWRITES, choose_rewrites
from sealbench.converters.store import Artifact, ArtifactSpec, ArtifactStore
from sealbench.converters.tflite.model_file import check_detector_signature, read_model_file


def parse_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line; `--help` lists the known variants and precisions."""
    parser = argparse.ArgumentParser(description="Convert a watermark detector from PyTorch to .tflite.")
    add_model_options(parser)
    parser.add_argument(
        "--image_size",
        metavar="SIZE",
        help="side of the images, or HEIGHTxWIDTH (default: the size the model was trained at)",
    )
    described = "; ".join(f"{p.name}: {p.description}" for p in PRECISIONS.values())
    parser.add_argument("--quantize", default="float32", metavar="PRECISION", help=f"default float32. {described}")
    parser.add_argument(
        "--rewrite",
        default="auto",
        metavar="CHOICE",
        help="exact rewrites before the export: auto (what was measured to pay), none, or one of "
        f"{', '.join(REWRITES)} (default: auto)",
    )
    parser.add_argument(
        "--no_simple",
        action="store_true",
        help="the file takes images of --image_size and resizes them inside to the size it was trained at",
    )
    return parser.parse_args(arguments)


def convert(options: argparse.Namespace) -> Path:
    """Convert as the options say, print what came out, and return the file's path.

    Raises:
        ConverterError: an option or a file is wrong.
    """
    variant = get_variant(options.model_name)
    precision = get_precision(options.quantize)
    size = ImageSize.asked(options.image_size or str(variant.image_size))
    mode = "resize" if options.no_simple else "simple"
    check_image_size(variant, size, mode)
    rewrites = choose_rewrites(options.rewrite, variant)
    check_folder(options.output_dir)
    weights = find_weights(variant, options.weights)  # after the options, because it may download
    output_dir = writable_folder(options.output_dir)
    spec = ArtifactSpec(variant, weights, precision, size, mode, rewrites)

    from sealbench.converters.families.watermark_model import LazyModel

    model = LazyModel(variant, weights)
    if weights.path is not None:
        _ = model.detector  # a checkpoint that does not fit is refused now, even where the store has the file
        if precision.needs_calibration:
            model.check()  # watermarked images give the ranges: it takes the embedder as well
    store = ArtifactStore()
    float32 = store.get(replace(spec, precision=get_precision("float32")), model)
    artifact = store.get(spec, model)
    file = read_model_file(artifact.path)
    check_detector_signature(file, variant.nbits, size.height, size.width)
    path = output_dir / spec.file_name
    copy_whole(artifact.path, path)
    print(f"{path}")
    print(f"weights:   {weights.kind}{' (untrained: it reads no real messages)' if weights.path is None else ''}")
    print(f"rewrites:  {', '.join(rewrites) or 'none'}")
    print(f"size:      {artifact.size_bytes / 1e6:.2f} MB ({artifact.size_bytes} bytes)")
    print(f"stored below 32 bits: {file.quantized_weight_pct:.1f} % of the weights")
    if precision.name != "float32":
        print(f"float32:   {float32.size_bytes / 1e6:.2f} MB; {_saving(artifact, float32):.1f} % smaller")
    print(f"converted: {'found in the store' if artifact.reused else f'{artifact.convert_s:.1f} s'}")
    return path


def _saving(artifact: Artifact, float32: Artifact) -> float:
    return 100 * (1 - artifact.size_bytes / float32.size_bytes)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code: 0, or 2 with one line on standard error for wrong input."""
    return exit_code(convert, parse_arguments, arguments)


if __name__ == "__main__":
    sys.exit(main())
