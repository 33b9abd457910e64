"""What a `.tflite` file really holds, whatever it is called: as plain data, and as tables."""

import math
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from sealbench.bench.backends.worker.process import call_in_worker
from sealbench.converters.cards.watermark import Variant
from sealbench.converters.checkpoints.weights import Weights
from sealbench.converters.families.watermark import get_variant
from sealbench.converters.families.weight_sources import find_weights
from sealbench.converters.tflite.model_file import check_is_model, read_model_file
from sealbench.converters.tflite.partitions import xnnpack_partitions
from sealbench.converters.tflite.weight_slopes import weight_slopes

PIPE_WIDTH = 10_000  # columns, where the output is no terminal: nothing is wrapped, so that names are found by search
THREADS = 1  # partitions do not depend on them


def inspect(path: Path, variant: Variant | None, weights: str | None) -> dict[str, Any]:
    """All that can be said of a file, as plain data; it is opened in a process of its own.

    Args:
        path: the `.tflite` file.
        variant: whose weights it is compared with, or None.
        weights: their source, as for `find_weights`.

    Returns:
        Keys `file`, `size_bytes`, `inputs`, `outputs`, `weights` (number of values and bytes by storage type),
        `quantized_weight_pct`, `int4_weight_pct`, `operations`, `quantize_operations`, `xnnpack`, and with a variant
        `slopes`, one entry for each weight below 32 bits. What is undefined is None.

    Raises:
        ConverterError: the weights cannot be used.
        WorkerError: the file is no model, or the process died of it.
    """
    check_is_model(path)
    source = None if variant is None else find_weights(variant, weights)  # after the file, because it may download
    found: dict[str, Any] = call_in_worker(
        str(path),
        f"{__name__}:contents_as_json",
        path=str(path),
        variant=None if variant is None else variant.name,
        weights=None if source is None else source.as_json(),
    )
    return found


def contents_as_json(path: str, variant: str | None, weights: Mapping[str, Any] | None) -> dict[str, Any]:
    """What `inspect` returns, for a worker process; `weights` are those of `Weights.as_json`."""
    model = read_model_file(Path(path))
    parts = xnnpack_partitions(Path(path), THREADS)
    stored_bytes = model.weight_bytes
    found: dict[str, Any] = {
        "file": path,
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
    if variant is not None and weights is not None:
        from sealbench.converters.checkpoints.loading import load_detector
        from sealbench.converters.rewrites.apply import source_state

        state = source_state(load_detector(get_variant(variant), Weights.from_json(weights)))
        found["slopes"] = [asdict(entry) for entry in weight_slopes(Path(path), state)]
    return _without_nan(found)


def print_tables(found: dict[str, Any]) -> None:
    """Print what `inspect` gives for people."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    terminal = sys.stdout.isatty()
    console = Console(width=None if terminal else PIPE_WIDTH, no_color=not terminal, highlight=False, soft_wrap=False)
    facts = Table(box=None, show_header=False)
    facts.add_column(no_wrap=True)
    facts.add_column(overflow="fold")
    for name, text in _facts(found):
        facts.add_row(name, Text(text))
    _show(console, facts)
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
        _show(console, slopes)


def _show(console: Any, table: Any) -> None:
    """Print a table of `rich`; where the output is no terminal without the blanks that fill its lines."""
    with console.capture() as captured:
        console.print(table)
    print("\n".join(line.rstrip() for line in captured.get().splitlines()))


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
