"""The values of a `.tflite` file's weights as float32, dequantized with numpy: one tensor at a time."""

import mmap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sealbench.converters.errors import ModelFileError
from sealbench.converters.tflite.model_file import (
    WEIGHT_BITS,
    Constant,
    ModelReader,
    damage_as_model_file_error,
    mapped,
)

_STORED = {"FLOAT32": "<f4", "FLOAT16": "<f2", "INT16": "<i2", "INT8": "i1", "UINT8": "u1"}


@dataclass(frozen=True, eq=False)
class QuantizedWeight:
    """One constant of two axes or more that is stored below 32 bits.

    Attributes:
        tensor: its name in the file.
        dtype: number type it is stored in, like `INT4`.
        values: float32 of the tensor's shape, dequantized.
        channel_axis: the axis of the output channels, each of which has scales of its own; None where all share one.
    """

    tensor: str
    dtype: str
    values: np.ndarray
    channel_axis: int | None


def quantized_weights(path: Path) -> Iterator[QuantizedWeight]:
    """All constants of a model with two axes or more that are stored below 32 bits, in the file's order.

    Each is dequantized when it is asked for: memory holds one tensor, not the model.

    Raises:
        ModelFileError: the file is no model, damaged, or stores weights in a way that is not known here.
    """
    yield from _weights(path, most_bits=31)


def file_weights(path: Path) -> dict[str, np.ndarray]:
    """All constants of a model with two axes or more by the name of their tensor, float32 of the tensors' shapes.

    Raises:
        ModelFileError: see `quantized_weights`.
    """
    return {weight.tensor: weight.values for weight in _weights(path, most_bits=32)}


def _weights(path: Path, most_bits: int) -> Iterator[QuantizedWeight]:
    with mapped(path) as content, damage_as_model_file_error(path):
        reader = ModelReader(path, content)
        for constant in reader.weights():
            if WEIGHT_BITS[constant.dtype] <= most_bits and len(constant.shape) > 1:
                yield _dequantized(reader, content, constant)


def unpack_nibbles(packed: np.ndarray, count: int) -> np.ndarray:
    """Signed 4-bit values from bytes that hold two each, the lower four bits first.

    Args:
        packed: (ceil(count / 2),) uint8.
        count: number of values.

    Returns:
        (count,) int8 in [-8, 7].
    """
    values = np.empty((len(packed), 2), np.int8)
    signed = packed.view(np.int8)
    np.left_shift(signed, 4, out=values[:, 0])
    values[:, 0] >>= 4  # an arithmetic shift: the sign comes along
    np.right_shift(signed, 4, out=values[:, 1])
    return values.reshape(-1)[:count]


def _dequantized(reader: ModelReader, content: mmap.mmap, constant: Constant) -> QuantizedWeight:
    name = (constant.tensor.Name() or b"").decode("utf-8", errors="replace")
    values = _stored_values(reader.path, content, constant)
    axis = None
    if constant.dtype not in {"FLOAT32", "FLOAT16", "BFLOAT16"}:
        if (blocks := reader.blocks(constant.tensor)) is not None:
            # A scale for every `BlockSize` values along the last axis, (O, I / BlockSize); symmetric.
            scales = reader.scales(constant)
            values = values.reshape(*constant.shape[:-1], -1, blocks.BlockSize())
            values *= _stored_values(reader.path, content, scales).reshape(*constant.shape[:-1], -1, 1)
            axis = 0
        else:
            axis = _apply_scales(reader.path, constant, values, name)
    return QuantizedWeight(name, constant.dtype, values.reshape(constant.shape), axis)


def _apply_scales(path: Path, constant: Constant, values: np.ndarray, name: str) -> int | None:
    """Scale values in place by tensor or by channel; returns the channels' axis, or None for one scale.

    (value - zero point) * scale, as in
    https://ai.google.dev/edge/litert/conversion/tensorflow/quantization/quantization_spec
    """
    quantization = constant.tensor.Quantization()
    if quantization is None or not quantization.ScaleLength():
        raise ModelFileError(f"{path}: {name}: {constant.dtype} without scales; expected a quantized weight")
    scales = quantization.ScaleAsNumpy().astype(np.float32)
    zero_points = quantization.ZeroPointAsNumpy().astype(np.float32) if quantization.ZeroPointLength() else np.zeros(1)
    axis = quantization.QuantizedDimension()
    shape = [1] * len(constant.shape)
    if len(scales) > 1:
        shape[axis] = len(scales)
    if zero_points.any():
        values -= zero_points.astype(np.float32).reshape(shape if len(zero_points) > 1 else [1] * len(shape))
    values *= scales.reshape(shape)
    return axis if len(scales) > 1 else None


def _stored_values(path: Path, content: mmap.mmap, constant: Constant) -> np.ndarray:
    """What is stored, as float32 of the constant's shape; integers are not scaled yet."""
    if constant.tensor.Sparsity() is not None:
        raise ModelFileError(f"{path}: holds a sparse {constant.dtype} tensor; only dense weights can be compared")
    if constant.dtype == "INT4":
        packed = np.frombuffer(content, np.uint8, constant.stored_bytes, constant.offset)
        stored = unpack_nibbles(packed, int(np.prod(constant.shape)))
    elif constant.dtype in _STORED:
        kind = np.dtype(_STORED[constant.dtype])
        stored = np.frombuffer(content, kind, constant.stored_bytes // kind.itemsize, constant.offset)
    else:
        raise ModelFileError(
            f"{path}: weights stored as {constant.dtype} cannot be compared; known: INT4, {', '.join(_STORED)}"
        )
    return stored.astype(np.float32).reshape(constant.shape)
