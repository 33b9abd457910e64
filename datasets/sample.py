"""What one picture of a dataset is."""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from sealbench.datasets.errors import DatasetError

ROLES = ("calibration", "evaluation")
"""Calibration pictures may be trained on and quantized with; evaluation pictures are for measuring only."""

_IMAGE_DIMENSIONS = 3
_CHANNELS = 3


def check_role(role: str) -> str:
    """Returns `role`, or raises DatasetError when it is neither of ROLES."""
    if role not in ROLES:
        raise DatasetError(f"role {role!r} is unknown; expected one of: {', '.join(ROLES)}")
    return role


def check_count(count: int) -> int:
    """Returns `count`, or raises DatasetError when it is below 1: an empty dataset measures nothing."""
    if count < 1:
        raise DatasetError(f"{count} samples were asked for; ask for at least 1")
    return count


def check_image_size(image_size: tuple[int, int]) -> tuple[int, int]:
    """Returns `image_size` as (height, width) in pixels, or raises DatasetError when either is below 1."""
    height, width = image_size
    if height < 1 or width < 1:
        raise DatasetError(f"image size {height}x{width} is impossible; height and width are at least 1 pixel")
    return int(height), int(width)


def check_image(image: np.ndarray, name: str = "image") -> np.ndarray:
    """Returns `image`, or raises DatasetError when it is not a non-empty (H, W, 3) uint8 array.

    Args:
        image: the array to look at.
        name: what the error calls it, such as a file name.
    """
    shaped = image.ndim == _IMAGE_DIMENSIONS and image.shape[-1] == _CHANNELS and image.size > 0
    if not shaped or image.dtype != np.uint8:
        raise DatasetError(
            f"{name}: found an array of shape {image.shape} and type {image.dtype}; "
            "expected (height, width, 3) uint8 in RGB order, values 0 to 255; convert it first"
        )
    return image


def check_message(message: np.ndarray, name: str = "message") -> np.ndarray:
    """Returns `message`, or raises DatasetError when it is not (nbits,) uint8 of 0 and 1, nbits > 0."""
    if message.ndim != 1 or message.dtype != np.uint8 or message.size == 0 or message.max() > 1:
        raise DatasetError(
            f"{name}: found an array of shape {message.shape} and type {message.dtype}; "
            "expected (nbits,) uint8 holding only 0 and 1"
        )
    return message


@dataclass(frozen=True, eq=False)
class Sample:
    """One picture with what is known about it.

    Attributes:
        id: unique within its dataset; names the rows of the raw results.
        image: (H, W, 3) uint8, RGB.
        message: (nbits,) uint8 of 0 and 1, or None where none is known yet.
        role: one of ROLES.
        source: the source picture. Samples of one source are not independent (crops and attacks of one
            photograph): bootstrap intervals resample sources, not samples.
        generated: True for synthetic images, which are reported apart from photographs.
        attack: what was done to the image, `none` or as sealbench.datasets.attacks spells it.
        watermarked: True when `image` carries `message` already.

    Raises:
        DatasetError: a field has another type, shape or value than these.
    """

    id: str
    image: np.ndarray
    message: np.ndarray | None
    role: str
    source: str
    generated: bool
    attack: str = "none"
    watermarked: bool = False

    def __post_init__(self) -> None:
        check_image(self.image, self.id)
        check_role(self.role)
        if self.message is not None:
            check_message(self.message, f"message of {self.id}")
        elif self.watermarked:
            raise DatasetError(f"{self.id}: is marked as watermarked but has no message; give the message")

    def parts(self) -> Iterator[bytes]:
        """All that it holds, for a fingerprint."""
        bits = b"" if self.message is None else self.message.tobytes()
        facts = (self.id, self.role, self.source, self.attack, self.watermarked, self.image.shape, len(bits))
        yield repr(facts).encode()
        yield np.ascontiguousarray(self.image).tobytes()
        yield bits


def check_message_length(sample: Sample, nbits: int) -> None:
    """Raises DatasetError when `sample` has a message that a detector of `nbits` bits cannot hold."""
    if sample.message is not None and sample.message.size != nbits:
        raise DatasetError(
            f"{sample.id}: its message has {sample.message.size} bits, expected {nbits}; "
            "choose the variant that the image was watermarked with, or correct the message"
        )


class Fingerprinted(Protocol):
    """What a fingerprint can be taken of."""

    def parts(self) -> Iterator[bytes]:
        """All that it holds."""


def fingerprint(samples: Iterable[Fingerprinted]) -> str:
    """SHA-256 (64 hex digits) over all that samples hold: equal datasets have equal fingerprints."""
    digest = hashlib.sha256()
    for sample in samples:
        for part in sample.parts():
            digest.update(part)
    return digest.hexdigest()
