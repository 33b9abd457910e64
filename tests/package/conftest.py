"""The distribution, built and installed once a session."""

from pathlib import Path

import pytest

from tests.package.installations import Installation, build_wheel, copy_checkout, new_installation


@pytest.fixture(scope="session")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what the distribution is built from."""
    return copy_checkout(tmp_path_factory.mktemp("source") / "sealbench")


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory, source: Path) -> Path:
    """The wheel of this checkout."""
    return build_wheel(source, tmp_path_factory.mktemp("wheel") / "dist")


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory, wheel: Path) -> Installation:
    """An environment with the wheel in it."""
    installation = new_installation(tmp_path_factory.mktemp("installed") / "venv")
    installation.install("--no-deps", wheel)
    return installation
