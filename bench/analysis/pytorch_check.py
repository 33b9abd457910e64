"""A `.tflite` detector beside its PyTorch original on one picture: bits, logits, confidence and time of both."""

import json
import math
from dataclasses import asdict, dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from scipy import special

from sealbench.bench.backends.runners import Runner, TorchRunner, WorkerRunner
from sealbench.bench.backends.worker.timed_call import time_call
from sealbench.bench.timing.rounds import SETTLE_MS, take_rounds
from sealbench.converters.cards.image_size import ImageSize, check_image_size
from sealbench.converters.cards.watermark import Variant
from sealbench.converters.command_line import check_folder, writable_folder
from sealbench.converters.families.weight_sources import find_weights
from sealbench.datasets.images import read_image, write_png
from sealbench.datasets.messages import format_bits, message_from_argument, random_messages
from sealbench.datasets.preprocess import PREPROCESSES, UPSTREAM
from sealbench.reports.errors import ReportError
from sealbench.reports.files import write_atomically
from sealbench.reports.statistics import bits as metrics
from sealbench.reports.statistics.latency import Speedup, speedup, summarize

ROUNDS = 20  # even: each of the two goes first in half of the rounds
NAMES = ("pytorch", "tflite")


@dataclass(frozen=True)
class ModelResult:
    """What one of the two models gives for the image.

    Attributes:
        bit_accuracy: share of the message's bits that are right, 0 to 1; None where the message is not known.
        confidence: sigmoid of channel 0, 0 to 1.
        confidence_logit: channel 0 as the model gives it.
        message: the decided bits, like `0101`.
        nan_count: outputs that are NaN or infinite.
        latency_ms: median of one call, after warm-up.
    """

    bit_accuracy: float | None
    confidence: float
    confidence_logit: float
    message: str
    nan_count: int
    latency_ms: float


@dataclass(frozen=True)
class Comparison:
    """The content of comparison.json and of `--json`; numbers that are NaN or infinite are null there.

    Attributes:
        model_name: the variant.
        weights: `bundled`, `file` or `seeded` (untrained: accuracy means nothing).
        tflite_model: the file.
        image: the image that both have read.
        image_size: (height, width) in pixels to which it was resized for both.
        threads: of both.
        message: the bits that the image carries, like `0101`, or None where that is not known.
        psnr_db: of the watermarked image against the input, or None where nothing was embedded here.
        pytorch, tflite: the result of each.
        bit_agreement: share of bits on which they agree, 0 to 1.
        logits_mae: mean absolute difference of the bit logits.
        logits_mae_rel_pct: the same in percent of PyTorch's mean absolute logit.
        confidence_delta: difference of the confidences, 0 to 1.
        speedup: PyTorch's median latency over the file's, from interleaved rounds.
    """

    model_name: str
    weights: str
    tflite_model: str
    image: str
    image_size: tuple[int, int]
    threads: int
    message: str | None
    psnr_db: float | None
    pytorch: ModelResult
    tflite: ModelResult
    bit_agreement: float
    logits_mae: float
    logits_mae_rel_pct: float
    confidence_delta: float
    speedup: Speedup


def compare(
    file: Path,
    picture: Path,
    variant: Variant,
    *,
    marked: bool,
    message: str | None,
    source: str | None,
    mode: str,
    threads: int,
    seed: int,
    out: Path | None,
    out_option: str = "--out",
) -> Comparison:
    """Show one picture to both, and write the files; all of them, or none.

    Args:
        file: the `.tflite` detector.
        picture: a picture to watermark, or one that is watermarked already.
        variant: of both.
        marked: whether the picture is watermarked already.
        message: what the picture carries, or what to embed, as `message_from_argument` takes it; None for unknown, or
            for random bits.
        source: of the PyTorch model's weights, as `find_weights` takes it.
        mode: `resize` where the file resizes images inside, and PyTorch is to do the same; else `simple`.
        threads: of both.
        seed: of the random bits.
        out: folder for comparison.json and, unless `marked`, the watermarked picture; None to write nothing.
        out_option: the option that chose the folder, for messages.

    Raises:
        ConverterError, DatasetError, ReportError, RunnerError: an option or a file is wrong.
    """
    # What is quickly checked comes first: building the PyTorch model takes seconds.
    tflite = WorkerRunner(file, threads, variant.nbits)
    check_image_size(variant, ImageSize(*tflite.input_size), mode)
    bits = None if message is None else message_from_argument(message, variant.nbits)
    pixels = read_image(picture)
    if out is not None:
        check_folder(out, out_option)
    weights = find_weights(variant, source)  # after the options, because it may download
    if out is not None:
        writable_folder(out, out_option)

    from sealbench.converters.checkpoints.loading import load_watermarker
    from sealbench.converters.embedding import embed_pictures

    watermarker = load_watermarker(variant, weights)
    psnr_db = None
    shown = picture
    if not marked:
        bits = random_messages(1, variant.nbits, seed)[0] if bits is None else bits
        original, (pixels,) = pixels, embed_pictures(watermarker, [pixels], bits[None])
        psnr_db = metrics.psnr_db(pixels, original)
        shown = picture if out is None else out / f"{picture.stem}_watermarked.png"
    # The whole Watermarker resizes its images before its detector, as a file of that mode does.
    module = watermarker if mode == "resize" else watermarker.detector
    pytorch = TorchRunner(module, tflite.input_size, variant.nbits, threads)
    outputs, latencies, ratio = run(pytorch, tflite, PREPROCESSES[UPSTREAM](pixels, *tflite.input_size))

    logits, reference = outputs["tflite"][:, 1:], outputs["pytorch"][:, 1:]  # (1, nbits) each
    results = {name: read(outputs[name], bits, latencies[name]) for name in NAMES}
    comparison = Comparison(
        model_name=variant.name,
        weights=weights.kind,
        tflite_model=str(file),
        image=str(shown),
        image_size=tflite.input_size,
        threads=threads,
        message=None if bits is None else format_bits(bits),
        psnr_db=psnr_db,
        **results,
        bit_agreement=metrics.bit_agreement(logits, reference),
        logits_mae=metrics.logits_mae(logits, reference),
        logits_mae_rel_pct=metrics.logits_mae_rel_pct(logits, reference),
        confidence_delta=metrics.confidence_delta(outputs["tflite"][:, 0], outputs["pytorch"][:, 0]),
        speedup=ratio,
    )
    if out is not None:
        write(comparison, out, None if marked else pixels)
    return comparison


def run(
    pytorch: Runner, tflite: WorkerRunner, image: np.ndarray
) -> tuple[dict[str, np.ndarray], dict[str, float], Speedup]:
    """Outputs (1, 1 + nbits) and median latency in milliseconds by name, and how many times as fast the file is."""
    runners = dict(zip(NAMES, (pytorch, tflite), strict=True))
    outputs = {name: runner(image)[np.newaxis] for name, runner in runners.items()}
    picture = tflite.session.put(image[np.newaxis])
    pytorch(image)
    tflite.session.warm_up(picture)
    calls = {  # each by the clock of its process
        "pytorch": partial(time_call, lambda: pytorch(image), SETTLE_MS),
        "tflite": partial(tflite.session.time_call, picture, SETTLE_MS),
    }
    samples = take_rounds(calls, ROUNDS)
    medians = {name: summary.median_ms for name, summary in summarize(samples).items()}
    return outputs, medians, speedup(samples, name="tflite", base="pytorch")


def read(outputs: np.ndarray, message: np.ndarray | None, latency_ms: float) -> ModelResult:
    """What outputs (1, 1 + nbits) say of a message (nbits,), if it is known."""
    logits = outputs[:, 1:]
    return ModelResult(
        bit_accuracy=None if message is None else metrics.bit_accuracy(logits, message[np.newaxis]),
        confidence=float(special.expit(outputs[0, 0])),
        confidence_logit=float(outputs[0, 0]),
        message=format_bits((logits[0] > 0).astype(np.uint8)),
        nan_count=metrics.nan_count(outputs),
        latency_ms=latency_ms,
    )


def write(comparison: Comparison, folder: Path, watermarked: np.ndarray | None) -> None:
    """Write the watermarked image (H, W, 3) uint8, where there is one, and comparison.json; both or neither.

    Args:
        comparison: its `image` is where the picture goes.
        folder: is there.
        watermarked: see above.

    Raises:
        ReportError: a file cannot be written.
    """
    text = as_json(comparison)
    if watermarked is not None:
        write_png(comparison.image, watermarked)
    try:
        write_atomically(folder / "comparison.json", text)
    except ReportError:
        if watermarked is not None:
            Path(comparison.image).unlink()
        raise


def as_json(comparison: Comparison) -> str:
    """The comparison as it stands in comparison.json."""
    return json.dumps(_plain(asdict(comparison)), indent=2, allow_nan=False) + "\n"


def _plain(value: Any) -> Any:
    """The same with null for the numbers that JSON has no word for."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def render(comparison: Comparison) -> str:
    """The comparison as text for a terminal."""
    untrained = " (untrained: bit accuracy means nothing)" if comparison.weights == "seeded" else ""
    psnr = "" if comparison.psnr_db is None else f", PSNR {comparison.psnr_db:.1f} dB"
    height, width = comparison.image_size
    speed = comparison.speedup
    interval = "" if speed.interval is None else f" ({speed.interval.low:.2f} to {speed.interval.high:.2f})"
    labels = {"bit_accuracy": "bit accuracy", "nan_count": "NaN or infinite"}
    rows = [("", "PyTorch", "tflite")]
    for field in fields(ModelResult):
        if field.name != "message":  # a long line of bits; it is in the JSON
            left, right = (getattr(result, field.name) for result in (comparison.pytorch, comparison.tflite))
            rows.append((labels.get(field.name, field.name.replace("_", " ")), _number(left), _number(right)))
    return "\n".join(
        [
            f"image: {comparison.image}{psnr}",
            f"model: {comparison.model_name} at {height} x {width}, weights {comparison.weights}{untrained}",
            f"file:  {comparison.tflite_model}",
            "",
            *(f"{label:<18}{left:>12}{right:>12}".rstrip() for label, left, right in rows),
            "",
            f"bit agreement     {comparison.bit_agreement:.4f}",
            f"logits MAE        {comparison.logits_mae:.6f} ({comparison.logits_mae_rel_pct:.2f} % of the mean logit)",
            f"confidence delta  {comparison.confidence_delta:.4f}",
            f"speed-up          {speed.ratio:.2f}{interval}, {speed.rounds} rounds, {comparison.threads} threads",
        ]
    )


def _number(value: float | None) -> str:
    if value is None:
        return "n/a"
    return str(value) if isinstance(value, int) else f"{value:.4f}"
