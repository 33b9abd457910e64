"""What an application would read of pictures with a converted detector: plain data, and lines for people."""

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sealbench.bench.backends.runners import WorkerRunner
from sealbench.bench.detector import Detection, VideoSealDetectorTFLite
from sealbench.datasets.errors import DatasetError
from sealbench.datasets.messages import format_bits, message_from_argument
from sealbench.reports.statistics.bits import log10_pvalues

DIGIT_BITS = 4


def detections(file: Path, pictures: Sequence[Path], message: str | None, threads: int) -> Iterator[dict[str, Any]]:
    """Read pictures, one after the other, each resized as an application does.

    Args:
        file: the `.tflite` detector, which says how many bits there are.
        pictures: PNG, JPEG or WebP.
        message: what they should carry, as `message_from_argument` takes it, or None.
        threads: of the detector, at least 1.

    Yields:
        Of each picture `picture`, `bits`, `hex` (None where 4 does not divide their number), `confidence` (0 to 1),
        `confidence_logit`, and with a message `right_bits`, `bit_accuracy` (0 to 1) and `log10_pvalue`; or `picture`
        and `error` where it cannot be read.

    Raises:
        RunnerError: the file is no detector.
        DatasetError: the message is none, or of another length.
    """
    detector = VideoSealDetectorTFLite(file, model_name=None, num_threads=threads, runner=WorkerRunner)
    expected = None if message is None else message_from_argument(message, detector.nbits)
    for picture in pictures:
        try:
            detection = detector.detect(picture)
        except DatasetError as error:
            yield {"picture": str(picture), "error": str(error)}
        else:
            yield {"picture": str(picture), **_plain(detection), **_matched(detection, expected)}


def _plain(detection: Detection) -> dict[str, Any]:
    bits = format_bits(detection.message)
    whole = len(bits) % DIGIT_BITS == 0
    return {
        "bits": bits,
        "hex": f"0x{int(bits, 2):0{len(bits) // DIGIT_BITS}x}" if whole else None,
        "confidence": _finite(detection.confidence),
        "confidence_logit": _finite(detection.confidence_logit),
    }


def _matched(detection: Detection, expected: np.ndarray | None) -> dict[str, Any]:
    if expected is None:
        return {}
    right = int((detection.message == expected).sum())
    pvalue = log10_pvalues(detection.logits[np.newaxis], expected[np.newaxis])[0]
    return {"right_bits": right, "bit_accuracy": right / expected.size, "log10_pvalue": float(pvalue)}


def _finite(value: float) -> float | None:
    """JSON has no word for NaN and infinities."""
    return value if math.isfinite(value) else None


def lines(found: dict[str, Any]) -> list[str]:
    """One picture's entry of `detections`, without an error, for people."""
    confidence = "n/a" if found["confidence"] is None else f"{found['confidence']:.4f}"
    logit = "n/a" if found["confidence_logit"] is None else f"{found['confidence_logit']:.2f}"
    shown = [
        found["picture"],
        f"  bits          {found['bits']}",
        f"  hex           {found['hex'] or 'n/a'}",
        f"  confidence    {confidence} (logit {logit})",
    ]
    if "right_bits" in found:
        shown += [
            f"  bit accuracy  {found['bit_accuracy']:.4f} ({found['right_bits']} of {len(found['bits'])} bits)",
            f"  log10 p       {found['log10_pvalue']:.2f} (chance of so many right bits without a watermark)",
        ]
    return shown
