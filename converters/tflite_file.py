"""What a `.tflite` file really holds, read from its flatbuffer: nothing is executed, names are not trusted.

Needs neither torch nor an interpreter.
"""

import math
import mmap
import struct
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from converters.errors import ModelFileError

IDENTIFIER = b"TFL3"  # bytes 4 to 8 of every TFLite flatbuffer
# Bits of one stored value of the number types that weights can have. Other types (shapes, indices) are no weights.
WEIGHT_BITS = {"FLOAT32": 32, "FLOAT16": 16, "BFLOAT16": 16, "INT16": 16, "INT8": 8, "INT4": 4, "INT2": 2}


@dataclass(frozen=True)
class TensorSignature:
    """Number type, like `FLOAT32`, and shape of a model's input or output."""

    dtype: str
    shape: tuple[int, ...]

    def __str__(self) -> str:
        return f"{self.dtype.lower()} {self.shape}"


@dataclass(frozen=True)
class ModelFile:
    """What a model file holds.

    Attributes:
        path: the file.
        size_bytes: its size.
        inputs, outputs: signatures of the main graph.
        weight_counts: number of constant weights by the type they are stored in, like `{"INT8": 2785985}`.
        operations: number of operations by kind, like `{"FULLY_CONNECTED": 25}`.
    """

    path: Path
    size_bytes: int
    inputs: tuple[TensorSignature, ...]
    outputs: tuple[TensorSignature, ...]
    weight_counts: Mapping[str, int]
    operations: Mapping[str, int]

    @property
    def quantized_weight_pct(self) -> float:
        """Share in percent of all weights that are stored in fewer than 32 bits; NaN for a file without weights."""
        total = sum(self.weight_counts.values())
        narrow = sum(count for dtype, count in self.weight_counts.items() if WEIGHT_BITS[dtype] < 32)
        return 100 * narrow / total if total else math.nan


def read_model_file(path: Path) -> ModelFile:
    """Read the flatbuffer of a `.tflite` file.

    Raises:
        ModelFileError: the file is missing, empty, truncated or not a TFLite model.
    """
    try:
        size_bytes = path.stat().st_size
        with path.open("rb") as file:
            head = file.read(8)
            if head[4:8] != IDENTIFIER:
                raise ModelFileError(
                    f"{path}: not a TFLite model; expected {IDENTIFIER!r} at byte 4, found {head[4:8]!r}"
                )
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
                return _read(path, size_bytes, content)
    except OSError as error:
        raise ModelFileError(f"{path}: cannot be read ({error.strerror or error})") from error
    except (struct.error, LookupError, TypeError, ValueError, AttributeError) as error:
        if isinstance(error, ModelFileError):
            raise
        raise ModelFileError(
            f"{path}: a damaged or truncated TFLite model ({error!r}); make or fetch it again"
        ) from error


def check_detector_signature(model: ModelFile, nbits: int, height: int, width: int) -> None:
    """Refuse a file that is not a detector of `nbits` for images of this size.

    Raises:
        ModelFileError: input or output differ; the message names what was found and what was expected.
    """
    expected = (
        (TensorSignature("FLOAT32", (1, height, width, 3)),),
        (TensorSignature("FLOAT32", (1, 1 + nbits)),),
    )
    if (model.inputs, model.outputs) != expected:
        found = f"{_join(model.inputs)} -> {_join(model.outputs)}"
        raise ModelFileError(
            f"{model.path}: not a detector of {nbits} bits for {height} x {width} images; "
            f"expected {_join(expected[0])} -> {_join(expected[1])}, found {found}"
        )


def _join(signatures: tuple[TensorSignature, ...]) -> str:
    return ", ".join(map(str, signatures)) or "nothing"


def _read(path: Path, size_bytes: int, content: mmap.mmap) -> ModelFile:
    from ai_edge_litert import schema_py_generated as schema

    model = schema.Model.GetRootAsModel(content, 0)
    type_names = _names(schema.TensorType)
    weights: Counter[str] = Counter()
    operations: Counter[str] = Counter()
    operation_names = _names(schema.BuiltinOperator)
    for graph_index in range(model.SubgraphsLength()):
        graph = model.Subgraphs(graph_index)
        for index in range(graph.TensorsLength()):
            tensor = graph.Tensors(index)
            stored = _stored_bytes(path, size_bytes, model.Buffers(tensor.Buffer()))
            dtype = type_names[tensor.Type()]
            if stored and dtype in WEIGHT_BITS:
                weights[dtype] += stored * 8 // WEIGHT_BITS[dtype]
        for index in range(graph.OperatorsLength()):
            code = model.OperatorCodes(graph.Operators(index).OpcodeIndex())
            # Old files keep the code in one byte, new ones in a second field; the larger of the two holds.
            operations[operation_names[max(code.BuiltinCode(), code.DeprecatedBuiltinCode())]] += 1
    main = model.Subgraphs(0)
    return ModelFile(
        path=path,
        size_bytes=size_bytes,
        inputs=tuple(_signature(main.Tensors(main.Inputs(i)), type_names) for i in range(main.InputsLength())),
        outputs=tuple(_signature(main.Tensors(main.Outputs(i)), type_names) for i in range(main.OutputsLength())),
        weight_counts=dict(weights),
        operations=dict(operations.most_common()),
    )


def _stored_bytes(path: Path, size_bytes: int, buffer: Any) -> int:
    """Bytes of a buffer, which large files keep behind the flatbuffer at an offset."""
    if buffer.Offset() > 1:
        if buffer.Offset() + buffer.Size() > size_bytes:
            raise ModelFileError(f"{path}: truncated; expected {buffer.Offset() + buffer.Size()} bytes or more")
        return buffer.Size()
    length = buffer.DataLength()
    if length > size_bytes:
        raise ModelFileError(f"{path}: truncated; a tensor of {length} bytes in a file of {size_bytes}")
    if length:
        buffer.Data(length - 1)  # the last byte must be there
    return length


def _signature(tensor: Any, type_names: Mapping[int, str]) -> TensorSignature:
    return TensorSignature(type_names[tensor.Type()], tuple(tensor.Shape(i) for i in range(tensor.ShapeLength())))


def _names(enum: type) -> dict[int, str]:
    return {value: name for name, value in vars(enum).items() if isinstance(value, int)}
