"""The process that holds one model and serves requests about it: `python -m sealbench.bench.backends.worker`.

Requests and responses are frames (`sealbench.bench.backends.worker.frames`) on standard input and output. Each request
has one response, in order; a client may send several before it reads.

    do         request                                        response
    open       function, arguments, slowdown                  inputs, outputs, load_ms, bare_mb
    put        number, and the arrays of one call             -
    put        number, handle, places (shared memory)         -
    forget     number                                         -
    infer      numbers                                        the output arrays of the first, of the second, ...
    warm_up    number                                         first_ms, call_s, peak_mb
    time       number, settle_ms                              latency_ms, waited_ms
    describe   -                                              python, machine, processors, packages
    call       function, arguments                            result
    close      -                                              - (the process ends)

`function` is `module:name` of sealbench. That of `open` takes the arguments, imports the engine and returns what loads
the model, so that the time to load has no imports in it. That of `call` takes the arguments and returns what JSON can
hold. What is put stays under its number until it is forgotten; at most `PICTURES` of them.

A response {"error"} says what went wrong, and the process goes on. Between requests it sleeps in a read. It ends with
its input.
"""

import gc
import os
import platform
import sys
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
from io import FileIO
from typing import Any

import numpy as np

from sealbench.bench.backends.protocol import Session
from sealbench.bench.backends.worker.frames import PICTURES, Stream, receive, send
from sealbench.bench.backends.worker.memory import end_first_without_memory, peak_memory_mb
from sealbench.bench.backends.worker.shared import Place, SharedView
from sealbench.bench.backends.worker.timed_call import processor_time, slowed, time_call, warm_up

PACKAGES = ("ai-edge-litert", "numpy", "tensorflow", "torch")
NO_MEMORY = "there was not enough memory"
_PACKAGE = "sealbench."
_NS_PER_MS = 1e6

Response = tuple[Mapping[str, Any], Sequence[np.ndarray]]
Load = Callable[[], Session]


class Files:
    """Standard input and output, or any two files, as a `Stream`."""

    def __init__(self, source: FileIO, target: FileIO):
        self._source = source
        self._target = target

    def read_into(self, buffer: memoryview) -> None:
        """See `Stream`."""
        while buffer:
            count = self._source.readinto(buffer)
            if not count:
                raise EOFError
            buffer = buffer[count:]

    def write(self, *parts: bytes | memoryview) -> None:
        """See `Stream`."""
        for part in parts:
            rest = memoryview(part)
            while rest:
                rest = rest[self._target.write(rest) or 0 :]


class Server:
    """One model at most, and what was put."""

    def __init__(self) -> None:
        self._model: Session | None = None
        self._slowdown = 0.0
        self._pictures: dict[int, list[np.ndarray]] = {}
        self._shared: SharedView | None = None

    def serve(self, stream: Stream) -> None:
        """Respond to every request until one says `close` or the input ends."""
        what = None
        while what != "close":
            try:
                request, arrays = receive(stream)
            except EOFError:
                return
            what = request.pop("do", None)
            try:
                response, outputs = self._respond(what, request, arrays)
            except MemoryError:
                response, outputs = {"error": NO_MEMORY}, ()
            except Exception as error:
                traceback.print_exc()
                response, outputs = {"error": str(error) or type(error).__name__}, ()
            send(stream, response, outputs)

    def _respond(self, what: str | None, request: dict[str, Any], arrays: list[np.ndarray]) -> Response:
        if what == "infer":
            model = self._session
            return {}, [output for number in request["numbers"] for output in model(*self._pictures[number])]
        requests: dict[str | None, Callable[..., Mapping[str, Any]]] = {
            "open": self._open,
            "put": partial(self._put, arrays),
            "forget": self._forget,
            "warm_up": self._warm_up,
            "time": self._time,
            "describe": _describe,
            "call": _call,
            "close": dict,
        }
        if what not in requests:
            raise ValueError(f"found the request {what!r}; expected one of the protocol of {__name__}")
        return requests[what](**request), ()

    @property
    def _session(self) -> Session:
        if self._model is None:
            raise ValueError("found no model; expected the request `open` before")
        return self._model

    def _open(self, function: str, arguments: Mapping[str, Any], slowdown: float) -> Mapping[str, Any]:
        load: Load = _function(function)(**arguments)
        bare_mb = peak_memory_mb()
        gc.collect()
        gc.disable()  # no collection in the middle of a timed call
        start = time.perf_counter_ns()
        self._model = load()
        load_ms = (time.perf_counter_ns() - start) / _NS_PER_MS
        self._slowdown = slowdown
        inputs, outputs = ([asdict(tensor) for tensor in side] for side in (self._model.inputs, self._model.outputs))
        return {"inputs": inputs, "outputs": outputs, "load_ms": load_ms, "bare_mb": bare_mb}

    def _put(
        self, arrays: list[np.ndarray], number: int, handle: int = 0, places: Sequence[Place] = ()
    ) -> Mapping[str, Any]:
        if len(self._pictures) >= PICTURES:
            raise ValueError(f"found {PICTURES} pictures; forget one before another is put")
        if places:
            self._shared = self._shared or SharedView(handle)
            arrays = self._shared.arrays(places)
        self._pictures[number] = arrays
        return {}

    def _forget(self, number: int) -> Mapping[str, Any]:
        del self._pictures[number]
        return {}

    def _warm_up(self, number: int) -> Mapping[str, Any]:
        call = self._call_on(number)
        start = time.perf_counter_ns()
        call()
        first_ms = (time.perf_counter_ns() - start) / _NS_PER_MS
        return {"first_ms": first_ms, "call_s": warm_up(call), "peak_mb": peak_memory_mb()}

    def _time(self, number: int, settle_ms: float | None) -> Mapping[str, Any]:
        call = self._call_on(number)
        processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        return asdict(time_call(call, settle_ms, processor_time=processor_time, processors=processors))

    def _call_on(self, number: int) -> Callable[[], object]:
        call = partial(self._session, *self._pictures[number])
        return slowed(call, self._slowdown) if self._slowdown else call


def main() -> int:
    """Serve until the input ends."""
    end_first_without_memory()
    target = os.dup(sys.stdout.fileno())
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what a library prints is no response
    with FileIO(sys.stdin.fileno(), "r", closefd=False) as requests, FileIO(target, "w") as responses:
        Server().serve(Files(requests, responses))
    return 0


def _describe() -> Mapping[str, Any]:
    return {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "processors": os.cpu_count(),
        "packages": {one: version(one) for one in PACKAGES if find_spec(one.replace("-", "_"))},
    }


def _call(function: str, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"result": _function(function)(**arguments)}


def _function(name: str) -> Callable[..., Any]:
    module, _, function = name.partition(":")
    if not module.startswith(_PACKAGE):
        raise ValueError(f"found the function {name!r}; expected one of {_PACKAGE}")
    found: Callable[..., Any] = getattr(import_module(module), function)
    return found
