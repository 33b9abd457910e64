"""Where a run was measured: versions, processor, commit."""

import importlib.metadata
import os
import platform
import subprocess
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sealbench.bench.backends.registry import backend_of

PACKAGES = (
    "ai-edge-litert",
    "litert-converter",
    "litert-quantizer",
    "litert-torch",
    "matplotlib",
    "numpy",
    "opencv-python-headless",
    "pandas",
    "pillow",
    "pytest",
    "pytest-benchmark",
    "scikit-image",
    "scipy",
    "tensorflow",
    "torch",
)


def describe_environment(
    backends: Iterable[str] = (), others: Mapping[str, Mapping[str, str]] | None = None
) -> dict[str, Any]:
    """Plain data for environment.json.

    Args:
        backends: names of those that are used.
        others: what is known of a reference that runs on none of these, by its name.

    Raises:
        RegistryError: a backend cannot be loaded.
    """
    return {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()}",
        "machine": platform.machine(),
        "cpu": cpu_name(),
        "cpu_model": cpu_model(),
        "cores": os.cpu_count(),
        "packages": {name: version for name in PACKAGES if (version := _version(name))},
        "git_commit": git_commit(),
        "backends": {name: dict(backend_of(name).describe()) for name in backends} | dict(others or {}),
    }


def cpu_name() -> str:
    """The processor's own name where the system reports it, else its architecture."""
    return _cpu_facts().get("model name") or platform.processor() or platform.machine()


def cpu_model() -> str:
    """The generation of the processor, which its name may hide on a rented machine; "" where it is not reported."""
    facts = _cpu_facts()
    return ", ".join(f"{name} {facts[name]}" for name in ("cpu family", "model", "stepping") if name in facts)


def _cpu_facts() -> dict[str, str]:
    """What Linux says of the first processor."""
    try:
        first = Path("/proc/cpuinfo").read_text(encoding="utf-8").partition("\n\n")[0]
    except OSError:
        return {}
    pairs = (line.partition(":") for line in first.splitlines())
    return {name.strip(): value.strip() for name, _, value in pairs}


def git_commit() -> str | None:
    """The commit of this checkout, with `+changes` where files differ from it; None outside a checkout."""
    here = Path(__file__).parent
    try:
        commit = _git(here, "rev-parse", "HEAD")
        changed = _git(here, "status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.CalledProcessError):
        return None
    return commit + ("+changes" if changed else "")


def _git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()  # noqa: S603


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None
