"""Convert, measure and judge: the main job, `pytest bench` in any folder."""

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

PLUGIN = "sealbench.bench.session.plugin"
SUITES = Path(__file__).parents[1] / "suites"


class SuitesByDefault:
    """Collects all suites where the command line names no file."""

    @pytest.hookimpl(tryfirst=True)
    def pytest_configure(self, config: pytest.Config) -> None:
        """Choose what is collected."""
        if config.args_source is not pytest.Config.ArgsSource.ARGS:
            config.args = [str(SUITES)]


def main(arguments: Sequence[str]) -> int:
    """Run the suites with pytest; its own options, and paths of single suites, are accepted as well.

    No configuration and no conftest.py of the current folder is read, and nothing but the run's folder is left there.

    Args:
        arguments: what follows the command's name.

    Returns:
        pytest's exit code, or the run's: see `sealbench.bench.session.plugin`.
    """
    fixed = ["--noconftest", "-c", os.devnull, f"--rootdir={Path.cwd()}", "-p", "no:cacheprovider"]
    # pytest-benchmark makes the folder of its storage at once, unless its path is taken.
    benchmark = [f"--benchmark-storage={os.devnull}", "--benchmark-columns=median,iqr,rounds"]
    # Ours comes after the user's plugins (`-p`), as it does where a conftest.py loads it.
    return int(pytest.main([*benchmark, *fixed, *arguments, "-p", PLUGIN], plugins=[SuitesByDefault()]))
