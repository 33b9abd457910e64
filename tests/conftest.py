"""What all tests share: one artifact store a session, and the order of files over the processes of pytest-xdist."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

# Taken away: a process that a test starts is no worker, and pytest-benchmark would measure nothing in it.
WORKER = os.environ.pop("PYTEST_XDIST_WORKER", None) is not None
SLOW = ("main_job", "convert", "long")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """In parallel the files with slow tests come first: the last of them must not begin when all else is done."""
    if WORKER:
        slow = {item.path for item in items if any(item.get_closest_marker(name) for name in SLOW)}
        items.sort(key=lambda item: item.path not in slow)


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of this session, the same in each of its processes."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if WORKER else base


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
