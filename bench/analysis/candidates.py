"""`sealbench candidates VARIANT`: every recipe that a precision's was chosen from, measured side by side."""

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from sealbench.bench.backends.runners import FileRunner, Runner, TorchRunner, WorkerRunner
from sealbench.bench.targets import Group
from sealbench.bench.tasks.images import prepare, read_samples
from sealbench.bench.timing.rounds import interleaved, round_orders
from sealbench.converters.cards.image_size import ImageSize
from sealbench.converters.cards.watermark import Variant
from sealbench.converters.checkpoints.weights import Weights
from sealbench.converters.export.calibration_inputs import CALIBRATION_SAMPLES
from sealbench.converters.export.candidates import IN_USE, Candidate, candidates
from sealbench.converters.export.precisions import Precision, get_precision, needs_calibration
from sealbench.converters.export.quantize import quantize
from sealbench.converters.families.watermark import as_variant
from sealbench.converters.rewrites import choose_rewrites
from sealbench.converters.tflite.model_file import read_model_file
from sealbench.reports.files import write_rows_csv
from sealbench.reports.statistics.bits import bit_accuracy, bit_agreement, logits_mae_rel_pct, split_outputs
from sealbench.reports.statistics.latency import Speedup, speedup

THREADS = 2
FLOAT32 = "float32"


@dataclass(frozen=True)
class Row:
    """One candidate, measured; the columns of the CSV.

    Attributes:
        variant, precision, candidate: what it is; `in use` is what the registry makes.
        rewrites: made before the export, joined by `+`.
        size_mb: of the file, in 10^6 bytes.
        quantized_weight_pct: share of the weights stored below 32 bits.
        bit_agreement_pct: with PyTorch, on watermarked images.
        plain_agreement_pct: the same on the images without a watermark, where logits are small.
        logits_mae_rel_pct: error of the logits in percent of their mean, on watermarked images.
        bit_accuracy_pct: bits equal to the message; empty for untrained weights.
        speedup, speedup_low, speedup_high: times as fast as the float32 file in use, with its 95 % interval.
        images: of each kind.
        note: why something is missing.
    """

    variant: str
    precision: str
    candidate: str
    rewrites: str
    size_mb: float | None = None
    quantized_weight_pct: float | None = None
    bit_agreement_pct: float | None = None
    plain_agreement_pct: float | None = None
    logits_mae_rel_pct: float | None = None
    bit_accuracy_pct: float | None = None
    speedup: float | None = None
    speedup_low: float | None = None
    speedup_high: float | None = None
    images: int = 0
    note: str = ""


class Workshop:
    """What the candidates of one variant share: the model, its images, the reference and the float32 files.

    Args:
        group: variant, weights and image size.
        samples: evaluation images.
        folder: for the files.
    """

    def __init__(self, group: Group, samples: int, folder: Path):
        self.group = group
        self.folder = folder
        from sealbench.converters.checkpoints.loading import load_watermarker  # it imports torch

        self.watermarker = load_watermarker(as_variant(group.variant), group.weights)
        self.images = prepare(
            "photographs", read_samples("photographs", group, samples), group, lambda: self.watermarker
        )
        size = (group.size.height, group.size.width)
        reference = TorchRunner(self.watermarker.detector, size, as_variant(group.variant).nbits, THREADS)
        self.reference = self._logits(reference)
        self._exports: dict[tuple[str, ...], Path] = {}
        self._calibration: dict[tuple[int, int], np.ndarray] = {}

    def float32(self, rewrites: tuple[str, ...]) -> Path:
        """The float32 file with these rewrites, exported once."""
        if rewrites not in self._exports:
            from sealbench.converters.export.detector import export_float32
            from sealbench.converters.rewrites.apply import apply_rewrites

            path = self.folder / f"float32_{len(self._exports)}.tflite"
            detector = apply_rewrites(self.watermarker.detector, rewrites)
            export_float32(detector, as_variant(self.group.variant), self.group.size, "simple", path)
            self._exports[rewrites] = path
        return self._exports[rewrites]

    def make(self, candidate: Candidate, path: Path) -> Path:
        """The candidate's file."""
        source = self.float32(candidate.rewrites)
        if not candidate.recipe:
            return source

        images = self._crops(*candidate.crops) if needs_calibration(candidate.recipe) else None
        quantize(source, candidate.recipe, path, images)
        return path

    def measure(self, candidate: Candidate, path: Path) -> Row:
        """Everything but the speed of a candidate's file."""
        logits, plain = self._logits(WorkerRunner(path, THREADS, as_variant(self.group.variant).nbits))
        reference, plain_reference = self.reference
        trained = self.group.weights.path is not None
        model = read_model_file(path)
        return Row(
            *_identity(self.group, candidate),
            size_mb=model.size_bytes / 1e6,
            quantized_weight_pct=model.quantized_weight_pct,
            bit_agreement_pct=100 * bit_agreement(logits, reference),
            plain_agreement_pct=100 * bit_agreement(plain, plain_reference),
            logits_mae_rel_pct=logits_mae_rel_pct(logits, reference),
            bit_accuracy_pct=100 * bit_accuracy(logits, self.images.labels.messages) if trained else None,
            images=len(logits),
        )

    def _logits(self, run: Runner) -> tuple[np.ndarray, np.ndarray]:
        """Bit logits (n, nbits) of the watermarked images and of the plain ones."""
        assert self.images.plain is not None
        marked, plain = (
            split_outputs(np.stack([run(image) for image in images]))[1]
            for images in (self.images.watermarked, self.images.plain)
        )
        return marked, plain

    def _crops(self, start: int, stop: int) -> np.ndarray:
        if (start, stop) not in self._calibration:
            from sealbench.converters.export.calibration import calibration_images

            self._calibration[start, stop] = calibration_images(
                self.watermarker, as_variant(self.group.variant).nbits, self.group.size, start, stop
            )
        return self._calibration[start, stop]


def _identity(group: Group, candidate: Candidate) -> tuple[str, str, str, str]:
    """The first four columns."""
    return group.variant.name, candidate.precision, candidate.name, "+".join(candidate.rewrites)


def _note(error: Exception, folder: Path) -> str:
    """One line, without the folder that is gone afterwards."""
    return " ".join(str(error).replace(f"{folder}/", "").split())[:200]


def latency_ratios(runs: dict[str, Runner], image: np.ndarray, rounds: int) -> dict[str, Speedup]:
    """How many times as fast each of `runs` is as the one called `float32`, from interleaved rounds.

    Args:
        runs: by name; `float32` is one of them.
        image: (H, W, 3) float32 that all of them are given.
        rounds: at least so many, until all orders have been taken equally often.
    """
    calls: dict[str, Callable[[], object]] = {name: partial(run, image) for name, run in runs.items()}
    orders = len(round_orders(len(calls)))
    samples = interleaved(calls, orders * -(-rounds // orders))
    return {name: speedup(samples, name, FLOAT32) for name in runs}


def measure(workshop: Workshop, precision: str, rounds: int) -> list[Row]:
    """Make and measure all candidates of a precision; one that cannot be made or run is a row with a note.

    Args:
        workshop: of the variant.
        precision: its name.
        rounds: of latency; 0 for none. Candidates that differ only in their calibration images are not timed.
    """
    group = workshop.group
    rewrites = choose_rewrites("auto", group.variant)
    rows: dict[str, Row] = {}
    runs: dict[str, Runner] = {}
    with tempfile.TemporaryDirectory(dir=workshop.folder) as folder:
        for number, candidate in enumerate(candidates(get_precision(precision), rewrites)):
            try:
                path = workshop.make(candidate, Path(folder) / f"{number}.tflite")
                rows[candidate.name] = workshop.measure(candidate, path)
            except (ValueError, RuntimeError) as error:
                rows[candidate.name] = Row(*_identity(group, candidate), note=_note(error, Path(folder)))
                continue
            if candidate.crops == (0, CALIBRATION_SAMPLES):
                runs[candidate.name] = FileRunner(path, THREADS, as_variant(group.variant).nbits)
        if rounds:
            base = workshop.float32(rewrites)
            runs[FLOAT32] = FileRunner(base, THREADS, as_variant(group.variant).nbits)
            for name, ratio in latency_ratios(runs, workshop.images.watermarked[0], rounds).items():
                if name in rows:
                    low, high = ratio.interval or (None, None)
                    rows[name] = replace(rows[name], speedup=ratio.ratio, speedup_low=low, speedup_high=high)
    return list(rows.values())


def print_rows(rows: Sequence[Row]) -> None:
    """A table of rows; on a terminal the recipe in use is bold."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("precision")
    table.add_column("candidate")
    for heading in ("MB", "below 32 bits %", "agree %", "plain %", "MAE %", "right %", "x float32"):
        table.add_column(heading, justify="right")
    for row in rows:
        ratio = "" if row.speedup is None else f"{row.speedup:.2f}"
        if row.speedup_low is not None and row.speedup_high is not None:
            ratio += f" [{row.speedup_low:.2f}, {row.speedup_high:.2f}]"
        cells = (
            row.precision,
            row.candidate,
            _cell(row.size_mb, 2),
            _cell(row.quantized_weight_pct, 1),
            _cell(row.bit_agreement_pct, 2),
            _cell(row.plain_agreement_pct, 2),
            _cell(row.logits_mae_rel_pct, 2),
            _cell(row.bit_accuracy_pct, 2),
            ratio or row.note[:40],
        )
        table.add_row(*cells, style="bold" if row.candidate == IN_USE else None)
    console = Console()
    # A file or a pipe has no width: lines are as long as they need to be.
    (console if console.is_terminal else Console(width=140)).print(table)


def _cell(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f}"


def run(
    variant: Variant,
    weights: Weights,
    size: ImageSize,
    precisions: Sequence[Precision],
    samples: int,
    rounds: int,
    out: Path | None,
) -> None:
    """Measure every candidate of some precisions and print them; `out` is a CSV file that grows with them, or None."""
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="sealbench-") as folder:
        workshop = Workshop(Group(variant, weights, size), samples, Path(folder))
        for precision in precisions:
            rows += measure(workshop, precision.name, rounds)
            if out is not None:
                write_rows_csv([asdict(row) for row in rows], out)
    print_rows(rows)
