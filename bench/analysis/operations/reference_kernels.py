"""A model on LiteRT's reference kernels, which compute plainly what an operation is defined as, with every tensor kept.

They are the ground that fast kernels are compared with. LiteRT's optimized kernels without XNNPACK are no such ground:
their error of an int4 file was seen to be as large as that of its weights.
"""

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from sealbench.bench.errors import RunnerError


class ReferenceKernels:
    """An interpreter of one thread that keeps what every operation gives; all activations are in memory at once.

    Args:
        model: a `.tflite` file, or the content of one.
        name: for messages.

    Raises:
        RunnerError: there is no such file, it is no model, or the reference kernels cannot run it.
    """

    def __init__(self, model: Path | bytes, name: str):
        from ai_edge_litert.interpreter import Interpreter, OpResolverType

        source = {"model_content": model} if isinstance(model, bytes) else {"model_path": str(model)}
        self.name = name
        with _refusals(name), warnings.catch_warnings():
            # It advises against keeping all tensors, which is what this is for.
            warnings.filterwarnings("ignore", message=".*experimental_preserve_all_tensors")
            self._interpreter: Any = Interpreter(
                **source,
                num_threads=1,
                experimental_op_resolver_type=OpResolverType.BUILTIN_REF,
                experimental_preserve_all_tensors=True,
            )
            self._interpreter.allocate_tensors()
        self._details: dict[int, dict[str, Any]] = {
            detail["index"]: detail for detail in self._interpreter.get_tensor_details()
        }
        self.inputs: list[int] = [detail["index"] for detail in self._interpreter.get_input_details()]
        self.outputs: list[int] = [detail["index"] for detail in self._interpreter.get_output_details()]

    def __call__(self, values: Mapping[int, np.ndarray]) -> None:
        """Run once.

        Args:
            values: float32 for each of `inputs`, of its shape; quantized here where the input is of integers.

        Raises:
            RunnerError: a value has another shape, or the kernels fail.
        """
        with _refusals(self.name):
            for index in self.inputs:
                self._interpreter.set_tensor(index, self._stored(index, values[index]))
            self._interpreter.invoke()

    def value(self, index: int) -> np.ndarray:
        """What a tensor holds after the run, in its shape as float32; dequantized where it is of integers."""
        stored = self._interpreter.get_tensor(index)
        if stored.dtype == np.float32:
            return stored
        scale, zero_point = self._quantization(index)
        return (stored.astype(np.float32) - zero_point) * scale

    def _stored(self, index: int, value: np.ndarray) -> np.ndarray:
        kind = self._details[index]["dtype"]
        if kind is np.float32:
            return value
        scale, zero_point = self._quantization(index)
        limits = np.iinfo(kind)
        return np.clip(np.round(value / scale) + zero_point, limits.min, limits.max).astype(kind)

    def _quantization(self, index: int) -> tuple[np.float32, np.float32]:
        """Scale and zero point of an activation, of which the whole tensor shares one."""
        parameters = self._details[index]["quantization_parameters"]
        if len(parameters["scales"]) != 1:
            raise RunnerError(
                f"{self.name}: tensor {index} has {len(parameters['scales'])} scales; expected an activation's one"
            )
        return np.float32(parameters["scales"][0]), np.float32(parameters["zero_points"][0])


@contextmanager
def _refusals(name: str) -> Iterator[None]:
    """Turn what the interpreter raises into a RunnerError."""
    try:
        yield
    except RunnerError:
        raise
    except (ValueError, RuntimeError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise RunnerError(f"{name}: the reference kernels cannot run it ({reason})") from error
