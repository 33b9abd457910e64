"""A float32 `.tflite` file to another precision."""

from pathlib import Path

from converters.export import quiet_unless_failing
from converters.precisions import Precision


def quantize(float32_path: Path, precision: Precision, path: Path) -> None:
    """Apply a precision's recipe to a float32 file and write the result to `path`.

    Raises:
        ValueError: the precision has no recipe (float32 is what the export gives).
    """
    if not precision.recipe:
        raise ValueError(f"{precision.name} has no recipe")
    with quiet_unless_failing():
        from ai_edge_quantizer import quantizer

        result = quantizer.Quantizer(str(float32_path), list(precision.recipe)).quantize()
        result.export_model(str(path), overwrite=True)
