"""What LiteRT and TensorFlow share: their interpreters of `.tflite` files have one interface."""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from sealbench.bench.backends.protocol import TensorSpec
from sealbench.bench.errors import RunnerError, check_threads
from sealbench.converters.errors import ModelFileError
from sealbench.converters.tflite.model_file import check_is_model


class InterpreterSession:
    """A `.tflite` file on an interpreter with its default delegate (XNNPACK).

    Args:
        interpreter: the class, LiteRT's or TensorFlow's.
        path: of the file.
        threads: at least 1.

    Attributes:
        inputs, outputs: see `Session`.

    Raises:
        RunnerError: the file is missing, empty, damaged or no model.
    """

    def __init__(self, interpreter: Callable[..., Any], path: str | Path, threads: int):
        check_threads(threads)
        self._path = Path(path)
        try:  # to an interpreter a file that is no model and one that is damaged are the same
            check_is_model(self._path)
        except ModelFileError as error:
            raise RunnerError(str(error)) from error
        try:
            with warnings.catch_warnings():
                # TensorFlow's advises to change to LiteRT: that is the other backend.
                warnings.filterwarnings("ignore", message=r"[\s\S]*tf\.lite\.Interpreter is deprecated")
                # From the path, not from its bytes: the weights are mapped, not copied.
                self._interpreter = interpreter(model_path=str(self._path), num_threads=threads)
            self._interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise RunnerError(
                f"{self._path}: cannot be run ({_first_line(error)}); "
                "a file that is cut off or damaged must be converted or copied again"
            ) from error
        inputs, outputs = self._interpreter.get_input_details(), self._interpreter.get_output_details()
        self.inputs = tuple(map(_spec, inputs))
        self.outputs = tuple(map(_spec, outputs))
        self._inputs = [tensor["index"] for tensor in inputs]
        self._outputs = [tensor["index"] for tensor in outputs]

    def __call__(self, *arrays: np.ndarray) -> tuple[np.ndarray, ...]:
        """See `Session`: an array for each of `inputs`, of its shape, to one for each of `outputs`.

        Raises:
            RunnerError: the engine fails, or takes other tensors.
        """
        try:
            for index, array in zip(self._inputs, arrays, strict=True):
                self._interpreter.set_tensor(index, array)  # the one copy of the image
            self._interpreter.invoke()
        except (ValueError, RuntimeError) as error:
            raise RunnerError(f"{self._path}: failed while running ({_first_line(error)})") from error
        return tuple(self._interpreter.get_tensor(index) for index in self._outputs)  # copies


def _spec(tensor: dict[str, Any]) -> TensorSpec:
    # The signature's shape, where a side that is left free is -1.
    return TensorSpec(np.dtype(tensor["dtype"]).name, tuple(int(side) for side in tensor["shape_signature"]))


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
