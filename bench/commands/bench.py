"""Convert, measure and judge: the main job, `pytest bench` in any folder."""

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

PLUGIN = "sealbench.bench.session.plugin"
SUITES = Path(__file__).parents[1] / "suites"


def main(arguments: Sequence[str]) -> int:
    """Run the suites with pytest; its own options are accepted as well.

    No configuration and no conftest.py of the current folder is read, and nothing but the run's folder is written.

    Args:
        arguments: what follows the command's name.

    Returns:
        pytest's exit code, or the run's: see `sealbench.bench.session.plugin`.
    """
    fixed = ["--noconftest", "-c", os.devnull, f"--rootdir={Path.cwd()}", "-p", "no:cacheprovider", "-p", PLUGIN]
    # pytest-benchmark makes the folder of its storage at once, unless its path is taken.
    benchmark = [f"--benchmark-storage={os.devnull}", "--benchmark-columns=median,iqr,rounds"]
    return int(pytest.main([str(SUITES), *fixed, *benchmark, *arguments]))
