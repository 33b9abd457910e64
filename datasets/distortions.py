"""Photographs distorted in steps, as frames of a video's size: what a quality model is asked to put in order.

A distortion is one of `sealbench.datasets.attacks`, and spelled like one.
"""

import zlib
from dataclasses import replace

import numpy as np

from sealbench.datasets.attacks import apply_attack
from sealbench.datasets.photographs import photograph, photographs
from sealbench.datasets.sample import Sample, check_count, check_image, check_image_size

LADDERS = {
    "jpeg": ("jpeg:50", "jpeg:20", "jpeg:5"),
    "gaussian_blur": ("gaussian_blur:1", "gaussian_blur:2", "gaussian_blur:4"),
    "gaussian_noise": ("gaussian_noise:5", "gaussian_noise:12", "gaussian_noise:30"),
    "resize": ("resize:0.5", "resize:0.25", "resize:0.1"),
}
"""The steps of each kind of distortion, from the weakest to the strongest; each is visible to the eye."""

STEPS = ("none", *(step for steps in zip(*LADDERS.values(), strict=True) for step in steps))
"""Every step: the frame as it is, then the weakest of all kinds, and so on, so that a beginning has all kinds."""


def mirrored_frame(picture: np.ndarray, image_size: tuple[int, int], top: int = 0, left: int = 0) -> np.ndarray:
    """A frame of any size out of a picture at its own resolution: beyond its edges the picture is mirrored.

    Enlarged to 1920 x 1080 instead, a photograph of 512 x 512 would be as soft as after the strongest blur, and no
    step would tell.

    Args:
        picture: (H, W, 3) uint8.
        image_size: (height, width) of the frame in pixels.
        top, left: where the frame begins, in pixels of the plane that mirrored pictures fill; not negative.

    Returns:
        (height, width, 3) uint8, the caller's own.

    Raises:
        DatasetError: no such picture, or the size is impossible.
    """
    check_image(picture)
    height, width = check_image_size(image_size)
    rows, columns = _mirrored(top, height, picture.shape[0]), _mirrored(left, width, picture.shape[1])
    return picture[rows[:, None], columns]


def _mirrored(start: int, count: int, side: int) -> np.ndarray:
    """Places (count,) in a line of `side` pixels that runs to its end and back again for ever."""
    places = (start + np.arange(count)) % (2 * side)
    return np.minimum(places, 2 * side - 1 - places)


def distorted_samples(role: str, image_size: tuple[int, int], count: int, seed: int = 0) -> list[Sample]:
    """Frames of the photographs of a role, each at every step of `STEPS`.

    The photographs alternate: first all as they are, then all at the first step, and so on; once every step is
    reached, other parts of them begin anew. A smaller count gives the beginning of a larger one.

    Args:
        role: calibration or evaluation.
        image_size: (height, width) of the frames in pixels.
        count: how many, of all photographs and steps together.
        seed: not negative; other seeds give other parts of the photographs and other noise.

    Returns:
        Samples without a message; `attack` is the step, and ids are such as "astronaut-000-jpeg:20".

    Raises:
        DatasetError: unknown role, impossible size or count, or a photograph that is not installed.
    """
    names = photographs(role)
    samples = []
    for index in range(check_count(count)):
        cycle, within = divmod(index, len(names) * len(STEPS))
        place, which = divmod(within, len(names))
        samples.append(_distorted(_frame(names[which], role, image_size, cycle, seed), place, seed))
    return samples


def mixed_samples(role: str, image_size: tuple[int, int], count: int, seed: int = 0) -> list[Sample]:
    """Frames of the photographs of a role, from the first as it is to the last at the strongest steps.

    Few frames that have all kinds of picture and all strengths of distortion, where `distorted_samples` would give the
    undistorted ones alone.

    Args:
        role: calibration or evaluation.
        image_size: (height, width) of the frames in pixels.
        count: how many; their steps are spread evenly over `STEPS`.
        seed: as for `distorted_samples`, whose samples these are.

    Returns:
        As `distorted_samples`.

    Raises:
        DatasetError: see `distorted_samples`.
    """
    names = photographs(role)
    samples = []
    for index in range(check_count(count)):
        cycle, which = divmod(index, len(names))
        frame = _frame(names[which], role, image_size, cycle, seed)
        samples.append(_distorted(frame, index * len(STEPS) // count, seed))
    return samples


def _distorted(frame: Sample, place: int, seed: int) -> Sample:
    """A frame at a step of `STEPS`."""
    noise_seed = (seed, zlib.crc32(frame.id.encode()), place)
    return replace(
        frame,
        id=f"{frame.id}-{STEPS[place]}",
        image=apply_attack(frame.image, STEPS[place], noise_seed),
        attack=STEPS[place],
    )


def _frame(name: str, role: str, image_size: tuple[int, int], cycle: int, seed: int) -> Sample:
    """The undistorted frame of a photograph in one cycle; the first begins at the photograph's corner."""
    picture = photograph(name)
    rng = np.random.default_rng([seed, zlib.crc32(name.encode()), cycle])
    top, left = (int(rng.integers(2 * side)) if cycle else 0 for side in picture.shape[:2])
    frame = mirrored_frame(picture, image_size, top, left)
    return Sample(f"{name}-{cycle:03d}", frame, None, role, name, generated=False)
