"""Runs the suites in any folder, as `pytest bench` does in the checkout."""

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from sealbench.bench.session.suite_modules import FOLDER, ONE_PROCESS

PLUGIN = "sealbench.bench.session.plugin"


class SuitesByDefault:
    """Collects all suites where the command line names no file."""

    @pytest.hookimpl(tryfirst=True)
    def pytest_configure(self, config: pytest.Config) -> None:
        """Choose what is collected; refuse the processes of pytest-xdist, which would not collect the same."""
        if config.getoption("numprocesses", None) or config.getoption("tx", None):
            raise pytest.UsageError(ONE_PROCESS)
        if config.args_source is not pytest.Config.ArgsSource.ARGS:
            config.args = [str(FOLDER)]


def run(arguments: Sequence[str]) -> int:
    """Run the suites with pytest, with its options and ours.

    No configuration and no conftest.py of the current folder is read, and nothing but the run's folder is left there.

    Returns:
        pytest's exit code, or the run's: see `sealbench.bench.session.plugin`.
    """
    # As pyproject.toml of the checkout has it: the plugin of anyio warns.
    options = ["--strict-markers", "-p", "no:anyio", "-p", "no:cacheprovider", "--benchmark-columns=median,iqr,rounds"]
    # pytest-benchmark makes the folder of its storage at once, unless its path is taken.
    place = ["--noconftest", "-c", os.devnull, f"--rootdir={Path.cwd()}", f"--benchmark-storage={os.devnull}"]
    # Ours comes after the user's plugins (`-p`), as it does where a conftest.py loads it.
    return int(pytest.main([*options, *place, *arguments, "-p", PLUGIN], plugins=[SuitesByDefault()]))
