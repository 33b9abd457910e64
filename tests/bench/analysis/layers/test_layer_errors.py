"""Each layer's own error, on a real detector at several precisions, and the faults that it must find."""

import math
from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from sealbench.bench.analysis.layers.isolated_layers import find_layers
from sealbench.bench.analysis.layers.layer_errors import Comparison, LayerError, LayerErrors
from sealbench.bench.analysis.operations.graph_operations import KINDS, read_operations
from sealbench.bench.analysis.operations.reference_kernels import ReferenceKernels
from sealbench.bench.backends.runners import FileRunner
from sealbench.bench.errors import RunnerError
from sealbench.converters.errors import ModelFileError
from sealbench.converters.export.calibration_inputs import CALIBRATION_SAMPLES
from sealbench.converters.export.precisions import get_precision
from sealbench.converters.export.quantize import quantize
from tests.bench.tiny import NBITS, SIZE, tiny_tflite

IMAGES = np.random.default_rng(0).random((3, *SIZE, 3), dtype=np.float32)
PRECISIONS = ("fp16", "int8", "int8_static", "int4")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The tiny detector at several precisions."""
    folder = tmp_path_factory.mktemp("layers")
    paths = {name: folder / f"{name}.tflite" for name in ("float32", *PRECISIONS)}
    paths["float32"].write_bytes(tiny_tflite())
    images = np.random.default_rng(1).random((min(8, CALIBRATION_SAMPLES), *SIZE, 3), dtype=np.float32)
    for name in PRECISIONS:
        precision = get_precision(name)
        quantize(paths["float32"], precision.recipe, paths[name], images if precision.needs_calibration else None)
    return paths


def measured(float32: Path, path: Path) -> dict[str, LayerError]:
    errors = LayerErrors(float32, path)
    for image in IMAGES:
        errors.add(image)
    return {error.layer: error for error in errors.errors()}


def with_scales_of(content: bytes, layer: str, factor: float) -> bytes:
    """The file with the scales of one layer's int8 or int4 weights multiplied."""
    edited = bytearray(content)
    graph = schema.Model.GetRootAsModel(edited, 0).Subgraphs(0)
    for index in range(graph.OperatorsLength()):
        op = graph.Operators(index)
        if graph.Tensors(op.Outputs(0)).Name().decode() == layer:
            scales = graph.Tensors(op.Inputs(1)).Quantization().ScaleAsNumpy()
            scales *= np.float32(factor)
            return bytes(edited)
    raise AssertionError(f"no layer {layer}")


@pytest.mark.convert
@pytest.mark.parametrize("name", PRECISIONS)
def test_layers_are_those_of_the_float32_file(files: dict[str, Path], name: str) -> None:
    layers = find_layers(files["float32"], files[name])
    expected = [op for op in read_operations(files["float32"]) if op.kind in KINDS]
    assert [layer.operation.name for layer in layers] == [op.name for op in expected]
    stored = {layer.stored for layer in layers}
    assert stored <= {"fp16": {"FLOAT16"}, "int4": {"INT4", "INT8", "FLOAT16"}}.get(name, {"INT8", "FLOAT16"})
    assert len({layer.name for layer in layers}) == len(layers)


@pytest.mark.convert
@pytest.mark.parametrize(("name", "least", "most"), [("fp16", 1e-4, 0.2), ("int8", 0.05, 5), ("int4", 1, 40)])
def test_errors_have_the_size_of_the_rounding(files: dict[str, Path], name: str, least: float, most: float) -> None:
    errors = measured(files["float32"], files[name])
    assert all(error.isolated_pct < most for error in errors.values())
    assert max(error.isolated_pct for error in errors.values()) > least
    first, *_, last = errors.values()
    assert first.accumulated_pct == pytest.approx(first.isolated_pct, rel=1e-4)  # nothing comes before it
    assert last.accumulated_pct > last.isolated_pct


@pytest.mark.convert
def test_a_file_has_no_error_against_itself(files: dict[str, Path]) -> None:
    errors = measured(files["float32"], files["float32"]).values()
    assert {(error.isolated_pct, error.accumulated_pct) for error in errors} == {(0.0, 0.0)}
    assert {error.stored for error in errors} == {"FLOAT32"}


@pytest.mark.convert
def test_static_layers_are_isolated_too(files: dict[str, Path]) -> None:
    errors = measured(files["float32"], files["int8_static"])
    convolutions = [error for error in errors.values() if "CONV" in error.operation and error.stored == "INT8"]
    assert len(convolutions) > 4
    assert all(0 < error.isolated_pct < 20 for error in convolutions)


@pytest.mark.convert
@pytest.mark.parametrize("operation", ["FULLY_CONNECTED", "DEPTHWISE_CONV_2D 7x7", "CONV_2D 2x2"])
@pytest.mark.parametrize("factor", [1.02, 0.98])
def test_a_layer_whose_scale_is_off_by_2_percent_is_found(
    files: dict[str, Path], tmp_path: Path, operation: str, factor: float
) -> None:
    honest = measured(files["float32"], files["int8"])
    layer = [name for name, error in honest.items() if error.operation == operation and error.stored == "INT8"][1]
    broken = tmp_path / "broken.tflite"
    broken.write_bytes(with_scales_of(files["int8"].read_bytes(), layer, factor))
    found = measured(files["float32"], broken)
    off = {name: abs(error.gain - 1) for name, error in found.items()}
    assert max(off, key=off.__getitem__) == layer
    assert found[layer].gain == pytest.approx(factor, abs=0.005)
    assert max(off[name] for name in off if name != layer) < 0.01
    # Alone, no other layer sees it.
    assert all(found[name].isolated_pct == honest[name].isolated_pct for name in found if name != layer)


@pytest.mark.convert
def test_the_reference_kernels_agree_with_xnnpack(files: dict[str, Path]) -> None:
    errors = LayerErrors(files["float32"], files["int8"])
    float32, int8 = errors.add(IMAGES[0])
    assert float32.shape == int8.shape == (1 + NBITS,)
    assert float32 == pytest.approx(FileRunner(files["float32"], 1)(IMAGES[0]), abs=1e-5)
    assert int8 == pytest.approx(FileRunner(files["int8"], 1)(IMAGES[0]), abs=0.05)


@pytest.mark.convert
def test_files_that_do_not_belong_together_are_refused(files: dict[str, Path], tmp_path: Path) -> None:
    nothing = tmp_path / "none.tflite"
    with pytest.raises(ModelFileError, match=r"none\.tflite"):
        find_layers(nothing, files["int8"])
    nothing.write_bytes(b"no model at all")
    with pytest.raises(RunnerError, match="cannot run it"):
        ReferenceKernels(nothing, str(nothing))
    model = ReferenceKernels(files["float32"], "float32")
    with pytest.raises(RunnerError, match="float32: the reference kernels cannot run it"):
        model({model.inputs[0]: IMAGES[0]})


def test_errors_and_gain_by_hand() -> None:
    comparison = Comparison()
    expected = np.array([[1.0, 10.0], [3.0, 30.0]])
    comparison.add(1.5 * expected + [100.0, -7.0], expected)  # a shift of a channel is no scale
    assert comparison.gain == pytest.approx(1.5)
    plain = Comparison()
    for row in expected:
        plain.add(1.1 * row[None], row[None])
    assert plain.error_pct == pytest.approx(10)
    assert plain.gain == pytest.approx(1.1)
    zero = Comparison()
    zero.add(np.ones((2, 2)), np.zeros((2, 2)))
    assert zero.error_pct == math.inf
    assert math.isnan(zero.gain)
    with pytest.raises(ValueError, match="one shape"):
        zero.add(np.ones((1, 2)), np.ones((2, 2)))


def test_a_nan_is_no_small_error() -> None:
    comparison = Comparison()
    comparison.add(np.array([[1.0, math.nan]]), np.ones((1, 2)))
    comparison.add(np.ones((1, 2)), np.ones((1, 2)))
    assert math.isnan(comparison.error_pct)
    assert math.isnan(comparison.gain)
