"""Roles never overlap, crops are reproducible and balanced, and no evaluation pixel reaches calibration."""

from collections import Counter

import numpy as np
import pytest

import sealbench.datasets.photographs
from sealbench.datasets.errors import DatasetError
from sealbench.datasets.images import resize
from sealbench.datasets.photographs import PHOTOGRAPHS, photo_samples, photograph, photographs
from sealbench.datasets.sample import ROLES, fingerprint


def test_roles_share_no_name_no_file_and_no_source() -> None:
    for field in ("name", "file", "source"):
        calibration, evaluation = ({getattr(p, field) for p in PHOTOGRAPHS if p.role == r} for r in ROLES)
        assert not calibration & evaluation
    assert len({p.name for p in PHOTOGRAPHS}) == len({(p.package, p.file) for p in PHOTOGRAPHS}) == len(PHOTOGRAPHS)
    assert {p.role for p in PHOTOGRAPHS} == set(ROLES)


def test_both_eyes_of_the_stereo_pair_are_one_source() -> None:
    pair = [p for p in PHOTOGRAPHS if p.file.startswith("motorcycle")]
    assert len(pair) == 2
    assert len({(p.source, p.role) for p in pair}) == 1


def test_no_photograph_is_in_the_table_twice_as_pixels() -> None:
    # Correlation of thumbnails: 1 for copies; the stereo pair is the one known kinship.
    def thumbnail(name: str) -> np.ndarray:
        gray = photograph(name).mean(-1)
        rows, columns = (np.linspace(0, side - 1, 32).astype(int) for side in gray.shape)
        small = gray[np.ix_(rows, columns)].ravel()
        return (small - small.mean()) / small.std()

    thumbnails = {p.source: thumbnail(p.name) for p in PHOTOGRAPHS}
    matrix = np.corrcoef(list(thumbnails.values()))
    assert np.abs(matrix - np.eye(len(matrix))).max() < 0.7


def test_every_photograph_is_there_and_evaluation_has_five_in_colour() -> None:
    colorful = []
    for p in PHOTOGRAPHS:
        image = photograph(p.name)
        assert min(image.shape[:2]) >= 190
        assert image.std() > 10  # has content
        if (np.ptp(image.astype(int), axis=-1) > 8).mean() > 0.1:
            colorful.append(p)
        assert p.note
    assert sum(p.role == "evaluation" for p in colorful) >= 5
    assert len({p.source for p in colorful if p.role == "calibration"}) >= 3


def test_a_caller_cannot_spoil_a_photograph_for_the_next() -> None:
    first = photograph("chelsea")
    first[:] = 0
    assert photograph("chelsea").max() > 0


@pytest.mark.parametrize("role", ROLES)
def test_samples_are_balanced_over_sources_and_of_their_role(role: str) -> None:
    samples = photo_samples(role, (64, 64), 25)
    per_source = Counter(sample.source for sample in samples)
    assert max(per_source.values()) - min(per_source.values()) <= 1
    assert set(per_source) == {p.source for p in PHOTOGRAPHS if p.role == role}
    assert len({sample.id for sample in samples}) == 25
    names = photographs(role)
    for sample in samples:
        assert sample.id.rpartition("-")[0] in names
        assert (sample.image.shape, sample.message, sample.generated) == ((64, 64, 3), None, False)
        assert sample.role == role


def test_same_seed_same_crops_other_seed_others_and_fewer_are_the_beginning() -> None:
    many = photo_samples("evaluation", (48, 64), 14, seed=1)
    assert many[0].image.shape == (48, 64, 3)
    assert fingerprint(photo_samples("evaluation", (48, 64), 9, seed=1)) == fingerprint(many[:9])
    others = photo_samples("evaluation", (48, 64), 14, seed=2)
    assert all((a.image != b.image).any() for a, b in zip(many, others, strict=True))
    assert len({sample.image.tobytes() for sample in many}) == 14


def test_crops_span_native_resolution_to_the_largest_that_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    crops: list[tuple[int, ...]] = []

    def recording(image: np.ndarray, height: int, width: int) -> np.ndarray:
        crops.append(image.shape[:2])
        return resize(image, height, width)

    monkeypatch.setattr(sealbench.datasets.photographs, "resize", recording)
    photo_samples("evaluation", (50, 100), 240)
    rows = np.array([crop[0] for index, crop in enumerate(crops) if index % 6 == 0])  # astronaut, 512 x 512
    assert rows.min() >= 50
    assert rows.max() <= 256
    assert np.median(rows) == pytest.approx(np.sqrt(50 * 256), rel=0.25)  # log-uniform
    assert rows.min() < 60
    assert rows.max() > 220
    assert all(columns == pytest.approx(2 * rows, abs=2) for rows, columns in crops)
    assert len({crops[0], crops[4], crops[5]}) == 3  # pictures of one size, each with draws of its own


def test_picture_without_room_is_mirrored_every_second_time() -> None:
    whole = photograph("astronaut")
    own = [s.image for s in photo_samples("evaluation", (512, 512), 12) if s.source == "astronaut"]
    np.testing.assert_array_equal(own[0], whole)
    np.testing.assert_array_equal(own[1], whole[:, ::-1])


def test_picture_smaller_than_the_size_is_enlarged_whole() -> None:
    sample = photo_samples("evaluation", (600, 902), 2)[1]
    assert sample.id == "chelsea-000"  # 300 x 451: exactly doubled, nothing cut away
    whole = photograph("chelsea").astype(float)
    halved = sample.image.reshape(300, 2, 451, 2, 3).mean((1, 3))
    assert np.abs(halved - whole).mean() < 3


def test_unknown_names_are_refused_with_the_known_ones() -> None:
    with pytest.raises(DatasetError, match="known are: astronaut"):
        photograph("lena")
    with pytest.raises(DatasetError, match="calibration, evaluation"):
        photographs("training")
    with pytest.raises(DatasetError, match="at least 1"):
        photo_samples("evaluation", (64, 64), 0)
    with pytest.raises(DatasetError, match="0x64"):
        photo_samples("evaluation", (0, 64), 1)
