"""Makes the files of embedders where a user wants them, and compares their watermarks with PyTorch's."""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from sealbench.converters.cards.watermark import Variant
from sealbench.converters.checkpoints.weights import Weights
from sealbench.converters.command_line import check_folder, copy_whole, writable_folder
from sealbench.converters.conversion import weights_text
from sealbench.converters.errors import ConverterError
from sealbench.converters.export.precisions import EMBEDDER_PRECISIONS, Precision
from sealbench.converters.export.quantize import quantize
from sealbench.converters.families.weight_sources import find_weights


def convert_embedders(
    variants: Sequence[Variant],
    precisions: Sequence[Precision],
    out: Path,
    sources: Mapping[str, str | None],
    precision_option: str = "--precision",
    out_option: str = "--out",
) -> list[Path]:
    """Convert the embedder of every variant at every precision, and print what came out.

    Args:
        variants: the models.
        precisions: of `EMBEDDER_PRECISIONS`.
        out: folder for the files; made where it is missing.
        sources: of weights, by variant, as `find_weights` takes them.
        precision_option, out_option: the options that chose them, for messages.

    Returns:
        The files, in order.

    Raises:
        ConverterError: a precision, a checkpoint or the folder cannot be used.
    """
    for precision in precisions:
        if precision.name not in EMBEDDER_PRECISIONS:
            # The differences: 4 evaluation photographs, int8 by the detector's recipe; fp16 differs by 0.002 and 0.019.
            raise ConverterError(
                f"{precision_option} {precision.name}: an embedder converts to {' or '.join(EMBEDDER_PRECISIONS)}; as "
                "int8 its watermark, from -1 to 1, was off by up to 0.08 (videoseal_nano) and 0.37 (videoseal_0.0)"
            )
    check_folder(out, out_option)
    # After the options, because it may download.
    weights = {variant.name: find_weights(variant, sources[variant.name]) for variant in variants}
    writable_folder(out, out_option)
    return [path for variant in variants for path in _convert_one(variant, weights[variant.name], precisions, out)]


def _convert_one(variant: Variant, weights: Weights, precisions: Sequence[Precision], out: Path) -> list[Path]:
    """All files of one embedder, from one export."""
    from sealbench.converters.checkpoints.loading import load_watermarker
    from sealbench.converters.export.embedder import export_embedder_float32
    from sealbench.converters.export.embedder_check import COMPARED, READ, bits_read, largest_difference

    watermarker = load_watermarker(variant, weights)
    paths = []
    with tempfile.TemporaryDirectory() as folder:
        float32 = Path(folder) / "float32.tflite"
        export_embedder_float32(watermarker.embedder, variant.nbits, variant.image_size, float32)
        for precision in precisions:
            path = out / f"videoseal_embedder_{variant.name}_{variant.image_size}{precision.suffix}.tflite"
            made = float32
            if recipe := precision.recipe_for(()):
                made = Path(folder) / "quantized.tflite"
                quantize(float32, recipe, made)
            difference = largest_difference(watermarker, variant, made)
            read = None if weights.path is None else bits_read(watermarker, variant, made)
            copy_whole(made, path)
            size, saving = path.stat().st_size, 100 * (1 - path.stat().st_size / float32.stat().st_size)
            print(f"{path}")
            print(f"weights:   {weights_text(weights)}")
            print(f"size:      {size / 1e6:.2f} MB ({size} bytes)")
            if recipe:
                print(f"float32:   {saving:.1f} % smaller")
            print(f"watermark: off by at most {difference:.2g}, in a range from -1 to 1 ({COMPARED} photographs)")
            if read is not None:
                right, reference = (f"{share:.2f} %" for share in read)
                print(f"read:      {right} of its bits, of PyTorch's watermark {reference} ({READ} photographs)")
            paths.append(path)
    return paths
