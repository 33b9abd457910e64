"""A model in a worker process: what is put stays there under its number, and what comes back is its outputs."""

import itertools
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from sealbench.bench.backends.protocol import TensorSpec
from sealbench.bench.backends.worker.frames import PICTURES
from sealbench.bench.backends.worker.process import COMMAND, LIMIT_S, WorkerProcess
from sealbench.bench.backends.worker.shared import SharedPictures
from sealbench.bench.backends.worker.timed_call import TimedCall

_SEED = 0
BATCH_BYTES = 100_000_000
"""Pictures of one request take so much, or one picture more."""


@dataclass(frozen=True)
class OpenRequest:
    """What a worker process opens.

    Attributes:
        name: for messages: the file's path, or words for what is no file.
        function: `module:name` of sealbench; see the request `open` of `sealbench.bench.backends.worker.server`.
        arguments: of the function, what JSON can hold.
        slowdown: share of its time that is waited after each timed call: a slow-down to be found.
        command: starts the process, see `sealbench.bench.backends.worker.process.WorkerProcess`.
    """

    name: str
    function: str
    arguments: Mapping[str, Any] = field(hash=False)
    slowdown: float = 0.0
    command: Sequence[str] = field(default=COMMAND, hash=False)


def file_request(
    backend: str, path: Path, threads: int, slowdown: float = 0.0, command: Sequence[str] = COMMAND
) -> OpenRequest:
    """A `.tflite` file on a backend; `slowdown` is a share of its time, see `OpenRequest`."""
    arguments = {"backend": backend, "path": str(path.resolve()), "threads": threads}
    return OpenRequest(str(path), "sealbench.bench.backends.registry:file_loader", arguments, slowdown, command)


@dataclass(frozen=True)
class Start:
    """How a model starts in a fresh process that does nothing else.

    Attributes:
        load_ms: from the file or checkpoint to a model that can be called; the engine was imported before.
        bare_mb: peak memory in 10^6 bytes before it was loaded: Python, NumPy and the engine.
    """

    load_ms: float
    bare_mb: float


@dataclass(frozen=True)
class Warm:
    """A model that has been called until it is warm.

    Attributes:
        first_ms: its first call, where it was not called before.
        call_s: the last call took so many seconds.
        peak_mb: peak memory of its process in 10^6 bytes, `Start.bare_mb` included.
    """

    first_ms: float
    call_s: float
    peak_mb: float


def random_arrays(inputs: Iterable[TensorSpec], rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    """Float32 values in [0, 1) of the shapes of `inputs`, drawn one after the other."""
    # A side that the file leaves free (-1) is the batch: one image.
    return tuple(rng.random([abs(side) for side in one.shape], dtype=np.float32) for one in inputs)


class WorkerSession:
    """A model in a process of its own; a `Session`, and what only a process can be asked.

    Args:
        request: what is opened.
        limit_s: see `sealbench.bench.backends.worker.process.WorkerProcess`.

    Attributes:
        inputs, outputs: see `Session`.
        start: how the model started.

    The constructor and every method raise WorkerError; see `WorkerProcess.ask`.
    """

    def __init__(self, request: OpenRequest, limit_s: float = LIMIT_S):
        command = request.command
        self._numbers = itertools.count()
        self._shared = SharedPictures(PICTURES) if command is COMMAND and hasattr(os, "memfd_create") else None
        inherited = () if self._shared is None else (self._shared.handle,)
        self._process = WorkerProcess(request.name, limit_s, command, inherited)
        try:
            opened, _ = self._process.ask(
                "open", function=request.function, arguments=request.arguments, slowdown=request.slowdown
            )
        except BaseException:
            self.close()
            raise
        self.inputs, self.outputs = (
            tuple(TensorSpec(one["dtype"], tuple(one["shape"])) for one in opened.pop(side))
            for side in ("inputs", "outputs")
        )
        self.start = Start(**opened)

    def __call__(self, *arrays: np.ndarray) -> tuple[np.ndarray, ...]:
        """The model's outputs for one picture; shapes are those of `inputs` and `outputs`. See `Session`."""
        number = self.put(*arrays)
        try:
            return self.infer([number])[0]
        finally:
            self.forget(number)

    def put(self, *arrays: np.ndarray) -> int:
        """Send the arrays of one call, of the shapes of `inputs`; they stay under the number that is returned.

        It does not wait for the process: an error is raised by the next call that does.
        """
        number = next(self._numbers)
        if self._shared is not None and (places := self._shared.put(number, arrays)) is not None:
            self._process.send("put", number=number, handle=self._shared.handle, places=places)
        else:
            self._process.send("put", arrays, number=number)
        return number

    def put_random(self) -> int:
        """Put values of the model's shapes that mean nothing: a latency does not depend on them."""
        return self.put(*random_arrays(self.inputs, np.random.default_rng(_SEED)))

    def forget(self, number: int) -> None:
        """Drop what was put under a number; it does not wait either."""
        self._process.send("forget", number=number)
        if self._shared is not None:
            self._shared.forget(number)  # the process reads a later picture there after this request

    def infer(self, numbers: Sequence[int]) -> list[tuple[np.ndarray, ...]]:
        """The model's outputs, of the shapes of `outputs`, for each picture that was put; in one request."""
        outputs = self._process.ask("infer", numbers=list(numbers))[1]
        each = len(outputs) // max(1, len(numbers))
        return [tuple(outputs[start : start + each]) for start in range(0, len(outputs), each or 1)]

    def run(self, pictures: Iterable[Sequence[np.ndarray]]) -> list[tuple[np.ndarray, ...]]:
        """The model's outputs for each picture, of the shapes of `inputs` and `outputs`.

        Several go in one request, since a request costs the wake-up of a process.
        """
        found: list[tuple[np.ndarray, ...]] = []
        batch: list[int] = []
        batch_bytes = 0
        for arrays in pictures:
            batch.append(self.put(*arrays))
            batch_bytes += sum(array.nbytes for array in arrays)
            if len(batch) == PICTURES or batch_bytes > BATCH_BYTES:
                found += self._infer_and_forget(batch)
                batch, batch_bytes = [], 0
        return found + self._infer_and_forget(batch)

    def _infer_and_forget(self, numbers: Sequence[int]) -> list[tuple[np.ndarray, ...]]:
        found = self.infer(numbers) if numbers else []
        for number in numbers:
            self.forget(number)
        return found

    def warm_up(self, number: int) -> Warm:
        """Call the model on what was put until it is warm."""
        return Warm(**self._process.ask("warm_up", number=number)[0])

    def time_call(self, number: int, settle_ms: float | None) -> TimedCall:
        """One timed call by the process's clock; see `sealbench.bench.backends.worker.timed_call.time_call`."""
        return TimedCall(**self._process.ask("time", number=number, settle_ms=settle_ms)[0])

    def describe(self) -> Mapping[str, Any]:
        """Its machine, Python and packages: keys `python`, `machine`, `processors`, `packages`."""
        return self._process.ask("describe")[0]

    def close(self) -> None:
        """End the process."""
        self._process.close()
        if self._shared is not None:
            self._shared.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()
