"""Convert an embedder to `.tflite` and compare its watermarks with PyTorch's.

Example: `python converters/convert_embedder_to_tflite.py --model_name videoseal_nano --quantize fp16`
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from sealbench.converters.command_line import add_model_options, check_folder, copy_whole, exit_code, writable_folder
from sealbench.converters.errors import ConverterError
from sealbench.converters.export.precisions import PRECISIONS, get_precision
from sealbench.converters.export.quantize import quantize
from sealbench.converters.families.watermark import get_variant
from sealbench.converters.families.weight_sources import find_weights

# Of fewer bits the watermark is too far off; the error that names them has the differences.
TAKEN = tuple(precision.name for precision in PRECISIONS.values() if precision.weight_bits >= 16)


def parse_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line; `--help` lists the known variants."""
    parser = argparse.ArgumentParser(description="Convert a watermark embedder from PyTorch to .tflite.")
    add_model_options(parser)
    parser.add_argument(
        "--quantize", default="float32", metavar="PRECISION", help=f"default float32; one of: {', '.join(TAKEN)}"
    )
    return parser.parse_args(arguments)


def convert(options: argparse.Namespace) -> Path:
    """Convert as the options say, print what came out, and return the file's path.

    Raises:
        ConverterError: an option or a file is wrong.
    """
    variant = get_variant(options.model_name)
    precision = get_precision(options.quantize)
    if precision.name not in TAKEN:
        # The differences: 4 evaluation photographs, int8 by the detector's recipe; fp16 differs by 0.002 and 0.019.
        raise ConverterError(
            f"--quantize {precision.name}: an embedder converts to {' or '.join(TAKEN)}; as int8 its watermark, "
            "from -1 to 1, was off by up to 0.08 (videoseal_nano) and 0.37 (videoseal_0.0)"
        )
    check_folder(options.output_dir)
    weights = find_weights(variant, options.weights)  # after the options, because it may download
    output_dir = writable_folder(options.output_dir)
    path = output_dir / f"videoseal_embedder_{variant.name}_{variant.image_size}{precision.suffix}.tflite"

    from sealbench.converters.checkpoints.loading import load_watermarker
    from sealbench.converters.export.embedder import export_embedder_float32
    from sealbench.converters.export.embedder_check import COMPARED, READ, bits_read, largest_difference

    watermarker = load_watermarker(variant, weights)
    with tempfile.TemporaryDirectory() as folder:
        made = float32 = Path(folder) / "float32.tflite"
        export_embedder_float32(watermarker.embedder, variant.nbits, variant.image_size, float32)
        if recipe := precision.recipe_for(()):
            made = Path(folder) / "quantized.tflite"
            quantize(float32, recipe, made)
        difference = largest_difference(watermarker, variant, made)
        read = None if weights.path is None else bits_read(watermarker, variant, made)
        copy_whole(made, path)
        size, saving = path.stat().st_size, 100 * (1 - made.stat().st_size / float32.stat().st_size)
    print(f"{path}")
    print(f"weights:   {weights.kind}{' (untrained: no detector reads it)' if weights.path is None else ''}")
    print(f"size:      {size / 1e6:.2f} MB ({size} bytes)")
    if recipe:
        print(f"float32:   {saving:.1f} % smaller")
    print(f"watermark: off by at most {difference:.2g}, in a range from -1 to 1 ({COMPARED} photographs)")
    if read is not None:
        print(f"read:      {read[0]:.2f} % of its bits, of PyTorch's watermark {read[1]:.2f} % ({READ} photographs)")
    return path


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code: 0, or 2 with one line on standard error for wrong input."""
    return exit_code(convert, parse_arguments, arguments)


if __name__ == "__main__":
    sys.exit(main())
