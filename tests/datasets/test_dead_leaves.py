"""Dead leaves: reproducible, textured, edged, and with a spectrum like that of photographs."""

import numpy as np
import pytest

from sealbench.datasets.dead_leaves import _radii, dead_leaves, dead_leaves_samples
from sealbench.datasets.errors import DatasetError
from sealbench.datasets.photographs import photograph
from sealbench.datasets.sample import fingerprint


def spectral_slope(image: np.ndarray) -> float:
    """Slope of log power over log frequency of the central square; near -3 here for photographs."""
    gray = image[:256, :256].mean(-1)
    power = np.abs(np.fft.rfft2((gray - gray.mean()) * np.outer(np.hanning(256), np.hanning(256)))) ** 2
    frequency = np.hypot(np.fft.fftfreq(256)[:, None], np.fft.rfftfreq(256)[None])
    band = (frequency > 0.02) & (frequency < 0.3)
    return float(np.polyfit(np.log(frequency[band]), np.log(power[band] + 1e-9), 1)[0])


def test_seed_and_size_decide_the_image() -> None:
    first = dead_leaves(40, 56, 7)
    assert (first.shape, first.dtype) == ((40, 56, 3), np.uint8)
    np.testing.assert_array_equal(first, dead_leaves(40, 56, 7))
    assert np.mean(first != dead_leaves(40, 56, 8)) > 0.9


def test_spectrum_contrast_and_colour_are_those_of_pictures() -> None:
    images = [dead_leaves(256, 256, seed) for seed in range(8)]
    slopes = [spectral_slope(image) for image in images]
    natural = [spectral_slope(photograph(name)) for name in ("astronaut", "chelsea", "coffee", "motorcycle")]
    assert np.median(slopes) == pytest.approx(np.median(natural), abs=0.4)
    assert np.ptp(slopes) < 1.5
    for image in images:
        assert image.std() > 30
        assert np.isin(image, (0, 255)).mean() < 0.25  # mostly within range: clipping would leave flat ground
    vividness = [np.ptp(image.astype(int), axis=-1).mean() for image in images]
    assert max(vividness) > 30 > min(vividness)


def test_radii_follow_the_inverse_cube_and_the_ground_is_the_largest() -> None:
    radii = _radii(1024, 1024, np.random.default_rng(0))
    ground, leaves = radii[0], radii[1:]
    assert ground == 1024  # a small one would shade the whole ground to black or white
    assert leaves.max() <= 512
    # Density r^-3: one leaf in four is larger than twice the smallest, one in sixteen than four times.
    assert np.mean(leaves > 2 * leaves.min()) == pytest.approx(1 / 4, abs=0.03)
    assert np.mean(leaves > 4 * leaves.min()) == pytest.approx(1 / 16, abs=0.02)


def test_leaves_are_not_flat() -> None:
    # In flat colour most neighbours would be equal.
    shares = [np.mean(np.diff(dead_leaves(128, 128, s).astype(int), axis=1) == 0) for s in range(6)]
    assert max(shares) < 0.35


@pytest.mark.parametrize("size", [(1, 1), (5, 300), (64, 64)])
def test_any_size(size: tuple[int, int]) -> None:
    assert dead_leaves(*size, seed=0).shape == (*size, 3)


def test_samples_are_generated_independent_and_differ_between_roles() -> None:
    calibration = dead_leaves_samples("calibration", (32, 48), 5, seed=3)
    evaluation = dead_leaves_samples("evaluation", (32, 48), 5, seed=3)
    both = calibration + evaluation
    assert len({sample.id for sample in both}) == len({sample.image.tobytes() for sample in both}) == 10
    assert all(s.generated and s.source == s.id and s.message is None for s in both)
    assert {sample.role for sample in evaluation} == {"evaluation"}
    assert fingerprint(dead_leaves_samples("evaluation", (32, 48), 3, seed=3)) == fingerprint(evaluation[:3])


def test_bad_requests_are_refused() -> None:
    with pytest.raises(DatasetError, match="impossible"):
        dead_leaves(0, 4, 0)
    with pytest.raises(DatasetError, match="role"):
        dead_leaves_samples("test", (4, 4), 1)
    with pytest.raises(DatasetError, match="at least 1"):
        dead_leaves_samples("evaluation", (4, 4), 0)
