"""What running a file in a worker process costs: a pass over pictures there, beside the same pass in this process.

    python -m sealbench.bench.analysis.worker_cost videoseal_nano float32 --rounds 40

A pass has 24 pictures, each put, run and forgotten once, its transfer included; the two alternate. It is of this
project's own machinery and no subcommand: nothing of it concerns a file.
"""

import argparse
import sys
import time
from collections.abc import Callable

import numpy as np

from sealbench.bench.analysis.aa import find_file
from sealbench.bench.backends.registry import DEFAULT_BACKEND, backend_of
from sealbench.bench.backends.worker.session import WorkerSession, file_request
from sealbench.bench.timing.rounds import LatencySample, interleaved
from sealbench.converters.export.precisions import get_precision
from sealbench.converters.families.registry import get_card
from sealbench.reports.statistics.latency import Speedup, speedup

PICTURES = 24
HERE, WORKER = "in this process", "in a worker"


def cost(variant: str, precision: str, threads: int, rounds: int) -> tuple[Speedup, tuple[LatencySample, ...]]:
    """Time passes over pictures in both ways.

    Args:
        variant, precision: of the file.
        threads: of both.
        rounds: passes of each.

    Returns:
        Time in a worker / time here as a ratio with its 95 % interval, and all samples.

    Raises:
        ConverterError, RunnerError: the file cannot be converted or run.
    """
    path = find_file(get_card(variant), get_precision(precision))
    here = backend_of(DEFAULT_BACKEND).open(path, threads)
    rng = np.random.default_rng(0)
    pictures = [
        tuple(rng.random([abs(side) for side in tensor.shape], dtype=np.float32) for tensor in here.inputs)
        for _ in range(PICTURES)
    ]
    with WorkerSession(file_request(DEFAULT_BACKEND, path, threads)) as worker:
        passes: dict[str, Callable[[], object]] = {
            HERE: lambda: [here(*arrays) for arrays in pictures],
            WORKER: lambda: worker.run(pictures),
        }
        samples = interleaved(passes, rounds, warmup=1, settle_ms=None, clock=time.perf_counter_ns)
    return speedup(samples, name=HERE, base=WORKER), samples


def main() -> int:
    """Print the ratio; returns 0."""
    parser = argparse.ArgumentParser(description="What running a file in a worker process costs.")
    parser.add_argument("variant")
    parser.add_argument("precision")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=20)
    options = parser.parse_args()
    ratio, samples = cost(options.variant, options.precision, options.threads, options.rounds)
    for name in (HERE, WORKER):
        times = [sample.latency_ms / PICTURES for sample in samples if sample.name == name]
        print(f"{name:16} median {np.median(times):.2f} ms a picture")
    low, high = ratio.interval or (float("nan"), float("nan"))
    print(f"worker / here: {ratio.ratio:.3f}, 95 % interval [{low:.3f}, {high:.3f}], {ratio.rounds} passes of each")
    return 0


if __name__ == "__main__":
    sys.exit(main())
