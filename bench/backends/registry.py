"""The installed backends, from the entry points `sealbench.backends`."""

from sealbench.bench.backends.names import DEFAULT_BACKEND, GROUP, REFERENCE_BACKEND, file_backends
from sealbench.bench.backends.protocol import Backend
from sealbench.converters.registry import Registry

__all__ = ["DEFAULT_BACKEND", "REFERENCE_BACKEND", "backend_of", "file_backends"]

_BACKENDS: Registry[Backend] = Registry(GROUP, "backend", Backend)


def backend_of(name: str) -> Backend:
    """The backend of that name.

    Raises:
        RegistryError: no installed package provides it, or it cannot be loaded.
    """
    return _BACKENDS.get(name)
