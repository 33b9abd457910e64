"""Frames of videos: those that are shown at the asked times, and an error with a name for all else."""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sealbench.datasets.errors import DatasetError
from sealbench.datasets.video import video_frames, video_samples

needs_pyav = pytest.mark.skipif(find_spec("av") is None, reason="the extra video is not installed")


def write_clip(path: Path, levels: list[int], rate: int = 10, start: int = 0) -> Path:
    """A clip without losses whose frames are gray, each of one level, with a black left half."""
    import av

    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("ffv1", rate=rate)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "bgr0"
        for place, level in enumerate(levels):
            pixels = np.full((48, 64, 3), level, np.uint8)
            pixels[:, :32] = 0
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts = start + place
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """2.5 seconds at 10 frames a second; the level of a frame is ten times its number."""
    return write_clip(tmp_path / "clip.mkv", [10 * number for number in range(25)])


def shown(path: Path, rate: float) -> list[tuple[float, int]]:
    return [(round(seconds, 6), int(frame[0, -1, 0]) // 10) for seconds, frame in video_frames(path, rate)]


@needs_pyav
@pytest.mark.parametrize(
    ("rate", "expected"),
    [
        (1, [(0.0, 0), (1.0, 10), (2.0, 20)]),
        (2.5, [(0.0, 0), (0.4, 4), (0.8, 8), (1.2, 12), (1.6, 16), (2.0, 20), (2.4, 24)]),
        (10, [(number / 10, number) for number in range(25)]),
        (20, [(number / 20, number // 2) for number in range(49)]),
        (0.25, [(0.0, 0)]),
    ],
)
def test_frames_are_those_shown_at_the_times(clip: Path, rate: float, expected: list[tuple[float, int]]) -> None:
    assert shown(clip, rate) == expected


@needs_pyav
def test_times_count_from_the_first_frame(tmp_path: Path) -> None:
    late = write_clip(tmp_path / "late.mkv", [0, 10, 20, 30], start=7)
    assert shown(late, 5) == [(0.0, 0), (0.2, 2)]


@needs_pyav
def test_samples_are_one_cluster_with_their_times(clip: Path) -> None:
    samples = video_samples(clip, rate=2, limit=3)
    assert [sample.id for sample in samples] == ["clip.mkv-0.000s", "clip.mkv-0.500s", "clip.mkv-1.000s"]
    assert {(sample.source, sample.role, sample.attack, sample.generated) for sample in samples} == {
        ("clip.mkv", "evaluation", "none", False)
    }
    pixels = samples[1].image
    assert (pixels.shape, pixels.dtype, pixels.flags.writeable) == ((48, 64, 3), np.uint8, True)
    assert (pixels[:, :32] == 0).all()
    assert (pixels[:, 32:] == 50).all()
    assert len(video_samples(clip, rate=2)) == 5
    with pytest.raises(DatasetError, match="at least 1"):
        video_samples(clip, limit=0)


@needs_pyav
def test_frames_are_resized_whatever_their_shape(clip: Path) -> None:
    (sample,) = video_samples(clip, limit=1, rate=1, image_size=(90, 160))
    assert sample.image.shape == (90, 160, 3)
    last = video_samples(clip, rate=10, image_size=(90, 160))[-1].image
    assert (last[:, :70] == 0).all()
    assert (last[:, 90:] == 240).all()


@needs_pyav
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "cannot be read as a video"),
        (b"no video at all " * 50, "cannot be read as a video"),
        (b"ffconcat version 1.0\nfile clip.mkv\n", "cannot be read as a video"),
        (b"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nclip.mkv\n#EXT-X-ENDLIST\n", "cannot be read as a video"),
    ],
    ids=["empty", "text", "list of parts", "play list"],
)
def test_what_is_no_video_is_refused_by_name(clip: Path, content: bytes, message: str) -> None:
    wrong = clip.with_name("wrong.mkv")
    wrong.write_bytes(content)
    with pytest.raises(DatasetError, match=rf"wrong\.mkv: {message} .*expected a complete file of one of \.avi"):
        video_samples(wrong)


@needs_pyav
def test_file_without_pictures_is_refused(tmp_path: Path) -> None:
    import av

    path = tmp_path / "sound.mkv"
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("pcm_s16le", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), format="s16", layout="mono")
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
    with pytest.raises(DatasetError, match=r"sound\.mkv: holds no pictures"):
        video_samples(path)


@needs_pyav
def test_file_that_breaks_off_gives_what_is_whole_of_it(clip: Path) -> None:
    content = clip.read_bytes()
    clip.write_bytes(content[: len(content) * 2 // 3])
    found = shown(clip, 10)
    assert 5 < len(found) < 25
    assert found == [(number / 10, number) for number in range(len(found))]


@needs_pyav
def test_missing_file_and_folder(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"none\.mp4: no such file"):
        video_samples(tmp_path / "none.mp4")
    with pytest.raises(DatasetError, match="a folder; expected a video"):
        video_samples(tmp_path)


@pytest.mark.parametrize("rate", [0, -1, float("nan"), float("inf")])
def test_impossible_rate_is_refused(rate: float) -> None:
    with pytest.raises(DatasetError, match="frames a second were asked for"):
        video_samples("clip.mp4", rate)


@pytest.mark.skipif(find_spec("av") is not None, reason="the extra video is installed")
def test_missing_decoder_says_how_to_install_it(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"pip install 'sealbench\[video\]'"):
        video_samples(tmp_path / "clip.mp4")
