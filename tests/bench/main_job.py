"""Runs the main job as a user does: in a process of its own, from the checkout, with this session's store."""

import json
import os
import pty
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sealbench.converters.cache_folder import cache_folder
from sealbench.reports.run.reader import ENVIRONMENT

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class MainJob:
    """A run's folder, exit code, and everything it printed."""

    run_dir: Path
    code: int
    output: str

    @property
    def files(self) -> list[Path]:
        """Where the files lie that it took from the artifact store or put there."""
        keys = json.loads((self.run_dir / ENVIRONMENT).read_text(encoding="utf-8"))["artifacts"].values()
        return [path for key in keys for path in (cache_folder("artifacts") / key).glob("*.tflite")]


def bench_command(run_dir: Path, *arguments: str) -> list[str]:
    """`pytest bench` into `run_dir`."""
    return [sys.executable, "-m", "pytest", "bench", "-p", "no:cacheprovider", "--run-dir", str(run_dir), *arguments]


def main_job(run_dir: Path, *arguments: str) -> MainJob:
    """Run `pytest bench` into `run_dir`."""
    return _run(run_dir, bench_command(run_dir, *arguments))


def main_job_on_terminal(run_dir: Path, *arguments: str, columns: int = 100) -> MainJob:
    """As `main_job`, on a terminal: the output has what a terminal is sent, control sequences included."""
    master, slave = pty.openpty()
    terminal = {"TERM": "xterm", "COLUMNS": str(columns), "LINES": "40"}
    where: dict[str, Any] = {"cwd": ROOT, "env": os.environ | terminal}
    process = subprocess.Popen(bench_command(run_dir, *arguments), **where, stdin=slave, stdout=slave, stderr=slave)
    os.close(slave)
    chunks = []
    with suppress(OSError):  # a terminal that nobody writes to any more is an error on Linux
        while chunk := os.read(master, 65536):
            chunks.append(chunk)
    os.close(master)
    return MainJob(run_dir, process.wait(), b"".join(chunks).decode(errors="replace"))


def render_again(run_dir: Path) -> MainJob:
    """Run `sealbench report` on a folder."""
    return _run(run_dir, [sys.executable, "-m", "sealbench", "report", str(run_dir)])


def _run(run_dir: Path, command: Sequence[str]) -> MainJob:
    found = subprocess.run(
        command,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return MainJob(run_dir, found.returncode, found.stdout)
