"""Patches two faults of litert-quantizer 0.11.0.

It cannot quantize a weight of rank above 2 and more than 32 MiB. Cause: `uniform_quantize_tensor.uniform_quantize` goes
through such a tensor in chunks. It first reshapes the tensor to two dimensions, but broadcasts the scale, which has the
tensor's original rank, to that shape: "input operand has more dimensions than allowed by the axis remapping". The last
two convolutions of chunkyseal are such tensors.

Here such a tensor is quantized slice by slice along its first axis, scale and zero point sliced with it where they vary
along that axis: every slice is small enough for the package's other path. All algorithms and bit widths end in that one
function (min-max, OCTAV, MSE with 8 or 4 bits; GPTQ, Hadamard rotation and blocks quantize matrices alone).

A channel or block of zeros gets a scale of 0 from OCTAV (which clips the range it was raised to) and in blocks (whose
scales are rounded to 16-bit floats), and NaN for weights; from min-max it gets 1e-9 / 127, and a static bias in units
of it overflows. Here it gets a scale that any weight of it, being 0, can have.
"""

import functools
import importlib.metadata
import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

PATCHED_VERSION = "0.11.0"
CHUNK_BYTES = 32 * 1024 * 1024  # the package chunks what is larger
OF_ZEROS = (
    2e-10  # scales up to this are those of nothing but zeros: the package raises ranges to 1e-9, over 7 in 4 bits
)
SCALE_OF_ZEROS = 2**-14  # the smallest normal 16-bit float


def patch_quantizer() -> None:
    """Replace the package's functions by patched ones; once, and only in the version it was written for.

    With another version nothing is changed and a warning says so: that version may be fixed already, or need more.
    """
    from litert_quantizer.algorithms.uniform_quantize import uniform_quantize_tensor as package

    version = importlib.metadata.version("litert-quantizer")
    if version != PATCHED_VERSION:
        warnings.warn(
            f"litert-quantizer {version} is installed; the patches for large weights and zeros were written for "
            f"{PATCHED_VERSION} and are not applied (see converters/export/quantizer_patch.py)",
            stacklevel=2,
        )
        return
    if not hasattr(package.uniform_quantize, "__wrapped__"):
        package.uniform_quantize = slice_by_slice(package.uniform_quantize, package.fix_quantization_params_rank)
    if not hasattr(package.tensor_zp_scale_from_min_max, "__wrapped__"):
        package.tensor_zp_scale_from_min_max = no_scale_of_zero(package.tensor_zp_scale_from_min_max)


def slice_by_slice(quantize: Callable[..., np.ndarray], with_rank: Callable[..., Any]) -> Callable[..., np.ndarray]:
    """The package's `uniform_quantize`, patched: a tensor of any shape to integers of the same shape.

    Args:
        quantize: the function as it is.
        with_rank: the package's function that gives scale and zero point the rank of the tensor.
    """

    @functools.wraps(quantize)
    def patched(tensor_data: np.ndarray, quantization_params: Any, is_blockwise_quant: bool = False) -> np.ndarray:
        # Blocks exist for weights of rank 2 alone, which the package chunks as it should.
        if tensor_data.ndim <= 2 or tensor_data.nbytes <= CHUNK_BYTES or is_blockwise_quant:
            return quantize(tensor_data, quantization_params, is_blockwise_quant)
        params = with_rank(tensor_data, quantization_params)
        rows = max(1, CHUNK_BYTES // tensor_data[0].nbytes)
        result = np.empty(tensor_data.shape, np.int8)
        for start in range(0, len(tensor_data), rows):
            part = slice(start, start + rows)
            of_part = replace(
                params, scale=_rows(params.scale, part), zero_point=_rows(params.zero_point, part), quantized_data=None
            )
            quantized = quantize(tensor_data[part], of_part)
            if quantized.dtype != result.dtype:  # of more than 8 bits; known after the first part
                result = result.astype(quantized.dtype)
            result[part] = quantized
        return result

    return patched


def no_scale_of_zero(scales: Callable[..., Any]) -> Callable[..., Any]:
    """The package's `tensor_zp_scale_from_min_max`, patched.

    Args:
        scales: the function as it is.
    """

    @functools.wraps(scales)
    def patched(*arguments: Any, **keywords: Any) -> Any:
        zero_point, scale = scales(*arguments, **keywords)
        return zero_point, np.where(scale <= OF_ZEROS, scale.dtype.type(SCALE_OF_ZEROS), scale)

    return patched


def _rows(values: np.ndarray, part: slice) -> np.ndarray:
    """The rows of a scale or zero point that belong to those of its tensor; one row holds for all."""
    return values if len(values) == 1 else values[part]
