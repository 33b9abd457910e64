"""Attacks do to the pixels what their names and strengths say, and are spelled one way."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from sealbench.datasets.attack_functions import FUNCTIONS
from sealbench.datasets.attacks import (
    ATTACK_SETS,
    ATTACKS,
    TRAINING_TABLE,
    Attack,
    Combination,
    apply_attack,
    attack_seed,
    attacks_named,
    jpeg_qualities,
    parse_attack,
)
from sealbench.datasets.errors import DatasetError
from sealbench.datasets.photographs import photo_samples

PICTURE = photo_samples("evaluation", (96, 128), 3)[2].image
GRAY = np.full((64, 48, 3), 100, np.uint8)
EXAMPLES = [*TRAINING_TABLE, "gaussian_blur:1.5", "rotate:10", "flip", "resize:1.7", "crop:0.1", "hue:0.1",
            "overlay:0.5", "jpeg:60+resize:0.7+brightness:1.2"]  # fmt: skip


def psnr(attack: str) -> float:
    return float(10 * np.log10(255**2 / np.mean((apply_attack(PICTURE, attack).astype(float) - PICTURE) ** 2)))


@pytest.mark.parametrize("text", EXAMPLES)
def test_same_size_new_array_input_untouched_and_reproducible(text: str) -> None:
    before = PICTURE.copy()
    after = apply_attack(PICTURE, text, seed=3)
    assert (after.shape, after.dtype) == (PICTURE.shape, np.uint8)
    assert after.flags.writeable
    assert not np.shares_memory(after, PICTURE)
    np.testing.assert_array_equal(PICTURE, before)
    np.testing.assert_array_equal(after, apply_attack(PICTURE, parse_attack(text), seed=3))
    assert (after != PICTURE).any() == (text != "none")


def test_every_attack_has_an_example_here() -> None:
    assert {attack.name for attack in map(parse_attack, EXAMPLES) if isinstance(attack, Attack)} == set(ATTACKS)
    assert FUNCTIONS.keys() == ATTACKS.keys()


@pytest.mark.parametrize(
    "milder_first",
    [
        ["jpeg:95", "jpeg:80", "jpeg:50", "jpeg:20", "jpeg:5"],
        ["resize:0.9", "resize:0.7", "resize:0.5", "resize:0.25"],
        ["gaussian_noise:1", "gaussian_noise:2", "gaussian_noise:8", "gaussian_noise:30"],
        ["gaussian_blur:0.5", "gaussian_blur:1", "gaussian_blur:3"],
        ["brightness:0.95", "brightness:0.8", "brightness:0.5"],
        ["contrast:1.1", "contrast:1.2", "contrast:2"],
        ["hue:0.02", "hue:0.1", "hue:0.3"],
        ["overlay:0.2", "overlay:0.5", "overlay:1"],
    ],
)
def test_stronger_is_further_from_the_picture(milder_first: list[str]) -> None:
    distances = [psnr(attack) for attack in milder_first]
    assert distances == sorted(distances, reverse=True)
    assert distances[0] > distances[-1] + 5


@pytest.mark.parametrize("text", ["resize:1", "crop:1", "brightness:1", "contrast:1", "gaussian_noise:0",
                                  "gaussian_blur:0", "rotate:0", "hue:0", "overlay:0"])  # fmt: skip
def test_neutral_strength_is_the_identity(text: str) -> None:
    np.testing.assert_array_equal(apply_attack(PICTURE, text), PICTURE)


def test_brightness_multiplies_and_contrast_spreads_about_the_mean() -> None:
    assert np.unique(apply_attack(GRAY, "brightness:1.2")).tolist() == [120]
    assert np.unique(apply_attack(GRAY, "brightness:0.8")).tolist() == [80]
    assert np.unique(apply_attack(GRAY, "brightness:4")).tolist() == [255]
    halves = GRAY.copy()
    halves[:32] = 60  # mean gray 80
    assert np.unique(apply_attack(halves, "contrast:0.5")).tolist() == [70, 90]
    assert np.unique(apply_attack(halves, "contrast:2")).tolist() == [40, 120]


def test_noise_has_the_deviation_asked_for_and_depends_on_the_seed() -> None:
    noisy = apply_attack(GRAY, "gaussian_noise:4", seed=(1, 2)).astype(float)
    assert noisy.std() == pytest.approx(np.sqrt(4**2 + 1 / 12), rel=0.03)  # rounding adds 1/12
    assert noisy.mean() == pytest.approx(100, abs=0.2)
    assert np.abs(np.corrcoef(noisy.reshape(-1, 3).T) - np.eye(3)).max() < 0.1  # channels are independent
    assert (noisy != apply_attack(GRAY, "gaussian_noise:4", seed=(1, 3))).mean() > 0.8


def test_crop_keeps_the_fraction_of_each_side_at_a_place_from_the_seed() -> None:
    ramp = np.zeros((100, 200, 3), np.uint8)
    ramp[..., 0] = np.arange(100)[:, None]
    ramp[..., 1] = np.arange(200)[None]
    places = set()
    for seed in range(20):
        red, green = apply_attack(ramp, "crop:0.8", seed)[..., :2].transpose(2, 0, 1).astype(int)
        assert np.ptp(red) in (78, 79)
        assert np.ptp(green) in (158, 159)
        places.add((red.min(), green.min()))
    assert len(places) > 15
    assert max(top for top, _ in places) <= 20


def test_blur_is_gaussian_and_flip_and_rotate_are_exact() -> None:
    blurred = apply_attack(PICTURE, "gaussian_blur:2").astype(float)
    truth = gaussian_filter(PICTURE.astype(float), (2, 2, 0), mode="nearest")
    assert 10 * np.log10(255**2 / np.mean((blurred - truth) ** 2)) > 40
    np.testing.assert_array_equal(apply_attack(PICTURE, "flip"), PICTURE[:, ::-1])
    square = PICTURE[:, :96]
    np.testing.assert_array_equal(apply_attack(square, "rotate:90"), np.rot90(square))
    corner = apply_attack(GRAY, "rotate:30")
    assert corner[0, 0].tolist() == [0, 0, 0]
    assert corner[32, 24].tolist() == [100, 100, 100]


def test_hue_turns_the_colour_circle_and_leaves_gray() -> None:
    red = np.full((2, 2, 3), (200, 20, 20), np.uint8)
    np.testing.assert_array_equal(apply_attack(red, "hue:0.3333333333333333"), red[..., [1, 0, 2]])
    np.testing.assert_array_equal(apply_attack(red, "hue:-0.3333333333333333"), red[..., [1, 2, 0]])
    np.testing.assert_array_equal(apply_attack(GRAY, "hue:0.25"), GRAY)


def test_overlay_darkens_a_box_at_a_place_from_the_seed_and_writes_in_it() -> None:
    places = set()
    for seed in range(20):
        attacked = apply_attack(GRAY, "overlay:0.5", seed).astype(int)
        covered = np.all(np.abs(attacked - 40) <= 1, axis=-1)  # 60 % of black over 100, as Pillow rounds it
        rows, columns = np.flatnonzero(covered.any(axis=1)), np.flatnonzero(covered.any(axis=0))
        assert covered.sum() > 0.7 * 32 * 24  # the rest of the box is the word
        assert (np.ptp(rows) + 1, np.ptp(columns) + 1) == (32, 24)
        places.add((rows[0], columns[0]))
    assert len(places) > 15
    whole = apply_attack(GRAY, "overlay:1")
    assert abs(whole[0, 0].astype(int) - 40).max() <= 1
    assert whole.max() > 150  # 60 % of white: the word


def test_a_combination_is_one_attack_after_the_other() -> None:
    steps = ("jpeg:60", "resize:0.7", "brightness:1.2")
    expected = PICTURE
    for step in steps:
        expected = apply_attack(expected, step)
    np.testing.assert_array_equal(apply_attack(PICTURE, "+".join(steps)), expected)
    turned = "+".join(reversed(steps))
    assert (apply_attack(PICTURE, turned) != expected).any()
    once, twice = (apply_attack(GRAY, attack) for attack in ("gaussian_noise:4", "gaussian_noise:4+gaussian_noise:4"))
    assert twice.std() == pytest.approx(np.sqrt(2) * once.std(), rel=0.05)  # the second noise is another


def test_sets_are_spelled_canonically_and_reach_every_attack() -> None:
    for names in ATTACK_SETS.values():
        assert [str(parse_attack(name)) for name in names] == list(names)
        assert len(set(names)) == len(names)
    assert attacks_named("none") == ()
    assert attacks_named("quick") == ATTACK_SETS["quick"]
    assert attacks_named(" jpeg:80.0 + flip") == ("jpeg:80+flip",)
    full = [parse_attack(name) for name in ATTACK_SETS["full"]]
    assert {attack.name for attack in full if isinstance(attack, Attack)} == set(ATTACKS) - {"none"}
    for names in (ATTACK_SETS["quick"], ATTACK_SETS["full"]):
        assert sum(name.startswith("jpeg:") and "+" not in name for name in names) >= 3
        assert any(isinstance(parse_attack(name), Combination) for name in names)
    with pytest.raises(DatasetError, match=r"'quickly' is unknown; known are: .*; or a set: none, quick, full"):
        attacks_named("quickly")


def test_a_curve_over_jpeg_quality_takes_jpeg_alone_in_order() -> None:
    found = jpeg_qualities(["jpeg:90", "flip", "jpeg:5", "jpeg:70+flip", "none", "jpeg:50"])
    assert list(found.items()) == [("jpeg:5", 5), ("jpeg:50", 50), ("jpeg:90", 90)]


def test_the_seed_of_an_image_is_that_of_its_name() -> None:
    assert attack_seed("coffee-000") == attack_seed("coffee-000") != attack_seed("coffee-001")
    assert attack_seed("caf\udce9") >= 0  # a file name that is no UTF-8


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("none", "none"),
        (" jpeg:80.0 ", "jpeg:80"),
        ("resize:.70", "resize:0.7"),
        ("rotate:-0", "rotate:0"),
        ("gaussian_noise:2e0", "gaussian_noise:2"),
        ("gaussian_noise:1e+1", "gaussian_noise:10"),
        ("rotate:+5", "rotate:5"),
        ("jpeg:60.0 + resize:.7+flip", "jpeg:60+resize:0.7+flip"),
    ],
)
def test_one_spelling_for_equal_attacks(text: str, canonical: str) -> None:
    assert str(parse_attack(text)) == canonical
    assert parse_attack(text) == parse_attack(canonical)


def test_table_is_spelled_canonically_and_attack_made_of_an_int_equals_the_parsed() -> None:
    assert [str(parse_attack(text)) for text in TRAINING_TABLE] == list(TRAINING_TABLE)
    assert len(TRAINING_TABLE) == 9
    assert Attack("jpeg", 80) == parse_attack("jpeg:80")
    assert str(Attack("jpeg", 80)) == "jpeg:80"


@given(st.sampled_from([name for name, kind in ATTACKS.items() if kind.unit and not kind.whole]), st.data())
def test_spelling_round_trip(name: str, data: st.DataObject) -> None:
    attack = Attack(name, data.draw(st.floats(ATTACKS[name].low, ATTACKS[name].high)))
    assert parse_attack(str(attack)) == attack


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sharpen:2", "'sharpen' is unknown; known are: none, jpeg:1..100"),
        ("sharpen:much", "'much' is not a number; expected one of: none, jpeg"),
        ("", "'' is unknown"),
        ("jpeg", r"found no strength; expected jpeg:1..100 \(whole quality\)"),
        ("jpeg:0.8", r"found strength 0.8; expected jpeg:1..100 \(whole quality\)"),
        ("jpeg:80.5", "found strength 80.5"),
        ("jpeg:101", "found strength 101.0"),
        ("jpeg:high", "'high' is not a number; expected jpeg:1..100"),
        ("jpeg:", "'' is not a number"),
        ("jpeg:80:90", "'80:90' is not a number"),
        ("crop:0", "found strength 0.0; expected crop:0.1..1"),
        ("gaussian_noise:-1", "found strength -1.0"),
        ("rotate:nan", "found strength nan"),
        ("brightness:inf", "found strength inf"),
        ("none:1", "attack none: found strength 1.0; it takes none"),
        ("flip:1", "attack flip: found strength 1.0; it takes none"),
        ("hue:0.6", r"found strength 0.6; expected hue:-0.5..0.5 \(turns of the colour circle\)"),
        ("overlay:2", "found strength 2.0; expected overlay:0..1"),
        ("jpeg:60+sharpen:2", "'sharpen' is unknown"),
        ("jpeg:60+", r"'60\+' is not a number"),
        ("+jpeg:60", "'' is unknown"),
        ("jpeg+flip", "attack jpeg: found no strength"),
        ("none+jpeg:60", r"attack none\+jpeg:60: 'none' is no step of a combination; leave it out"),
    ],
)
def test_wrong_attack_says_what_is_known(text: str, expected: str) -> None:
    with pytest.raises(DatasetError, match=expected):
        parse_attack(text)


def test_a_combination_of_one_is_refused() -> None:
    with pytest.raises(DatasetError, match="attack flip: a combination has at least two steps"):
        Combination((Attack("flip"),))


def test_wrong_image_is_refused() -> None:
    with pytest.raises(DatasetError, match="float64"):
        apply_attack(PICTURE / 255, "none")
