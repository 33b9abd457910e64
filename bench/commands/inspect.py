"""Show what a `.tflite` file really holds, whatever it is called."""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from sealbench.converters.families.watermark import get_variant, variant_names
from sealbench.converters.shared_options import add_json, add_weights


def parse_arguments(arguments: Sequence[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="sealbench inspect", description="Show what a .tflite file really holds.")
    parser.add_argument("file", type=Path, metavar="FILE", help="the .tflite file")
    parser.add_argument(
        "--variant",
        metavar="NAME",
        help=f"compare its weights, layer by layer, with those of one of: {', '.join(variant_names())}",
    )
    add_weights(parser.add_argument, "the model that it was made from")
    add_json(parser.add_argument)
    options = parser.parse_args(arguments)
    if options.weights is not None and options.variant is None:
        parser.error("--weights needs --variant, the model that they belong to")
    return options


def main(arguments: Sequence[str]) -> int:
    """Run the command; returns its exit code: 0. Raises ConverterError for wrong input."""
    options = parse_arguments(arguments)
    variant = None if options.variant is None else get_variant(options.variant)
    from sealbench.bench.analysis.file_contents import inspect, print_tables

    found = inspect(options.file, variant, options.weights)
    if options.json:
        print(json.dumps(found, indent=1))
    else:
        print_tables(found)
    return 0
