"""The published script that converts UVQ 1.5 to int8, under its published option names; see `sealbench convert`.

Example: `python converters/convert_to_tflite_int8.py --model all --output_dir models`
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from sealbench.converters.cards.quality import PARTS
from sealbench.converters.command_line import exit_code, writable_folder
from sealbench.converters.errors import WeightsError
from sealbench.converters.export.precisions import get_precision
from sealbench.converters.families import family_of
from sealbench.converters.families.registry import get_card
from sealbench.converters.families.weight_sources import find_weights

ALL = "all"
PRECISION = get_precision("int8")


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


def convert(options: argparse.Namespace) -> None:
    """Convert as the options say, and print what came out.

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
    out = writable_folder(options.output_dir)
    from sealbench.converters.conversion import make_files
    from sealbench.converters.store import ArtifactSpec

    cards = {name: get_card(f"uvq1p5_{name}") for name in names}
    weights = {
        name: find_weights(card, "seeded" if checkpoints[name] is None else str(checkpoints[name]))
        for name, card in cards.items()
    }
    files = {
        out / f"{name}_net{PRECISION.suffix}.tflite": ArtifactSpec(
            card, weights[name], PRECISION, family_of(card).default_size(card)
        )
        for name, card in cards.items()
    }
    make_files(files)
    if len(files) > 1:
        total = sum(path.stat().st_size for path in files)
        print(f"together:  {total / 1e6:.2f} MB ({total / 2**20:.2f} MiB)")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code: 0, or 2 with one line on standard error for wrong input."""
    return exit_code(convert, parse_arguments, arguments)


if __name__ == "__main__":
    sys.exit(main())
