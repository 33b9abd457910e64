"""Compare a `.tflite` detector with its PyTorch original on one image.

    python bench/compare_pytorch_tflite.py --input photo.jpg --model_name videoseal --tflite_model FILE --output_dir OUT

watermarks the photograph, reads it back with both, prints the comparison, and writes OUT/photo_watermarked.png and
OUT/comparison.json. An image that is watermarked already is compared with

    ... --watermarked_image FILE --skip_embed --message BITS_OR_FILE
"""

import argparse
import json
import math
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from scipy import special

from sealbench.bench.backends.runners import FileRunner, Runner, TorchRunner
from sealbench.bench.errors import INPUT_ERRORS, USAGE_ERROR, BenchError
from sealbench.bench.timing.rounds import interleaved
from sealbench.converters.cards.image_size import ImageSize, check_image_size
from sealbench.converters.command_line import check_folder, writable_folder
from sealbench.converters.families.watermark import get_variant, variant_names
from sealbench.converters.families.weight_sources import SOURCES_HELP, find_weights
from sealbench.datasets.images import read_image, write_png
from sealbench.datasets.messages import format_bits, message_from_argument, random_messages
from sealbench.datasets.preprocess import PREPROCESSES, UPSTREAM
from sealbench.reports.errors import ReportError
from sealbench.reports.files import write_atomically
from sealbench.reports.statistics import bits as metrics
from sealbench.reports.statistics.latency import Speedup, speedup, summarize

DEFAULT_THREADS = 2
ROUNDS = 20  # even: each of the two goes first in half of the rounds
NAMES = ("pytorch", "tflite")


class CompareError(BenchError):
    """Options that do not go together."""


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
    """The content of comparison.json; numbers that are NaN or infinite are null there.

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


def parse_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="Compare a .tflite detector with its PyTorch original on one image.")
    image = parser.add_mutually_exclusive_group(required=True)
    image.add_argument("--input", type=Path, metavar="FILE", help="a photograph to watermark (PNG, JPEG or WebP)")
    image.add_argument("--watermarked_image", type=Path, metavar="FILE", help="an image that is watermarked already")
    parser.add_argument("--skip_embed", action="store_true", help="embed nothing; goes with --watermarked_image")
    parser.add_argument("--model_name", required=True, metavar="VARIANT", help=f"one of: {', '.join(variant_names())}")
    parser.add_argument("--tflite_model", required=True, type=Path, metavar="FILE", help="the converted detector")
    parser.add_argument("--output_dir", required=True, type=Path, metavar="FOLDER", help="made where it is missing")
    parser.add_argument(
        "--message",
        metavar="BITS_OR_FILE",
        help="0101..., 0x and hexadecimal digits, or a text file with either: what the watermarked image carries, or "
        "what to embed (default: unknown, or random bits from --seed)",
    )
    parser.add_argument(
        "--weights",
        metavar="SOURCE",
        help=f"of the PyTorch model: {SOURCES_HELP}",
    )
    parser.add_argument(
        "--no_simple",
        action="store_true",
        help="the file was converted with --no_simple: it resizes images inside, and PyTorch does the same",
    )
    parser.add_argument(
        "--threads", type=int, default=DEFAULT_THREADS, help=f"of both, at least 1 (default: {DEFAULT_THREADS})"
    )
    parser.add_argument("--seed", type=int, default=0, help="of the random message, 0 or more (default: 0)")
    return parser.parse_args(arguments)


def compare(options: argparse.Namespace) -> Comparison:
    """Do what the options say and write the files; all of them, or none.

    Raises:
        CompareError, ConverterError, DatasetError, ReportError, RunnerError: an option or a file is wrong.
    """
    if options.skip_embed and options.watermarked_image is None:
        raise CompareError("--skip_embed needs --watermarked_image FILE in place of --input")
    if options.seed < 0:
        raise CompareError(f"--seed {options.seed}: expected 0 or more")
    # What is quickly checked comes first: building the PyTorch model takes seconds.
    variant = get_variant(options.model_name)
    tflite = FileRunner(options.tflite_model, options.threads, variant.nbits)
    mode = "resize" if options.no_simple else "simple"
    check_image_size(variant, ImageSize(*tflite.input_size), mode)
    message = None if options.message is None else message_from_argument(options.message, variant.nbits)
    picture = read_image(options.input or options.watermarked_image)
    check_folder(options.output_dir)
    weights = find_weights(variant, options.weights)  # after the options, because it may download
    writable_folder(options.output_dir)

    from sealbench.converters.checkpoints.loading import load_watermarker
    from sealbench.converters.embedding import embed_pictures

    watermarker = load_watermarker(variant, weights)
    psnr_db = None
    image_path = options.watermarked_image
    if options.input is not None:
        message = random_messages(1, variant.nbits, options.seed)[0] if message is None else message
        original, (picture,) = picture, embed_pictures(watermarker, [picture], message[None])
        psnr_db = metrics.psnr_db(picture, original)
        image_path = options.output_dir / f"{options.input.stem}_watermarked.png"
    # The whole Watermarker resizes its images before its detector, as a file of that mode does.
    module = watermarker if options.no_simple else watermarker.detector
    pytorch = TorchRunner(module, tflite.input_size, variant.nbits, options.threads)
    outputs, latencies, ratio = run(pytorch, tflite, PREPROCESSES[UPSTREAM](picture, *tflite.input_size))

    logits, reference = outputs["tflite"][:, 1:], outputs["pytorch"][:, 1:]  # (1, nbits) each
    results = {name: read(outputs[name], message, latencies[name]) for name in NAMES}
    comparison = Comparison(
        model_name=variant.name,
        weights=weights.kind,
        tflite_model=str(options.tflite_model),
        image=str(image_path),
        image_size=tflite.input_size,
        threads=options.threads,
        message=None if message is None else format_bits(message),
        psnr_db=psnr_db,
        **results,
        bit_agreement=metrics.bit_agreement(logits, reference),
        logits_mae=metrics.logits_mae(logits, reference),
        logits_mae_rel_pct=metrics.logits_mae_rel_pct(logits, reference),
        confidence_delta=metrics.confidence_delta(outputs["tflite"][:, 0], outputs["pytorch"][:, 0]),
        speedup=ratio,
    )
    write(comparison, options.output_dir, picture if options.input is not None else None)
    return comparison


def run(pytorch: Runner, tflite: Runner, image: np.ndarray) -> tuple[dict[str, np.ndarray], dict[str, float], Speedup]:
    """Outputs (1, 1 + nbits) and median latency in milliseconds by name, and how many times as fast the file is."""
    runners = dict(zip(NAMES, (pytorch, tflite), strict=True))
    outputs = {name: runner(image)[np.newaxis] for name, runner in runners.items()}
    samples = interleaved({"pytorch": lambda: pytorch(image), "tflite": lambda: tflite(image)}, ROUNDS)
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
    text = json.dumps(_plain(asdict(comparison)), indent=2, allow_nan=False) + "\n"
    if watermarked is not None:
        write_png(comparison.image, watermarked)
    try:
        write_atomically(folder / "comparison.json", text)
    except ReportError:
        if watermarked is not None:
            Path(comparison.image).unlink()
        raise


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


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code: 0, or 2 with one line on standard error for wrong input."""
    try:
        print(render(compare(parse_arguments(arguments))))
    except INPUT_ERRORS as error:
        print(f"error: {error}", file=sys.stderr)
        return USAGE_ERROR
    return 0


if __name__ == "__main__":
    sys.exit(main())
