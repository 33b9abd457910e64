"""The images of a run as a detector takes them, and what a detector gives for them. Imports nothing but NumPy."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

MESSAGE_SEED = 1


@dataclass(frozen=True, eq=False)
class ImageLabels:
    """What is known of the images of a dataset beside their pixels.

    Attributes:
        name: the dataset, as in the column `dataset` of every table.
        ids: name of each image, (n,).
        sources: the picture that each image was cut from, (n,); images of one source are one cluster.
        messages: the embedded bits, (n, nbits) uint8.
        psnr_db: of each image against its original at its own size, in dB, (n,); empty where they came watermarked.
    """

    name: str
    ids: tuple[str, ...]
    sources: tuple[str, ...]
    messages: np.ndarray
    psnr_db: np.ndarray


@dataclass(frozen=True, eq=False)
class ImageSet:
    """Images of one dataset as a group's detector takes them.

    Attributes:
        labels: what is known of them.
        pictures: the watermarked images at their own size, (height, width, 3) uint8 each: what attacks are made on.
        originals: the same without a watermark, or None where they came watermarked.
        preprocess: how they were resized, as `sealbench.datasets.preprocess` names it.
        attack: what was done to the watermarked images, as `sealbench.datasets.attacks` spells it.
        watermarked: (n, H, W, 3) float32 in [0, 1].
        plain: the same images without a watermark, or None where they came watermarked, or were attacked.
    """

    labels: ImageLabels
    pictures: tuple[np.ndarray, ...]
    originals: tuple[np.ndarray, ...] | None
    preprocess: str
    attack: str
    watermarked: np.ndarray
    plain: np.ndarray | None

    def __len__(self) -> int:
        """How many images a model is shown: the watermarked ones, then the plain ones."""
        return len(self.watermarked) + (0 if self.plain is None else len(self.plain))

    def arrays(self, index: int) -> tuple[np.ndarray, ...]:
        """What a file takes of one of them: (1, H, W, 3) float32 in [0, 1]."""
        marked = len(self.watermarked)
        if index < marked:
            return (self.watermarked[index : index + 1],)
        assert self.plain is not None
        return (self.plain[index - marked : index - marked + 1],)


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


def outputs_of(images: ImageSet, found: Sequence[tuple[np.ndarray, ...]]) -> Outputs:
    """The outputs of a model, (1, 1 + nbits) for each of `images`, in their order."""
    logits = np.concatenate([output for (output,) in found])  # (n or 2n, 1 + nbits)
    marked = len(images.watermarked)
    return Outputs(logits[:marked], None if images.plain is None else logits[marked:])
