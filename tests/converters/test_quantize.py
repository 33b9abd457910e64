import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from converters.export import quiet_unless_failing, wrap_detector
from converters.image_size import ImageSize
from converters.models.watermarker import Watermarker
from converters.precisions import PRECISIONS, get_precision
from converters.quantize import quantize
from converters.tflite_file import read_model_file
from converters.variants import Variant

Run = Callable[[Path, Tensor], np.ndarray[Any, np.dtype[np.float32]]]
PUBLISHED = {
    "fp16": "full_fp16_recipe",
    "int8": "full_dynamic_recipe",
    "int8_weight_only": "full_weight_only_recipe",
}
# The float32 weights that stay: biases and the parameters of norms, which no recipe touches.
STORED = {"float32": "FLOAT32", "fp16": "FLOAT16", "int8": "INT8", "int8_weight_only": "INT8"}


def published_recipe(precision: str) -> Any:
    """The quant_config that the published conversion scripts hand to litert_torch."""
    with quiet_unless_failing():
        from litert_torch.generative.quantize import quant_recipes

        return getattr(quant_recipes, PUBLISHED[precision])()


def translated(precision: str) -> Any:
    with quiet_unless_failing():
        from litert_torch.quantize.translate_recipe import translate_to_ai_edge_recipe

        return translate_to_ai_edge_recipe(published_recipe(precision).generative_recipe)


def plain(recipe: Any) -> Any:
    """Enumerations to the strings that they are in JSON."""
    return json.loads(json.dumps(recipe))


@pytest.mark.convert
def test_weights_are_stored_as_promised(tiny_files: dict[str, Path], tiny_watermarker: Watermarker) -> None:
    kernels = sum(
        value.numel()
        for name, value in tiny_watermarker.detector.named_parameters()
        if name.endswith("weight") and value.dim() > 1
    )
    counts = {name: dict(read_model_file(path).weight_counts) for name, path in tiny_files.items()}
    assert list(counts["float32"]) == ["FLOAT32"]
    kept = counts["float32"]["FLOAT32"] - kernels
    assert 0 < kept < kernels / 5
    for name in PUBLISHED:
        assert counts[name] == {"FLOAT32": kept, STORED[name]: kernels}, name
        stored = read_model_file(tiny_files[name])
        assert stored.quantized_weight_pct == pytest.approx(100 * kernels / (kernels + kept))
        assert stored.size_bytes < tiny_files["float32"].stat().st_size


@pytest.mark.convert
def test_int8_is_what_the_published_script_makes(
    tiny: Variant,
    tiny_files: dict[str, Path],
    tiny_watermarker: Watermarker,
    random_images: Callable[..., Tensor],
    run_tflite: Run,
    tmp_path: Path,
) -> None:
    module = wrap_detector(tiny_watermarker.detector, tiny, ImageSize(32, 32), "simple")
    recipe = published_recipe("int8")
    with quiet_unless_failing():
        import litert_torch

        converted = litert_torch.convert(module, (torch.zeros(1, 32, 32, 3),), quant_config=recipe)
        converted.export(str(tmp_path / "published.tflite"))
    for seed in range(4):
        image = random_images(1, 32, 32, seed)
        found = run_tflite(tiny_files["int8"], image)
        np.testing.assert_array_equal(found, run_tflite(tmp_path / "published.tflite", image))
        assert np.abs(found - run_tflite(tiny_files["float32"], image)).max() > 0
    assert tiny_files["int8"].read_bytes() == (tmp_path / "published.tflite").read_bytes()


@pytest.mark.convert
@pytest.mark.parametrize("precision", PUBLISHED)
def test_recipe_gives_what_the_published_recipe_gives(tiny_files: dict[str, Path], precision: str) -> None:
    """The second half of `litert_torch.convert(..., quant_config=...)`: it quantizes the float32 file's bytes."""
    recipe = translated(precision)
    with quiet_unless_failing():
        from litert_torch.quantize.translate_recipe import quantize_model

        published = quantize_model(tiny_files["float32"].read_bytes(), recipe)
    assert bytes(published) == tiny_files[precision].read_bytes()


@pytest.mark.convert
@pytest.mark.parametrize("precision", PUBLISHED)
def test_recipe_is_the_published_recipe(precision: str) -> None:
    with quiet_unless_failing():
        from ai_edge_quantizer import recipe

    rules = plain(get_precision(precision).recipe)
    if precision == "int8":  # one rule more, without which the resize inside the model does not run
        assert rules.pop() == {
            "regex": ".*",
            "operation": "BATCH_MATMUL",
            "algorithm_key": "no_quantize",
            "op_config": {},
        }
    assert rules == plain(translated(precision))
    named = {"int8": recipe.dynamic_wi8_afp32, "int8_weight_only": recipe.weight_only_wi8_afp32}
    if precision in named:
        assert rules == plain(named[precision]())


@pytest.mark.convert
@pytest.mark.parametrize("precision", PRECISIONS)
def test_every_precision_runs_and_stays_near_float32(
    tiny_files: dict[str, Path],
    tiny_resize_files: dict[str, Path],
    random_images: Callable[..., Tensor],
    run_tflite: Run,
    precision: str,
) -> None:
    limit = {"float32": 0, "fp16": 0.01}.get(precision, 0.2)  # of the mean logit: these weights are untrained
    for files, size in ((tiny_files, (32, 32)), (tiny_resize_files, (40, 56))):
        image = random_images(1, *size, seed=5)
        reference = run_tflite(files["float32"], image)
        error = np.abs(run_tflite(files[precision], image) - reference).mean() / np.abs(reference).mean()
        assert error <= limit


@pytest.mark.convert
def test_int8_leaves_the_resize_in_float32(tiny_files: dict[str, Path], tiny_resize_files: dict[str, Path]) -> None:
    matrices = 32 * 40 + 32 * 56
    simple, resize = (read_model_file(files["int8"]).weight_counts for files in (tiny_files, tiny_resize_files))
    assert resize["INT8"] == simple["INT8"]
    assert matrices <= resize["FLOAT32"] - simple["FLOAT32"] <= matrices + 8


def test_float32_has_nothing_to_quantize(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="float32 has no recipe"):
        quantize(tmp_path / "a.tflite", get_precision("float32"), tmp_path / "b.tflite")
    assert list(tmp_path.iterdir()) == []
