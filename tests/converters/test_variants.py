import dataclasses
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from converters import variants
from converters.errors import ImageSizeError, UnknownNameError
from converters.image_size import LARGEST_SIDE, ImageSize, check_image_size
from converters.precisions import PRECISIONS, get_precision
from converters.variants import Blending, DetectorCard, EmbedderCard, Variant, get_variant, variant_names

CARD = """
task = "watermark"
nbits = 16
image_size = 64
[detector]
depths = [1, 1, 1, 1]
dims = [8, 8, 8, 8]
{detector}
[embedder]
hidden_size = 4
channels = 1
widths = [4, 8]
num_blocks = 1
upsampling = "conv"
[blending]
jnd_in_channels = 1
jnd_out_channels = 1
scaling_w = 0.2
"""


def test_card_of_videoseal() -> None:
    assert get_variant("videoseal") == Variant(
        name="videoseal",
        task="watermark",
        nbits=256,
        image_size=256,
        detector=DetectorCard(depths=(3, 3, 9, 3), dims=(96, 192, 384, 768), stem_stride=4),
        embedder=EmbedderCard(256, 1, (16, 32, 64, 128), 8, "bilinear"),
        blending=Blending(1, 1, 0.2),
        official_weights="https://dl.fbaipublicfiles.com/videoseal/y_256b_img.pth",
    )


def test_every_card_can_be_read_and_hashed() -> None:
    assert {"videoseal", "videoseal_nano"} <= set(variant_names())
    cards = {get_variant(name) for name in variant_names()}
    assert {card.name for card in cards} == set(variant_names())


def test_unknown_variant_lists_the_known_ones() -> None:
    with pytest.raises(UnknownNameError, match=r"unknown variant 'videosael'; known: .*videoseal, videoseal_nano"):
        get_variant("videosael")


@pytest.mark.parametrize("name", ["../variants", "", "videoseal.toml", "VIDEOSEAL"])
def test_names_are_not_paths(name: str) -> None:
    with pytest.raises(UnknownNameError):
        get_variant(name)


@pytest.mark.parametrize(
    ("name", "line", "told"),
    [
        ("lacking", "", "expected the keys .*stem_stride"),
        ("typo", "stem_stride = 4\nstem = 4", "found .*'stem'"),
    ],
)
def test_card_with_wrong_keys_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, line: str, told: str
) -> None:
    (tmp_path / f"{name}.toml").write_text(CARD.format(detector=line))
    monkeypatch.setattr(variants, "CARDS", tmp_path)
    with pytest.raises(ValueError, match=told):
        get_variant(name)


def test_unknown_precision_lists_the_known_ones() -> None:
    with pytest.raises(
        UnknownNameError, match="unknown precision 'int9'; known: float32, fp16, int8, int8_weight_only"
    ):
        get_precision("int9")


def test_suffixes() -> None:
    suffixes = {name: precision.suffix for name, precision in PRECISIONS.items()}
    assert suffixes["float32"] == ""
    assert suffixes["fp16"] == "_fp16"
    assert suffixes["int8"] == "_int8"
    assert suffixes["int8_weight_only"] == "_int8_weight_only"


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
    four_stages = dataclasses.replace(tiny, detector=DetectorCard((1, 1, 1, 1), (8, 8, 8, 8), 4))
    check_image_size(four_stages, ImageSize(64, 64), "simple")
    with pytest.raises(ImageSizeError, match=r"tiny cannot take images of 64x63: .* at least 64 pixels; --no_simple"):
        check_image_size(four_stages, ImageSize(64, 63), "simple")
    check_image_size(four_stages, ImageSize(1, 1), "resize")
