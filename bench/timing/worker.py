"""A process that holds one model and times one call when it is asked: `python -m sealbench.bench.timing.worker`.

Requests and responses are lines of JSON, on standard input and output. The first request says what to load:

    {"kind": "file", "backend": ..., "path": ..., "threads": ..., "slowdown": 0}
    {"kind": "reference", "variant": ..., "weights": {...}, "size": ..., "mode": ..., "threads": ..., "slowdown": 0}

and gives, after the first call, {"load_ms", "first_ms", "bare_mb"}. Then

    {"do": "warm_up"}                  gives  {"call_s", "peak_mb"}
    {"do": "time", "settle_ms": 20}    gives  {"latency_ms", "waited_ms"}

A response {"error"} is the last one. Between requests the process sleeps in a read. It ends with its input.
"""

import gc
import json
import os
import resource
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from sealbench.bench.backends.registry import backend_of
from sealbench.bench.timing.rounds import processor_time, time_call, warm_up

_NS_PER_MS = 1e6
_BYTES_PER_MB = 1e6
_SEED = 0


def main() -> int:
    """Serve until the input ends; 1 after an error."""
    responses = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what a library prints is no response
    try:
        serve(sys.stdin, responses)
    except Exception as error:
        traceback.print_exc()
        _respond(responses, {"error": str(error) or type(error).__name__})
        return 1
    return 0


def serve(requests: TextIO, responses: TextIO) -> None:
    """Respond to every line of `requests`; see the module."""
    what = json.loads(requests.readline())
    load = _loader(what)
    bare_mb = peak_memory_mb()
    gc.collect()
    gc.disable()
    start = time.perf_counter_ns()
    call = load()
    loaded = time.perf_counter_ns()
    call()
    called = time.perf_counter_ns()
    _respond(
        responses,
        {"load_ms": (loaded - start) / _NS_PER_MS, "first_ms": (called - loaded) / _NS_PER_MS, "bare_mb": bare_mb},
    )
    if what["slowdown"]:
        call = slowed(call, what["slowdown"])
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    for line in requests:
        request = json.loads(line)
        if request["do"] == "warm_up":
            call_s = warm_up(call)
            _respond(responses, {"call_s": call_s, "peak_mb": peak_memory_mb()})
        else:
            timed = time_call(call, request["settle_ms"], processor_time=processor_time, processors=processors)
            _respond(responses, asdict(timed))


def slowed(
    call: Callable[[], object], share: float, clock: Callable[[], int] = time.perf_counter_ns
) -> Callable[[], None]:
    """The call, and after it a busy wait of `share` of the time it took: a slow-down to be found."""

    def slow() -> None:
        start = clock()
        call()
        stop = clock()
        until = stop + share * (stop - start)
        while clock() < until:
            pass

    return slow


def peak_memory_mb() -> float:
    """The most memory that this process has had resident, in 10^6 bytes; pages of mapped files count."""
    try:
        # Not getrusage where this is to be had: what it says begins with the memory of the process that started this.
        status = Path("/proc/self/status").read_text(encoding="utf-8")
        (kibibytes,) = [line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:")]
        return int(kibibytes) * 1024 / _BYTES_PER_MB
    except (OSError, ValueError):
        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / _BYTES_PER_MB


def _loader(what: dict[str, Any]) -> Callable[[], Callable[[], object]]:
    """What loads the model, its engine imported already."""
    if what["kind"] == "file":
        backend_of(what["backend"]).load_engine()
        return lambda: _file_call(what["backend"], Path(what["path"]), what["threads"])
    from sealbench.bench.timing.reference import reference_loader  # it imports torch

    return reference_loader(what)


def _file_call(backend: str, path: Path, threads: int) -> Callable[[], object]:
    session = backend_of(backend).open(path, threads)
    rng = np.random.default_rng(_SEED)
    # A side that the file leaves free (-1) is the batch: one image.
    arrays = [rng.random([abs(side) for side in tensor.shape], dtype=np.float32) for tensor in session.inputs]
    return lambda: session(*arrays)


def _respond(responses: TextIO, response: dict[str, object]) -> None:
    responses.write(json.dumps(response) + "\n")
    responses.flush()


if __name__ == "__main__":
    sys.exit(main())
