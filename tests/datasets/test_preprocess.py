"""Every way to a model's input is what the docs say: against PyTorch, the real libraries and saved pixels."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from sealbench.datasets.errors import DatasetError
from sealbench.datasets.preprocess import PREPROCESSES, UPSTREAM, Preprocess
from sealbench.datasets.preprocess_functions import to_unit_range
from tests.documents import ROOT

RNG = np.random.default_rng(0)
# Smaller, larger, by a whole factor, one axis alone, and down to and up from a single pixel.
SIZES = [((300, 400), (256, 256)), ((97, 131), (256, 200)), ((512, 256), (256, 128)), ((64, 80), (64, 33))]
SIZES += [((5, 7), (1, 1)), ((1, 1), (3, 4))]
USABLE = [name for name, entry in PREPROCESSES.items() if entry.missing() is None]


def picture(size: tuple[int, int]) -> np.ndarray:
    return RNG.integers(0, 256, (*size, 3), dtype=np.uint8)


def interpolated(image: np.ndarray, size: tuple[int, int], *, antialias: bool) -> np.ndarray:
    """PyTorch's bilinear resize of the scaled picture, (height, width, 3) float32."""
    batch = torch.from_numpy(image).permute(2, 0, 1)[None].float() / 255
    found = torch.nn.functional.interpolate(batch, size, mode="bilinear", align_corners=False, antialias=antialias)
    return found[0].permute(1, 2, 0).numpy()


def differences(name: str, other: np.ndarray, image: np.ndarray) -> np.ndarray:
    """Of a way from another's result, in levels of 8 bits."""
    return 255 * np.abs(PREPROCESSES[name](image, *other.shape[:2]) - other)


def test_unit_range_divides_by_255() -> None:
    pixels = np.arange(256, dtype=np.uint8).reshape(2, 128)
    scaled = to_unit_range(pixels)
    assert scaled.dtype == np.float32
    assert np.array_equal(scaled, pixels.astype(np.float32) / np.float32(255))
    assert np.array_equal(scaled, (torch.from_numpy(pixels) / 255).numpy())  # what PyTorch would give, to the last bit


@pytest.mark.parametrize(("before", "after"), SIZES)
def test_upstream_is_what_upstream_does(before: tuple[int, int], after: tuple[int, int]) -> None:
    image = picture(before)
    np.testing.assert_allclose(
        PREPROCESSES["upstream"](image, *after), interpolated(image, after, antialias=True), rtol=0, atol=1e-6
    )


@pytest.mark.parametrize(("before", "after"), SIZES)
def test_app_is_bilinear_without_antialiasing_rounded_once(before: tuple[int, int], after: tuple[int, int]) -> None:
    image = picture(before)
    found = 255 * PREPROCESSES["app"](image, *after)
    assert differences("app", interpolated(image, after, antialias=False), image).max() < 0.503
    np.testing.assert_allclose(found, np.rint(found), rtol=0, atol=1e-4)


def test_app_is_what_android_draws() -> None:
    """Red of a 7 x 9 picture as Skia 144 drew it on a raster canvas with linear sampling, as Android does."""
    red = [
        [139, 241, 6, 106, 188, 229, 10, 86, 66],
        [213, 167, 81, 153, 76, 250, 50, 112, 233],
        [89, 6, 143, 210, 166, 189, 33, 30, 202],
        [220, 122, 77, 115, 230, 240, 184, 63, 197],
        [81, 113, 103, 19, 141, 149, 178, 35, 72],
        [254, 195, 228, 183, 179, 71, 121, 3, 253],
        [90, 120, 33, 216, 3, 203, 63, 156, 93],
    ]
    drawn = [[190, 127, 217, 131], [159, 110, 233, 113], [181, 190, 113, 109]]
    image = np.repeat(np.array(red, np.uint8)[..., np.newaxis], 3, axis=2)
    found = np.rint(255 * PREPROCESSES["app"](image, 3, 4)).astype(int)
    assert found[..., 0].tolist() == drawn


def test_pillow_rounds_where_upstream_does_not() -> None:
    """Half a level after each axis: one level at most, and hardly ever none."""
    image = picture((300, 400))
    found = differences("pillow", PREPROCESSES["upstream"](image, 256, 256), image)
    assert 0.2 < found.mean() < 0.4
    assert found.max() < 1.01


@pytest.mark.parametrize(("before", "after"), SIZES)
def test_opencv_differs_from_app_by_its_rounding_alone(before: tuple[int, int], after: tuple[int, int]) -> None:
    cv2 = pytest.importorskip("cv2", reason="opencv-python-headless is not installed")
    image = picture(before)
    found = PREPROCESSES["opencv"](image, *after)
    expected = cv2.resize(image, after[::-1], interpolation=cv2.INTER_LINEAR)
    np.testing.assert_array_equal(np.rint(255 * found), expected)
    assert differences("opencv", PREPROCESSES["app"](image, *after), image).max() < 1.01


@pytest.mark.parametrize(("before", "after"), SIZES)
def test_tensorflow_is_bilinear_without_antialiasing_and_rounding(
    before: tuple[int, int], after: tuple[int, int]
) -> None:
    pytest.importorskip("tensorflow", reason="tensorflow is not installed")
    image = picture(before)
    assert differences("tensorflow", interpolated(image, after, antialias=False), image).max() < 0.01


@pytest.mark.parametrize("name", USABLE)
def test_every_way_gives_the_model_what_it_takes(name: str) -> None:
    found = PREPROCESSES[name](picture((50, 70)), 32, 48)
    assert found.shape == (32, 48, 3)
    assert found.dtype == np.float32
    assert found.flags.c_contiguous
    assert -1e-6 < found.min() < found.max() < 1 + 1e-6
    gray = np.full((50, 70, 3), 77, np.uint8)
    np.testing.assert_allclose(PREPROCESSES[name](gray, 32, 48), 77 / 255, rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", PREPROCESSES)
def test_a_picture_of_the_models_size_is_only_scaled(name: str) -> None:
    """Also where the library is missing: nothing is resized."""
    image = picture((32, 48))
    np.testing.assert_array_equal(PREPROCESSES[name](image, 32, 48), image / np.float32(255))


@pytest.mark.parametrize("name", USABLE)
def test_the_two_axes_are_not_exchanged(name: str) -> None:
    """A picture that changes from top to bottom alone still does."""
    image = np.repeat(np.arange(0, 250, 5, dtype=np.uint8), 3 * 40).reshape(50, 40, 3)
    found = PREPROCESSES[name](image, 20, 30)
    assert (np.diff(found, axis=0) > 0).all()
    assert np.abs(np.diff(found, axis=1)).max() < 1e-6


def test_a_wrong_picture_or_size_is_refused() -> None:
    way = PREPROCESSES[UPSTREAM]
    with pytest.raises(DatasetError, match="float32"):
        way(np.zeros((4, 4, 3), np.float32), 2, 2)
    with pytest.raises(DatasetError, match="0x2"):
        way(picture((4, 4)), 0, 2)


def test_a_missing_library_is_named_with_the_command_that_brings_it() -> None:
    absent = replace(PREPROCESSES["opencv"], library=("no_such_library", "opencv"))
    assert absent.missing() == "pip install 'sealbench[opencv]'"
    assert PREPROCESSES["app"].missing() is None


def test_the_page_defines_every_way_as_the_table_does() -> None:
    page = (ROOT / "docs" / "picture-path.md").read_text(encoding="utf-8")
    for entry in PREPROCESSES.values():
        assert _line(entry) in page


def _line(entry: Preprocess) -> str:
    return f"| `{entry.name}` | {entry.filter} | {entry.rounding} |"
