import json
import re
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from ai_edge_litert.interpreter import Interpreter
from torch import Tensor, nn

from sealbench.converters.cards.image_size import ImageSize
from sealbench.converters.cards.watermark import ConvNeXtCard, Variant
from sealbench.converters.checkpoints.loading import load_watermarker
from sealbench.converters.export.calibration import calibration_images
from sealbench.converters.export.candidates import IN_USE, candidates
from sealbench.converters.export.detector import export_float32, wrap_detector
from sealbench.converters.export.precisions import PRECISIONS, dynamic, get_precision, static
from sealbench.converters.export.quantize import calibrate, quantize, short_name
from sealbench.converters.export.quiet import quiet_unless_failing
from sealbench.converters.families.weight_sources import find_weights
from sealbench.converters.models.watermarker import Watermarker
from sealbench.converters.rewrites.apply import apply_rewrites
from sealbench.converters.tflite.model_file import read_model_file

Run = Callable[[Path, Tensor], np.ndarray[Any, np.dtype[np.float32]]]
Files = dict[str, Path]
PUBLISHED = {"fp16": "full_fp16_recipe", "int8": "full_dynamic_recipe", "int8_weight_only": "full_weight_only_recipe"}
SIZE, RESIZED = ImageSize(32, 32), ImageSize(40, 56)
SPLIT = ("fold_norms", "slice_padding", "split_depthwise")
QUANTIZED = [name for name, precision in PRECISIONS.items() if precision.recipe]


@pytest.fixture(scope="module")
def small(tiny: Variant) -> Variant:
    """The tiny variant, its layers wide enough for blocks of 32."""
    assert isinstance(tiny.detector, ConvNeXtCard)
    return replace(tiny, detector=replace(tiny.detector, dims=(32, 64)))


@pytest.fixture(scope="module")
def watermarker(small: Variant) -> Watermarker:
    return load_watermarker(small, find_weights(small, "seeded"))


def all_precisions(
    folder: Path, watermarker: Watermarker, variant: Variant, size: ImageSize, mode: str, rewrites: tuple[str, ...]
) -> Files:
    files = {name: folder / f"{name}.tflite" for name in PRECISIONS}
    export_float32(apply_rewrites(watermarker.detector, rewrites), variant, size, mode, files["float32"])
    images = calibration_images(watermarker, variant.nbits, size, 0, 2)
    for name in QUANTIZED:
        quantize(files["float32"], get_precision(name).recipe_for(rewrites), files[name], images)
    return files


@pytest.fixture(scope="module")
def plain_files(tmp_path_factory: pytest.TempPathFactory, watermarker: Watermarker, small: Variant) -> Files:
    return all_precisions(tmp_path_factory.mktemp("plain"), watermarker, small, SIZE, "simple", ())


@pytest.fixture(scope="module")
def split_files(tmp_path_factory: pytest.TempPathFactory, watermarker: Watermarker, small: Variant) -> Files:
    return all_precisions(tmp_path_factory.mktemp("split"), watermarker, small, SIZE, "simple", SPLIT)


@pytest.fixture(scope="module")
def resize_files(tmp_path_factory: pytest.TempPathFactory, watermarker: Watermarker, small: Variant) -> Files:
    return all_precisions(tmp_path_factory.mktemp("resize"), watermarker, small, RESIZED, "resize", SPLIT)


def kernels(module: nn.Module) -> dict[str, int]:
    """Values in the weights of each kind of layer."""
    found = {"depthwise": 0, "small pieces": 0, "stem": 0, "head": 0, "rest": 0}
    for name, layer in module.named_modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            kind = "depthwise" if getattr(layer, "groups", 1) > 1 else "rest"
            kind = "small pieces" if ".dwconv.p." in name and ".p.0." not in f"{name}." else kind
            kind = "stem" if name == "convnext.downsample_layers.0.0" else kind
            kind = "head" if name == "pixel_decoder.linear" else kind
            found[kind] += layer.weight.numel()
    return found


def stored(path: Path) -> list[tuple[str, str, str]]:
    """Operation, its output's name and the type that its weight is stored in, of every layer of a file."""
    from ai_edge_litert import schema_py_generated as schema
    from ai_edge_litert.tools import flatbuffer_utils

    model = flatbuffer_utils.read_model(str(path))
    operations = {value: name for name, value in vars(schema.BuiltinOperator).items() if isinstance(value, int)}
    types = {value: name for name, value in vars(schema.TensorType).items() if isinstance(value, int)}
    graph = model.subgraphs[0]
    source = {}  # what an inserted DEQUANTIZE reads
    layers = []
    for operator in graph.operators:
        code = model.operatorCodes[operator.opcodeIndex]
        name = operations[max(code.builtinCode, code.deprecatedBuiltinCode)]
        if name == "DEQUANTIZE":
            source[operator.outputs[0]] = operator.inputs[0]
        if name in {"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "BATCH_MATMUL"}:
            for number in (0, 1):
                tensor = source.get(operator.inputs[number], operator.inputs[number])
                constant = model.buffers[graph.tensors[tensor].buffer]
                if constant.data is not None or constant.size:
                    output = graph.tensors[operator.outputs[0]].name.decode()
                    layers.append((name, output, types[graph.tensors[tensor].type]))
    return layers


@pytest.mark.convert
@pytest.mark.parametrize("graph", ["plain_files", "split_files"])
def test_weights_are_stored_as_promised(graph: str, watermarker: Watermarker, request: pytest.FixtureRequest) -> None:
    files: Files = request.getfixturevalue(graph)
    parts = kernels(watermarker.detector if graph == "plain_files" else apply_rewrites(watermarker.detector, SPLIT))
    assert (parts["small pieces"] > 0) == (graph == "split_files")
    ends = parts["stem"] + parts["head"]
    for name in QUANTIZED:
        counts = dict(read_model_file(files[name]).weight_counts)
        if name == "fp16":
            assert counts["FLOAT16"] == sum(parts.values())
        elif name.startswith("int8"):
            assert counts["INT8"] == parts["rest"] + parts["depthwise"], name
            assert counts["FLOAT16"] == ends + parts["small pieces"]
        else:  # the kernels have no depthwise convolution in four bits
            assert (counts["INT4"], counts["INT8"]) == (parts["rest"], parts["depthwise"]), name
            assert counts["FLOAT16"] >= ends + parts["small pieces"]  # and the scales of blocks
        assert files[name].stat().st_size < files["float32"].stat().st_size


@pytest.mark.convert
@pytest.mark.parametrize("precision", ["int4", "int4_weight_only", "int4_block32"])
def test_convolutions_are_really_stored_in_four_bits(split_files: Files, precision: str) -> None:
    found = {output: kind for name, output, kind in stored(split_files[precision]) if name == "CONV_2D"}
    assert sorted(found.values()) == ["FLOAT16", "INT4", "INT4"]  # stem, downsampling, decoder
    (stem,) = (output for output, kind in found.items() if kind == "FLOAT16")
    assert "convnext/0/Conv2d_0;" in stem


@pytest.mark.convert
@pytest.mark.parametrize("precision", [name for name in QUANTIZED if name != "fp16"])
@pytest.mark.parametrize("graph", ["plain_files", "split_files", "resize_files"])
def test_exactly_the_two_ends_are_half_float(graph: str, precision: str, request: pytest.FixtureRequest) -> None:
    files: Files = request.getfixturevalue(graph)
    half = [(name, output) for name, output, kind in stored(files[precision]) if kind == "FLOAT16"]
    pieces = [output for name, output in half if name == "DEPTHWISE_CONV_2D"]
    assert all(re.search(r"dwconv/Conv2d_[1-5];", output) for output in pieces)
    assert len(pieces) == (0 if graph == "plain_files" else 10)
    assert sorted(name for name, _ in half if name != "DEPTHWISE_CONV_2D") == ["CONV_2D", "FULLY_CONNECTED"]


@pytest.mark.convert
def test_int8_follows_the_graph(plain_files: Files, split_files: Files) -> None:
    """Dynamic where the depthwise convolution is whole; dequantized weights where it is split."""
    plain, split = (read_model_file(files["int8"]).operations for files in (plain_files, split_files))
    assert plain["DEPTHWISE_CONV_2D"] == 2
    assert split["DEPTHWISE_CONV_2D"] == 12
    assert (plain["DEQUANTIZE"], split["DEQUANTIZE"]) == (2, 2 + 12)


@pytest.mark.convert
@pytest.mark.parametrize("precision", PRECISIONS)
def test_every_precision_runs_and_stays_near_float32(
    plain_files: Files,
    split_files: Files,
    resize_files: Files,
    random_images: Callable[..., Tensor],
    run_tflite: Run,
    precision: str,
) -> None:
    limit = {"float32": 1e-4, "fp16": 0.01, "int8": 0.1, "int8_weight_only": 0.1}.get(precision, 0.5)
    for files, size in ((plain_files, (32, 32)), (split_files, (32, 32)), (resize_files, (40, 56))):
        image = random_images(1, *size, seed=5)
        reference = run_tflite(files["float32"], image)
        found = run_tflite(files[precision], image)
        error = np.abs(found - reference).mean() / np.abs(reference).mean()
        assert error <= limit
        assert (error > 0) == (precision != "float32")


@pytest.mark.convert
@pytest.mark.parametrize("precision", PRECISIONS)
def test_input_and_output_stay_float32(split_files: Files, small: Variant, precision: str) -> None:
    model = read_model_file(split_files[precision])
    assert [str(signature) for signature in model.inputs] == ["float32 (1, 32, 32, 3)"]
    assert [str(signature) for signature in model.outputs] == [f"float32 (1, {1 + small.nbits})"]


@pytest.mark.convert
def test_static_takes_convolutions_of_int8_activations(split_files: Files) -> None:
    model = read_model_file(split_files["int8_static"])
    assert model.operations["QUANTIZE"] == 2  # before the downsampling and the decoder; depthwise pieces stay float32
    assert "QUANTIZE" not in read_model_file(split_files["int8"]).operations


@pytest.mark.convert
def test_static_of_everything_would_ask_for_int8_images(
    split_files: Files, watermarker: Watermarker, small: Variant, tmp_path: Path
) -> None:
    """What the rules for INPUT and OUTPUT are there for."""
    images = calibration_images(watermarker, small.nbits, SIZE, 0, 1)
    quantize(split_files["float32"], (static("*"),), tmp_path / "all.tflite", images)
    assert read_model_file(tmp_path / "all.tflite").inputs[0].dtype == "INT8"


@pytest.mark.convert
@pytest.mark.parametrize("precision", QUANTIZED)
def test_the_resize_stays_float32(split_files: Files, resize_files: Files, precision: str) -> None:
    matrices = 32 * 40 + 32 * 56
    simple, resize = (read_model_file(files[precision]).weight_counts for files in (split_files, resize_files))
    assert matrices <= resize["FLOAT32"] - simple["FLOAT32"] <= matrices + 8
    assert {key: n for key, n in simple.items() if key != "FLOAT32"} == {
        key: n for key, n in resize.items() if key != "FLOAT32"
    }


@pytest.mark.convert
def test_an_int8_batch_matmul_would_not_run(resize_files: Files, tmp_path: Path, run_tflite: Run) -> None:
    """What the rule for BATCH_MATMUL is there for; when this fails it can go."""
    quantize(resize_files["float32"], (dynamic(8),), tmp_path / "all.tflite")
    with pytest.raises(RuntimeError, match="batch_matmul"):
        run_tflite(tmp_path / "all.tflite", torch.zeros(1, 3, 40, 56))


@pytest.mark.convert
@pytest.mark.parametrize("precision", ["int8", "int8_static", "int4"])
def test_equal_inputs_give_equal_bytes(
    split_files: Files, watermarker: Watermarker, small: Variant, tmp_path: Path, precision: str
) -> None:
    images = calibration_images(watermarker, small.nbits, SIZE, 0, 2)
    quantize(split_files["float32"], get_precision(precision).recipe_for(SPLIT), tmp_path / "again", images)
    assert (tmp_path / "again").read_bytes() == split_files[precision].read_bytes()


@pytest.mark.convert
def test_calibration_images_matter(
    split_files: Files, watermarker: Watermarker, small: Variant, tmp_path: Path
) -> None:
    recipe = get_precision("int8_static").recipe_for(SPLIT)
    images = calibration_images(watermarker, small.nbits, SIZE, 0, 2)
    for name, some in (("dark", images * 0), ("reversed", images[::-1])):
        quantize(split_files["float32"], recipe, tmp_path / name, some)
    assert (tmp_path / "dark").read_bytes() != split_files["int8_static"].read_bytes()
    # Smallest and largest of all: no image counts more for having come first.
    assert (tmp_path / "reversed").read_bytes() == split_files["int8_static"].read_bytes()


@pytest.mark.long
@pytest.mark.convert
@pytest.mark.parametrize("precision", QUANTIZED)
def test_a_channel_of_zeros_gives_no_nan(
    small: Variant, tmp_path: Path, random_images: Callable[..., Tensor], run_tflite: Run, precision: str
) -> None:
    watermarker = load_watermarker(small, find_weights(small, "seeded"))
    with torch.no_grad():
        for name, weight in watermarker.detector.named_parameters():
            if weight.dim() > 1 and name.endswith("weight"):
                weight[3] = 0
    export_float32(watermarker.detector, small, SIZE, "simple", tmp_path / "zeros.tflite")
    images = calibration_images(watermarker, small.nbits, SIZE, 0, 1)
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)  # a division by a scale of zero
        quantize(tmp_path / "zeros.tflite", get_precision(precision).recipe_for(()), tmp_path / "out.tflite", images)
    image = random_images(1, 32, 32)
    reference, found = (run_tflite(tmp_path / name, image) for name in ("zeros.tflite", "out.tflite"))
    assert np.abs(found - reference).mean() < 0.5 * np.abs(reference).mean()


@pytest.mark.convert
def test_names_are_short_and_every_one_its_own(split_files: Files) -> None:
    from ai_edge_litert.tools import flatbuffer_utils

    graph = flatbuffer_utils.read_model(str(split_files["int8"])).subgraphs[0]
    names = [tensor.name.decode() for tensor in graph.tensors]
    assert len(set(names)) == len(names)
    assert not [name for name in names if "torch.nn" in name or "converters." in name]
    assert [name for name in names if "convnext/0/0/Linear_pwconv1" in name]


def test_short_name() -> None:
    name = (
        "sealbench.converters.models.convnext.ConvNeXtV2_convnext/torch.nn.modules.container.Sequential_0/"
        "a.b._Block_1/c.D_e;2"
    )
    assert short_name(name) == "convnext/0/1/D_e;2"
    wrapped = (
        "sealbench.converters.export.detector.ChannelsLast/sealbench.converters.models.convnext.ConvNeXtDetector_detector/"
        + name
    )
    assert short_name(f"{wrapped};{wrapped}") == "convnext/0/1/D_e;2;convnext/0/1/D_e;2"
    assert short_name("serving_default_output_0_output") == "serving_default_output_0_output"


def published_recipe(precision: str) -> Any:
    """The quant_config that the published conversion scripts hand to litert_torch."""
    with quiet_unless_failing():
        from litert_torch.generative.quantize import quant_recipes

        return getattr(quant_recipes, PUBLISHED[precision])()


def ours(precision: str) -> tuple[Any, ...]:
    """The published recipe as the candidates have it; of fp16 it is the one in use."""
    found = {candidate.name: candidate.recipe for candidate in candidates(get_precision(precision), SPLIT)}
    return found[IN_USE if precision == "fp16" else "published recipe"]


@pytest.mark.convert
@pytest.mark.parametrize("precision", PUBLISHED)
def test_published_candidate_is_the_published_recipe(precision: str) -> None:
    with quiet_unless_failing():
        from litert_torch.quantize.translate_recipe import translate_to_ai_edge_recipe

        translated = translate_to_ai_edge_recipe(published_recipe(precision).generative_recipe)
    rules = [rule for rule in ours(precision) if rule["operation"] != "BATCH_MATMUL"]
    assert json.loads(json.dumps(rules)) == json.loads(json.dumps(translated))


@pytest.mark.convert
def test_published_int8_computes_what_the_published_script_makes(
    small: Variant,
    plain_files: Files,
    watermarker: Watermarker,
    random_images: Callable[..., Tensor],
    run_tflite: Run,
    tmp_path: Path,
) -> None:
    """Shorter names and a rule that finds nothing are all that differs."""
    quantize(plain_files["float32"], ours("int8"), tmp_path / "ours.tflite")
    module, recipe = wrap_detector(watermarker.detector, small, SIZE, "simple"), published_recipe("int8")
    with quiet_unless_failing():
        import litert_torch

        converted = litert_torch.convert(module, (torch.zeros(1, 32, 32, 3),), quant_config=recipe)
        converted.export(str(tmp_path / "published.tflite"))
    for seed in range(4):
        image = random_images(1, 32, 32, seed)
        np.testing.assert_array_equal(
            run_tflite(tmp_path / "ours.tflite", image), run_tflite(tmp_path / "published.tflite", image)
        )


@pytest.mark.long
@pytest.mark.convert
def test_layers_that_do_not_fit_blocks_get_a_scale_for_each_channel(
    tiny: Variant, tiny_watermarker: Watermarker, tmp_path: Path
) -> None:
    source, blocks = tmp_path / "tiny.tflite", tmp_path / "blocks.tflite"
    export_float32(tiny_watermarker.detector, tiny, SIZE, "simple", source)
    quantize(source, get_precision("int4_block32").recipe, blocks)
    model = read_model_file(blocks)
    # The linear layers read 8, 16, 32 and 64 channels: all of them are stored at 4 bits.
    linear = 2 * (8 * 32 + 16 * 64)
    assert model.weight_counts["INT4"] >= linear


def test_what_cannot_be_quantized(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="empty recipe"):
        quantize(tmp_path / "a.tflite", (), tmp_path / "b.tflite")
    with pytest.raises(ValueError, match="needs calibration images"):
        quantize(tmp_path / "a.tflite", get_precision("int8_static").recipe, tmp_path / "b.tflite")
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(autouse=True)
def _few_threads() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.convert
def test_calibration_takes_the_ranges_of_every_tensor_that_a_convolution_reads(
    split_files: Files, watermarker: Watermarker, small: Variant
) -> None:
    """They are taken inside the interpreter; here they are compared with the tensors themselves."""
    images = calibration_images(watermarker, small.nbits, SIZE, 0, 1)
    ranges = calibrate(split_files["float32"], get_precision("int8_static").recipe_for(SPLIT), images)
    interpreter = Interpreter(str(split_files["float32"]), experimental_preserve_all_tensors=True)
    interpreter.allocate_tensors()
    (place,) = interpreter.get_input_details()
    seen: dict[str, list[np.ndarray]] = {}
    for image in images:
        interpreter.set_tensor(place["index"], image[None])
        interpreter.invoke()
        for operation in interpreter._get_ops_details():
            if operation["op_name"] in {"CONV_2D", "DEPTHWISE_CONV_2D"}:
                tensor = next(t for t in interpreter.get_tensor_details() if t["index"] == operation["inputs"][0])
                seen.setdefault(tensor["name"], []).append(interpreter.get_tensor(tensor["index"]))
    assert len(seen) > 3
    for name, values in seen.items():
        np.testing.assert_allclose(ranges[name]["min"], np.min(values), rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(ranges[name]["max"], np.max(values), rtol=1e-5, atol=1e-6)
        assert ranges[name]["min"].dtype == np.float32
