import numpy as np

from sealbench.converters.cards.image_size import ImageSize
from sealbench.converters.cards.watermark import Variant
from sealbench.converters.export.calibration import calibration_images
from sealbench.converters.export.calibration_inputs import CALIBRATION_SAMPLES, calibration_fingerprint
from sealbench.converters.models.watermarker import Watermarker
from sealbench.datasets.photographs import photo_samples

SIZE = ImageSize(32, 40)


def test_images_are_pairs_of_marked_and_plain_crops(tiny: Variant, tiny_watermarker: Watermarker) -> None:
    images = calibration_images(tiny_watermarker, tiny.nbits, SIZE)
    assert images.shape == (2 * CALIBRATION_SAMPLES, 32, 40, 3)
    assert images.dtype == np.float32
    levels = images * 255
    np.testing.assert_allclose(levels, levels.round(), atol=1e-4)
    assert images.min() >= 0
    assert images.max() <= 1
    marked, plain = np.split(levels.round().astype(int), 2)
    expected = [sample.image for sample in photo_samples("calibration", (32, 40), CALIBRATION_SAMPLES)]
    np.testing.assert_array_equal(plain, np.stack(expected))
    for one, other in zip(marked, plain, strict=True):
        assert 0 < np.abs(one - other).mean() < 64


def test_no_evaluation_photograph_is_among_them(tiny: Variant, tiny_watermarker: Watermarker) -> None:
    _, plain = np.split(calibration_images(tiny_watermarker, tiny.nbits, SIZE), 2)
    evaluation = photo_samples("evaluation", (32, 40), 48)
    assert not any(np.array_equal(image * 255, sample.image) for image in plain for sample in evaluation)


def test_images_are_the_same_every_time_and_any_stretch_can_be_had(
    tiny: Variant, tiny_watermarker: Watermarker
) -> None:
    whole = calibration_images(tiny_watermarker, tiny.nbits, SIZE, 0, 6)
    np.testing.assert_array_equal(whole, calibration_images(tiny_watermarker, tiny.nbits, SIZE, 0, 6))
    part = calibration_images(tiny_watermarker, tiny.nbits, SIZE, 2, 6)
    np.testing.assert_array_equal(part, np.concatenate([whole[2:6], whole[8:12]]))


def test_fingerprint_tells_sizes_and_messages_apart() -> None:
    found = {calibration_fingerprint(nbits, size) for nbits in (16, 17) for size in (SIZE, ImageSize(40, 32))}
    assert len(found) == 4
    assert calibration_fingerprint(16, SIZE) in found
