"""The time of each kind of operation in a `.tflite` file, measured while the whole file runs.

LiteRT's profiler times every operation, those inside XNNPACK as well, so that nothing is estimated from operations run
alone. Names are the graph's for what multiplies (with the height and width of a kernel), and for the rest those of
XNNPACK, which divides some operations of the graph into several of its own.
"""

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np

from sealbench.bench.analysis.operations.graph_operations import GraphOperation, multiplying
from sealbench.bench.analysis.operations.litert_profiler import Event, Profile, ProfiledModel
from sealbench.bench.backends.runners import FileRunner
from sealbench.bench.errors import RunnerError
from sealbench.bench.timing.rounds import SETTLE_MS, round_orders

XNNPACK, LITERT = "XNNPACK", "LiteRT"
WARM_UP_CALLS = 3
_MS_PER_S = 1e3
_PER_MS = 1e6  # 10^9 a second
# How the names of XNNPACK's operators begin, for each kind that multiplies. A 1 x 1 convolution is one of the latter.
_XNNPACK_NAMES = {
    "CONV_2D": ("Convolution", "Fully Connected"),
    "DEPTHWISE_CONV_2D": ("Convolution",),
    "FULLY_CONNECTED": ("Fully Connected",),
    "BATCH_MATMUL": ("Batch Matrix Multiply",),
}
_MULTIPLYING_NAMES = tuple({name for names in _XNNPACK_NAMES.values() for name in names})

Kind = tuple[str, str, str]  # operation, kernel and runs_in of a Row


@dataclass(frozen=True)
class File:
    """What is profiled.

    Attributes:
        variant, weights, image_size, precision: of the detector, as in every table.
        rewrites: made before the export, joined by `+`, or `none`.
        path: the `.tflite` file.
    """

    variant: str
    weights: str
    image_size: str
    precision: str
    rewrites: str
    path: Path


@dataclass(frozen=True)
class Round:
    """One round of a file: a run on the interpreter of the main job, and one with the profiler.

    Attributes:
        file_ms: the former.
        profile: the latter.
    """

    file_ms: float
    profile: Profile


@dataclass(frozen=True)
class Row:
    """One kind of operation of one file; the columns of the CSV.

    Attributes:
        variant, weights, image_size, precision, rewrites: see `File`.
        threads: of the run.
        operation: `DEPTHWISE_CONV_2D 7x7` as in the graph for what multiplies, else XNNPACK's name, like `GELU`.
        kernel: the full name that the one who ran it gives.
        runs_in: `XNNPACK`, or `LiteRT` for what stays outside.
        count: how many of them one run takes.
        median_ms: of all of them together; median over the rounds.
        share_pct: of `operations_ms`.
        multiplications: of all of them for one image; 0 for what has none, or only elementwise ones.
        multiplications_pct: share of the file's.
        gops: 10^9 operations a second, two for each multiplication (and its addition); None without multiplications,
            or where all took less than a microsecond.
        operations_ms: of all operations of a run together; median over the rounds.
        profiled_ms: of the runs with the profiler, and what lies between the operations.
        file_ms: of the runs without it, on the interpreter of the main job.
        rounds: how many.
    """

    variant: str
    weights: str
    image_size: str
    precision: str
    rewrites: str
    threads: int
    operation: str
    kernel: str
    runs_in: str
    count: int
    median_ms: float
    share_pct: float
    multiplications: int
    multiplications_pct: float
    gops: float | None
    operations_ms: float
    profiled_ms: float
    file_ms: float
    rounds: int


def measure(paths: Sequence[Path], threads: int, rounds: int) -> list[list[Round]]:
    """Run files in interleaved rounds, with and without the profiler.

    Args:
        paths: detectors.
        threads: of every run.
        rounds: at least so many, until all orders of the files have been taken equally often.

    Returns:
        The rounds of each file.

    Raises:
        ConverterError, RunnerError: a file is no detector, or cannot be run or profiled.
    """
    with ExitStack() as stack:
        runners = [FileRunner(path, threads) for path in paths]
        models = [stack.enter_context(ProfiledModel(path, threads)) for path in paths]
        images = [np.random.default_rng(0).random((*runner.input_size, 3), dtype=np.float32) for runner in runners]
        for runner, model, image in zip(runners, models, images, strict=True):
            for _ in range(WARM_UP_CALLS):
                runner(image)
                model(image)
        measured: list[list[Round]] = [[] for _ in paths]
        orders = round_orders(len(paths))
        for number in range(len(orders) * -(-rounds // len(orders))):
            for index in orders[number % len(orders)]:
                runner, model, image = runners[index], models[index], images[index]
                _settle(runner, image)
                start = time.perf_counter()
                runner(image)
                file_ms = _MS_PER_S * (time.perf_counter() - start)
                _settle(model, image)
                measured[index].append(Round(file_ms, model.profile(image)))
        return measured


def _settle(run: Callable[[np.ndarray], object], image: np.ndarray) -> None:
    """Run untimed, once or for as long as in the main job, so that nothing is left of what ran before."""
    start = time.perf_counter()
    run(image)
    while _MS_PER_S * (time.perf_counter() - start) < SETTLE_MS:
        run(image)


def attribute(
    events: Sequence[Event], operations: Sequence[GraphOperation], path: Path
) -> list[tuple[str, int, Event]]:
    """Find for each event the operation of the graph, as far as that can be known.

    LiteRT reports which operation its own kernels are. XNNPACK does not, but it runs its operators in the order of
    the graph, so that the n-th that multiplies is the n-th operation that does.

    Args:
        events: of one run.
        operations: of the graph.
        path: for messages.

    Returns:
        Name, multiplications and event, in the order of the events.

    Raises:
        RunnerError: the operators of XNNPACK do not fit the graph.
    """
    outside = {event.index for event in events if not event.in_xnnpack}
    waiting = [index for index in multiplying(operations) if index not in outside]
    found = sum(event.in_xnnpack and event.name.startswith(_MULTIPLYING_NAMES) for event in events)
    if found != len(waiting):
        raise RunnerError(f"{path}: XNNPACK runs {found} operators that multiply, expected the graph's {len(waiting)}")
    attributed = []
    for event in events:
        if event.in_xnnpack and not event.name.startswith(_MULTIPLYING_NAMES):
            attributed.append((event.name.partition(" (")[0], 0, event))
            continue
        operation = operations[waiting.pop(0) if event.in_xnnpack else event.index]
        expected = _XNNPACK_NAMES[operation.kind] if event.in_xnnpack else (operation.kind,)
        if not event.name.startswith(expected):
            raise RunnerError(f"{path}: {event.name} ran where the graph has {operation.name}")
        attributed.append((operation.name, operation.multiplications, event))
    return attributed


def summarize(file: File, operations: Sequence[GraphOperation], rounds: Sequence[Round], threads: int) -> list[Row]:
    """The table of one file, the slowest kind of operation first.

    Args:
        file: what was measured.
        operations: of its graph.
        rounds: at least one.
        threads: of the runs.

    Raises:
        RunnerError: see `attribute`.
    """
    times: dict[Kind, list[float]] = defaultdict(lambda: [0.0] * len(rounds))
    counts: Counter[Kind] = Counter()
    multiplications: Counter[Kind] = Counter()
    for number, one in enumerate(rounds):
        for name, products, event in attribute(one.profile.events, operations, file.path):
            kind = (name, event.name, XNNPACK if event.in_xnnpack else LITERT)
            times[kind][number] += event.time_ms
            if number == 0:
                counts[kind] += 1
                multiplications[kind] += products
    operations_ms = median(sum(event.time_ms for event in one.profile.events) for one in rounds)
    rows = []
    for kind, sums in times.items():
        median_ms, products = median(sums), multiplications[kind]
        rows.append(
            Row(
                file.variant,
                file.weights,
                file.image_size,
                file.precision,
                file.rewrites,
                threads,
                *kind,
                count=counts[kind],
                median_ms=median_ms,
                share_pct=100 * median_ms / operations_ms,
                multiplications=products,
                multiplications_pct=100 * products / max(1, multiplications.total()),
                gops=2 * products / median_ms / _PER_MS if products and median_ms else None,
                operations_ms=operations_ms,
                profiled_ms=median(one.profile.run_ms for one in rounds),
                file_ms=median(one.file_ms for one in rounds),
                rounds=len(rounds),
            )
        )
    return sorted(rows, key=lambda row: -row.median_ms)
