"""Our model beside logits of the publisher's: what agrees, what is seen, and which files are refused."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional

from sealbench.bench.analysis.upstream_logits import TOLERANCE, LogitsError, compare_logits, read_logits
from tests.bench.tiny import NBITS, TINY, tiny_watermarker

IMAGES = np.random.default_rng(0).integers(0, 256, (3, 40, 48, 3), dtype=np.uint8)


def logits_of(images: np.ndarray, antialias: bool = True) -> np.ndarray:
    """What the publisher's code gives: resized in floating point, in one batch."""
    detector = tiny_watermarker().detector  # shared by tests that export it: not made in inference mode
    pixels = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255
    side = (TINY.image_size, TINY.image_size)
    with torch.inference_mode():
        small = functional.interpolate(pixels, side, mode="bilinear", align_corners=False, antialias=antialias)
        return np.asarray(detector(small).numpy())


def saved(path: Path, **arrays: np.ndarray) -> Path:
    np.savez(path, **arrays)  # type: ignore[arg-type]
    return path


@pytest.mark.parametrize("images", [IMAGES, IMAGES.astype(np.float32) / 255], ids=["uint8", "float32"])
def test_the_same_model_agrees(tmp_path: Path, images: np.ndarray) -> None:
    path = saved(tmp_path / "logits.npz", images=images, logits=logits_of(IMAGES))
    found = compare_logits(tiny_watermarker(), *read_logits(path, NBITS))
    assert found
    assert (found.images, found.bits, found.flipped_bits) == (3, 3 * NBITS, 0)
    assert found.largest < TOLERANCE / 10
    assert found.text().startswith("logits:   agree with upstream's on 3 pictures: at most ")


def test_one_logit_that_is_off_and_another_resize_are_seen(tmp_path: Path) -> None:
    logits = logits_of(IMAGES)
    logits[1, 0] += 2 * TOLERANCE * np.abs(logits).mean()
    found = compare_logits(
        tiny_watermarker(), *read_logits(saved(tmp_path / "a.npz", images=IMAGES, logits=logits), NBITS)
    )
    assert not found
    assert found.worst_image == 1
    assert found.largest == pytest.approx(2 * TOLERANCE, rel=0.05)
    assert "DIFFER from upstream's" in found.text()
    path = saved(tmp_path / "b.npz", images=IMAGES, logits=logits_of(IMAGES, antialias=False))
    assert not compare_logits(tiny_watermarker(), *read_logits(path, NBITS))
    assert not compare_logits(tiny_watermarker(), IMAGES[:1].astype(np.float32), np.full((1, 1 + NBITS), np.nan))


class Planted:
    def __reduce__(self) -> tuple[object, ...]:
        return Path.mkdir, (Path("planted"),)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"images": IMAGES}, "an array is missing"),
        ({"images": IMAGES, "logits": np.zeros((2, 1 + NBITS), np.float32)}, r"logits \(2, 5\); expected .*\(N, 5\)"),
        ({"images": IMAGES, "logits": np.zeros((3, 9), np.float32)}, r"logits \(3, 9\); expected"),
        ({"images": IMAGES[0], "logits": np.zeros((40, 5), np.float32)}, r"images \(40, 48, 3\)"),
        ({"images": IMAGES[:0], "logits": np.zeros((0, 5), np.float32)}, r"images \(0, 40, 48, 3\)"),
        ({"images": IMAGES, "logits": np.full((3, 5), np.nan, np.float32)}, "all of them finite"),
        ({"images": IMAGES, "logits": np.zeros((3, 5), np.int64)}, "type int64; expected floating point"),
        ({"images": IMAGES.astype(np.float32), "logits": np.zeros((3, 5), np.float32)}, "images of type float32"),
        ({"images": IMAGES.astype(np.int64), "logits": np.zeros((3, 5), np.float32)}, "images of type int64"),
        ({"images": np.array([Planted()]), "logits": np.zeros((3, 5), np.float32)}, "cannot be read .*allow_pickle"),
    ],
)
def test_other_files_are_refused_and_nothing_in_them_is_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arrays: dict[str, np.ndarray], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    path = saved(Path("logits.npz"), **arrays)
    with pytest.raises(LogitsError, match=f"^logits.npz: .*{message}"):
        read_logits(path, NBITS)
    assert not Path("planted").exists()


def test_what_is_no_archive_is_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "one.npy", IMAGES)
    with pytest.raises(LogitsError, match=r"one\.npy: another kind of file; expected an \.npz"):
        read_logits(tmp_path / "one.npy", NBITS)
    with pytest.raises(LogitsError, match=r"none\.npz: no such file"):
        read_logits(tmp_path / "none.npz", NBITS)
    whole = saved(tmp_path / "whole.npz", images=IMAGES, logits=logits_of(IMAGES)).read_bytes()
    (tmp_path / "half.npz").write_bytes(whole[:200] + bytes(100) + whole[300:])
    with pytest.raises(LogitsError, match=r"half\.npz: "):
        read_logits(tmp_path / "half.npz", NBITS)
