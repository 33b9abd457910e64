"""Runs a watermark detector, whatever its backend: an image in, the raw outputs out.

A runner only runs: it neither judges nor times. This module imports no torch, no LiteRT and no TensorFlow.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from sealbench.bench.backends.protocol import Session, TensorSpec
from sealbench.bench.backends.registry import DEFAULT_BACKEND, REFERENCE_BACKEND, backend_of
from sealbench.bench.backends.worker.session import WorkerSession, file_request
from sealbench.bench.errors import RunnerError


class Runner(Protocol):
    """A detector that is ready to run.

    Attributes:
        backend: its name, as in every table.
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


class FileRunner:
    """A detector's file on a backend, in this process: for files that are trusted, as an application trusts its own.

    Args:
        path: input float32 (1, H, W, 3), output float32 (1, 1 + nbits).
        threads: at least 1.
        nbits: what is expected, or None to take what the file has.
        backend: name of an installed one.

    Raises:
        RegistryError: there is no such backend.
        RunnerError: the file is missing, empty, damaged, no model or of another signature, or the backend's engine is
            not installed.
    """

    def __init__(self, path: str | Path, threads: int, nbits: int | None = None, backend: str = DEFAULT_BACKEND):
        self.session: Session = self._open(backend, Path(path), threads)
        self.backend = backend
        self.threads = threads
        height, width, self.nbits = read_signature(Path(path), self.session.inputs, self.session.outputs, nbits)
        self.input_size = (height, width)

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """See `Runner`: image (H, W, 3) to logits (1 + nbits,)."""
        _check_image(image, self.input_size)
        logits: np.ndarray = self.session(image[np.newaxis])[0][0]
        return logits

    def _open(self, backend: str, path: Path, threads: int) -> Session:
        return backend_of(backend).open(path, threads)


class WorkerRunner(FileRunner):
    """A detector's file on a backend, in a process of its own: for any file; see `FileRunner`.

    Attributes:
        session: the file in its process.
    """

    session: WorkerSession

    def _open(self, backend: str, path: Path, threads: int) -> WorkerSession:
        return WorkerSession(file_request(backend, path, threads))


class TorchRunner:
    """A PyTorch detector in inference mode: the reference.

    Args:
        detector: a `torch.nn.Module`, images (B, 3, H, W) in [0, 1] to logits (B, 1 + nbits); it is put in evaluation
            mode.
        image_size: (height, width) in pixels of the images it will be given.
        nbits: bits of the message.
        threads: at least 1.
    """

    backend = REFERENCE_BACKEND

    def __init__(self, detector: Any, image_size: tuple[int, int], nbits: int, threads: int):
        self._session = backend_of(REFERENCE_BACKEND).open(detector, threads)
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
        (outputs,) = self._session(image.transpose(2, 0, 1)[np.newaxis])
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


def read_signature(
    path: Path, inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec], nbits: int | None
) -> tuple[int, int, int]:
    """Height, width and bits of a detector's file.

    Args:
        path: for messages.
        inputs, outputs: what it takes and gives.
        nbits: bits that are expected, or None for any.

    Raises:
        RunnerError: it takes or gives something else than a detector's file does.
    """
    shapes = [tensor.shape for tensor in (*inputs, *outputs)]
    floats = all(tensor.dtype == "float32" for tensor in (*inputs, *outputs))
    if len(inputs) == len(outputs) == 1 and floats:
        match shapes:  # a free batch (-1) is accepted, a free side is not
            case [(1 | -1, height, width, 3), (1 | -1, channels)] if (
                min(height, width) > 0 and channels > 1 and nbits in {None, channels - 1}
            ):
                return height, width, channels - 1
    expected = "float32 (1, height, width, 3) -> float32 " + ("(1, 1 + bits)" if nbits is None else f"(1, {1 + nbits})")
    found = " -> ".join(", ".join(map(str, tensors)) for tensors in (inputs, outputs))
    raise RunnerError(
        f"{path}: found {found}; expected {expected}"
        + ("; the channels must come last: convert it again so" if shapes[0][1:2] == (3,) else "")
    )
