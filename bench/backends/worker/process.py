"""Starts a worker process, exchanges frames with it, and says how it ended."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Collection, Sequence
from types import TracebackType
from typing import Any, Self

import numpy as np

from sealbench.bench.backends.worker.frames import FrameError, receive, send
from sealbench.bench.errors import WorkerError

COMMAND = (sys.executable, "-m", "sealbench.bench.backends.worker")
LIMIT_S = 600.0
"""A request that takes longer is of a model that hangs: the slowest call of a known file takes seconds."""
_WAIT_S = 5
# By default glibc gives large blocks back to the system at once and takes them anew: PyTorch's eager mode, which
# allocates every activation, took 23 to 25 ms a call of the bundled model instead of 15 to 18. It is timed at its best,
# so that no file owes its speed-up to that. The interpreters, which allocate once, do not change.
ALLOCATION = {"MALLOC_MMAP_THRESHOLD_": "268435456", "MALLOC_TRIM_THRESHOLD_": "536870912"}

Response = tuple[dict[str, Any], list[np.ndarray]]


class WorkerProcess:
    """A process that serves the protocol of `sealbench.bench.backends.worker.server`.

    Args:
        name: what it works on, for messages: a file's path.
        limit_s: seconds after which a request is given up and the process is killed.
        command: starts a process that serves the protocol on standard input and output.
        inherited: file descriptors that the process may use.
    """

    def __init__(
        self, name: str, limit_s: float = LIMIT_S, command: Sequence[str] = COMMAND, inherited: Collection[int] = ()
    ):
        self._name = name
        self._limit_s = limit_s
        self._unread = 0
        self._unsent: list[bytes | memoryview] = []
        self._ended: str | None = None
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the process
        # A pair of sockets, not pipes: each direction has a time limit, and other programs (ssh) take it as well.
        self._socket, theirs = socket.socketpair()
        self._socket.settimeout(limit_s)
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 - our own module, no shell
                list(command),
                stdin=theirs.fileno(),
                stdout=theirs.fileno(),
                stderr=self._errors,
                env={**ALLOCATION, **os.environ},
                pass_fds=inherited,
            )

    def send(self, what: str, arrays: Sequence[np.ndarray] = (), **request: Any) -> None:
        """Send a request with the next `ask`, which raises the error in its response; one with arrays is sent at once.

        Args:
            what: one of the protocol's requests.
            arrays: what goes with it, of any shapes.
            request: its entries, as JSON can hold them.

        Raises:
            WorkerError: the process has ended, or does not read in time.
        """
        if self._ended is None:
            try:
                send(self, {"do": what, **request}, arrays)
                self._unread += 1
                if arrays:
                    self._flush()
            except OSError as error:
                self._ended = self._end(error)
        if self._ended is not None:
            raise WorkerError(f"{self._name}: {self._ended}")

    def ask(self, what: str, arrays: Sequence[np.ndarray] = (), **request: Any) -> Response:
        """Send a request and wait for its response; see `send`.

        Raises:
            WorkerError: it reports an error, to this request or to one that was sent before; or it was killed, ended,
                or did not respond in time. After any of the last three every other request raises it as well.
        """
        self.send(what, arrays, **request)
        error = None
        try:
            self._flush()
            while self._unread:
                response = receive(self)
                self._unread -= 1
                error = error or response[0].get("error")
        except (OSError, EOFError, FrameError) as failure:
            self._ended = self._end(failure)
            raise WorkerError(f"{self._name}: {self._ended}") from failure
        if error is not None:
            raise WorkerError(error if self._name in error else f"{self._name}: {error}")
        return response

    def read_into(self, buffer: memoryview) -> None:
        """See `sealbench.bench.backends.worker.frames.Stream`."""
        while buffer:
            count = self._socket.recv_into(buffer)
            if not count:
                raise EOFError
            buffer = buffer[count:]

    def write(self, *parts: bytes | memoryview) -> None:
        """See `sealbench.bench.backends.worker.frames.Stream`."""
        self._unsent += parts

    def _flush(self) -> None:
        parts, self._unsent = self._unsent, []
        if len(parts) > 1 and all(isinstance(part, bytes) for part in parts):
            parts = [b"".join(parts)]
        for part in parts:
            self._socket.sendall(part)

    def close(self) -> None:
        """End the process; it is killed if it does not end by itself."""
        self._socket.close()  # the end of its input
        self._wait()
        self._errors.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _wait(self) -> int:
        try:
            return self._process.wait(_WAIT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()

    def _end(self, failure: Exception) -> str:
        """How the process ended, with the last that it said; it is ended where it has not."""
        if isinstance(failure, TimeoutError | FrameError):
            self._process.kill()
        code = self._wait()
        if isinstance(failure, TimeoutError):
            return f"the process that ran it did not respond within {self._limit_s:g} s and was killed"
        if isinstance(failure, FrameError):
            return f"the process that ran it sent what is no response ({failure})"
        how = f"the process that ran it ended with exit code {code}"
        if code < 0:
            memory = "; was there enough memory?" if -code == signal.SIGKILL else ""
            how = f"the process that ran it was killed by {signal.Signals(-code).name}{memory}"
        self._errors.seek(0)
        said = self._errors.read().decode(errors="replace").strip().splitlines()
        return f"{how}: {said[-1]}" if said else how


def call_in_worker(name: str, function: str, **arguments: Any) -> Any:
    """What a function of sealbench returns in a process of its own.

    Args:
        name: what it works on, for messages: a file's path.
        function: `module:name`.
        arguments: what JSON can hold, as is what it returns.

    Raises:
        WorkerError: see `WorkerProcess.ask`.
    """
    with WorkerProcess(name) as worker:
        return worker.ask("call", function=function, arguments=arguments)[0]["result"]
