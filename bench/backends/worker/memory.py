"""The memory of a worker process, as the system reports it."""

import resource
import sys
from contextlib import suppress
from pathlib import Path

_BYTES_PER_MB = 1e6
_FIRST_TO_GO = "1000"


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


def end_first_without_memory() -> None:
    """Where the system has no memory left, it ends this process before others: the run goes on without one file.

    Linux alone has a setting for it (https://man7.org/linux/man-pages/man5/proc.5.html, oom_score_adj).
    """
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(_FIRST_TO_GO, encoding="ascii")
