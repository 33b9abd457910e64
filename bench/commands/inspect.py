"""Show what a `.tflite` file really holds, whatever it is called.

Example: `sealbench inspect model.tflite --model_name videoseal --weights y_256b_img.pth`
"""

import argparse
import json
import math
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from sealbench.converters.families.watermark import get_variant, variant_names
from sealbench.converters.families.weight_sources import find_weights
from sealbench.converters.tflite.model_file import read_model_file
from sealbench.converters.tflite.partitions import xnnpack_partitions
from sealbench.converters.tflite.weight_slopes import weight_slopes

WIDTH = 100  # columns, where the output is no terminal
THREADS = 1  # partitions do not depend on them


def parse_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="sealbench inspect", description="Show what a .tflite file really holds.")
    parser.add_argument("file", type=Path, metavar="FILE", help="the .tflite file")
    parser.add_argument(
        "--model_name",
        metavar="VARIANT",
        help=f"compare its weights, layer by layer, with those of one of: {', '.join(variant_names())}",
    )
    parser.add_argument(
        "--weights",
        metavar="SOURCE",
        help="the weights it was made from, as for the conversion (default: the variant's own)",
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    options = parser.parse_args(arguments)
    if options.weights is not None and options.model_name is None:
        parser.error("--weights needs --model_name, the variant that they belong to")
    return options


def inspect(path: Path, model_name: str | None, weights: str | None) -> dict[str, Any]:
    """All that can be said of a file, as plain data.

    Args:
        path: the `.tflite` file.
        model_name: the variant to compare its weights with, or None.
        weights: their source, as for `find_weights`.

    Returns:
        Keys `file`, `size_bytes`, `inputs`, `outputs`, `weights` (number of values and bytes by storage type),
        `quantized_weight_pct`, `int4_weight_pct`, `operations`, `quantize_operations`, `xnnpack`, and with a variant
        `slopes`, one entry for each weight below 32 bits. What is undefined is None.

    Raises:
        ConverterError: the file is no model, or variant or weights are wrong.
    """
    variant = None if model_name is None else get_variant(model_name)
    model = read_model_file(path)
    source = None if variant is None else find_weights(variant, weights)  # after the file, because it may download
    parts = xnnpack_partitions(path, THREADS)
    stored_bytes = model.weight_bytes
    found: dict[str, Any] = {
        "file": str(path),
        "size_bytes": model.size_bytes,
        "inputs": [str(tensor) for tensor in model.inputs],
        "outputs": [str(tensor) for tensor in model.outputs],
        "weights": {
            dtype: {"values": count, "bytes": stored_bytes[dtype]} for dtype, count in model.weight_counts.items()
        },
        "quantized_weight_pct": model.quantized_weight_pct,
        "int4_weight_pct": model.int4_weight_pct,
        "operations": dict(model.operations),
        "quantize_operations": model.quantize_operations,
        "xnnpack": {
            "partitions": parts.partitions,
            "delegated_operations": parts.delegated_operations,
            "other_operations": dict(Counter(parts.other_operations)),
        },
    }
    if variant is not None and source is not None:
        from sealbench.converters.checkpoints.loading import load_detector
        from sealbench.converters.rewrites.apply import source_state

        state = source_state(load_detector(variant, source))
        found["slopes"] = [asdict(entry) for entry in weight_slopes(path, state)]
    return _without_nan(found)


def print_tables(found: dict[str, Any]) -> None:
    """Print what `inspect` gives for people."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    terminal = sys.stdout.isatty()
    console = Console(width=None if terminal else WIDTH, no_color=not terminal, highlight=False, soft_wrap=False)
    facts = Table(box=None, show_header=False)
    facts.add_column(no_wrap=True)
    facts.add_column(overflow="fold")
    for name, text in _facts(found):
        facts.add_row(name, Text(text))
    console.print(facts)
    if "slopes" in found:
        slopes = Table(box=None, title="dequantized weights on their source (1 is right)", title_justify="left")
        slopes.add_column("layer", overflow="fold")
        slopes.add_column("stored", no_wrap=True)
        for name in ("values", "slope", "worst channel", "correlation", "rest rms"):
            slopes.add_column(name, justify="right", no_wrap=True)
        for entry in found["slopes"]:
            slopes.add_row(
                # Names come from an untrusted file: shown as they are, neither as markup nor as control characters.
                Text(entry["layer"] or f"NO SOURCE: {_printable(entry['tensor'])}"),
                entry["dtype"],
                str(entry["values"]),
                *(
                    "n/a" if entry[key] is None else f"{entry[key]:.4f}"
                    for key in ("slope", "channel_slope", "correlation", "relative_rms")
                ),
            )
        console.print(slopes)


def _facts(found: dict[str, Any]) -> list[tuple[str, str]]:
    weights = ", ".join(
        f"{dtype} {stored['values']} ({stored['bytes'] / 1e6:.2f} MB)" for dtype, stored in found["weights"].items()
    )
    parts = found["xnnpack"]
    outside = _counts(parts["other_operations"])
    return [
        ("file", _printable(found["file"])),
        ("size", f"{found['size_bytes'] / 1e6:.2f} MB ({found['size_bytes']} bytes)"),
        ("signature", f"{', '.join(found['inputs'])} -> {', '.join(found['outputs'])}"),
        ("weights", weights or "none"),
        ("below 32 bits", _percent(found["quantized_weight_pct"])),
        ("at 4 bits", _percent(found["int4_weight_pct"])),
        ("operations", _counts(found["operations"])),
        ("number type changes", f"{found['quantize_operations']} QUANTIZE and DEQUANTIZE"),
        ("XNNPACK", f"{parts['partitions']} partitions with {parts['delegated_operations']} operations"),
        ("outside it", outside or "nothing"),
    ]


def _counts(kinds: dict[str, int]) -> str:
    return ", ".join(f"{kind} {count}" for kind, count in kinds.items())


def _percent(value: float | None) -> str:
    return "n/a" if value is None else f"{value:.2f} % of the weights"


def _printable(text: str) -> str:
    return "".join(character if character.isprintable() else "?" for character in text)


def _without_nan(value: Any) -> Any:
    """The same plain data with None for NaN, which JSON does not have."""
    if isinstance(value, dict):
        return {key: _without_nan(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [_without_nan(entry) for entry in value]
    return None if isinstance(value, float) and math.isnan(value) else value


def main(arguments: Sequence[str]) -> int:
    """Run the command; returns its exit code: 0. Raises ConverterError for wrong input."""
    options = parse_arguments(arguments)
    found = inspect(options.file, options.model_name, options.weights)
    if options.json:
        print(json.dumps(found, indent=1))
    else:
        print_tables(found)
    return 0
