"""Which layers a quantized file has, where the same ones are in its float32 file, and a model of them side by side.

In the model of isolated layers no layer feeds another: each has an input of its own, so that it can be given exactly
what it gets in float32, and what comes out is its own error alone.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sealbench.bench.analysis.operations.graph_operations import KINDS, GraphOperation, read_operations
from sealbench.converters.errors import ModelFileError
from sealbench.converters.tflite.model_file import ModelReader, damage_as_model_file_error, mapped

# What the quantizer puts between operations; the rest of the graph it leaves as it was.
CONVERSIONS = ("QUANTIZE", "DEQUANTIZE")


@dataclass(frozen=True)
class Layer:
    """One operation that multiplies by weights, in a quantized file and in its float32 file.

    Attributes:
        name: of its output tensor in the quantized file.
        operation: its kind and kernel.
        stored: number type that its weights are stored in, like `INT8`.
        inputs: its activations in the quantized file, and `float32_inputs` the same ones in the float32 file.
        output, float32_output: its result in either.
    """

    name: str
    operation: GraphOperation
    stored: str
    inputs: tuple[int, ...]
    float32_inputs: tuple[int, ...]
    output: int
    float32_output: int


@dataclass(frozen=True)
class _Operation:
    """An operation of a graph with the indices of its tensors; -1 is none."""

    kind: str
    inputs: tuple[int, ...]
    output: int


@dataclass(frozen=True)
class _Graph:
    """What is needed of a main graph to find its layers.

    Attributes:
        operations: all of them, in the order of the graph.
        constants: tensors with stored values.
        dequantized: for what a DEQUANTIZE gives of a constant, that constant.
        names, dtypes: of each tensor.
    """

    operations: tuple[_Operation, ...]
    constants: frozenset[int]
    dequantized: dict[int, int]
    names: tuple[str, ...]
    dtypes: tuple[str, ...]

    def is_constant(self, tensor: int) -> bool:
        """Whether the image has no influence on a tensor."""
        return tensor < 0 or tensor in self.constants or tensor in self.dequantized


def find_layers(float32_path: Path, path: Path) -> tuple[Layer, ...]:
    """The layers of a quantized file, in the order of its graph.

    The quantizer inserts conversions of number types and renames tensors, but keeps the order of the operations: the
    n-th operation that is no conversion is the n-th of the float32 file.

    Args:
        float32_path: the float32 file that it was made of (for its own layers, the same file twice).
        path: the quantized file.

    Raises:
        ModelFileError: a file is damaged, or the two are not of one graph.
    """
    before, after = _read(float32_path), _read(path)
    pairs = [[op for op in graph.operations if op.kind not in CONVERSIONS] for graph in (before, after)]
    kinds = [[op.kind for op in operations] for operations in pairs]
    if kinds[0] != kinds[1]:
        raise ModelFileError(
            f"{path}: has other operations than {float32_path} ({len(kinds[1])} and {len(kinds[0])}); "
            "expected the float32 file that it was quantized from"
        )
    described = [operation for operation in read_operations(path) if operation.kind not in CONVERSIONS]
    layers = []
    for source, operation, description in zip(*pairs, described, strict=True):
        if operation.kind not in KINDS:
            continue
        activations = [place for place, tensor in enumerate(operation.inputs) if not after.is_constant(tensor)]
        weights = [tensor for tensor in operation.inputs if tensor >= 0 and after.is_constant(tensor)]
        stored = after.dequantized.get(weights[0], weights[0]) if weights else operation.inputs[0]
        layers.append(
            Layer(
                name=after.names[operation.output],
                operation=description,
                stored=after.dtypes[stored],
                inputs=tuple(operation.inputs[place] for place in activations),
                float32_inputs=tuple(source.inputs[place] for place in activations),
                output=operation.output,
                float32_output=source.output,
            )
        )
    return tuple(layers)


def isolated_model(path: Path, layers: tuple[Layer, ...]) -> tuple[bytes, dict[int, int]]:
    """A model of the layers of a file, and of nothing that connects them.

    Args:
        path: the quantized file.
        layers: of it, from `find_layers`.

    Returns:
        The content of a `.tflite` file whose tensors have the indices of the original, and for each activation that a
        layer takes the index of the input that stands for it.
    """
    from ai_edge_litert.tools import flatbuffer_utils

    graph = _read(path)
    model = flatbuffer_utils.read_model_from_bytearray(bytearray(path.read_bytes()))
    main = model.subgraphs[0]
    outputs = [layer.output for layer in layers]
    weights = {tensor for op in graph.operations if op.output in set(outputs) for tensor in op.inputs}
    kept = {*outputs, *(tensor for tensor in weights if tensor in graph.dequantized)}

    stand_ins: dict[int, int] = {}
    for tensor in dict.fromkeys(tensor for layer in layers for tensor in layer.inputs):
        stand_ins[tensor] = len(main.tensors)
        main.tensors.append(_copy(main.tensors[tensor]))
    main.operators = [op for op in main.operators if op.outputs[0] in kept]
    for op in main.operators:
        op.inputs = np.array([stand_ins.get(tensor, tensor) for tensor in op.inputs], np.int32)
    main.inputs = np.array(list(stand_ins.values()), np.int32)
    main.outputs = np.array(outputs, np.int32)
    model.subgraphs, model.signatureDefs, model.metadata = [main], None, None
    for buffer in model.buffers:
        if buffer.data is not None:  # an array is written at once, any other sequence byte by byte
            buffer.data = np.frombuffer(bytes(buffer.data), np.uint8)
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model)), stand_ins


def _copy(tensor: Any) -> Any:
    """A tensor of the same type and shape under another name."""
    from copy import copy

    made = copy(tensor)
    made.name = b"input of " + (tensor.name or b"")
    made.buffer = 0
    return made


def _read(path: Path) -> _Graph:
    """The main graph of a file.

    Raises:
        ModelFileError: the file is missing, damaged or no TFLite model.
    """
    with mapped(path) as content, damage_as_model_file_error(path):
        reader = ModelReader(path, content)
        graph = reader.main_graph()
        tensors = [graph.Tensors(index) for index in range(graph.TensorsLength())]
        buffers = [reader.model.Buffers(tensor.Buffer()) for tensor in tensors]
        constants = frozenset(
            index for index, buffer in enumerate(buffers) if buffer.DataLength() or buffer.Offset() > 1
        )
        operations = tuple(
            _Operation(kind, tuple(int(tensor) for tensor in op.InputsAsNumpy()), int(op.Outputs(0)))
            for kind, op in reader.operations(graph)
        )
        return _Graph(
            operations=operations,
            constants=constants,
            dequantized={
                op.output: op.inputs[0] for op in operations if op.kind == "DEQUANTIZE" and op.inputs[0] in constants
            },
            names=tuple((tensor.Name() or b"").decode("utf-8", errors="replace") for tensor in tensors),
            dtypes=tuple(reader.signature(tensor).dtype for tensor in tensors),
        )
