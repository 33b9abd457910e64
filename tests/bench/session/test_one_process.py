"""The bench measures in one process: pytest-xdist is refused there, and there alone."""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.bench.main_job import ROOT, bench_command

pytestmark = [
    pytest.mark.main_job,
    pytest.mark.skipif(not find_spec("xdist"), reason="pytest-xdist is not installed"),
]
SENTENCE = "the bench runs in one process"


@pytest.mark.parametrize("by", ["option", "PYTEST_ADDOPTS"])
def test_several_processes_are_refused(tmp_path: Path, by: str) -> None:
    command = bench_command(tmp_path / "run", "--variant", "videoseal_nano", "--samples", "1", "-k", "test_size")
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache")}
    if by == "option":
        command += ["-n", "2"]
    else:
        environment["PYTEST_ADDOPTS"] = "-n 2"
    found = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert found.returncode == 4, found.stdout + found.stderr
    (line,) = [line for line in (found.stdout + found.stderr).splitlines() if SENTENCE in line]
    assert line.startswith("ERROR: ")
    assert "Traceback" not in found.stdout + found.stderr
    assert not (tmp_path / "run").exists()
    assert not list((tmp_path / "cache").rglob("*.tflite"))  # nothing was converted


def test_other_tests_may_run_in_several_processes() -> None:
    tests = "tests/bench/session/test_progress.py"
    command = [sys.executable, "-m", "pytest", tests, "-n", "2", "-p", "no:cacheprovider"]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout + found.stderr
    assert "2 workers" in found.stdout
