import dataclasses
import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from sealbench.converters.cards import card as variants
from sealbench.converters.cards.watermark import Blending, ConvNeXtCard, EmbedderCard, Variant, ViTCard, watermark_cards
from sealbench.converters.errors import CardError, UnknownNameError
from sealbench.converters.export.precisions import PRECISIONS, get_precision
from sealbench.converters.families import registry
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
    with pytest.raises(CardError, match=r"mixer\.toml, detector: unknown architecture 'mixer'; known: convnext, vit"):
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
        ("lacking", "", "lacking.toml, detector: has no 'stem_stride'; expected the keys depths, dims, stem_stride"),
        ("typo", "stem_stride = 4\nstem = 4", "typo.toml, detector: has the unknown 'stem'; expected the keys"),
        ("text", 'stem_stride = "4"', "text.toml, detector: stem_stride is '4'; expected a whole number"),
    ],
)
def test_card_with_wrong_keys_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, line: str, message: str
) -> None:
    (tmp_path / f"{name}.toml").write_text(CARD.format(architecture="convnext", detector=line))
    monkeypatch.setattr(variants, "CARDS", tmp_path)
    with pytest.raises(CardError, match=message):
        watermark_cards()


def user_card(folder: Path, text: str, name: str = "mine") -> Path:
    path = folder / f"{name}.toml"
    path.write_text(text)
    return path


def test_a_users_card_is_a_variant_like_any_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_ADDED", {})
    path = user_card(tmp_path, CARD.format(architecture="convnext", detector="stem_stride = 4"))
    card = registry.add_card(registry.read_card(path))
    assert isinstance(card, Variant)
    assert (card.name, card.nbits, card.detector.smallest_side) == ("mine", 16, 64)
    assert registry.get_card("mine") is card
    assert "mine" in registry.card_names()
    assert registry.add_card(dataclasses.replace(card)) == card  # the same again
    with pytest.raises(CardError, match="a model is called mine already; give the card's file, or the factory, anoth"):
        registry.add_card(dataclasses.replace(card, nbits=8))
    taken = user_card(tmp_path, path.read_text(), "videoseal")
    with pytest.raises(CardError, match="a model is called videoseal already"):
        registry.add_card(registry.read_card(taken))


def test_a_users_card_of_a_quality_model(tmp_path: Path) -> None:
    path = user_card(tmp_path, 'task = "quality"\nimage_size = "256"\nparts = ["content"]\n')
    assert registry.read_card(path) == dataclasses.replace(registry.get_card("uvq1p5_content"), name="mine")
    path.write_text('task = "quality"\nimage_size = "256"\nparts = ["motion"]\n')
    with pytest.raises(
        CardError, match=r"mine.toml: parts are \['motion'\]; expected one of content, distortion, aggreg"
    ):
        registry.read_card(path)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('task = "watermark"', "", "mine.toml: has no 'task'; expected one of file, module, quality, watermark"),
        (
            'task = "watermark"',
            'task = "seal"',
            "mine.toml: task is 'seal'; expected one of file, module, quality, watermark",
        ),
        (
            'task = "watermark"',
            'task = "module"',
            "mine.toml: a module of your own has no card; name its factory with --m",
        ),
        ("nbits = 16", "", "mine.toml: has no 'nbits'; expected the keys .*"),
        ("nbits = 16", "nbits = 16.5", "mine.toml: nbits is 16.5; expected a whole number"),
        ("nbits = 16", "nbits = true", "mine.toml: nbits is True; expected a whole number"),
        (
            "dims = [8, 8, 8, 8]",
            "dims = [8, 8]",
            "mine.toml, detector: depths of 4 stages and dims of 2; expected as many",
        ),
        (
            "dims = [8, 8, 8, 8]",
            'dims = [8, "8"]',
            r"detector: dims is \[8, '8'\]; expected a list, each a whole number",
        ),
        ("dims = [8, 8, 8, 8]", "dims = 8", "detector: dims is 8; expected a list, each a whole number"),
        ("[blending]", "[blend]", "mine.toml: found no blending; expected a table \\[blending\\]"),
        (
            'upsampling = "conv"',
            'upsampling = "conv"\nactivation = "sine"',
            "mine.toml: activation 'sine' is unknown; kno",
        ),
        ("channels = 1", "channels = -1", "mine.toml: no network can be built of it"),
        ("scaling_w = 0.2", "scaling_w = ", "mine.toml: is not TOML"),
    ],
)
def test_a_users_card_that_cannot_be_is_refused(tmp_path: Path, old: str, new: str, message: str) -> None:
    text = CARD.format(architecture="convnext", detector="stem_stride = 4")
    assert old in text
    with pytest.raises(CardError, match=message):
        registry.read_card(user_card(tmp_path, text.replace(old, new, 1)))


def test_a_card_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(CardError, match=r"none.toml: cannot be read \(No such file or directory\)"):
        registry.read_card(tmp_path / "none.toml")


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
