import dataclasses

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from sealbench.converters.cards.image_size import LARGEST_SIDE, ImageSize, check_image_size
from sealbench.converters.cards.watermark import ConvNeXtCard, Variant, ViTCard
from sealbench.converters.errors import ImageSizeError
from sealbench.converters.families.watermark import get_variant, variant_names
from sealbench.converters.models.build import build_detector

SIDES = st.integers(1, LARGEST_SIDE)
CONVOLUTIONAL = ["videoseal", "videoseal_nano", "pixelseal", "chunkyseal"]


@given(st.integers(1, LARGEST_SIDE), st.integers(1, LARGEST_SIDE))
def test_image_size_is_read_as_it_is_written(height: int, width: int) -> None:
    size = ImageSize(height, width)
    assert ImageSize.parse(str(size)) == size
    assert ImageSize.parse(f" {height}x{width} ") == size


def test_image_size_puts_the_height_first() -> None:
    assert ImageSize.parse("480x640") == ImageSize(height=480, width=640)
    assert str(ImageSize(height=480, width=640)) == "480x640"
    assert str(ImageSize(256, 256)) == "256"


@pytest.mark.parametrize(
    "text", ["", "0", "-1", "256.0", "256x", "x256", "256x0", "8193", "9999999", "256X256x3", "big", "1e3"]
)
def test_image_size_refuses_what_is_no_size(text: str) -> None:
    with pytest.raises(ImageSizeError, match="image size"):
        ImageSize.parse(text)


def test_too_small_an_image_names_the_smallest(tiny: Variant) -> None:
    four_stages = dataclasses.replace(tiny, detector=ConvNeXtCard((1, 1, 1, 1), (8, 8, 8, 8), 4))
    check_image_size(four_stages, ImageSize(64, 64), "simple")
    with pytest.raises(ImageSizeError, match=r"tiny cannot take images of 64x63: .* at least 64 pixels; --no-simple"):
        check_image_size(four_stages, ImageSize(64, 63), "simple")
    check_image_size(four_stages, ImageSize(1, 1), "resize")


@pytest.mark.parametrize("name", CONVOLUTIONAL)
def test_convolutional_detectors_take_larger_images(name: str) -> None:
    for size in (ImageSize(512, 512), ImageSize(256, 256), ImageSize(300, 700)):
        check_image_size(get_variant(name), size, "simple")


def test_transformer_takes_the_size_it_was_trained_at_alone() -> None:
    variant = get_variant("videoseal_0.0")
    check_image_size(variant, ImageSize(256, 256), "simple")
    message = (
        r"videoseal_0\.0 cannot take images of 512: its position embeddings fit 256 x 256 pixels alone; "
        r"--no-simple resizes inside the model to the 256 it was trained at"
    )
    with pytest.raises(ImageSizeError, match=message):
        check_image_size(variant, ImageSize(512, 512), "simple")


@given(height=SIDES, width=SIDES)
def test_transformer_refuses_every_other_size(height: int, width: int) -> None:
    assume((height, width) != (256, 256))
    with pytest.raises(ImageSizeError):
        check_image_size(get_variant("videoseal_0.0"), ImageSize(height, width), "simple")


@given(name=st.sampled_from(variant_names()), height=SIDES, width=SIDES)
def test_every_detector_takes_every_size_behind_a_resize(name: str, height: int, width: int) -> None:
    check_image_size(get_variant(name), ImageSize(height, width), "resize")


TINY_TRANSFORMER = ViTCard(
    grid=4,
    patch_size=4,
    dim=8,
    depth=2,
    heads=2,
    mlp_ratio=2,
    window_size=2,
    global_blocks=(1,),
    out_channels=8,
)


@settings(max_examples=60, deadline=None)
@given(
    card=st.sampled_from([ConvNeXtCard((1, 1), (4, 4), 2), ConvNeXtCard((1,) * 4, (4,) * 4, 1), TINY_TRANSFORMER]),
    height=st.integers(1, 40),
    width=st.integers(1, 40),
)
def test_a_size_is_refused_where_the_network_fails(tiny: Variant, card: ConvNeXtCard, height: int, width: int) -> None:
    variant = dataclasses.replace(tiny, image_size=16, detector=card)
    detector, images = build_detector(variant), torch.rand(1, 3, height, width)
    with torch.inference_mode():
        try:
            check_image_size(variant, ImageSize(height, width), "simple")
        except ImageSizeError:
            with pytest.raises((RuntimeError, ValueError)):
                detector(images)
        else:
            assert detector(images).shape == (1, 17)
