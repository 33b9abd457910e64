"""The images of a run as a detector takes them, and what a detector gives for them. Imports nothing but NumPy."""

from dataclasses import dataclass

import numpy as np

MESSAGE_SEED = 1


@dataclass(frozen=True, eq=False)
class ImageSet:
    """Images of one dataset as a group's detector takes them.

    Attributes:
        name: the dataset, as in the column `dataset` of every table.
        ids: name of each image, (n,).
        sources: the picture that each image was cut from, (n,); images of one source are one cluster.
        messages: the embedded bits, (n, nbits) uint8.
        pictures: the watermarked images at their own size, (height, width, 3) uint8 each: what attacks are made on.
        attack: what was done to the watermarked images, as `sealbench.datasets.attacks` spells it.
        watermarked: (n, H, W, 3) float32 in [0, 1].
        plain: the same images without a watermark, or None where they came watermarked, or were attacked.
        psnr_db: of each image against its original at its own size, in dB, (n,); empty where they came watermarked.
    """

    name: str
    ids: tuple[str, ...]
    sources: tuple[str, ...]
    messages: np.ndarray
    pictures: tuple[np.ndarray, ...]
    attack: str
    watermarked: np.ndarray
    plain: np.ndarray | None
    psnr_db: np.ndarray


@dataclass(frozen=True, eq=False)
class Outputs:
    """What a model says of an image set.

    Attributes:
        watermarked: logits (n, 1 + nbits) of the watermarked images, channel 0 the detection confidence.
        plain: the same of the images without a watermark, or None where there are none.
    """

    watermarked: np.ndarray
    plain: np.ndarray | None

    @property
    def everything(self) -> np.ndarray:
        """All logits, (n or 2n, 1 + nbits)."""
        return self.watermarked if self.plain is None else np.concatenate([self.watermarked, self.plain])
