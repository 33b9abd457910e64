"""The installed backends, from the entry points `sealbench.backends`."""

from collections.abc import Callable

from sealbench.bench.backends.protocol import Backend, Session
from sealbench.converters.registry import Registry

GROUP = "sealbench.backends"
REFERENCE_BACKEND = "torch"
"""Runs the PyTorch modules that all files are compared with; every run measures it."""
DEFAULT_BACKEND = "litert"
"""Runs files where the user names no backend; other backends are compared with it."""
_BACKENDS: Registry[Backend] = Registry(GROUP, "backend", Backend)


def file_backends() -> tuple[str, ...]:
    """Names of the installed backends that run files, in alphabetical order; imports none of them."""
    return tuple(name for name in _BACKENDS.names() if name != REFERENCE_BACKEND)


def backend_of(name: str) -> Backend:
    """The backend of that name.

    Raises:
        RegistryError: no installed package provides it, or it cannot be loaded.
    """
    return _BACKENDS.get(name)


def file_loader(backend: str, path: str, threads: int) -> Callable[[], Session]:
    """What loads a file; the backend's engine is imported by this call, not by that.

    Args:
        backend: name of an installed one.
        path: of the file.
        threads: at least 1.

    Raises:
        RegistryError: no installed package provides the backend, or it cannot be loaded.
        RunnerError: its engine is not installed. What is returned raises it as `Backend.open` does.
    """
    found = backend_of(backend)
    found.load_engine()
    return lambda: found.open(path, threads)
