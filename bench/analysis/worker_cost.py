"""What running a file in a worker process costs: a pass over pictures there, beside the same pass in this process.

    python -m sealbench.bench.analysis.worker_cost videoseal_nano float32 --rounds 20

A pass has 24 pictures, each put, run and forgotten once, its transfer included. Two processes that run one file differ
by some percent for as long as they live (docs/latency.md, A/A), so each round has a fresh worker and a fresh
interpreter, and its ratio is that of the medians of some alternating passes. It concerns this project's own machinery
and no file, so it is no subcommand.
"""

import argparse
import sys
from collections.abc import Callable

import numpy as np

from sealbench.bench.analysis.aa import find_file
from sealbench.bench.backends.registry import DEFAULT_BACKEND, backend_of
from sealbench.bench.backends.worker.session import WorkerSession, file_request, random_arrays
from sealbench.bench.timing.rounds import interleaved
from sealbench.converters.export.precisions import get_precision
from sealbench.converters.families.registry import get_card
from sealbench.reports.statistics.intervals import quantile_interval
from sealbench.reports.statistics.latency import speedup

PICTURES = 24
PASSES = 6
HERE, WORKER = "here", "worker"


def cost(variant: str, precision: str, threads: int, rounds: int) -> np.ndarray:
    """Time passes over pictures in both ways.

    Args:
        variant, precision: of the file.
        threads: of both.
        rounds: pairs of a fresh worker and a fresh interpreter.

    Returns:
        Of each round the ratio time in the worker / time here, (rounds,).

    Raises:
        ConverterError, RunnerError: the file cannot be converted or run.
    """
    path = find_file(get_card(variant), get_precision(precision))
    rng = np.random.default_rng(0)
    ratios = []
    for _ in range(rounds):
        here = backend_of(DEFAULT_BACKEND).open(path, threads)
        pictures = [random_arrays(here.inputs, rng) for _ in range(PICTURES)]
        with WorkerSession(file_request(DEFAULT_BACKEND, path, threads)) as worker:
            passes: dict[str, Callable[[], object]] = {
                HERE: lambda here=here, pictures=pictures: [here(*arrays) for arrays in pictures],  # type: ignore[misc]
                WORKER: lambda worker=worker, pictures=pictures: worker.run(pictures),  # type: ignore[misc]
            }
            samples = interleaved(passes, PASSES, warmup=1, settle_ms=None)
        ratios.append(speedup(samples, name=HERE, base=WORKER).ratio)
    return np.array(ratios)


def main() -> int:
    """Print the ratio with its interval; returns 0."""
    parser = argparse.ArgumentParser(description="What running a file in a worker process costs.")
    parser.add_argument("variant")
    parser.add_argument("precision")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=20)
    options = parser.parse_args()
    ratios = cost(options.variant, options.precision, options.threads, options.rounds)
    interval = quantile_interval(ratios)
    print("rounds: " + " ".join(f"{ratio:.3f}" for ratio in ratios))
    print(f"worker / here: median {np.median(ratios):.3f}, 95 % interval [{interval.low:.3f}, {interval.high:.3f}]")
    return 0


if __name__ == "__main__":
    sys.exit(main())
