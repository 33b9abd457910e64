"""What a `.tflite` file holds, as plain data that one process can send to another."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sealbench.converters.tflite.model_file import read_model_file
from sealbench.converters.tflite.partitions import xnnpack_partitions


@dataclass(frozen=True)
class FileContents:
    """What is measured of a file without running it.

    Attributes:
        size_bytes: of the file.
        quantized_weight_pct: share of the weights that are stored below 32 bits.
        int4_weight_pct: share of the weights that are stored at 4 bits.
        quantize_operations: changes of the number type.
        partitions: parts of the graph that XNNPACK runs.
        delegated_pct: share of the operations in them.
    """

    size_bytes: int
    quantized_weight_pct: float
    int4_weight_pct: float
    quantize_operations: int
    partitions: int
    delegated_pct: float


def read_contents(path: Path, threads: int) -> FileContents:
    """Read a file, and load it as it is loaded to be run.

    Args:
        path: of the file.
        threads: at least 1, as the model will be run.

    Raises:
        ModelFileError: the file is no model, damaged, or refused by the interpreter.
    """
    model, parts = read_model_file(path), xnnpack_partitions(path, threads)
    return FileContents(
        model.size_bytes,
        model.quantized_weight_pct,
        model.int4_weight_pct,
        model.quantize_operations,
        parts.partitions,
        parts.delegated_pct,
    )


def contents_as_json(path: str, threads: int) -> dict[str, Any]:
    """`read_contents` for a worker process; the fields of `FileContents` by name."""
    return asdict(read_contents(Path(path), threads))
