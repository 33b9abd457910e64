"""`sealbench litert-check`: our median latency of a file beside that of LiteRT's own benchmark tool.

The two alternate every few seconds: a fresh process of ours, timed as a suite times it, and a run of
`ai_edge_litert.tools.benchmark_litert_model` on as many threads. What the tool times is a little less than what we do:
it runs on LiteRT's compiled model and leaves its buffers as they are; our call hands over an image and takes logits.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np

from sealbench.bench.backends.registry import DEFAULT_BACKEND
from sealbench.bench.backends.worker.session import WorkerSession, file_request
from sealbench.bench.errors import RunnerError
from sealbench.bench.timing.rounds import SETTLE_MS
from sealbench.reports.statistics.intervals import Interval, quantile_interval

TOOL = "ai_edge_litert.tools.benchmark_litert_model"
CALLS = 50
WITHIN = 0.03


@dataclass(frozen=True)
class Round:
    """Medians of one round in milliseconds: ours, and the tool's."""

    ours_ms: float
    tools_ms: float


def our_median_ms(path: Path, threads: int, calls: int) -> float:
    """Median of so many timed calls in a fresh process, warmed up and settled."""
    with WorkerSession(file_request(DEFAULT_BACKEND, path, threads)) as session:
        picture = session.put_random()
        session.warm_up(picture)
        return median(session.time_call(picture, SETTLE_MS).latency_ms for _ in range(calls))


def tools_median_ms(path: Path, threads: int, calls: int) -> float:
    """Median of so many calls by LiteRT's own benchmark.

    Raises:
        RunnerError: the tool failed; with the last line that it said.
    """
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder) / "result.json"
        command = [sys.executable, "-m", TOOL, f"--model={path}", f"--num_threads={threads}", f"--num_runs={calls}"]
        found = subprocess.run(  # noqa: S603 - LiteRT's own module, no shell
            [*command, f"--result_json={result}"], capture_output=True, text=True, check=False
        )
        if found.returncode or not result.is_file():
            said = (found.stderr.strip().splitlines() or ["nothing was said"])[-1]
            raise RunnerError(f"{path}: {TOOL} failed with exit code {found.returncode}: {said}")
        latency_ms: float = json.loads(result.read_text(encoding="utf-8"))["latency"]["median_ms"]
        return latency_ms


def ratio_of(rounds: Sequence[Round]) -> tuple[float, Interval]:
    """Median over the rounds of ours / the tool's, with its 95 % interval."""
    ratios = np.array([one.ours_ms / one.tools_ms for one in rounds])
    return float(np.median(ratios)), quantile_interval(ratios)


def run(path: Path, threads: int, count: int) -> int:
    """Measure a file `count` rounds on so many threads and print both medians of each.

    Returns:
        0, or 1 where the medians differ by more than 3 %.
    """
    rounds = []
    for number in range(count):
        both = {
            "ours": lambda: our_median_ms(path, threads, CALLS),
            "tools": lambda: tools_median_ms(path, threads, CALLS),
        }
        order = ("ours", "tools") if number % 2 == 0 else ("tools", "ours")
        found = {name: both[name]() for name in order}
        rounds.append(Round(found["ours"], found["tools"]))
    ratio, interval = ratio_of(rounds)
    print(f"{path.name}, {threads} threads, {len(rounds)} rounds of {CALLS} calls, medians in ms")
    print("  ours       " + " ".join(f"{one.ours_ms:7.2f}" for one in rounds))
    print("  LiteRT's   " + " ".join(f"{one.tools_ms:7.2f}" for one in rounds))
    print(f"  ours / LiteRT's: {ratio:.3f}, interval [{interval.low:.3f}, {interval.high:.3f}]")
    return 0 if abs(ratio - 1) <= WITHIN else 1
