"""Convert a detector to `.tflite` at one precision and compare it with its float32 file.

Example: `python converters/convert_detector_to_tflite.py --model_name videoseal --image_size 256 --quantize int8`
"""

import argparse
import shutil
import sys
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from converters.errors import ConverterError, StoreError
from converters.image_size import ImageSize, check_image_size
from converters.precisions import PRECISIONS, get_precision
from converters.store import Artifact, ArtifactSpec, ArtifactStore
from converters.tflite_file import check_detector_signature, read_model_file
from converters.variants import get_variant, variant_names
from converters.weights import find_weights, load_watermarker

if TYPE_CHECKING:
    from torch import nn

USAGE_ERROR = 2


def parse_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line; `--help` lists the known variants and precisions."""
    parser = argparse.ArgumentParser(description="Convert a watermark detector from PyTorch to .tflite.")
    parser.add_argument("--model_name", required=True, metavar="VARIANT", help=f"one of: {', '.join(variant_names())}")
    parser.add_argument(
        "--image_size",
        metavar="SIZE",
        help="side of the images, or HEIGHTxWIDTH (default: the size the model was trained at)",
    )
    described = "; ".join(f"{p.name}: {p.description}" for p in PRECISIONS.values())
    parser.add_argument("--quantize", default="float32", metavar="PRECISION", help=f"default float32. {described}")
    parser.add_argument(
        "--weights",
        metavar="SOURCE",
        help="bundled, seeded (untrained, deterministic) or a .safetensors or .pth file "
        "(default: bundled where there are any, else seeded)",
    )
    parser.add_argument(
        "--no_simple",
        action="store_true",
        help="the file takes images of --image_size and resizes them inside to the size it was trained at",
    )
    parser.add_argument("--output_dir", type=Path, default=Path("models"), help="default: ./models")
    return parser.parse_args(arguments)


def convert(options: argparse.Namespace) -> Path:
    """Convert as the options say, print what came out, and return the file's path.

    Raises:
        ConverterError: an option or a file is wrong.
    """
    variant = get_variant(options.model_name)
    precision = get_precision(options.quantize)
    size = ImageSize.parse(options.image_size or str(variant.image_size))
    weights = find_weights(variant, options.weights)
    mode = "resize" if options.no_simple else "simple"
    spec = ArtifactSpec(variant, weights, precision, size, mode)
    check_image_size(variant, size, mode)
    output_dir = writable_folder(options.output_dir)

    @cache
    def detector() -> "nn.Module":
        return load_watermarker(variant, weights).detector

    if weights.path is not None:
        detector()  # a checkpoint that does not fit is refused now, even where the store could answer
    store = ArtifactStore()
    float32 = store.get(ArtifactSpec(variant, weights, get_precision("float32"), size, mode), detector)
    artifact = store.get(spec, detector)
    model = read_model_file(artifact.path)
    check_detector_signature(model, variant.nbits, size.height, size.width)
    path = output_dir / spec.file_name
    copy_whole(artifact.path, path)
    print(f"{path}")
    print(f"weights:   {weights.kind}{' (untrained: it reads no real messages)' if weights.path is None else ''}")
    print(f"size:      {artifact.size_bytes / 1e6:.2f} MB ({artifact.size_bytes} bytes)")
    print(f"stored below 32 bits: {model.quantized_weight_pct:.1f} % of the weights")
    if precision.recipe:
        print(f"float32:   {float32.size_bytes / 1e6:.2f} MB; {_saving(artifact, float32):.1f} % smaller")
    print(f"converted: {'found in the store' if artifact.reused else f'{artifact.convert_s:.1f} s'}")
    return path


def writable_folder(folder: Path) -> Path:
    """Make a folder for outputs, before any work is done for them.

    Raises:
        StoreError: it cannot be made or written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise StoreError(f"{folder}: cannot be written ({error.strerror}); choose another --output_dir") from error
    return folder


def copy_whole(source: Path, target: Path) -> None:
    """Copy a file so that the target is there whole or not at all.

    Raises:
        StoreError: the target cannot be written.
    """
    try:
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}-") as folder:
            shutil.copyfile(source, Path(folder) / target.name).replace(target)
    except OSError as error:
        raise StoreError(f"{target}: cannot be written ({error.strerror})") from error


def _saving(artifact: Artifact, float32: Artifact) -> float:
    return 100 * (1 - artifact.size_bytes / float32.size_bytes)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code: 0, or 2 with one line on standard error for wrong input."""
    try:
        convert(parse_arguments(arguments))
    except ConverterError as error:
        print(f"error: {error}", file=sys.stderr)
        return USAGE_ERROR
    return 0


if __name__ == "__main__":
    sys.exit(main())
