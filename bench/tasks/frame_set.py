"""Frames of a run, and what is kept of the outputs on each of them: its score, and sums over its values."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sealbench.bench.targets import dataset_name
from sealbench.datasets.distortions import distorted_samples
from sealbench.datasets.folder import folder_samples
from sealbench.datasets.images import resize
from sealbench.datasets.sample import Sample
from sealbench.datasets.video import video_samples
from sealbench.reports.schema.tables import SCORE_SUMS


@dataclass(frozen=True, eq=False)
class FrameLabels:
    """What is known of the frames of a dataset beside their pixels.

    Attributes:
        name: the dataset, as in the column `dataset` of every table.
        ids: name of each frame, (n,).
        sources: the picture or video that each frame is of, (n,); frames of one source are one cluster.
        attacks: the step of distortion of each frame, (n,).
    """

    name: str
    ids: tuple[str, ...]
    sources: tuple[str, ...]
    attacks: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class FrameSet:
    """Frames of one dataset, as a model's file takes them.

    Attributes:
        labels: what is known of them.
        arrays: what the file takes of a frame by its number; made when it is asked for, as float32 frames are large.
    """

    labels: FrameLabels
    arrays: Callable[[int], tuple[np.ndarray, ...]]

    def __len__(self) -> int:
        """How many frames a model is shown."""
        return len(self.labels.ids)


@dataclass(frozen=True, eq=False)
class Outputs:
    """The outputs of a model on frames, and those of PyTorch on the same.

    Attributes:
        scores, reference_scores: (n,) float64; NaN for features.
        sums: (n, 6) float64, the columns `SCORE_SUMS` over the values of each frame's output.
    """

    scores: np.ndarray
    reference_scores: np.ndarray
    sums: np.ndarray

    def column(self, name: str) -> np.ndarray:
        """One of `SCORE_SUMS`, (n,)."""
        column: np.ndarray = self.sums[:, SCORE_SUMS.index(name)]
        return column


def read_frames(dataset: str, size: tuple[int, int], count: int, rate: float) -> list[Sample]:
    """The frames of a dataset: the photographs distorted in steps, a folder's pictures, or a video's frames.

    Args:
        dataset: `distorted-photographs`, or the path of a folder or a video file.
        size: (height, width) in pixels that every frame is brought to.
        count: at most so many.
        rate: frames for a second of a video.

    Raises:
        DatasetError: a file is not as it should be, or the video's decoder is missing.
    """
    if Path(dataset).is_file():
        return video_samples(dataset, rate, count, size)
    if not Path(dataset).is_dir():
        return distorted_samples("evaluation", size, count)
    return [
        Sample(s.id, resize(s.image, *size), None, s.role, s.source, s.generated)
        for s in folder_samples(dataset, limit=count)
    ]


def frame_set(
    dataset: str, samples: Sequence[Sample], inputs: Callable[[np.ndarray], tuple[np.ndarray, ...]]
) -> FrameSet:
    """Frames with what `inputs` makes of each (H, W, 3) uint8, kept where it is smaller than the frame itself."""
    frames = [sample.image for sample in samples]
    kept: dict[int, tuple[np.ndarray, ...]] = {}

    def arrays(index: int) -> tuple[np.ndarray, ...]:
        if index in kept:
            return kept[index]
        made = inputs(frames[index])
        if sum(array.nbytes for array in made) < frames[index].nbytes:
            kept[index] = made
        return made

    labels = FrameLabels(
        name=dataset_name(dataset),
        ids=tuple(sample.id for sample in samples),
        sources=tuple(sample.source for sample in samples),
        attacks=tuple(sample.attack for sample in samples),
    )
    return FrameSet(labels, arrays)


def compare(found: Sequence[np.ndarray], reference: Sequence[np.ndarray]) -> Outputs:
    """Compare the outputs of each frame, of any shape, with PyTorch's."""
    sums = np.array([_sums(a, b) for a, b in zip(found, reference, strict=True)])
    return Outputs(_scores(found), _scores(reference), sums)


def _scores(outputs: Sequence[np.ndarray]) -> np.ndarray:
    return np.array([float(output.item()) if output.size == 1 else np.nan for output in outputs])


def _sums(found: np.ndarray, reference: np.ndarray) -> tuple[float, ...]:
    """In the order of `SCORE_SUMS`; in float64."""
    a, b = found.astype(np.float64).ravel(), reference.astype(np.float64).ravel()
    with np.errstate(invalid="ignore"):
        squares = (float(np.square(a - b).sum()), float(b @ b), float(a @ a), float(a @ b))
    return (a.size, int(np.count_nonzero(~np.isfinite(a))), *squares)
