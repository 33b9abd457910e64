"""The converted detector for applications: needs LiteRT, NumPy, SciPy and Pillow, neither torch nor litert-torch."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import special

from sealbench.bench.backends.runners import FileRunner
from sealbench.bench.errors import RunnerError
from sealbench.converters.families.watermark import get_variant
from sealbench.datasets.images import read_image
from sealbench.datasets.preprocess import PREPROCESSES, UPSTREAM


@dataclass(frozen=True, eq=False)
class Detection:
    """What the detector says of one image.

    Attributes:
        confidence: 0 to 1, the sigmoid of `confidence_logit`. Upstream's released weights leave this output untrained:
            rest no decision on it there, but on how well `message` matches a known one.
        confidence_logit: output channel 0 as the model gives it.
        message: (nbits,) uint8 of 0 and 1, the decided bits: logit > 0.
        logits: (nbits,) float32. Where one is NaN the bit in `message` is 0 and means nothing.
    """

    confidence: float
    confidence_logit: float
    message: np.ndarray
    logits: np.ndarray


class VideoSealDetectorTFLite:
    """A `.tflite` detector that reads images.

    Args:
        tflite_model_path: input float32 (1, H, W, 3) in [0, 1], output float32 (1, 1 + nbits).
        model_name: the variant, which says how many bits to expect; None takes the file's.
        nbits: bits to expect instead of the variant's.
        image_size: side in pixels, or (height, width), to expect; None takes the file's.
        num_threads: at least 1; None is one, LiteRT's own default.
        runner: `FileRunner` runs the file in this process, `WorkerRunner` in one of its own.

    Raises:
        UnknownNameError: there is no such variant; the message lists the known ones.
        RunnerError: the file is missing, damaged, no model, or has another number of bits or another size.
    """

    def __init__(
        self,
        tflite_model_path: str | Path,
        model_name: str | None = "videoseal",
        nbits: int | None = None,
        image_size: int | tuple[int, int] | None = None,
        num_threads: int | None = None,
        runner: type[FileRunner] = FileRunner,
    ):
        self._runner = runner(
            tflite_model_path,
            threads=1 if num_threads is None else num_threads,
            nbits=get_variant(model_name).nbits if nbits is None and model_name is not None else nbits,
        )
        expected = (image_size, image_size) if isinstance(image_size, int) else image_size
        if expected is not None and tuple(expected) != self.image_size:
            raise RunnerError(
                f"{tflite_model_path}: takes images of {_size_text(self.image_size)}; expected {_size_text(expected)}"
            )

    @property
    def image_size(self) -> tuple[int, int]:
        """(height, width) in pixels to which images are resized, as upstream does it."""
        return self._runner.input_size

    @property
    def nbits(self) -> int:
        """Bits of the message."""
        return self._runner.nbits

    def detect(self, image: str | Path | np.ndarray) -> Detection:
        """Read the watermark of one image.

        Args:
            image: the path of a PNG, JPEG or WebP file; or (H, W, 3) uint8 in RGB order, of any size, as a file would
                hold; or (H, W, 3) floating point in [0, 1] of the model's own size.

        Raises:
            DatasetError: the file cannot be read as a picture, or the uint8 array has another shape.
            RunnerError: an array of another type, or floating point of another size or range.
        """
        pixels = read_image(image) if isinstance(image, str | Path) else image
        outputs = self._runner(self._prepare(pixels))  # (1 + nbits,)
        logits = outputs[1:]
        return Detection(
            confidence=float(special.expit(outputs[0])),
            confidence_logit=float(outputs[0]),
            message=(logits > 0).astype(np.uint8),
            logits=logits,
        )

    def _prepare(self, pixels: np.ndarray) -> np.ndarray:
        """(H, W, 3) float32 in [0, 1] of the model's size."""
        if pixels.dtype == np.uint8:
            return PREPROCESSES[UPSTREAM](pixels, *self.image_size)
        found = f"found an array of shape {pixels.shape} and type {pixels.dtype}"
        if not np.issubdtype(pixels.dtype, np.floating):
            raise RunnerError(f"{found}; expected uint8, or floating point in [0, 1]")
        if pixels.shape != (*self.image_size, 3):
            raise RunnerError(f"{found}; expected ({_size_text(self.image_size)}, 3); uint8 may have any size")
        if not (pixels.min() >= 0 and pixels.max() <= 1):  # so written that NaN is refused
            raise RunnerError(f"{found} and values from {pixels.min()} to {pixels.max()}; expected [0, 1]")
        return pixels.astype(np.float32, copy=False)


def _size_text(size: tuple[int, int]) -> str:
    return f"{size[0]}, {size[1]}"
