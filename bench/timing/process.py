"""One process for each model that is timed: started here, asked for one timed call at a time, and ended."""

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sealbench.bench.errors import RunnerError
from sealbench.bench.targets import Group
from sealbench.bench.timing.rounds import TimedCall

WORKER = (sys.executable, "-m", "sealbench.bench.timing.worker")
_WAIT_S = 5
# By default glibc gives large blocks back to the system at once and takes them anew: PyTorch's eager mode, which
# allocates every activation, took 23 to 25 ms a call of the bundled model instead of 15 to 18. It is timed at its best,
# so that no file owes its speed-up to that. The interpreters, which allocate once, do not change.
ALLOCATION = {"MALLOC_MMAP_THRESHOLD_": "268435456", "MALLOC_TRIM_THRESHOLD_": "536870912"}


@dataclass(frozen=True)
class Start:
    """How a model starts in a fresh process that does nothing else.

    Attributes:
        load_ms: from the file or checkpoint to a model that can be called; the engine was imported before.
        first_ms: its first call.
        bare_mb: peak memory in 10^6 bytes before it was loaded: Python, NumPy and the engine.
    """

    load_ms: float
    first_ms: float
    bare_mb: float


@dataclass(frozen=True)
class Warm:
    """A model that has been called until it is warm.

    Attributes:
        call_s: the last call took so many seconds.
        peak_mb: peak memory of its process in 10^6 bytes, `bare_mb` included.
    """

    call_s: float
    peak_mb: float


def file_request(backend: str, path: Path, threads: int, slowdown: float = 0.0) -> dict[str, Any]:
    """A `.tflite` file, as `TimedProcess` takes it; after each call that share of its time, `slowdown`, is waited."""
    return {"kind": "file", "backend": backend, "path": str(path.resolve()), "threads": threads, "slowdown": slowdown}


def reference_request(group: Group, threads: int) -> dict[str, Any]:
    """The PyTorch model of a group, as `TimedProcess` takes it."""
    weights = group.weights
    return {
        "kind": "reference",
        "variant": group.variant.name,
        "weights": {
            "kind": weights.kind,
            "path": None if weights.path is None else str(weights.path.resolve()),
            "fingerprint": weights.fingerprint,
        },
        "size": str(group.size),
        "mode": group.mode,
        "threads": threads,
        "slowdown": 0.0,
    }


class TimedProcess:
    """A process with one model in it. Between requests it sleeps in a read: nothing of it spins.

    Args:
        request: of `file_request` or `reference_request`.
        worker: the command that serves it.

    Attributes:
        start: how the model started.

    Raises:
        RunnerError: the model cannot be run, or its process ended; names the file.
    """

    def __init__(self, request: Mapping[str, Any], worker: Sequence[str] = WORKER):
        self._name = request["path"] if request["kind"] == "file" else f"PyTorch's {request['variant']}"
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the process
        self._process = subprocess.Popen(  # noqa: S603 - our own module, no shell
            list(worker),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env={**ALLOCATION, **os.environ},
            encoding="utf-8",
        )
        try:
            self.start = Start(**self._ask(request))
        except BaseException:
            self.close()
            raise

    def warm_up(self) -> Warm:
        """Call the model until it is warm."""
        return Warm(**self._ask({"do": "warm_up"}))

    def time_call(self, settle_ms: float | None) -> TimedCall:
        """One timed call, as `sealbench.bench.timing.rounds.time_call`, by the clock of the process."""
        return TimedCall(**self._ask({"do": "time", "settle_ms": settle_ms}))

    def close(self) -> None:
        """End the process; it is killed if it does not end by itself."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with suppress(OSError):  # it may be gone already
            self._process.stdin.close()
        self._wait()
        self._process.stdout.close()
        self._errors.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _ask(self, request: Mapping[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        except OSError:  # a pipe to nobody
            line = ""
        if not line.endswith("\n"):
            raise RunnerError(f"{self._name}: the process that timed it {self._end()}")
        response: dict[str, Any] = json.loads(line)
        if "error" in response:
            found = response["error"]
            raise RunnerError(found if self._name in found else f"{self._name}: {found}")
        return response

    def _wait(self) -> int:
        try:
            return self._process.wait(_WAIT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()

    def _end(self) -> str:
        """How the process ended, with the last that it said."""
        code = self._wait()
        how = f"ended with exit code {code}"
        if code < 0:
            memory = "; was there enough memory?" if -code == signal.SIGKILL else ""
            how = f"was killed by {signal.Signals(-code).name}{memory}"
        self._errors.seek(0)
        said = self._errors.read().decode(errors="replace").strip().splitlines()
        return f"{how}: {said[-1]}" if said else how


def timed_calls(processes: Mapping[str, TimedProcess], settle_ms: float | None) -> dict[str, Callable[[], TimedCall]]:
    """What `sealbench.bench.timing.rounds.take_rounds` takes. See `time_call` there."""
    return {name: partial(process.time_call, settle_ms) for name, process in processes.items()}
