"""What all tests share: one artifact store a session, and the order of files over the processes of pytest-xdist."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

SLOW = ("main_job", "convert")


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of this session, the same in each of its processes."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


@pytest.fixture(scope="session", autouse=True)
def shared_cache(shared_folder: Path) -> Iterator[Path]:
    """The cache folder of this session: what one test has converted, no other converts again.

    The store names a file by all that shaped it and locks it while it is made, so processes may share it. A test that
    must find an empty cache sets XDG_CACHE_HOME to a folder of its own.
    """
    cache = shared_folder / "cache"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(cache))
        yield cache
