"""The backend `torch`: PyTorch modules in inference mode, the reference that all files are compared with."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import numpy as np

from sealbench.bench.backends.protocol import TensorSpec
from sealbench.bench.errors import check_threads


class TorchSession:
    """A PyTorch module in inference mode.

    The number of threads is a setting of the whole process in PyTorch; each call sets its own and restores what it
    found (0.2 microseconds), so that sessions with different threads, and other code, do not disturb each other.

    Args:
        module: a `torch.nn.Module` with one output; it is put in evaluation mode.
        threads: at least 1.
    """

    inputs: tuple[TensorSpec, ...] = ()
    outputs: tuple[TensorSpec, ...] = ()

    def __init__(self, module: Any, threads: int):
        check_threads(threads)
        self._threads = threads
        self._module: Callable[..., Any] = module.eval()

    def __call__(self, *arrays: np.ndarray) -> tuple[np.ndarray, ...]:
        """Run once on float32 arrays of the module's input shapes; see `Session`."""
        import torch
        from torch.utils._pytree import tree_flatten

        # PyTorch knows no read-only tensors and would warn.
        tensors = [torch.from_numpy(array if array.flags.writeable else array.copy()) for array in arrays]
        before = torch.get_num_threads()
        torch.set_num_threads(self._threads)
        try:
            with torch.inference_mode():
                outputs, _ = tree_flatten(self._module(*tensors))
        finally:
            torch.set_num_threads(before)
        return tuple(output.float().numpy().copy() for output in outputs)  # a module may return a buffer it uses again


@dataclass(frozen=True)
class TorchBackend:
    """See `sealbench.bench.backends.protocol.Backend`."""

    name: str = "torch"

    def missing(self) -> str | None:
        """Never missing: sealbench depends on it."""
        return None

    def load_engine(self) -> None:
        """Import PyTorch."""
        import torch  # noqa: F401

    def open(self, model: Any, threads: int) -> TorchSession:
        """Take a `torch.nn.Module`; see `TorchSession`."""
        return TorchSession(model, threads)

    def describe(self) -> Mapping[str, str]:
        """PyTorch's version."""
        return {"torch": version("torch")}


BACKEND = TorchBackend()
