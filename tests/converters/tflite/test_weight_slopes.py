import dataclasses
import json
import math
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from safetensors.torch import load_file, save_file

from sealbench.bench.analysis import file_contents
from sealbench.bench.commands import main as sealbench
from sealbench.converters.cards.image_size import ImageSize
from sealbench.converters.cards.watermark import ConvNeXtCard, Variant
from sealbench.converters.checkpoints.loading import load_watermarker
from sealbench.converters.errors import ModelFileError
from sealbench.converters.export.detector import export_float32
from sealbench.converters.export.precisions import Rule, dynamic, half_float, weight_only
from sealbench.converters.export.quiet import quiet_unless_failing
from sealbench.converters.families.weight_sources import BUNDLED, find_weights
from sealbench.converters.rewrites.apply import apply_rewrites, source_state
from sealbench.converters.tflite.model_file import ModelReader, mapped, read_model_file
from sealbench.converters.tflite.partitions import xnnpack_partitions
from sealbench.converters.tflite.weight_slopes import (
    WeightSlope,
    channel_slope_error,
    slope_error,
    unmatched_pct,
    weight_slopes,
)
from sealbench.converters.tflite.weights import quantized_weights, unpack_nibbles
from sealbench.reports.gates.judge import Verdict, judge, load_gates
from sealbench.reports.schema.records import Case, measurement


def main(arguments: list[str]) -> int:
    return sealbench(["inspect", *arguments])


RECIPES: dict[str, tuple[Rule, ...]] = {
    "fp16": (half_float(),),
    "int8": (dynamic(8),),
    "int8_weight_only": (weight_only(8),),
    "int4": (dynamic(4),),
    "int4_block32": (dynamic(4, "FULLY_CONNECTED", granularity="BLOCKWISE_32"),),
}
State = dict[str, np.ndarray]
INT8 = Case("tiny", "seeded", "int8", "32", "simple", "litert", 2)


@dataclasses.dataclass(frozen=True)
class Made:
    files: dict[str, Path]
    state: State


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, tiny: Variant) -> Made:
    """A detector wide enough for blocks of 32, its depthwise convolutions split, at several precisions."""
    folder = tmp_path_factory.mktemp("slopes")
    variant = dataclasses.replace(tiny, detector=ConvNeXtCard(depths=(1, 1), dims=(32, 64), stem_stride=4))
    detector = load_watermarker(variant, find_weights(variant, "seeded")).detector
    files = {name: folder / f"{name}.tflite" for name in ("float32", *RECIPES)}
    export_float32(
        apply_rewrites(detector, ("split_depthwise",)), variant, ImageSize(32, 32), "simple", files["float32"]
    )
    for name, recipe in RECIPES.items():
        with quiet_unless_failing():
            from litert_quantizer import quantizer

            job = quantizer.Quantizer(str(files["float32"]), list(recipe))
            job.quantize().export_model(str(files[name]), overwrite=True)
    return Made(files, source_state(detector))


def change_scales(path: Path, name: str, change: Callable[[np.ndarray], None]) -> None:
    """Edit, in place, the scales of the one quantized tensor of this name."""
    content = np.memmap(path, np.uint8, "r+")
    graph = schema.Model.GetRootAsModel(content, 0).Subgraphs(0)
    tensors = [graph.Tensors(index) for index in range(graph.TensorsLength())]
    (found,) = [t for t in tensors if t.Name().decode() == name and t.Quantization().ScaleLength()]
    change(found.Quantization().ScaleAsNumpy())
    content.flush()


def halve_one(scales: np.ndarray) -> None:
    scales[5] /= 2


def double(scales: np.ndarray) -> None:
    scales *= 2


def by_layer(slopes: tuple[WeightSlope, ...]) -> dict[str | None, WeightSlope]:
    return {entry.layer: entry for entry in slopes}


def test_nibbles() -> None:
    packed = np.array([0x10, 0x32, 0x54, 0x76, 0x98, 0xBA, 0xDC, 0xFE], np.uint8)
    assert unpack_nibbles(packed, 15).tolist() == [0, 1, 2, 3, 4, 5, 6, 7, -8, -7, -6, -5, -4, -3, -2]


@pytest.mark.convert
@pytest.mark.parametrize(
    ("name", "whole", "channel"),
    [("fp16", 1e-4, 1e-3), ("int8", 1e-3, 0.02), ("int8_weight_only", 1e-3, 0.02), ("int4", 0.02, 0.15)],
)
def test_correct_files_pass(made: Made, name: str, whole: float, channel: float) -> None:
    slopes = weight_slopes(made.files[name], made.state)
    assert slope_error(slopes) < whole
    assert channel_slope_error(slopes) < channel
    assert unmatched_pct(slopes) == 0
    found = by_layer(slopes)
    assert len(found) == len(slopes)  # each its own source, also where two layers have one shape
    for layer in ("convnext.downsample_layers.0.0.weight", "convnext.stages.1.0.pwconv2.weight"):
        assert found[layer].values == made.state[layer].size


@pytest.mark.convert
def test_blocks_of_32(made: Made) -> None:
    slopes = weight_slopes(made.files["int4_block32"], made.state)
    assert {entry.dtype for entry in slopes} == {"INT4"}
    assert slope_error(slopes) < 0.02
    assert unmatched_pct(slopes) == 0
    rest = {name: by_layer(weight_slopes(made.files[name], made.state)) for name in ("int4", "int4_block32")}
    layer = "convnext.stages.1.0.pwconv2.weight"
    assert rest["int4_block32"][layer].relative_rms < rest["int4"][layer].relative_rms


@pytest.mark.convert
def test_a_split_convolution_is_compared_its_pieces(made: Made) -> None:
    found = by_layer(weight_slopes(made.files["int8_weight_only"], made.state))
    pieces = [name for name in found if name is not None and ".dwconv." in name]
    assert len(pieces) == 12  # two blocks of six
    assert sum(found[name].values for name in pieces) == 50 * (32 + 64)  # the tap in the middle is in two of them


@pytest.mark.convert
@pytest.mark.parametrize("name", ["int8", "int8_weight_only", "int4"])
def test_a_doubled_scale_is_found(made: Made, tmp_path: Path, name: str) -> None:
    path = Path(shutil.copy(made.files[name], tmp_path / "m.tflite"))
    fault = next(e for e in weight_slopes(path, made.state) if e.layer == "convnext.stages.0.0.pwconv1.weight")
    change_scales(path, fault.tensor, double)
    slopes = weight_slopes(path, made.state)
    assert by_layer(slopes)[fault.layer].slope == pytest.approx(2 * fault.slope, rel=1e-5)
    assert slope_error(slopes) == pytest.approx(1, abs=0.02)
    others = tuple(entry for entry in slopes if entry.layer != fault.layer)
    assert slope_error(others) < 0.02


@pytest.mark.convert
@pytest.mark.parametrize("factor", [1.02, 0.98])
@pytest.mark.parametrize("layer", ["convnext.stages.0.0.pwconv1.weight", "convnext.downsample_layers.1.1.weight"])
def test_a_layer_whose_scale_is_off_by_2_percent_passes_no_gate(
    made: Made, tmp_path: Path, layer: str, factor: float
) -> None:
    def multiply(scales: np.ndarray) -> None:
        scales *= np.float32(factor)

    path = Path(shutil.copy(made.files["int8"], tmp_path / "m.tflite"))
    change_scales(path, by_layer(weight_slopes(path, made.state))[layer].tensor, multiply)

    def verdicts(file: Path) -> set[Verdict]:
        error = slope_error(weight_slopes(file, made.state))
        results = judge(load_gates(), [measurement("run", INT8, "", "none", "weight_slope_error", error, 1)], [])
        return {result.verdict for result in results if result.measurement is not None}

    assert verdicts(made.files["int8"]) == {Verdict.PASS}
    assert verdicts(path) == {Verdict.FAIL}


@pytest.mark.convert
@pytest.mark.parametrize("name", ["int8", "int4"])
def test_one_channel_of_half_the_scale_is_found(made: Made, tmp_path: Path, name: str) -> None:
    path = Path(shutil.copy(made.files[name], tmp_path / "m.tflite"))
    fault = next(e for e in weight_slopes(path, made.state) if e.layer == "convnext.stages.1.0.pwconv1.weight")
    change_scales(path, fault.tensor, halve_one)
    slopes = weight_slopes(path, made.state)
    assert slope_error(slopes) < 0.02  # one channel of 256 hides in the whole
    assert by_layer(slopes)[fault.layer].channel_slope == pytest.approx(0.5, abs=0.05)
    assert channel_slope_error(slopes) > 0.45


@pytest.mark.convert
def test_a_wrong_scale_of_blocks_is_found(made: Made, tmp_path: Path) -> None:
    path = Path(shutil.copy(made.files["int4_block32"], tmp_path / "m.tflite"))
    with mapped(path) as content:
        reader = ModelReader(path, content)
        blocked = next(c for c in reader.weights() if reader.blocks(c.tensor) is not None)
        place = reader.scales(blocked)
        assert place.dtype == "FLOAT16"
    values = np.memmap(path, "<f2", "r+", place.offset, (place.stored_bytes // 2,))
    values *= 2
    values.flush()
    assert slope_error(weight_slopes(path, made.state)) == pytest.approx(1, abs=0.02)


@pytest.mark.convert
def test_weights_of_another_model_have_no_source(made: Made) -> None:
    rng = np.random.default_rng(0)
    other = {name: rng.standard_normal(value.shape).astype(np.float32) for name, value in made.state.items()}
    slopes = weight_slopes(made.files["int8"], other)
    assert unmatched_pct(slopes) == 100
    assert math.isnan(slope_error(slopes))
    missing = {name: value for name, value in made.state.items() if "stages.1.0.pwconv1.weight" not in name}
    (unmatched,) = [e for e in weight_slopes(made.files["int8"], missing) if e.layer is None]
    assert unmatched.values == 64 * 256


@pytest.mark.convert
def test_a_float32_file_called_int8_shows_nothing_quantized(made: Made, tmp_path: Path) -> None:
    path = Path(shutil.copy(made.files["float32"], tmp_path / "detector_int8.tflite"))
    assert weight_slopes(path, made.state) == ()
    assert math.isnan(slope_error(()))  # and NaN passes no gate
    assert read_model_file(path).quantized_weight_pct == 0


@pytest.mark.convert
def test_int4_with_convolutions_in_float32_shows_its_share(made: Made) -> None:
    model = read_model_file(made.files["int4_block32"])
    linear = sum(v.size for n, v in made.state.items() if n.endswith("weight") and v.ndim == 2 and "*" not in n)
    total = sum(model.weight_counts.values())
    assert model.weight_counts == {"FLOAT32": total - linear, "INT4": linear}  # the blocks' scales are no weights
    assert model.int4_weight_pct == pytest.approx(100 * linear / total)
    assert read_model_file(made.files["int8"]).int4_weight_pct == 0


@pytest.mark.convert
def test_dequantized_as_the_interpreter_says(made: Made) -> None:
    """Compared with the interpreter's own tensors and parameters, which share no code with the reader."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    interpreter = Interpreter(
        model_path=str(made.files["int8"]),
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    )
    interpreter.allocate_tensors()
    details = {detail["name"]: detail for detail in interpreter.get_tensor_details() if detail["dtype"] is np.int8}
    weights = list(quantized_weights(made.files["int8"]))
    assert len(weights) > 8
    for weight in weights:
        detail = details[weight.tensor]
        parameters = detail["quantization_parameters"]
        axis = parameters["quantized_dimension"]
        assert weight.channel_axis == axis
        stored = np.moveaxis(interpreter.get_tensor(detail["index"]), axis, -1).astype(np.float32)
        expected = (stored - parameters["zero_points"]) * parameters["scales"]
        np.testing.assert_allclose(np.moveaxis(weight.values, axis, -1), expected, rtol=1e-6)


@pytest.mark.convert
def test_partitions(made: Made) -> None:
    float32, int8 = (xnnpack_partitions(made.files[name], threads=1) for name in ("float32", "int8"))
    total = sum(read_model_file(made.files["float32"]).operations.values())
    assert float32.other_operations == ("MIRROR_PAD",)
    assert (float32.partitions, float32.delegated_operations) == (2, total - 1)
    assert int8.other_operations.count("DEPTHWISE_CONV_2D") == 12  # XNNPACK has no dynamic int8 one
    assert int8.partitions > 2
    assert int8.delegated_operations + len(int8.other_operations) == sum(
        read_model_file(made.files["int8"]).operations.values()
    )
    assert int8.delegated_pct == pytest.approx(100 * int8.delegated_operations / total)


def test_what_the_interpreter_refuses_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "m.tflite"
    path.write_bytes(b"\x1c\0\0\0TFL3" + bytes(100))
    with pytest.raises(ModelFileError, match=f"^{path}: the interpreter refuses it"):
        xnnpack_partitions(path, threads=1)


@pytest.mark.convert
def test_command(made: Made, capsys: pytest.CaptureFixture[str]) -> None:
    path = made.files["int4"]
    assert main([str(path), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    model = read_model_file(path)
    assert found["int4_weight_pct"] == pytest.approx(model.int4_weight_pct)
    assert found["weights"]["INT4"] == {
        "values": model.weight_counts["INT4"],
        "bytes": -(-model.weight_counts["INT4"] // 2),
    }
    assert "slopes" not in found
    assert main([str(path)]) == 0
    out = capsys.readouterr().out
    assert f"{model.int4_weight_pct:.2f} % of the weights" in out
    assert "\x1b" not in out


@pytest.mark.convert
def test_names_are_whole_and_alone_in_a_pipe(made: Made) -> None:
    """In a process of its own: what the interpreter writes to its standard error is not Python's."""
    command = [sys.executable, "-m", "sealbench", "inspect", str(made.files["int8"]), "--variant", "videoseal_nano"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    in_json = subprocess.run([*command, "--json"], capture_output=True, text=True, check=True)
    names = [entry["layer"] or entry["tensor"] for entry in json.loads(in_json.stdout)["slopes"]]
    assert len(names) > 5
    assert max(map(len, names)) > 50  # longer than what a narrow table has room for
    assert all(sum(name in line for line in lines) >= 1 for name in names)
    assert len(lines) < 15 + len(names)


@pytest.mark.convert
def test_command_with_the_weights_of_another_variant(made: Made, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(made.files["int8"]), "--variant", "videoseal_nano", "--json"]) == 0
    slopes = json.loads(capsys.readouterr().out)["slopes"]
    assert any(entry["layer"] is None and entry["slope"] is None for entry in slopes)
    assert main([str(made.files["int8"]), "--variant", "videoseal_nano"]) == 0
    assert "NO SOURCE" in capsys.readouterr().out


@pytest.mark.convert
def test_command_with_a_checkpoint_of_the_detector_alone(
    made: Made, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state = load_file(BUNDLED / "videoseal_nano.safetensors")
    alone = tmp_path / "detector.safetensors"
    save_file({key: value for key, value in state.items() if key.startswith("detector.")}, alone)
    options = ["--variant", "videoseal_nano", "--weights", str(alone), "--json"]
    assert main([str(made.files["int8"]), *options]) == 0
    assert json.loads(capsys.readouterr().out)["slopes"]


def test_a_missing_file_is_reported_before_weights_are_downloaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(file_contents, "find_weights", lambda *arguments: pytest.fail("downloaded"))
    assert main([str(tmp_path / "none.tflite"), "--variant", "videoseal", "--weights", "official"]) == 2
    assert "none.tflite: no such file" in capsys.readouterr().err


def test_command_with_wrong_input(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path / "none.tflite")]) == 2
    assert capsys.readouterr().err == f"error: {tmp_path}/none.tflite: no such file; expected a .tflite file\n"
    assert main([str(tmp_path / "none.tflite"), "--variant", "other"]) == 2
    assert "unknown variant 'other'" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="2"):
        main(["a.tflite", "--weights", "seeded"])
