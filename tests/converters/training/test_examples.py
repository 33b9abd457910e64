"""The picture of examples shows what it says."""

import numpy as np

from sealbench.converters.training.examples import GAIN, MARGIN, example_sheet


def test_a_row_shows_original_watermarked_and_enlarged_difference() -> None:
    originals = np.full((2, 4, 5, 3), 100, np.uint8)
    watermarked = originals + np.uint8(3)
    sheet = example_sheet(originals, watermarked)
    assert sheet.shape == (2 * 4 + MARGIN, 3 * 5 + 2 * MARGIN, 3)
    assert (sheet[:4, :5] == 100).all()
    assert (sheet[:4, 5 : 5 + MARGIN] == 255).all()
    assert (sheet[:4, 5 + MARGIN : 10 + MARGIN] == 103).all()
    assert (sheet[:4, -5:] == 128 + 3 * GAIN).all()
    assert (sheet[4 + MARGIN :, :5] == 100).all()
