"""`sealbench bench` is `pytest bench` in any folder: the same options and output, and only the run is left."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.bench.main_job import ROOT, main_job
from tests.bench.tiny import file_like_nano

pytestmark = [pytest.mark.convert, pytest.mark.main_job]
NANO = ("--variant", "videoseal_nano", "--precision", "float32", "--samples", "1", "--no-gate")


def sealbench_bench(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "sealbench", "bench", *arguments]
    return subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)


@pytest.fixture
def artifact(tmp_path: Path) -> tuple[str, ...]:
    """Options that measure a file which needs no conversion."""
    (tmp_path / "made.tflite").write_bytes(file_like_nano())
    return (*NANO, "--artifact", str(tmp_path / "made.tflite"))


def shown(output: str, run_dir: Path) -> list[str]:
    """The lines from the results on, without names of runs and times."""
    results = output[output.index("= sealbench =") :].replace(str(run_dir), "RUN")
    return [re.sub(r"[\d.]+ ?s\b|\d{8}-\d{6}-\d{6}|=+", "", line) for line in results.splitlines()]


@pytest.mark.long
def test_an_empty_folder_has_the_run_afterwards_and_nothing_else(tmp_path: Path, artifact: tuple[str, ...]) -> None:
    folder = tmp_path / "empty"
    folder.mkdir()
    reports = (f"--junitxml={tmp_path / 'junit.xml'}", f"--benchmark-json={tmp_path / 'benchmark.json'}")
    found = sealbench_bench(folder, *artifact, "-k", "test_storage", *reports)
    assert found.returncode == 0, found.stdout
    assert [path.name for path in folder.iterdir()] == ["sealbench-runs"]
    assert "xnnpack_partitions" in (tmp_path / "junit.xml").read_text()
    # In the checkout it prints what `pytest bench` prints.
    runs = [tmp_path / name for name in ("pytest", "command")]
    by_pytest = main_job(runs[0], *artifact, "-k", "test_storage")
    by_command = sealbench_bench(ROOT, *artifact, "-k", "test_storage", "--run-dir", str(runs[1]))
    assert shown(by_command.stdout, runs[1]) == shown(by_pytest.output, runs[0])


def test_paths_of_suites_and_quiet_lists_are_accepted(tmp_path: Path, artifact: tuple[str, ...]) -> None:
    suite = ROOT / "bench" / "suites" / "test_size.py"
    found = sealbench_bench(tmp_path, *artifact, "--collect-only", "-q", str(suite))
    assert found.returncode == 0, found.stdout
    listed = [line for line in found.stdout.splitlines() if "::" in line]
    assert len(listed) == 1
    assert "::test_size[videoseal_nano-256-float32" in listed[0]
    assert not (tmp_path / ".benchmarks").exists()
