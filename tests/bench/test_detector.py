import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from sealbench.bench.backends.runners import FileRunner
from sealbench.bench.detector import VideoSealDetectorTFLite
from sealbench.bench.errors import RunnerError
from sealbench.converters.errors import UnknownNameError
from sealbench.datasets.errors import DatasetError
from sealbench.datasets.images import write_png
from sealbench.datasets.preprocess import PREPROCESSES, UPSTREAM
from tests.bench.tiny import NBITS, SIZE, tiny_tflite

RUN_WITHOUT_TORCH = """
import sys
import numpy as np
from sealbench.bench.detector import VideoSealDetectorTFLite
detection = VideoSealDetectorTFLite(sys.argv[1], nbits=4).detect(np.zeros((50, 40, 3), np.uint8))
print(detection.message.shape, sorted({"torch", "litert_torch", "tensorflow"} & set(sys.modules)))
"""


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.tflite"
    path.write_bytes(tiny_tflite())
    return path


@pytest.fixture
def photo() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (48, 40, 3), dtype=np.uint8)


def test_unknown_variants_are_listed(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match=r"'videoseel'; known: .*videoseal_nano"):
        VideoSealDetectorTFLite(tmp_path / "any.tflite", model_name="videoseel")


@pytest.mark.convert
def test_it_runs_without_torch(model: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", RUN_WITHOUT_TORCH, str(model)], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "(4,) []"


@pytest.mark.convert
def test_a_file_an_array_and_its_floats_are_read_alike(model: Path, photo: np.ndarray, tmp_path: Path) -> None:
    detector = VideoSealDetectorTFLite(tflite_model_path=model, model_name="videoseal", nbits=NBITS, image_size=32)
    write_png(tmp_path / "photo.png", photo)
    small = PREPROCESSES[UPSTREAM](photo, *SIZE)
    expected = FileRunner(model, threads=1)(small)
    images = (tmp_path / "photo.png", str(tmp_path / "photo.png"), photo, small)
    for image in images:
        detection = detector.detect(image)
        assert np.array_equal(detection.logits, expected[1:])
        assert detection.confidence_logit == expected[0]
        assert detection.confidence == pytest.approx(1 / (1 + math.exp(-expected[0])))
        assert detection.message.tolist() == [int(logit > 0) for logit in expected[1:]]
        assert detection.message.dtype == np.uint8
    assert np.array_equal(detector.detect(small.astype(np.float64)).logits, expected[1:])
    right_size = photo[: SIZE[0], : SIZE[1]]
    assert np.array_equal(detector.detect(right_size).logits, detector.detect(right_size / 255).logits)


@pytest.mark.convert
def test_detections_are_kept(model: Path, photo: np.ndarray) -> None:
    detector = VideoSealDetectorTFLite(model, nbits=NBITS, num_threads=2)
    first = detector.detect(photo)
    before = first.logits.copy()
    second = detector.detect(255 - photo)
    assert np.array_equal(first.logits, before)
    assert not np.array_equal(second.logits, before)


@pytest.mark.convert
def test_another_model_than_expected_is_refused(model: Path) -> None:
    with pytest.raises(RunnerError, match=r"expected .* float32 \(1, 257\)"):
        VideoSealDetectorTFLite(model)  # videoseal has 256 bits
    with pytest.raises(RunnerError, match=r"tiny\.tflite: takes images of 32, 32; expected 64, 48"):
        VideoSealDetectorTFLite(model, nbits=NBITS, image_size=(64, 48))
    assert VideoSealDetectorTFLite(model, nbits=NBITS, image_size=(32, 32)).image_size == (32, 32)
    with pytest.raises(RunnerError, match="0 threads"):
        VideoSealDetectorTFLite(model, nbits=NBITS, num_threads=0)


@pytest.mark.convert
@pytest.mark.parametrize(
    ("image", "error", "reason"),
    [
        (np.zeros((32, 32, 3), np.int64), RunnerError, "type int64; expected uint8"),
        (np.zeros((48, 40, 3), np.float32), RunnerError, "uint8 may have any size"),
        (np.full((32, 32, 3), 200, np.float32), RunnerError, r"values from 200.0 to 200.0; expected \[0, 1\]"),
        (np.full((32, 32, 3), np.nan, np.float32), RunnerError, r"expected \[0, 1\]"),
        (np.zeros((32, 32), np.uint8), DatasetError, r"\(32, 32\)"),
        (np.zeros((32, 32, 4), np.uint8), DatasetError, r"\(32, 32, 4\)"),
        ("no such photo.png", DatasetError, "no such photo.png"),
    ],
)
def test_images_that_cannot_be_read_are_refused(
    model: Path, image: np.ndarray | str, error: type[Exception], reason: str
) -> None:
    with pytest.raises(error, match=reason):
        VideoSealDetectorTFLite(model, nbits=NBITS).detect(image)
