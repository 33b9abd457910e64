"""Engines that run any model: tensors in, the one output out. Imports no torch, no LiteRT and no TensorFlow."""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sealbench.bench.errors import RunnerError
from sealbench.converters.errors import ModelFileError
from sealbench.converters.tflite.model_file import check_is_model

if TYPE_CHECKING:
    from torch import nn


class InterpreterEngine:
    """A `.tflite` file on an interpreter with its default delegate (XNNPACK).

    Args:
        backend: `litert`, or `tensorflow` for TensorFlow's own build of the interpreter.
        path: of the file.
        threads: at least 1.

    Attributes:
        inputs, outputs: the interpreter's details of the file's tensors, in order.
        interpreter: the interpreter itself.

    Raises:
        RunnerError: the file is missing, empty, damaged or no model, or TensorFlow is not installed.
    """

    def __init__(self, backend: str, path: str | Path, threads: int):
        check_threads(threads)
        interpreter_class = _INTERPRETERS[backend]()
        self.path = Path(path)
        self.threads = threads
        try:  # the interpreters do not tell a file that is no model from one that is damaged
            check_is_model(self.path)
        except ModelFileError as error:
            raise RunnerError(str(error)) from error
        try:
            with warnings.catch_warnings():
                # TensorFlow's advises to change to LiteRT: that is the other backend.
                warnings.filterwarnings("ignore", message=r"[\s\S]*tf\.lite\.Interpreter is deprecated")
                # From the path, not from its bytes: the weights are mapped, not copied.
                self.interpreter = interpreter_class(model_path=str(self.path), num_threads=threads)
            self.interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise RunnerError(
                f"{self.path}: cannot be run ({_first_line(error)}); "
                "a file that is cut off or damaged must be converted or copied again"
            ) from error
        self.inputs: list[dict[str, Any]] = self.interpreter.get_input_details()
        self.outputs: list[dict[str, Any]] = self.interpreter.get_output_details()

    def __call__(self, *arrays: np.ndarray) -> np.ndarray:
        """Run once.

        Args:
            arrays: one for each input of the file, float32, of its shape.

        Returns:
            The first output, the caller's own.

        Raises:
            RunnerError: the engine fails, or takes other tensors.
        """
        try:
            for tensor, array in zip(self.inputs, arrays, strict=True):
                self.interpreter.set_tensor(tensor["index"], array)  # the one copy of the image
            self.interpreter.invoke()
        except (ValueError, RuntimeError) as error:
            raise RunnerError(f"{self.path}: failed while running ({_first_line(error)})") from error
        found: np.ndarray = self.interpreter.get_tensor(self.outputs[0]["index"])
        return found  # a copy: the next call does not change it


class TorchEngine:
    """A PyTorch module in inference mode.

    The number of threads is a setting of the whole process in PyTorch; each call sets its own and puts back what it
    found (0.2 microseconds), so that engines with different threads, and other code, do not disturb each other.

    Args:
        module: it is put in evaluation mode.
        threads: at least 1.
    """

    def __init__(self, module: "nn.Module", threads: int):
        check_threads(threads)
        self.threads = threads
        self._module = module.eval()

    def __call__(self, *arrays: np.ndarray) -> np.ndarray:
        """Run once on float32 arrays of the module's input shapes; gives its output, the caller's own."""
        import torch

        # PyTorch knows no read-only tensors and would warn.
        tensors = [torch.from_numpy(array if array.flags.writeable else array.copy()) for array in arrays]
        before = torch.get_num_threads()
        torch.set_num_threads(self.threads)
        try:
            with torch.inference_mode():
                output = self._module(*tensors)
        finally:
            torch.set_num_threads(before)
        found: np.ndarray = output.float().numpy().copy()  # a module may hand out a buffer that it uses again
        return found


def import_interpreter(backend: str) -> None:
    """Import the engine of `litert` or `tensorflow`; RunnerError where TensorFlow is not installed."""
    _INTERPRETERS[backend]()


def check_threads(threads: int) -> None:
    """Raise RunnerError for less than one thread."""
    if threads < 1:
        raise RunnerError(f"{threads} threads were asked for; expected at least 1")


def _litert() -> Callable[..., Any]:
    from ai_edge_litert.interpreter import Interpreter

    return Interpreter


def _tensorflow() -> Callable[..., Any]:
    try:
        from tensorflow import lite
    except ImportError as error:
        raise RunnerError(
            "the backend tensorflow needs TensorFlow, which is not installed: pip install 'sealbench[tensorflow]'"
        ) from error
    return lite.Interpreter


_INTERPRETERS: dict[str, Callable[[], Callable[..., Any]]] = {"litert": _litert, "tensorflow": _tensorflow}


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
