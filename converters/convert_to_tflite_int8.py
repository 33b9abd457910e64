"""Convert the networks of UVQ 1.5 to int8 `.tflite` files.

Example: `python converters/convert_to_tflite_int8.py --model all --output_dir models`
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from sealbench.converters.cards.quality import PARTS
from sealbench.converters.command_line import copy_whole, exit_code, writable_folder
from sealbench.converters.errors import WeightsError
from sealbench.converters.export.precisions import get_precision
from sealbench.converters.export.quantize import quantize
from sealbench.converters.families.quality import DEPTHWISE_IS_SMALL

ALL = "all"
PRECISION = "int8"


def parse_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="Convert UVQ 1.5 from PyTorch to int8 .tflite files.")
    parser.add_argument("--model", choices=(*PARTS, ALL), default=ALL, help="which network (default: all)")
    parser.add_argument("--output_dir", type=Path, default=Path("models"), help="default: ./models")
    for name in PARTS:
        parser.add_argument(
            f"--{name}_path",
            type=Path,
            metavar="FILE",
            help=f"checkpoint, like the released {name}_net.pth (default: seeded values, untrained)",
        )
    return parser.parse_args(arguments)


def convert(options: argparse.Namespace) -> Path:
    """Convert as the options say, print what came out, and return the folder.

    Raises:
        ConverterError: an option or a file is wrong.
    """
    names = PARTS if options.model == ALL else (options.model,)
    checkpoints = {name: getattr(options, f"{name}_path") for name in PARTS}
    for name, path in checkpoints.items():
        if path is not None and name not in names:
            raise WeightsError(f"--{name}_path {path}: {name} is not converted; converted: {', '.join(names)}")
        if path is not None and not path.is_file():
            raise WeightsError(f"--{name}_path {path}: no such file; expected a checkpoint like {name}_net.pth")
    output_dir = writable_folder(options.output_dir)

    from sealbench.converters.checkpoints.uvq import load_network
    from sealbench.converters.export.uvq import export_uvq_float32

    networks = {name: load_network(name, checkpoints[name]) for name in names}  # all, before the first conversion

    total = 0
    for name, network in networks.items():
        with tempfile.TemporaryDirectory() as folder:
            float32, made = Path(folder) / "float32.tflite", Path(folder) / "int8.tflite"
            export_uvq_float32(network, float32)
            quantize(float32, get_precision(PRECISION).recipe_for(DEPTHWISE_IS_SMALL), made)
            path = output_dir / f"{name}_net_{PRECISION}.tflite"
            copy_whole(made, path)
            size, saving = made.stat().st_size, 100 * (1 - made.stat().st_size / float32.stat().st_size)
        total += size
        weights = "seeded (untrained: its scores mean nothing)" if checkpoints[name] is None else checkpoints[name]
        print(f"{path}")
        print(f"weights:   {weights}")
        print(f"size:      {size / 1e6:.2f} MB ({size} bytes), {saving:.1f} % smaller than float32")
    if len(names) > 1:
        print(f"together:  {total / 1e6:.2f} MB ({total / 2**20:.2f} MiB)")
    return output_dir


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code: 0, or 2 with one line on standard error for wrong input."""
    return exit_code(convert, parse_arguments, arguments)


if __name__ == "__main__":
    sys.exit(main())
