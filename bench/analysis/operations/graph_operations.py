"""The operations of a `.tflite` file's main graph: what each is called, and how many multiplications it takes."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sealbench.converters.tflite.model_file import ModelReader, damage_as_model_file_error, mapped

Shape = tuple[int, ...]


@dataclass(frozen=True)
class GraphOperation:
    """One operation of a graph.

    Attributes:
        kind: in the schema's words, like `DEPTHWISE_CONV_2D`.
        kernel: height and width in taps of a convolution's, or None.
        multiplications: for one image; taps over the padding count as any others. 0 for a kind that is not in `KINDS`.
    """

    kind: str
    kernel: tuple[int, int] | None = None
    multiplications: int = 0

    @property
    def name(self) -> str:
        """The kind, of a convolution with its kernel: `DEPTHWISE_CONV_2D 7x7`."""
        return self.kind if self.kernel is None else f"{self.kind} {self.kernel[0]}x{self.kernel[1]}"


def read_operations(path: Path) -> tuple[GraphOperation, ...]:
    """All operations of a file's main graph, in its order.

    Raises:
        ModelFileError: the file is missing, damaged or no TFLite model.
    """
    with mapped(path) as content, damage_as_model_file_error(path):
        reader = ModelReader(path, content)
        graph = reader.main_graph()
        found = []
        for kind, operator in reader.operations(graph):
            if kind not in KINDS:
                found.append(GraphOperation(kind))
                continue
            inputs = [reader.signature(graph.Tensors(operator.Inputs(index))).shape for index in range(2)]
            output = reader.signature(graph.Tensors(operator.Outputs(0))).shape
            weights = inputs[1]
            kernel = (weights[1], weights[2]) if "CONV" in kind else None
            found.append(GraphOperation(kind, kernel, KINDS[kind](inputs[0], weights, output)))
        return tuple(found)


def _convolution(image: Shape, weights: Shape, output: Shape) -> int:
    """Weights (outputs, height, width, inputs of a group): every value of the output takes those of one output."""
    return math.prod(output) * math.prod(weights[1:])


def _depthwise(image: Shape, weights: Shape, output: Shape) -> int:
    """Weights (1, height, width, channels): every value of the output takes the taps of one channel."""
    return math.prod(output) * weights[1] * weights[2]


def _fully_connected(values: Shape, weights: Shape, output: Shape) -> int:
    """Weights (outputs, inputs)."""
    return math.prod(output) * weights[1]


def _matrix_product(left: Shape, right: Shape, output: Shape) -> int:
    """(..., n, k) and (..., k, m), either of them transposed or not, to (..., n, m): k^2 = (n k) (k m) / (n m)."""
    n_k, k_m, n_m = (math.prod(shape[-2:]) for shape in (left, right, output))
    return math.prod(output) * math.isqrt(n_k * k_m // n_m)


# What multiplies values with each other by the thousand; elementwise products do not count.
KINDS: dict[str, Callable[[Shape, Shape, Shape], int]] = {
    "CONV_2D": _convolution,
    "DEPTHWISE_CONV_2D": _depthwise,
    "FULLY_CONNECTED": _fully_connected,
    "BATCH_MATMUL": _matrix_product,
}


def multiplying(operations: Sequence[GraphOperation]) -> list[int]:
    """Indices of those whose kind is in `KINDS`."""
    return [index for index, operation in enumerate(operations) if operation.kind in KINDS]
