"""A float32 `.tflite` file to another precision."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sealbench.converters.export.calibration_inputs import CalibrationInputs
from sealbench.converters.export.precisions import Rule, needs_calibration, uses_gptq
from sealbench.converters.export.quantizer_patch import patch_quantizer
from sealbench.converters.export.quiet import quiet_unless_failing
from sealbench.converters.export.shared_zero_points import shared_zero_points

# In `sealbench.converters.models.convnext.Block_0/torch.nn.modules.conv.Conv2d_dwconv;2`: the modules of the classes,
# and all classes but the last. `0/Conv2d_dwconv;2` is left. Those around the detector
# (`sealbench.converters.export.detector`) are in all names.
_MODULE_PATH = re.compile(r"[^/;]*\.(?=[A-Za-z_])")
_WRAPPERS = re.compile(r"(?:^|(?<=;))ChannelsLast/(?:detector/)*")
_PARENT_CLASS = re.compile(r"(?:^|(?<=[/;]))_?[A-Za-z0-9]+_(?=[^/;]*/)")


def quantize(
    float32_path: Path, recipe: Sequence[Rule], path: Path, calibration_images: CalibrationInputs | None = None
) -> None:
    """Apply a recipe to a float32 file and write the result to `path`; equal inputs give equal bytes.

    The file is read by mapping it: the peak of memory is that of the result, not of the float32 weights.

    Args:
        float32_path: the file to quantize.
        recipe: see `sealbench.converters.export.precisions`.
        path: of the result; its input and output are float32, as the original's.
        calibration_images: only for a recipe that needs them.

    Raises:
        ValueError: the recipe is empty (float32 is what the export gives), or needs images and has none.
    """
    if not recipe:
        raise ValueError("an empty recipe quantizes nothing; float32 is what the export gives")
    if needs_calibration(recipe) and calibration_images is None:
        raise ValueError("the recipe needs calibration images; see converters/export/calibration.py")
    with quiet_unless_failing():
        from litert_quantizer import quantizer

        patch_quantizer()
        job = quantizer.Quantizer(str(float32_path))
        statistics = None
        if needs_calibration(recipe) and calibration_images is not None:
            statistics = calibrate(float32_path, recipe, calibration_images)
        _shorten_names(job, statistics)
        job.load_quantization_recipe(_fit_blocks(job, recipe))
        with shared_zero_points():
            job.quantize(statistics).export_model(str(path), overwrite=True)


def calibrate(float32_path: Path, recipe: Sequence[Rule], images: CalibrationInputs) -> dict[str, Any]:
    """Statistics of every activation that the recipe asks for, by the tensor's name.

    Of ranges they are the smallest and the largest value of all images. The quantizer's own choice is a moving average
    in which the first image weighs 0.95: so the ranges of one image, too narrow for the next.
    """
    from litert_quantizer import calibrator, recipe_manager
    from litert_quantizer.utils import qsv_utils

    rules = recipe_manager.RecipeManager()
    rules.load_quantization_recipe(list(recipe))
    mode = calibrator.CalibrationMode
    # Ranges are taken inside the interpreter while it runs. Only GPTQ's second moments need every tensor at once, which
    # of chunkyseal are more than 24 GB; their update is the quantizer's own.
    how = (
        {"mode": mode.CALIBRATION_PRESERVE_ALL_TENSORS}
        if uses_gptq(recipe)
        else {"mode": mode.CALIBRATION_PROFILER_BASED, "qsv_update_func": qsv_utils.min_max_update}
    )
    calibration = calibrator.Calibrator(str(float32_path), num_threads=1, **how)
    key, signature = next(iter(calibration.get_signature_list().items()))
    samples = [(image[None],) for image in images] if isinstance(images, np.ndarray) else images
    names = tuple(signature["inputs"])
    calibration.calibrate({key: [dict(zip(names, sample, strict=True)) for sample in samples]}, rules)
    statistics: dict[str, Any] = calibration.get_model_qsvs()
    if uses_gptq(recipe):
        return statistics
    # As float32, which the values are: in doubles the scales would differ in their last bit.
    return {name: {end: np.float32(value) for end, value in range_.items()} for name, range_ in statistics.items()}


def _fit_blocks(job: Any, recipe: Sequence[Rule]) -> list[Rule]:
    """The recipe, but with a scale for each channel for the linear layers whose inputs its blocks do not divide.

    The quantizer fails on them; of chunkyseal, with its 362, 724 and 1448 channels, they are most.
    """
    from litert_quantizer.utils import tfl_flatbuffer_utils as flatbuffer

    rules: list[Rule] = []
    for rule in recipe:
        rules.append(rule)
        weights = rule["op_config"].get("weight_tensor_config", {})
        _, blockwise, block = weights.get("granularity", "").partition("BLOCKWISE_")
        if not blockwise:
            continue
        channelwise = {**rule["op_config"], "weight_tensor_config": {**weights, "granularity": "CHANNELWISE"}}
        for graph in job._float_model.subgraphs:
            for operation in graph.operators:
                code = job._float_model.operatorCodes[operation.opcodeIndex].builtinCode
                if flatbuffer.TFL_OP_CODE_TO_NAME.get(code) != rule["operation"]:
                    continue
                if graph.tensors[operation.inputs[1]].shape[-1] % int(block):  # weights (outputs, inputs)
                    scope = re.escape(flatbuffer.get_op_scope(operation, graph.tensors))
                    rules.append({**rule, "regex": f"^{scope}$", "op_config": channelwise})
    return rules


def short_name(name: str) -> str:
    """What the export calls a tensor, without the modules of the classes and the classes of all but the last part."""
    return _WRAPPERS.sub("", _PARENT_CLASS.sub("", _MODULE_PATH.sub("", name)))


def _shorten_names(job: Any, statistics: dict[str, Any] | None) -> None:
    """Give the tensors short names, which are 4 % of a small int8 file otherwise; nothing refers to them by name.

    Left as they are if two tensors would share one: the quantizer tells them apart by name.
    """
    tensors = [tensor for graph in job._float_model.subgraphs for tensor in graph.tensors]
    names = {tensor.name: short_name(tensor.name.decode()) for tensor in tensors}
    if len(set(names.values())) < len(tensors):
        return
    for tensor in tensors:
        tensor.name = names[tensor.name].encode()
    if statistics is not None:
        renamed = {short_name(name): values for name, values in statistics.items()}
        statistics.clear()
        statistics.update(renamed)
