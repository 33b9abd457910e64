"""Frames of a video file, sampled at a rate. The decoder, PyAV, is the optional extra `video`."""

import math
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from sealbench.datasets.errors import DatasetError
from sealbench.datasets.sample import Sample, check_count, check_image_size

SUFFIXES = (".avi", ".m4v", ".mkv", ".mov", ".mp4", ".webm", ".y4m")
"""Suffixes in lower case of what is taken for a video; how one is read, its content decides."""

# Containers of pictures and nothing else: a play list or a list of parts would have other files or addresses opened.
_CONTAINERS = "avi,matroska,webm,mov,mp4,m4a,3gp,3g2,mj2,yuv4mpegpipe"


def video_frames(
    path: str | Path, rate: float = 1.0, image_size: tuple[int, int] | None = None
) -> Iterator[tuple[float, np.ndarray]]:
    """Decodes the frames that a video shows at the times 0, 1 / rate, 2 / rate, ... after its first.

    A frame is shown until the next one's time. Sound and other streams are passed over, a turn that the file asks
    its player for is not made, and a file that breaks off gives what is whole of it.

    Args:
        path: of the file.
        rate: frames a second, above 0; more than the video has show some of its frames several times.
        image_size: (height, width) in pixels that every frame is resized to, bicubic, whatever its shape was, as
            upstream's UVQ does (ffmpeg's `scale` with `flags=bicubic`); None for the video's own.

    Yields:
        The time in seconds and the frame, (H, W, 3) uint8, RGB, the caller's own.

    Raises:
        DatasetError: PyAV is not installed, the rate or the size is impossible, or the file is missing, is no video,
            or is damaged.
    """
    if not 0 < rate < math.inf:  # so written that NaN is refused
        raise DatasetError(f"{rate} frames a second were asked for; expected a number above 0")
    size = None if image_size is None else check_image_size(image_size)
    path = Path(path)
    av = _decoder()
    if not path.is_file():
        raise DatasetError(f"{path}: {'a folder' if path.is_dir() else 'no such file'}; expected a video file")
    try:
        with path.open("rb") as file, av.open(file, options={"format_whitelist": _CONTAINERS}) as container:
            if not container.streams.video:
                raise DatasetError(f"{path}: holds no pictures; expected a video file")
            yield from _sampled(container.decode(container.streams.video[0]), Fraction(str(rate)), size)
    except DatasetError:
        raise
    except (OSError, ValueError, av.FFmpegError) as error:
        reason = getattr(error, "strerror", None) or error
        raise DatasetError(f"{path}: cannot be read as a video ({reason}); {_EXPECTED}") from error


_EXPECTED = f"expected a complete file of one of {' '.join(SUFFIXES)}; copy or convert it again"


def video_samples(
    path: str | Path, rate: float = 1.0, limit: int | None = None, image_size: tuple[int, int] | None = None
) -> list[Sample]:
    """The frames of a video as samples, in their order.

    Args:
        path, rate, image_size: see `video_frames`.
        limit: at most so many, the first ones; None for all.

    Returns:
        Samples of role evaluation; ids are such as "clip.mp4-12.500s", and the source of all is the file's name:
        frames of one video are not independent.

    Raises:
        DatasetError: see `video_frames`; also where there is no frame in the file, or the limit is below 1.
    """
    most = None if limit is None else check_count(limit)
    name = Path(path).name
    samples: list[Sample] = []
    for seconds, frame in video_frames(path, rate, image_size):
        samples.append(Sample(f"{name}-{seconds:.3f}s", frame, None, "evaluation", name, generated=False))
        if len(samples) == most:
            break
    if not samples:
        raise DatasetError(f"{path}: no frame could be decoded; {_EXPECTED}")
    return samples


def _decoder() -> Any:
    try:
        import av
    except ImportError as error:
        raise DatasetError(
            "frames of a video need PyAV, which is not installed: pip install 'sealbench[video]'"
        ) from error
    return av


def _sampled(frames: Iterator[Any], rate: Fraction, size: tuple[int, int] | None) -> Iterator[tuple[float, np.ndarray]]:
    """Of decoded frames those that are shown at the times k / rate, k = 0, 1, ..., up to the last frame's own time."""
    shown, due, taken = None, Fraction(0), 0
    for frame in frames:
        if frame.pts is None:  # a frame without a time cannot be placed
            continue
        time = frame.pts * frame.time_base  # exact, as rounded times would take a neighbour now and then
        due = time if shown is None else due
        while due < time:
            yield float(taken / rate), _pixels(shown, size)
            due, taken = due + 1 / rate, taken + 1
        shown, last = frame, time
    if shown is not None and due <= last:
        yield float(taken / rate), _pixels(shown, size)


def _pixels(frame: Any, size: tuple[int, int] | None) -> np.ndarray:
    """(H, W, 3) uint8, RGB."""
    height, width = (frame.height, frame.width) if size is None else size
    converted = frame.reformat(width=width, height=height, format="rgb24", interpolation="BICUBIC")
    return np.ascontiguousarray(converted.to_ndarray())
