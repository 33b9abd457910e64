"""Do the weights in a file have the values they were made from? Layer by layer, whatever the outputs say.

A wrong scale need not show in the outputs: a LayerNorm after the layer divides it away. Compared with the weights that
the file was made from, it is the slope of a straight line through zero, which is 1 for correct weights.
"""

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sealbench.converters.tflite.model_file import ModelReader, damage_as_model_file_error, mapped
from sealbench.converters.tflite.weights import QuantizedWeight, quantized_weights

# Below this correlation a weight counts as not found. Correct 4-bit weights were measured at 0.987 and above; of wrong
# ones, a sample of SAMPLE values correlates by 1 / sqrt(SAMPLE), 0.016, and nine by 0.33.
FOUND_CORRELATION = 0.8
# The watermark detectors compute `images * 2 - 1` before their first convolution, and the converter folds both into it:
# its kernel then holds twice the source's values.
IMAGE_SCALE = 2.0
IMAGE_CHANNELS = 3
SAMPLE = 4096  # values by which a weight's source is chosen among those of its shape


@dataclass(frozen=True)
class WeightSlope:
    """One weight of a file compared with its source.

    Attributes:
        layer: the source's name; None where no source of its shape resembles it. What follows is then NaN.
        tensor: its name in the file.
        dtype: number type it is stored in.
        values: how many values it has.
        slope: of the dequantized values on the source's, by least squares without intercept; 1 is right.
        channel_slope: that of the single output channel whose slope is furthest from 1; where one scale holds for all
            channels, that of the whole.
        correlation: Pearson's, in [-1, 1].
        relative_rms: root mean square of what the slope leaves over, divided by that of the source.
    """

    layer: str | None
    tensor: str
    dtype: str
    values: int
    slope: float
    channel_slope: float
    correlation: float
    relative_rms: float


def weight_slopes(
    path: Path, state: Mapping[str, np.ndarray], image_scale: float = IMAGE_SCALE
) -> tuple[WeightSlope, ...]:
    """Compare every weight of a file that is stored below 32 bits, and has two axes or more, with its source.

    The axes of a source may stand in any order, since convolutions change theirs (OIHW to OHWI) and one of a single
    channel is dropped; among sources that fit, the best correlation decides. The convolution that reads the image is
    compared with `image_scale` times its source where the file has the scaling of the image folded into it.

    Args:
        path: the `.tflite` file.
        state: float32 source weights by name, in PyTorch's shapes, of the detector as exported; see
            `sealbench.converters.rewrites.apply.source_state`.
        image_scale: factor by which the network multiplies its images before the first convolution.

    Returns:
        One entry for each weight, in the file's order; empty for a float32 file.

    Raises:
        ModelFileError: the file is no model or damaged.
    """
    folded = _folds_image_scale(path)
    sources: dict[tuple[int, ...], list[tuple[str, np.ndarray]]] = {}
    for name, value in state.items():
        reads_image = value.ndim == 4 and value.shape[1] == IMAGE_CHANNELS  # (O, I, H, W)
        squeezed = np.squeeze(value * np.float32(image_scale) if folded and reads_image else value)
        sources.setdefault(_sides(squeezed.shape), []).append((name, squeezed))
    return tuple(_compared(weight, sources) for weight in quantized_weights(path))


def slopes_as_json(path: str, state: str, image_scale: float) -> list[dict[str, Any]]:
    """`weight_slopes` for a worker process; the fields of each `WeightSlope`.

    Args:
        path: the `.tflite` file.
        state: path of an .npz file that holds the arrays.
        image_scale: factor, see there.
    """
    with np.load(state) as arrays:
        return [asdict(one) for one in weight_slopes(Path(path), dict(arrays), image_scale)]


def slope_error(slopes: Sequence[WeightSlope]) -> float:
    """Largest |slope - 1| of the weights whose source was found; NaN where there are none."""
    return max((abs(entry.slope - 1) for entry in slopes if entry.layer is not None), default=math.nan)


def channel_slope_error(slopes: Sequence[WeightSlope]) -> float:
    """Largest |slope - 1| of a single output channel; NaN where no source was found."""
    return max((abs(entry.channel_slope - 1) for entry in slopes if entry.layer is not None), default=math.nan)


def unmatched_pct(slopes: Sequence[WeightSlope]) -> float:
    """Share in percent of the values that were compared and match no source; NaN of nothing."""
    total = sum(entry.values for entry in slopes)
    return 100 * sum(entry.values for entry in slopes if entry.layer is None) / total if total else math.nan


def _folds_image_scale(path: Path) -> bool:
    """Whether no multiplication stands before the first convolution of the main graph."""
    with mapped(path) as content, damage_as_model_file_error(path):
        reader = ModelReader(path, content)
        main = next(reader.graphs())
        before = itertools.takewhile(lambda kind: kind != "CONV_2D", (kind for kind, _ in reader.operations(main)))
        return "MUL" not in before


def _compared(
    weight: QuantizedWeight, sources: Mapping[tuple[int, ...], Sequence[tuple[str, np.ndarray]]]
) -> WeightSlope:
    values = weight.values
    squeezed = np.squeeze(values)
    best_name, best_source, best = None, squeezed, -math.inf
    for name, source in _candidates(squeezed.shape, sources):
        found = _sampled_correlation(squeezed, source)
        if found > best:
            best_name, best_source, best = name, source, found
    nothing = WeightSlope(None, weight.tensor, weight.dtype, values.size, math.nan, math.nan, math.nan, math.nan)
    if best_name is None:
        return nothing
    source = np.ascontiguousarray(best_source, np.float32).reshape(values.shape)
    correlation = _correlation(values, source)
    if not correlation >= FOUND_CORRELATION:  # NaN, where all values are equal, is not found either
        return nothing
    products, squares = _channel_sums(values, source, weight.channel_axis)
    slope = float(products.sum() / squares.sum())
    channels = products[squares > 0] / squares[squares > 0]
    rest = values - np.float32(slope) * source
    return WeightSlope(
        layer=best_name,
        tensor=weight.tensor,
        dtype=weight.dtype,
        values=values.size,
        slope=slope,
        channel_slope=float(channels[np.abs(channels - 1).argmax()]),
        correlation=correlation,
        relative_rms=float(np.linalg.norm(rest) / np.linalg.norm(source)),
    )


def _sides(shape: tuple[int, ...]) -> tuple[int, ...]:
    """What stays the same of a shape when axes change places or axes of length 1 come and go."""
    return tuple(sorted(side for side in shape if side > 1))


def _candidates(
    shape: tuple[int, ...], sources: Mapping[tuple[int, ...], Sequence[tuple[str, np.ndarray]]]
) -> Iterator[tuple[str, np.ndarray]]:
    """Every source, in every order of its axes, that has this shape; views, not copies."""
    for name, source in sources.get(_sides(shape), ()):
        for order in itertools.permutations(range(source.ndim)):
            if tuple(source.shape[axis] for axis in order) == shape:
                yield name, source.transpose(order)


def _sampled_correlation(values: np.ndarray, source: np.ndarray) -> float:
    """Correlation of at most `SAMPLE` values that lie spread over two arrays of one shape; -inf where undefined."""
    chosen = np.linspace(0, values.size - 1, min(SAMPLE, values.size)).astype(np.int64)
    places = np.unravel_index(chosen, values.shape)
    found = _correlation(values[places], source[places])
    return -math.inf if math.isnan(found) else found


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Pearson's correlation of two arrays of one shape; NaN where one of them is constant."""
    a, b = a.reshape(-1) - a.mean(), b.reshape(-1) - b.mean()
    scale = float(np.linalg.norm(a)) * float(np.linalg.norm(b))
    return float(a @ b) / scale if scale > 0 else math.nan


def _channel_sums(values: np.ndarray, source: np.ndarray, axis: int | None) -> tuple[np.ndarray, np.ndarray]:
    """For each output channel, the sums of value * source and of source squared; float64, (channels,)."""
    rows, source_rows = (
        np.moveaxis(array, axis, 0).reshape(array.shape[axis], -1) if axis is not None else array.reshape(1, -1)
        for array in (values, source)
    )
    return (
        np.array([row @ source_row for row, source_row in zip(rows, source_rows, strict=True)], np.float64),
        np.array([row @ row for row in source_rows], np.float64),
    )
