"""The error of each layer of a quantized file against its float32 file, on the same images and reference kernels."""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sealbench.bench.analysis.layers.isolated_layers import find_layers, isolated_model
from sealbench.bench.analysis.operations.reference_kernels import ReferenceKernels


@dataclass(frozen=True)
class LayerError:
    """What one layer adds, and what has come together at its output.

    Attributes:
        layer: name of its output tensor in the quantized file.
        operation: its kind, of a convolution with its kernel: `CONV_2D 4x4`.
        stored: number type that its weights are stored in, like `INT8`.
        isolated_pct: root mean square of its error where it is given exactly what it gets in float32, in percent of
            that of its float32 output.
        gain: slope of that isolated output on the float32 one, both without their channels' means, by least squares.
            Rounding leaves it at 1, whatever the error; a wrong scale does not. NaN for an output that never changes.
        accumulated_pct: as `isolated_pct`, where everything before it is quantized too.
    """

    layer: str
    operation: str
    stored: str
    isolated_pct: float
    gain: float
    accumulated_pct: float


class Comparison:
    """Sums over images of how one array differs from another, from which errors and slopes follow.

    All sums are float64. What is not finite stays in them: the results are then NaN or infinite.
    """

    def __init__(self) -> None:
        self._error = self._signal = 0.0
        self._count = 0
        self._sums: np.ndarray | float = 0.0

    def add(self, found: np.ndarray, expected: np.ndarray) -> None:
        """Take in one image.

        Args:
            found, expected: (..., channels) float of one shape.

        Raises:
            ValueError: the shapes differ.
        """
        if found.shape != expected.shape:
            raise ValueError(f"found arrays of shape {found.shape} and {expected.shape}; expected one shape")
        y, x = (array.reshape(-1, array.shape[-1]).astype(np.float64) for array in (found, expected))  # (p, c)
        with np.errstate(invalid="ignore", over="ignore"):
            self._error += float(np.square(y - x).sum())
            self._signal += float(np.square(x).sum())
            self._sums = self._sums + np.stack([x.sum(0), y.sum(0), (x * x).sum(0), (x * y).sum(0)])  # (4, c)
        self._count += len(x)

    @property
    def error_pct(self) -> float:
        """100 * RMS of the difference / RMS of what was expected; 0 where nothing differs."""
        if self._error == 0:
            return 0.0
        return 100 * math.sqrt(self._error / self._signal) if self._signal else math.inf

    @property
    def gain(self) -> float:
        """Slope by least squares of found on expected, without the means of each channel; NaN where nothing varies."""
        x, y, xx, xy = np.asarray(self._sums)
        variance = float((xx - x * x / self._count).sum())
        # What rounding leaves of a difference of sums is no variance.
        if not variance > 1e-12 * float(xx.sum()):
            return math.nan
        return float((xy - x * y / self._count).sum() / variance)


class LayerErrors:
    """Compares a quantized file with its float32 file, image by image.

    Args:
        float32_path: the file that it was quantized from.
        path: the quantized file.

    Raises:
        ModelFileError: the files are damaged or not of one graph.
        RunnerError: the reference kernels cannot run them.
    """

    def __init__(self, float32_path: Path, path: Path):
        self._layers = find_layers(float32_path, path)
        content, self._stand_ins = isolated_model(path, self._layers)
        self._float32 = ReferenceKernels(float32_path, str(float32_path))
        self._quantized = ReferenceKernels(path, str(path))
        self._isolated = ReferenceKernels(content, f"{path} taken apart")
        self._accumulated = [Comparison() for _ in self._layers]
        self._alone = [Comparison() for _ in self._layers]

    def add(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Take in one image.

        Args:
            image: (H, W, 3) float32 in [0, 1].

        Returns:
            The outputs (1 + nbits,) of the float32 file and of the quantized one.

        Raises:
            RunnerError: the image has another size, or the kernels fail.
        """
        for model in (self._float32, self._quantized):
            model({model.inputs[0]: image[np.newaxis]})
        self._isolated(self._float32_activations())
        for layer, alone, accumulated in zip(self._layers, self._alone, self._accumulated, strict=True):
            expected = self._float32.value(layer.float32_output)
            alone.add(self._isolated.value(layer.output), expected)
            accumulated.add(self._quantized.value(layer.output), expected)
        return tuple(model.value(model.outputs[0])[0] for model in (self._float32, self._quantized))

    def errors(self) -> list[LayerError]:
        """Of each layer over all images so far, in the order of the graph."""
        return [
            LayerError(
                layer.name, layer.operation.name, layer.stored, alone.error_pct, alone.gain, accumulated.error_pct
            )
            for layer, alone, accumulated in zip(self._layers, self._alone, self._accumulated, strict=True)
        ]

    def _float32_activations(self) -> dict[int, np.ndarray]:
        """For each input of the isolated layers what it holds in the float32 file."""
        return {
            self._stand_ins[tensor]: self._float32.value(source)
            for layer in self._layers
            for tensor, source in zip(layer.inputs, layer.float32_inputs, strict=True)
        }
