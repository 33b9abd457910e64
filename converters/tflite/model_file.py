"""What a `.tflite` file really holds, read from its flatbuffer: nothing is executed, names are not trusted.

Needs neither torch nor an interpreter. The file is mapped, not read: weights are not copied.
"""

import contextlib
import math
import mmap
import struct
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sealbench.converters.errors import ModelFileError

IDENTIFIER = b"TFL3"  # bytes 4 to 8 of every TFLite flatbuffer
# Bits of one stored value of the number types that weights can have. Other types (shapes, indices) are no weights.
WEIGHT_BITS = {
    "FLOAT32": 32,
    "FLOAT16": 16,
    "BFLOAT16": 16,
    "INT16": 16,
    "INT8": 8,
    "UINT8": 8,
    "INT4": 4,
    "UINT4": 4,
    "INT2": 2,
}
# Entries of all lists of a model together: tensors, operations, their inputs, shapes. videoseal has 9 700. A crafted
# file of a few kilobytes can let thousands of list entries point at one list, and so keep a reader busy for ever.
MOST_ENTRIES = 500_000


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
    def weight_bytes(self) -> dict[str, int]:
        """Bytes of the weights by the type they are stored in; two 4-bit values share a byte."""
        return {dtype: math.ceil(count * WEIGHT_BITS[dtype] / 8) for dtype, count in self.weight_counts.items()}

    @property
    def quantized_weight_pct(self) -> float:
        """Share in percent of all weights that are stored in fewer than 32 bits; NaN for a file without weights."""
        return self._stored_pct(1, 31)

    @property
    def int4_weight_pct(self) -> float:
        """Share in percent of all weights that are stored in 4 bits; NaN for a file without weights."""
        return self._stored_pct(4, 4)

    @property
    def quantize_operations(self) -> int:
        """Number of QUANTIZE and DEQUANTIZE operations: changes of the number type while the model runs."""
        return self.operations.get("QUANTIZE", 0) + self.operations.get("DEQUANTIZE", 0)

    def _stored_pct(self, least_bits: int, most_bits: int) -> float:
        total = sum(self.weight_counts.values())
        chosen = sum(n for dtype, n in self.weight_counts.items() if least_bits <= WEIGHT_BITS[dtype] <= most_bits)
        return 100 * chosen / total if total else math.nan


def check_is_model(path: Path) -> None:
    """Tell a file that is no model, from its first bytes, before anything reads or runs it.

    Raises:
        ModelFileError: there is no such file, or it is a folder, unreadable, empty or another kind of file.
    """
    try:
        if path.is_dir() or not path.exists():
            what = "a folder" if path.is_dir() else "no such file"
            raise ModelFileError(f"{path}: {what}; expected a .tflite file")
        with path.open("rb") as file:
            head = file.read(8)
    except OSError as error:
        raise ModelFileError(f"{path}: cannot be read ({error.strerror or error})") from error
    if not head:
        raise ModelFileError(f"{path}: the file is empty; expected a .tflite model")
    if head[4:] != IDENTIFIER:
        raise ModelFileError(f"{path}: not a TFLite model; expected {IDENTIFIER!r} at byte 4, found {head[4:]!r}")


def read_model_file(path: Path) -> ModelFile:
    """Read the flatbuffer of a `.tflite` file.

    Raises:
        ModelFileError: the file is missing, empty, truncated or not a TFLite model.
    """
    with mapped(path) as content, damage_as_model_file_error(path):
        return _read(path, content)


@contextlib.contextmanager
def mapped(path: Path) -> "Iterator[mmap.mmap]":
    """The content of a model file in memory that the system reads in and drops as needed.

    Raises:
        ModelFileError: see `check_is_model`.
    """
    check_is_model(path)
    try:
        with path.open("rb") as file:
            content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except OSError as error:
        raise ModelFileError(f"{path}: cannot be read ({error.strerror or error})") from error
    try:
        yield content
    finally:
        with contextlib.suppress(BufferError):  # an array still refers to it: it is released with that one
            content.close()


@contextlib.contextmanager
def damage_as_model_file_error(path: Path) -> Iterator[None]:
    """Turn what reading a damaged flatbuffer raises into a ModelFileError."""
    try:
        yield
    except ModelFileError:
        raise
    except (struct.error, LookupError, TypeError, ValueError, AttributeError) as error:
        raise ModelFileError(
            f"{path}: a damaged or truncated TFLite model ({error!r}); make or fetch it again"
        ) from error


def check_detector_signature(model: ModelFile, nbits: int, height: int, width: int) -> None:
    """Refuse a file that is not a detector of `nbits` for images of this size.

    Raises:
        ModelFileError: input or output differ; the message names what was found and what was expected.
    """
    what = f"a detector of {nbits} bits for {height} x {width} images"
    check_signature(model, what, ((1, height, width, 3),), (1, 1 + nbits))


def check_signature(model: ModelFile, what: str, inputs: Sequence[tuple[int, ...]], output: tuple[int, ...]) -> None:
    """Refuse a file that takes or gives other tensors, all float32.

    Args:
        model: the file.
        what: it should be; for the message.
        inputs, output: the shapes, in order.

    Raises:
        ModelFileError: input or output differ; the message names what was found and what was expected.
    """
    expected = (
        tuple(TensorSignature("FLOAT32", shape) for shape in inputs),
        (TensorSignature("FLOAT32", output),),
    )
    if (model.inputs, model.outputs) != expected:
        found = f"{_join(model.inputs)} -> {_join(model.outputs)}"
        raise ModelFileError(
            f"{model.path}: not {what}; expected {_join(expected[0])} -> {_join(expected[1])}, found {found}"
        )


@dataclass(frozen=True)
class Constant:
    """Where a constant tensor of a model stands; its values are not read yet.

    Attributes:
        tensor: the flatbuffer's entry.
        graph: the one it belongs to.
        dtype: number type, like `INT8`.
        shape: as the operation that reads it has it.
        offset, stored_bytes: where its bytes are in the file.
    """

    tensor: Any
    graph: Any
    dtype: str
    shape: tuple[int, ...]
    offset: int
    stored_bytes: int


class ModelReader:
    """Walks a model's flatbuffer, and no further than `MOST_ENTRIES`.

    Args:
        path: for messages.
        content: of the file.

    Raises:
        ModelFileError: from every method, for a file that says of itself what cannot be.
    """

    def __init__(self, path: Path, content: mmap.mmap):
        from ai_edge_litert import schema_py_generated as schema

        self.path = path
        self.content = content
        self.model = schema.Model.GetRootAsModel(content, 0)
        self._schema = schema
        self._type_names = _names(schema.TensorType)
        self._entries = 0

    def graphs(self) -> Iterator[Any]:
        """The graphs, the main one first."""
        for index in self._range(self.model.SubgraphsLength()):
            yield self.model.Subgraphs(index)

    def main_graph(self) -> Any:
        """The first graph, which an interpreter runs.

        Raises:
            ModelFileError: there is none.
        """
        graph = next(self.graphs(), None)
        if graph is None:
            raise ModelFileError(f"{self.path}: damaged; expected at least one graph, found none")
        return graph

    def operations(self, graph: Any) -> Iterator[tuple[str, Any]]:
        """Kind, like `CONV_2D`, and entry of each operation of a graph."""
        names = _names(self._schema.BuiltinOperator)
        for index in self._range(graph.OperatorsLength()):
            operator = graph.Operators(index)
            code = self.model.OperatorCodes(operator.OpcodeIndex())
            # Old files keep the code in one byte, new ones in a second field; the larger of the two holds.
            yield names[max(code.BuiltinCode(), code.DeprecatedBuiltinCode())], operator

    def weights(self) -> Iterator[Constant]:
        """The constants of all graphs that can be weights, without scales of blocks; shared bytes come once."""
        seen: set[int] = set()
        for graph in self.graphs():
            tensors = [graph.Tensors(index) for index in self._range(graph.TensorsLength())]
            scales = {block.Scales() for tensor in tensors if (block := self.blocks(tensor)) is not None}
            for index, tensor in enumerate(tensors):
                dtype = self._type_names[tensor.Type()]
                self._stored(self.model.Buffers(tensor.Buffer()))  # what is no weight must be there as well
                if dtype in WEIGHT_BITS and index not in scales and tensor.Buffer() not in seen:
                    constant = self._constant(tensor, graph, dtype)
                    if constant.stored_bytes:
                        seen.add(tensor.Buffer())
                        yield constant

    def blocks(self, tensor: Any) -> Any | None:
        """How the tensor is quantized in blocks (`BlockwiseQuantization`), or None."""
        quantization = tensor.Quantization()
        if quantization is None or quantization.DetailsType() != self._schema.QuantizationDetails.BlockwiseQuantization:
            return None
        details = quantization.Details()
        blocks = self._schema.BlockwiseQuantization()
        blocks.Init(details.Bytes, details.Pos)
        return blocks

    def scales(self, constant: Constant) -> Constant:
        """The constant that holds the scales of one that is quantized in blocks."""
        tensor = constant.graph.Tensors(self.blocks(constant.tensor).Scales())  # type: ignore[union-attr]
        return self._constant(tensor, constant.graph, self._type_names[tensor.Type()])

    def signature(self, tensor: Any) -> TensorSignature:
        """Number type and shape of a tensor."""
        return TensorSignature(self._type_names[tensor.Type()], self._shape(tensor))

    def main_inputs(self) -> tuple[TensorSignature, ...]:
        """What the main graph takes."""
        main = self.model.Subgraphs(0)
        return tuple(self.signature(main.Tensors(main.Inputs(i))) for i in self._range(main.InputsLength()))

    def main_outputs(self) -> tuple[TensorSignature, ...]:
        """What the main graph gives."""
        main = self.model.Subgraphs(0)
        return tuple(self.signature(main.Tensors(main.Outputs(i))) for i in self._range(main.OutputsLength()))

    def _shape(self, tensor: Any) -> tuple[int, ...]:
        return tuple(tensor.Shape(index) for index in self._range(tensor.ShapeLength()))

    def _constant(self, tensor: Any, graph: Any, dtype: str) -> Constant:
        offset, stored = self._stored(self.model.Buffers(tensor.Buffer()))
        shape = self._shape(tensor)
        if stored and tensor.Sparsity() is None:
            expected = math.ceil(math.prod(shape) * WEIGHT_BITS[dtype] / 8)
            if stored != expected:
                raise ModelFileError(
                    f"{self.path}: damaged; a constant {dtype} {shape} takes {expected} bytes, found {stored}"
                )
        return Constant(tensor, graph, dtype, shape, offset, stored)

    def _stored(self, buffer: Any) -> tuple[int, int]:
        """Offset and number of a buffer's bytes, which large and quantized files keep behind the flatbuffer."""
        if buffer.Offset() > 1:
            offset, length = buffer.Offset(), buffer.Size()
        elif length := buffer.DataLength():
            table = buffer._tab
            offset = table.Vector(table.Offset(4))  # the first field of a Buffer is its data
        else:
            return 0, 0
        if offset + length > len(self.content):
            raise ModelFileError(
                f"{self.path}: truncated; expected {offset + length} bytes or more, found {len(self.content)}"
            )
        return offset, length

    def _range(self, length: int) -> range:
        """Indices of a list, if the lists so far are of a plausible length altogether."""
        self._entries += length
        if self._entries > min(MOST_ENTRIES, len(self.content)):
            raise ModelFileError(
                f"{self.path}: damaged; its lists name {self._entries} entries or more, "
                f"expected at most {min(MOST_ENTRIES, len(self.content))}"
            )
        return range(length)


def _join(signatures: tuple[TensorSignature, ...]) -> str:
    return ", ".join(map(str, signatures)) or "nothing"


def _read(path: Path, content: mmap.mmap) -> ModelFile:
    reader = ModelReader(path, content)
    weights: Counter[str] = Counter()
    for constant in reader.weights():
        sparse = constant.tensor.Sparsity() is not None  # then fewer values are stored than the shape says
        bits = WEIGHT_BITS[constant.dtype]
        weights[constant.dtype] += constant.stored_bytes * 8 // bits if sparse else math.prod(constant.shape)
    operations = Counter(kind for graph in reader.graphs() for kind, _ in reader.operations(graph))
    return ModelFile(
        path=path,
        size_bytes=len(content),
        inputs=reader.main_inputs(),
        outputs=reader.main_outputs(),
        weight_counts=dict(weights),
        operations=dict(operations.most_common()),
    )


def _names(enum: type) -> dict[int, str]:
    return {value: name for name, value in vars(enum).items() if isinstance(value, int)}
