"""One protocol for everything that can run a detector: an image in, the raw outputs out.

A runner only runs: it neither judges nor times. This module imports no torch, no LiteRT and no TensorFlow; each runner
imports its own engine when it is made.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from sealbench.bench.backends.engines import InterpreterEngine, TorchEngine
from sealbench.bench.errors import RunnerError

if TYPE_CHECKING:
    from torch import nn

__all__ = ["LiteRTRunner", "Runner", "RunnerError", "TensorFlowRunner", "TorchRunner", "to_unit_range"]


class Runner(Protocol):
    """A detector that is ready to run.

    Attributes:
        backend: `torch`, `litert` or `tensorflow`, as in every table.
        threads: threads that one call may use.
        input_size: (height, width) in pixels of the images it takes.
        nbits: bits of the message.
    """

    backend: str
    threads: int
    input_size: tuple[int, int]
    nbits: int

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """Run on one image.

        Args:
            image: (H, W, 3) float32 in [0, 1], of `input_size`.

        Returns:
            (1 + nbits,) float32, the caller's own: the detection confidence as a logit, then the bit logits. NaN and
            infinities are passed on as the model gives them.

        Raises:
            RunnerError: the image has another shape or type, or the engine fails.
        """


def to_unit_range(image: np.ndarray) -> np.ndarray:
    """From 8-bit pixels, any shape of uint8, to the float32 in [0, 1] that runners take; the same shape."""
    return np.divide(image, np.float32(255), dtype=np.float32)


class _InterpreterRunner:
    """What LiteRT and TensorFlow share: their interpreters have one interface."""

    backend: str

    def __init__(self, path: str | Path, threads: int, nbits: int | None = None):
        engine = InterpreterEngine(self.backend, path, threads)
        height, width, found_nbits = _read_signature(engine.path, engine.inputs, engine.outputs, nbits)
        self.path = engine.path
        self.threads = threads
        self.input_size = (height, width)
        self.nbits = found_nbits
        self._engine = engine

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """See `Runner`."""
        _check_image(image, self.input_size)
        logits: np.ndarray = self._engine(image[np.newaxis])[0]
        return logits


class LiteRTRunner(_InterpreterRunner):
    """A `.tflite` file on LiteRT's interpreter with its default delegate (XNNPACK).

    Args:
        path: input float32 (1, H, W, 3), output float32 (1, 1 + nbits).
        threads: at least 1.
        nbits: what is expected, or None to take what the file has.

    Raises:
        RunnerError: the file is missing, empty, damaged, no model or of another signature.
    """

    backend = "litert"


class TensorFlowRunner(_InterpreterRunner):
    """The same file on TensorFlow's own build of the interpreter: a second opinion on LiteRT's kernels.

    Args and errors as `LiteRTRunner`; a RunnerError as well where TensorFlow is not installed.
    """

    backend = "tensorflow"


class TorchRunner:
    """A PyTorch detector in inference mode: the reference.

    Args:
        detector: images (B, 3, H, W) in [0, 1] to logits (B, 1 + nbits); it is put in evaluation mode.
        image_size: (height, width) in pixels of the images it will be given.
        nbits: bits of the message.
        threads: at least 1.
    """

    backend = "torch"

    def __init__(self, detector: "nn.Module", image_size: tuple[int, int], nbits: int, threads: int):
        self._engine = TorchEngine(detector, threads)
        self.threads = threads
        self.input_size = image_size
        self.nbits = nbits

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """See `Runner`: image (H, W, 3) to logits (1 + nbits,).

        Raises:
            RunnerError: the image has another size or type, or the detector gives another number of logits.
        """
        _check_image(image, self.input_size)
        # A view in the order (1, 3, H, W); in memory the channels stay last, which is no slower and saves a copy.
        outputs = self._engine(image.transpose(2, 0, 1)[np.newaxis])
        if outputs.shape != (1, 1 + self.nbits):
            raise RunnerError(
                f"the PyTorch detector gave an output of shape {outputs.shape}; expected (1, {1 + self.nbits})"
            )
        logits: np.ndarray = outputs[0]
        return logits


def _check_image(image: np.ndarray, size: tuple[int, int]) -> None:
    if image.shape != (*size, 3) or image.dtype != np.float32:
        raise RunnerError(
            f"found an image of shape {image.shape} and type {image.dtype}; "
            f"expected ({size[0]}, {size[1]}, 3) float32 in [0, 1]"
        )


def _read_signature(
    path: Path, inputs: list[dict[str, Any]], outputs: list[dict[str, Any]], nbits: int | None
) -> tuple[int, int, int]:
    """Height, width and bits of a model that keeps the contract; RunnerError for any other."""
    # The signature's shape, where a size that is left open is -1: an open batch is fine, an open side is not.
    shapes = [tuple(int(side) for side in tensor["shape_signature"]) for tensor in (*inputs, *outputs)]
    floats = all(tensor["dtype"] is np.float32 for tensor in (*inputs, *outputs))
    if len(inputs) == len(outputs) == 1 and floats:
        match shapes:
            case [(1 | -1, height, width, 3), (1 | -1, channels)] if (
                min(height, width) > 0 and channels > 1 and nbits in {None, channels - 1}
            ):
                return height, width, channels - 1
    expected = "float32 (1, height, width, 3) -> float32 " + ("(1, 1 + bits)" if nbits is None else f"(1, {1 + nbits})")
    raise RunnerError(
        f"{path}: found {_signature_text(inputs)} -> {_signature_text(outputs)}; expected {expected}"
        + ("; the channels must come last: convert it again so" if shapes[0][1:2] == (3,) else "")
    )


def _signature_text(tensors: list[dict[str, Any]]) -> str:
    return ", ".join(
        f"{np.dtype(tensor['dtype']).name} {tuple(int(side) for side in tensor['shape_signature'])}"
        for tensor in tensors
    )
