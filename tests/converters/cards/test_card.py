import dataclasses
import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from sealbench.converters.cards import card as variants
from sealbench.converters.cards.watermark import Blending, ConvNeXtCard, EmbedderCard, Variant, ViTCard, watermark_cards
from sealbench.converters.errors import UnknownNameError
from sealbench.converters.export.precisions import PRECISIONS, get_precision
from sealbench.converters.families.registry import cards
from sealbench.converters.families.watermark import get_variant, variant_names

CARD = """
task = "watermark"
nbits = 16
image_size = 64
[detector]
architecture = "{architecture}"
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
        detector=ConvNeXtCard(depths=(3, 3, 9, 3), dims=(96, 192, 384, 768), stem_stride=4),
        embedder=EmbedderCard(256, 1, (16, 32, 64, 128), 8, "bilinear"),
        blending=Blending(1, 1, 0.2),
        official_weights="https://dl.fbaipublicfiles.com/videoseal/y_256b_img.pth",
    )


def test_card_of_videoseal_0() -> None:
    assert get_variant("videoseal_0.0") == Variant(
        name="videoseal_0.0",
        task="watermark",
        nbits=96,
        image_size=256,
        detector=ViTCard(16, 16, 384, 12, 6, 4, 8, (2, 5, 8, 11), 384),
        embedder=EmbedderCard(192, 3, (16, 32, 64, 128), 8, "bilinear", "rms", "silu"),
        blending=Blending(0, 0, 1.0),
        official_weights="https://dl.fbaipublicfiles.com/videoseal/rgb_96b.pth",
    )


def test_card_of_pixelseal() -> None:
    videoseal, pixelseal = get_variant("videoseal"), get_variant("pixelseal")
    assert pixelseal.detector == videoseal.detector
    assert pixelseal.embedder == EmbedderCard(256, 1, (32, 64, 128, 256), 8, "bilinear", "batch", "relu")
    assert (pixelseal.nbits, pixelseal.image_size, pixelseal.blending) == (256, 256, videoseal.blending)
    assert pixelseal.official_weights == "https://dl.fbaipublicfiles.com/videoseal/pixelseal/checkpoint.pth"


def test_card_of_chunkyseal() -> None:
    chunkyseal = get_variant("chunkyseal")
    dims = tuple(int(dim * math.sqrt(chunkyseal.nbits / 128)) for dim in (128, 256, 512, 1024))
    assert chunkyseal.nbits == 1024
    assert chunkyseal.detector == ConvNeXtCard((3, 3, 27, 3), dims, 2)
    assert chunkyseal.embedder == EmbedderCard(2048, 3, (64, 128, 256, 512), 8, "bilinear", "batch", "relu")
    assert chunkyseal.blending == Blending(1, 1, 0.2)
    assert chunkyseal.official_weights == "https://dl.fbaipublicfiles.com/videoseal/chunkyseal/checkpoint.pth"


def test_architecture_is_part_of_the_card() -> None:
    architectures = {name: get_variant(name).detector.architecture for name in variant_names()}
    assert architectures == {
        "chunkyseal": "convnext",
        "pixelseal": "convnext",
        "videoseal": "convnext",
        "videoseal_0.0": "vit",
        "videoseal_nano": "convnext",
    }
    assert asdict(get_variant("videoseal").detector)["architecture"] == "convnext"  # fingerprints are made of it


def test_unknown_architecture_lists_the_known_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mixer.toml").write_text(CARD.format(architecture="mixer", detector="stem_stride = 4"))
    monkeypatch.setattr(variants, "CARDS", tmp_path)
    with pytest.raises(UnknownNameError, match="unknown architecture 'mixer'; known: convnext, vit"):
        watermark_cards()


@pytest.mark.parametrize(
    ("change", "message"),
    [({"window_size": 6}, "grid 16 to be a multiple of window_size"), ({"heads": 5}, "dim 384 .* of heads")],
)
def test_transformer_that_cannot_be_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(get_variant("videoseal_0.0").detector, **change)


def test_transformer_for_another_image_size_is_refused() -> None:
    with pytest.raises(ValueError, match=r"image_size 512; expected grid \* patch_size = 256"):
        dataclasses.replace(get_variant("videoseal_0.0"), image_size=512)


def test_every_card_is_of_a_family_and_can_be_hashed() -> None:
    assert {card.name for card in set(cards().values())} == {path.stem for path in variants.CARDS.glob("*.toml")}


def test_unknown_variant_lists_the_known_ones() -> None:
    with pytest.raises(
        UnknownNameError, match=r"unknown variant 'videosael'; known: .*, videoseal_0\.0, videoseal_nano"
    ):
        get_variant("videosael")


@pytest.mark.parametrize("name", ["../variants", "", "videoseal.toml", "VIDEOSEAL"])
def test_names_are_not_paths(name: str) -> None:
    with pytest.raises(UnknownNameError):
        get_variant(name)


@pytest.mark.parametrize(
    ("name", "line", "message"),
    [
        ("lacking", "", "expected the keys .*stem_stride"),
        ("typo", "stem_stride = 4\nstem = 4", "found .*'stem'"),
    ],
)
def test_card_with_wrong_keys_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, line: str, message: str
) -> None:
    (tmp_path / f"{name}.toml").write_text(CARD.format(architecture="convnext", detector=line))
    monkeypatch.setattr(variants, "CARDS", tmp_path)
    with pytest.raises(ValueError, match=message):
        watermark_cards()


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
