"""The images of a run: read or generated, watermarked once, attacked, and brought to the detector's input."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from sealbench.bench.targets import Group, dataset_name
from sealbench.bench.tasks.image_set import MESSAGE_SEED, ImageLabels, ImageSet
from sealbench.converters.embedding import embed_pictures
from sealbench.converters.families.watermark import as_variant
from sealbench.datasets.attacks import apply_attack, attack_seed
from sealbench.datasets.dead_leaves import dead_leaves_samples
from sealbench.datasets.folder import check_message_length, folder_samples
from sealbench.datasets.messages import random_messages
from sealbench.datasets.photographs import photo_samples
from sealbench.datasets.preprocess import PREPROCESSES, UPSTREAM
from sealbench.datasets.sample import Sample
from sealbench.reports.schema.records import NO_ATTACK
from sealbench.reports.statistics.bits import psnr_db


def read_samples(dataset: str, group: Group, count: int) -> list[Sample]:
    """The images of a dataset before any watermark of ours.

    Raises:
        DatasetError: an image or the manifest is not as it should be, or a message has not the variant's length.
    """
    size = (group.size.height, group.size.width)
    if dataset == "photographs":
        return photo_samples("evaluation", size, count)
    if dataset == "dead-leaves":
        return dead_leaves_samples("evaluation", size, count)
    samples = folder_samples(dataset, limit=count)
    for sample in samples:
        check_message_length(sample, as_variant(group.variant).nbits)
    return samples


def prepare(
    dataset: str, samples: Sequence[Sample], group: Group, watermarker: Callable[[], Any], first: int = 0
) -> ImageSet:
    """Watermark what is not watermarked yet and bring everything to the detector's input size as upstream does it.

    Watermarked images are rounded to 8 bits, as a file would hold them, before they are resized.

    Args:
        dataset: its name or path.
        samples: its images, at least one.
        group: whose detector takes them.
        watermarker: makes the `Watermarker`; called only where there is something to watermark.
        first: number of the first of them in the dataset, which says which messages they carry.
    """
    originals = [sample.image for sample in samples]
    if samples[0].watermarked:
        messages = np.stack([sample.message for sample in samples if sample.message is not None])
        marked, psnr = originals, []
    else:
        messages = random_messages(first + len(samples), as_variant(group.variant).nbits, MESSAGE_SEED)[first:]
        marked = embed_pictures(watermarker(), originals, messages)
        psnr = [psnr_db(image, original) for image, original in zip(marked, originals, strict=True)]
    labels = ImageLabels(
        name=dataset_name(dataset),
        ids=tuple(sample.id for sample in samples),
        sources=tuple(sample.source for sample in samples),
        messages=messages,
        psnr_db=np.array(psnr),
    )
    return _image_set(labels, tuple(marked), tuple(originals) if psnr else None, UPSTREAM, group)


def resized(images: ImageSet, preprocess: str, group: Group) -> ImageSet:
    """Bring images to the detector's input size on another picture path.

    Args:
        images: as `prepare` made them.
        preprocess: as `sealbench.datasets.preprocess` names it.
        group: whose input they become.
    """
    return _image_set(images.labels, images.pictures, images.originals, preprocess, group)


def attacked(images: ImageSet, attack: str, group: Group) -> ImageSet:
    """Attack the watermarked images at their own size, each with a seed of its own, and bring them to the input size.

    Args:
        images: as `prepare` or `resized` made them; the picture path stays theirs.
        attack: as `sealbench.datasets.attacks` spells it.
        group: whose input they become.

    Returns:
        The same images and messages; nothing of the images without a watermark.
    """
    pictures = (
        apply_attack(picture, attack, attack_seed(name))
        for name, picture in zip(images.labels.ids, images.pictures, strict=True)
    )
    return replace(images, attack=attack, watermarked=_inputs(pictures, images.preprocess, group), plain=None)


def _image_set(
    labels: ImageLabels,
    pictures: tuple[np.ndarray, ...],
    originals: tuple[np.ndarray, ...] | None,
    preprocess: str,
    group: Group,
) -> ImageSet:
    return ImageSet(
        labels=labels,
        pictures=pictures,
        originals=originals,
        preprocess=preprocess,
        attack=NO_ATTACK,
        watermarked=_inputs(pictures, preprocess, group),
        plain=None if originals is None else _inputs(originals, preprocess, group),
    )


def _inputs(images: Iterable[np.ndarray], preprocess: str, group: Group) -> np.ndarray:
    """(n, H, W, 3) float32 in [0, 1] at the detector's size."""
    path = PREPROCESSES[preprocess]
    return np.stack([path(image, group.size.height, group.size.width) for image in images])
