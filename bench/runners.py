"""One protocol for everything that can run a detector: an image in, the raw outputs out.

A runner only runs: it neither judges nor times. This module imports no torch, no LiteRT and no TensorFlow; each runner
imports its own engine when it is made.
"""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from converters.errors import ModelFileError
from converters.tflite_file import check_is_model

if TYPE_CHECKING:
    from torch import nn


class RunnerError(ValueError):
    """A model that cannot be run, or an image that it cannot take; says what was found and what was expected."""


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

    def __init__(self, interpreter_class: Callable[..., Any], path: str | Path, threads: int, nbits: int | None):
        _check_threads(threads)
        path = Path(path)
        try:  # the interpreters do not tell a file that is no model from one that is damaged
            check_is_model(path)
        except ModelFileError as error:
            raise RunnerError(str(error)) from error
        try:
            # From the path, not from its bytes: the weights are mapped, not copied.
            interpreter = interpreter_class(model_path=str(path), num_threads=threads)
            interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise RunnerError(
                f"{path}: cannot be run ({_first_line(error)}); "
                "a file that is cut off or damaged must be converted or copied again"
            ) from error
        inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()
        height, width, found_nbits = _read_signature(path, inputs, outputs, nbits)
        self.path = path
        self.threads = threads
        self.input_size = (height, width)
        self.nbits = found_nbits
        self._interpreter = interpreter
        self._input: int = inputs[0]["index"]
        self._output: int = outputs[0]["index"]

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """See `Runner`."""
        _check_image(image, self.input_size)
        interpreter = self._interpreter
        try:
            interpreter.set_tensor(self._input, image[np.newaxis])  # the one copy of the image
            interpreter.invoke()
        except (ValueError, RuntimeError) as error:
            raise RunnerError(f"{self.path}: failed while running ({_first_line(error)})") from error
        return interpreter.get_tensor(self._output)[0]  # a copy: the next call does not change it


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

    def __init__(self, path: str | Path, threads: int, nbits: int | None = None):
        from ai_edge_litert.interpreter import Interpreter

        super().__init__(Interpreter, path, threads, nbits)


class TensorFlowRunner(_InterpreterRunner):
    """The same file on TensorFlow's own build of the interpreter: a second opinion on LiteRT's kernels.

    Args and errors as `LiteRTRunner`; a RunnerError as well where TensorFlow is not installed.
    """

    backend = "tensorflow"

    def __init__(self, path: str | Path, threads: int, nbits: int | None = None):
        try:
            from tensorflow import lite
        except ImportError as error:
            raise RunnerError(
                "the backend tensorflow needs TensorFlow, which is not installed: pip install 'sealbench[tensorflow]'"
            ) from error
        with warnings.catch_warnings():
            # It advises to change to LiteRT: that is the other runner.
            warnings.filterwarnings("ignore", message=r"[\s\S]*tf\.lite\.Interpreter is deprecated")
            super().__init__(lite.Interpreter, path, threads, nbits)


class TorchRunner:
    """A PyTorch detector in inference mode: the reference.

    The number of threads is a setting of the whole process in PyTorch; each call sets its own and puts back what it
    found (0.2 microseconds), so that runners with different threads, and other code, do not disturb each other.

    Args:
        detector: images (B, 3, H, W) in [0, 1] to logits (B, 1 + nbits); it is put in evaluation mode.
        image_size: (height, width) in pixels of the images it will be given.
        nbits: bits of the message.
        threads: at least 1.
    """

    backend = "torch"

    def __init__(self, detector: "nn.Module", image_size: tuple[int, int], nbits: int, threads: int):
        _check_threads(threads)
        self.threads = threads
        self.input_size = image_size
        self.nbits = nbits
        self._detector = detector.eval()

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """See `Runner`."""
        import torch

        _check_image(image, self.input_size)
        if not image.flags.writeable:  # PyTorch knows no read-only tensors and would warn
            image = image.copy()
        # A view in the order (1, 3, H, W); in memory the channels stay last, which is no slower and saves a copy.
        batch = torch.from_numpy(image).permute(2, 0, 1)[None]
        before = torch.get_num_threads()
        torch.set_num_threads(self.threads)
        try:
            with torch.inference_mode():
                outputs = self._detector(batch)
        finally:
            torch.set_num_threads(before)
        if tuple(outputs.shape) != (1, 1 + self.nbits):
            raise RunnerError(
                f"the PyTorch detector gave an output of shape {tuple(outputs.shape)}; expected (1, {1 + self.nbits})"
            )
        return outputs[0].float().numpy().copy()  # a module may hand out a buffer that it uses again


def _check_threads(threads: int) -> None:
    if threads < 1:
        raise RunnerError(f"{threads} threads were asked for; expected at least 1")


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


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
