import math
import random
import time
from collections.abc import Callable
from pathlib import Path

import flatbuffers
import pytest
from ai_edge_litert import schema_py_generated as schema

from sealbench.converters.errors import ModelFileError
from sealbench.converters.tflite.model_file import IDENTIFIER, ModelFile, check_detector_signature, read_model_file

TYPES = schema.TensorType
BITS = {TYPES.FLOAT32: 32, TYPES.FLOAT16: 16, TYPES.INT16: 16, TYPES.INT32: 32, TYPES.INT4: 4, TYPES.INT2: 2}


def write_model(path: Path, weights: list[tuple[int, bytes]], outside: bytes = b"") -> None:
    """A model of one graph: an input, an output, and constants of the given number types and bytes.

    `outside` is a float32 constant that stands behind the flatbuffer, as in files above 2 GB.
    """

    def tensor(name: str, dtype: int, shape: list[int], buffer: int) -> schema.TensorT:
        made = schema.TensorT()
        made.name, made.type, made.shape, made.buffer = name.encode(), dtype, shape, buffer
        return made

    model, graph = schema.ModelT(), schema.SubGraphT()
    model.version, model.subgraphs, model.buffers = 3, [graph], [schema.BufferT()]
    graph.tensors = [tensor("in", TYPES.FLOAT32, [1, 8, 9, 3], 0), tensor("out", TYPES.FLOAT32, [1, 17], 0)]
    graph.inputs, graph.outputs = [0], [1]
    for dtype, content in weights:
        buffer = schema.BufferT()
        buffer.data = list(content)
        model.buffers.append(buffer)
        bits = BITS.get(dtype, 8)
        graph.tensors.append(tensor("weight", dtype, [len(content) * 8 // bits], len(model.buffers) - 1))
    operator, code = schema.OperatorT(), schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.FULLY_CONNECTED
    operator.opcodeIndex, operator.inputs, operator.outputs = 0, [0, 2], [1]
    model.operatorCodes, graph.operators = [code], [operator] * 3
    if outside:
        buffer = schema.BufferT()
        buffer.offset, buffer.size = 1 << 20, len(outside)
        model.buffers.append(buffer)
        graph.tensors.append(tensor("far", TYPES.FLOAT32, [len(outside) // 4], len(model.buffers) - 1))
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), IDENTIFIER)
    content = bytes(builder.Output())
    path.write_bytes(content.ljust(1 << 20, b"\0") + outside if outside else content)


@pytest.fixture
def made(tmp_path: Path) -> Path:
    path = tmp_path / "made.tflite"
    write_model(path, [(TYPES.FLOAT32, bytes(400)), (TYPES.INT8, bytes(250)), (TYPES.INT4, bytes(25))])
    return path


def test_counts_weights_by_the_type_they_are_stored_in(made: Path) -> None:
    model = read_model_file(made)
    assert model.weight_counts == {"FLOAT32": 100, "INT8": 250, "INT4": 50}
    assert model.quantized_weight_pct == pytest.approx(75)
    assert model.int4_weight_pct == pytest.approx(12.5)
    assert model.weight_bytes == {"FLOAT32": 400, "INT8": 250, "INT4": 25}
    assert model.quantize_operations == 0
    assert model.operations == {"FULLY_CONNECTED": 3}
    assert model.size_bytes == made.stat().st_size
    assert [str(tensor) for tensor in (*model.inputs, *model.outputs)] == ["float32 (1, 8, 9, 3)", "float32 (1, 17)"]


def test_all_number_types(tmp_path: Path) -> None:
    weights = [(TYPES.FLOAT16, bytes(20)), (TYPES.INT16, bytes(20)), (TYPES.INT2, bytes(20)), (TYPES.INT32, bytes(20))]
    write_model(tmp_path / "m.tflite", weights)
    model = read_model_file(tmp_path / "m.tflite")
    assert model.weight_counts == {"FLOAT16": 10, "INT16": 10, "INT2": 80}
    assert model.quantized_weight_pct == 100


def test_large_constants_behind_the_flatbuffer(tmp_path: Path) -> None:
    path = tmp_path / "large.tflite"
    write_model(path, [(TYPES.INT8, bytes(30))], outside=bytes(400))
    assert read_model_file(path).weight_counts == {"INT8": 30, "FLOAT32": 100}
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ModelFileError, match=r"large\.tflite: truncated; expected 1048976 bytes or more"):
        read_model_file(path)


def test_file_without_weights(tmp_path: Path) -> None:
    write_model(tmp_path / "m.tflite", [])
    model = read_model_file(tmp_path / "m.tflite")
    assert model.weight_counts == {}
    assert math.isnan(model.quantized_weight_pct)


def test_signature_check(made: Path) -> None:
    model = read_model_file(made)
    check_detector_signature(model, nbits=16, height=8, width=9)
    for nbits, height, width in ((32, 8, 9), (16, 9, 8), (16, 8, 8), (17, 8, 9)):
        with pytest.raises(ModelFileError) as caught:
            check_detector_signature(model, nbits, height, width)
        assert str(caught.value) == (
            f"{made}: not a detector of {nbits} bits for {height} x {width} images; "
            f"expected float32 (1, {height}, {width}, 3) -> float32 (1, {1 + nbits}), "
            "found float32 (1, 8, 9, 3) -> float32 (1, 17)"
        )
    nothing = ModelFile(made, 1, (), (), {}, {})
    with pytest.raises(ModelFileError, match="found nothing -> nothing"):
        check_detector_signature(nothing, 16, 8, 9)


# --- Files that are no models ---


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0",
        b"\0" * 4096,
        random.Random(0).randbytes(4096),
        b"<!DOCTYPE html><html><title>404 Not Found</title></html>",
        b"\x1c\0\0\0TFL3",
        b"\x1c\0\0\0TFL3" + random.Random(1).randbytes(4096),
        b"\x1c\0\0\0TFL3" + b"\xff" * 4096,
        b"\x08\0\0\0TFL3" + bytes(4096),
        b"PK\x03\x04" + bytes(64),
    ],
    ids=["empty", "1 byte", "zeros", "random", "html", "head", "garbage", "ones", "root of zeros", "zip"],
)
def test_what_is_no_model_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(content)
    with pytest.raises(ModelFileError, match=f"^{path}: "):
        read_model_file(path)


def test_missing_file_and_folder_are_refused(tmp_path: Path) -> None:
    for path, message in (
        (tmp_path / "missing.tflite", "no such file; expected"),
        (tmp_path, "a folder; expected"),
        (tmp_path / ("x" * 300), "cannot be read"),
    ):
        with pytest.raises(ModelFileError, match=f"^{path}: {message}"):
            read_model_file(path)


def test_a_constant_of_more_or_fewer_bytes_than_its_shape_is_refused(made: Path, tmp_path: Path) -> None:
    content = bytearray(made.read_bytes())
    place = content.index((250).to_bytes(4, "little") * 1 + bytes(0), 0)
    lying = [
        index for index in range(place, len(content) - 4) if content[index : index + 4] == (250).to_bytes(4, "little")
    ]
    refused = 0
    for index in lying:  # the shape's 250 and the length of the data, 250
        changed = content.copy()
        changed[index] = 249
        (tmp_path / "m.tflite").write_bytes(changed)
        with pytest.raises(ModelFileError, match="INT8"):
            read_model_file(tmp_path / "m.tflite")
        refused += 1
    assert refused == 2


def test_shared_lists_do_not_keep_the_reader_busy(tmp_path: Path) -> None:
    """Thousands of graphs that are all one graph of thousands of tensors: seconds to refuse, or hours to read."""
    path = tmp_path / "loop.tflite"
    builder = flatbuffers.Builder(1024)

    def list_of(count: int, entry: int, start: Callable[[flatbuffers.Builder, int], None]) -> int:
        start(builder, count)
        for _ in range(count):
            builder.PrependUOffsetTRelative(entry)
        return int(builder.EndVector())

    schema.TensorStart(builder)
    tensors = list_of(4_000, schema.TensorEnd(builder), schema.SubGraphStartTensorsVector)
    schema.SubGraphStart(builder)
    schema.SubGraphAddTensors(builder, tensors)
    graphs = list_of(4_000, schema.SubGraphEnd(builder), schema.ModelStartSubgraphsVector)
    schema.BufferStart(builder)
    buffers = list_of(1, schema.BufferEnd(builder), schema.ModelStartBuffersVector)
    schema.ModelStart(builder)
    schema.ModelAddSubgraphs(builder, graphs)
    schema.ModelAddBuffers(builder, buffers)
    builder.Finish(schema.ModelEnd(builder), IDENTIFIER)
    path.write_bytes(bytes(builder.Output()))
    assert path.stat().st_size < 200_000
    with pytest.raises(ModelFileError, match=r"its lists name \d+ entries or more, expected at most"):
        read_model_file(path)


def assert_truncations_are_refused(source: Path, path: Path) -> None:
    content = source.read_bytes()
    lengths = [len(content) * sixteenths // 16 for sixteenths in range(16)]
    for length in [*lengths, len(content) - 100, len(content) - 4, len(content) - 1]:
        path.write_bytes(content[:length])
        with pytest.raises(ModelFileError, match=f"^{path}: "):
            read_model_file(path)


def assert_damage_is_reported(source: Path, path: Path, rounds: int) -> None:
    """Damaged bytes are read as something else or refused: in no time, and with no other exception."""
    content, rng = source.read_bytes(), random.Random(0)
    refused = 0
    for _ in range(rounds):
        damaged = bytearray(content)
        for _ in range(rng.choice([1, 3, 30, 300])):
            damaged[rng.randrange(8, len(content))] = rng.choice([0, 255, rng.randrange(256)])
        path.write_bytes(damaged)
        start = time.perf_counter()
        try:
            read_model_file(path)
        except ModelFileError as error:
            refused += 1
            assert str(error).startswith(f"{path}: ")
        assert time.perf_counter() - start < 5
    assert refused > rounds / 10


def test_truncated_files_are_refused(made: Path, tmp_path: Path) -> None:
    assert_truncations_are_refused(made, tmp_path / "cut.tflite")


def test_damaged_files_raise_no_other_error(made: Path, tmp_path: Path) -> None:
    assert_damage_is_reported(made, tmp_path / "damaged.tflite", rounds=1500)


@pytest.mark.parametrize("value", [24, 99, 255])
def test_unknown_number_type_is_reported(made: Path, tmp_path: Path, value: int) -> None:
    path = tmp_path / "future.tflite"
    write_model(path, [(value if value < 128 else value - 256, bytes(4))])
    with pytest.raises(ModelFileError, match=f"^{path}: "):
        read_model_file(path)


# --- Files that the converters make ---


@pytest.mark.convert
def test_truncated_detectors_are_refused(tiny_files: dict[str, Path], tmp_path: Path) -> None:
    for path in tiny_files.values():
        assert_truncations_are_refused(path, tmp_path / "cut.tflite")


@pytest.mark.convert
def test_damaged_detectors_raise_no_other_error(tiny_files: dict[str, Path], tmp_path: Path) -> None:
    assert_damage_is_reported(tiny_files["int8"], tmp_path / "damaged.tflite", rounds=150)


@pytest.mark.convert
def test_a_float32_file_called_int8_is_found_out(tiny_files: dict[str, Path], tmp_path: Path) -> None:
    copy = tmp_path / "videoseal_detector_tiny_32_int8.tflite"
    copy.write_bytes(tiny_files["float32"].read_bytes())
    assert read_model_file(copy).quantized_weight_pct == 0
    assert read_model_file(tiny_files["int8"]).quantized_weight_pct > 90


@pytest.mark.convert
def test_operations_of_a_detector(tiny_files: dict[str, Path]) -> None:
    operations = read_model_file(tiny_files["float32"]).operations
    # stem, downsampling and decoder; a depthwise convolution for each block; two layers for each and the last one
    assert operations["CONV_2D"] == 3
    assert operations["DEPTHWISE_CONV_2D"] == 2
    assert operations["FULLY_CONNECTED"] == 5
    assert read_model_file(tiny_files["fp16"]).operations["DEQUANTIZE"] > 0
