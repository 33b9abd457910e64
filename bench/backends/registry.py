"""The installed backends, from the entry points `sealbench.backends`."""

from collections.abc import Callable

from sealbench.bench.backends.names import DEFAULT_BACKEND, GROUP, REFERENCE_BACKEND, file_backends
from sealbench.bench.backends.protocol import Backend, Session
from sealbench.converters.registry import Registry

__all__ = ["DEFAULT_BACKEND", "REFERENCE_BACKEND", "backend_of", "file_backends"]

_BACKENDS: Registry[Backend] = Registry(GROUP, "backend", Backend)


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
