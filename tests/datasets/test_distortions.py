"""Distorted photographs: whole ladders, each step stronger than the one before, at a video's size."""

import numpy as np
import pytest

from sealbench.datasets.attacks import apply_attack, parse_attack
from sealbench.datasets.distortions import LADDERS, STEPS, distorted_samples, mirrored_frame, mixed_samples
from sealbench.datasets.errors import DatasetError
from sealbench.datasets.photographs import photograph, photographs

SIZE = (90, 160)
NAMES = photographs("evaluation")


def distance(image: np.ndarray, original: np.ndarray) -> float:
    return float(np.square(image.astype(float) - original).mean())


@pytest.mark.parametrize("kind", LADDERS)
def test_each_step_is_further_from_every_photograph(kind: str) -> None:
    for name in NAMES:
        frame = mirrored_frame(photograph(name), (270, 480))
        distances = [distance(apply_attack(frame, step), frame) for step in LADDERS[kind]]
        assert distances == sorted(distances), name
        assert distances[0] > 0
        assert distances[-1] > 2 * distances[0], name


def test_steps_are_every_ladder_spelled_as_attacks_are() -> None:
    assert STEPS[0] == "none"
    assert sorted(STEPS[1:]) == sorted(step for ladder in LADDERS.values() for step in ladder)
    assert [str(parse_attack(step)) for step in STEPS] == list(STEPS)
    assert {step.partition(":")[0] for step in STEPS[1:5]} == set(LADDERS)  # the weakest of each kind comes first


def test_mirrored_frame_goes_on_mirrored() -> None:
    picture = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
    frame = mirrored_frame(picture, (5, 7))
    np.testing.assert_array_equal(frame[:2, :3], picture)
    np.testing.assert_array_equal(frame[2], picture[1, [0, 1, 2, 2, 1, 0, 0]])
    np.testing.assert_array_equal(frame[:, 3], frame[:, 2])
    np.testing.assert_array_equal(frame[4], frame[0])
    np.testing.assert_array_equal(mirrored_frame(picture, (1, 2), top=3, left=4), picture[None, 0, [1, 0]])
    assert not np.shares_memory(frame, picture)
    with pytest.raises(DatasetError, match="size 0x7"):
        mirrored_frame(picture, (0, 7))


def test_photographs_take_turns_and_a_beginning_is_a_beginning() -> None:
    total = len(NAMES) * len(STEPS)
    samples = distorted_samples("evaluation", SIZE, total + 2)
    assert [sample.source for sample in samples[: len(NAMES)]] == list(NAMES)
    assert {(sample.source, sample.attack) for sample in samples[:total]} == {(n, s) for n in NAMES for s in STEPS}
    assert len({sample.id for sample in samples}) == len(samples)
    assert samples[0].id == "astronaut-000-none"
    assert samples[total].id == "astronaut-001-none"
    assert (samples[total].image != samples[0].image).any()
    fewer = distorted_samples("evaluation", SIZE, 9)
    for sample, same in zip(fewer, samples, strict=False):
        assert sample.id == same.id
        np.testing.assert_array_equal(sample.image, same.image)
    assert {(s.role, s.message, s.watermarked, s.generated, s.image.shape) for s in samples} == {
        ("evaluation", None, False, False, (*SIZE, 3))
    }


def test_sample_is_its_step_of_the_same_frame() -> None:
    samples = distorted_samples("evaluation", SIZE, 60)
    frames = {sample.source: sample.image for sample in samples if sample.attack == "none"}
    for sample in samples:
        if "noise" not in sample.attack:
            np.testing.assert_array_equal(sample.image, apply_attack(frames[sample.source], sample.attack))
    noises = [s.image.astype(int) - frames[s.source] for s in samples if s.attack == "gaussian_noise:12"]
    assert len(noises) > 2
    assert abs(np.corrcoef(noises[0].ravel(), noises[1].ravel())[0, 1]) < 0.05  # no two bear the same noise


def test_a_few_mixed_frames_have_all_strengths() -> None:
    mixed = mixed_samples("calibration", SIZE, 8)
    assert [STEPS.index(sample.attack) for sample in mixed] == [0, 1, 3, 4, 6, 8, 9, 11]
    assert [sample.source for sample in mixed] == list(photographs("calibration"))[:8]
    every = {sample.id: sample for sample in distorted_samples("calibration", SIZE, 11 * len(STEPS))}
    for sample in mixed:
        np.testing.assert_array_equal(sample.image, every[sample.id].image)
    assert len({sample.id for sample in mixed_samples("calibration", SIZE, 40)}) == 40
    with pytest.raises(DatasetError, match="at least 1"):
        mixed_samples("calibration", SIZE, 0)


def test_seed_role_and_count() -> None:
    first, other = (distorted_samples("evaluation", SIZE, 20, seed)[-1] for seed in (0, 1))
    assert first.attack.startswith("gaussian_noise")
    assert (first.image != other.image).any()
    assert {sample.source for sample in distorted_samples("calibration", SIZE, 9)}.isdisjoint(NAMES)
    with pytest.raises(DatasetError, match="at least 1"):
        distorted_samples("evaluation", SIZE, 0)
    with pytest.raises(DatasetError, match="role 'training' is unknown"):
        distorted_samples("training", SIZE, 1)
