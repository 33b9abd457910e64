"""Into how many parts a model falls when the interpreter hands what it can to XNNPACK, its fast kernels.

Every part costs a hand-over of its inputs and outputs, and what stays outside runs on the slow reference kernels.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sealbench.converters.errors import ModelFileError
from sealbench.converters.tflite.model_file import check_is_model

DELEGATE = "DELEGATE"


@dataclass(frozen=True)
class Partitions:
    """How LiteRT's interpreter divides the main graph of a model.

    Attributes:
        partitions: parts that XNNPACK runs; 0 where it takes nothing.
        delegated_operations: operations in them.
        other_operations: operations that stay outside, by kind in the order of the graph, like
            `("DEPTHWISE_CONV_2D", "DEPTHWISE_CONV_2D")`.
    """

    partitions: int
    delegated_operations: int
    other_operations: tuple[str, ...]

    @property
    def delegated_pct(self) -> float:
        """Share in percent of the operations that XNNPACK runs."""
        return 100 * self.delegated_operations / max(1, self.delegated_operations + len(self.other_operations))


def xnnpack_partitions(path: Path, threads: int) -> Partitions:
    """Load a model as the runners do, run nothing, and look at what the delegate took.

    Args:
        path: the `.tflite` file.
        threads: at least 1, as the model will be run.

    Raises:
        ModelFileError: the file is no model, or the interpreter refuses it.
    """
    from ai_edge_litert.interpreter import Interpreter

    check_is_model(path)
    try:
        interpreter = Interpreter(model_path=str(path), num_threads=threads)
        interpreter.allocate_tensors()
        # Not public, and tied to the version of LiteRT that this project allows; nothing public tells it.
        operations = interpreter._get_ops_details()
    except (ValueError, RuntimeError) as error:
        raise ModelFileError(f"{path}: the interpreter refuses it ({str(error).strip().splitlines()[0]})") from error
    return _divide(operations)


def _divide(operations: Sequence[dict[str, Any]]) -> Partitions:
    """Tell what is inside the parts from what is outside.

    The interpreter's list keeps every operation that was taken, and names each part at its end as one more operation:
    what lies on a way from a part's outputs back to its inputs is in it.
    """
    parts = [operation for operation in operations if operation["op_name"] == DELEGATE]
    own = [operation for operation in operations if operation["op_name"] != DELEGATE]
    maker = {int(tensor): index for index, operation in enumerate(own) for tensor in operation["outputs"]}
    inside: set[int] = set()
    for part in parts:
        given = {int(tensor) for tensor in part["inputs"]}
        open_tensors = [int(tensor) for tensor in part["outputs"]]
        while open_tensors:
            tensor = open_tensors.pop()
            if tensor in given or (index := maker.get(tensor)) is None or index in inside:
                continue
            inside.add(index)
            open_tensors.extend(int(needed) for needed in own[index]["inputs"])
    outside = tuple(str(operation["op_name"]) for index, operation in enumerate(own) if index not in inside)
    return Partitions(len(parts), len(inside), outside)
