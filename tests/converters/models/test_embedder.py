import dataclasses
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from sealbench.converters.cards.watermark import Blending, EmbedderCard, Variant
from sealbench.converters.checkpoints.loading import load_watermarker
from sealbench.converters.families.weight_sources import find_weights
from sealbench.converters.models.build import build_embedder, build_watermarker
from sealbench.converters.models.jnd import JND
from sealbench.converters.models.seeding import initialize
from sealbench.converters.models.unet import MessageProcessor
from sealbench.converters.models.watermarker import Watermarker
from tests.converters.model_inputs import bits, pattern

# Seeded weights: raise SEEDING_VERSION in converters/checkpoints/weights.py with any change of these.
TINY_WATERMARKS = {
    "bilinear": [-0.7724677, -0.74448, -0.7484574, -0.7022625, -0.6618894],
    "conv": [0.4007233, 0.151956, 0.320858, -0.1496999, 0.6243737],
}
TINY_RMS_WATERMARK = [-0.3466647, -0.7275006, -0.6387804, -0.5738225, -0.5629402]


@pytest.mark.parametrize("upsampling", ["bilinear", "conv"])
def test_golden_watermark_of_the_tiny_variant(tiny: Variant, upsampling: str) -> None:
    variant = dataclasses.replace(tiny, embedder=dataclasses.replace(tiny.embedder, upsampling=upsampling))
    embedder = load_watermarker(variant, find_weights(variant, "seeded")).embedder
    with torch.inference_mode():
        watermark = embedder(pattern(32, 32)[:, :1], torch.arange(16)[None] % 2)
    assert watermark.shape == (1, 1, 32, 32)
    assert watermark[0, 0, 5, :5].tolist() == pytest.approx(TINY_WATERMARKS[upsampling], abs=1e-5)


def test_unknown_upsampling_is_refused(tiny: Variant) -> None:
    variant = dataclasses.replace(tiny, embedder=dataclasses.replace(tiny.embedder, upsampling="nearest"))
    with pytest.raises(ValueError, match="'nearest' is unknown; known: bilinear, conv"):
        build_watermarker(variant)


def test_golden_watermark_with_rms_norm_and_silu(tiny: Variant) -> None:
    card = EmbedderCard(4, 3, (4, 8), 1, "bilinear", "rms", "silu")
    embedder = build_embedder(dataclasses.replace(tiny, embedder=card))
    initialize(embedder, 0)
    with torch.inference_mode():
        watermark = embedder(pattern(32, 32), torch.arange(16)[None] % 2)
    assert watermark.shape == (1, 3, 32, 32)
    assert watermark[0, 2, 5, :5].tolist() == pytest.approx(TINY_RMS_WATERMARK, abs=1e-5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"normalization": "group"}, "normalization 'group' is unknown; known: batch, rms"),
        ({"activation": "gelu"}, "activation 'gelu' is unknown; known: relu, silu"),
    ],
)
def test_unknown_style_is_refused(tiny: Variant, change: dict[str, Any], message: str) -> None:
    variant = dataclasses.replace(tiny, embedder=dataclasses.replace(tiny.embedder, **change))
    with pytest.raises(ValueError, match=message):
        build_embedder(variant)


def test_embed_without_attenuation_adds_the_watermark_itself(tiny: Variant) -> None:
    variant = dataclasses.replace(tiny, blending=Blending(0, 0, 0.1))
    watermarker = load_watermarker(variant, find_weights(variant, "seeded"))
    images = pattern(32, 32) * 0.5 + 0.25
    with torch.inference_mode():
        marked = watermarker.embed(images, bits(16))
        luma = 0.299 * images[:, :1] + 0.587 * images[:, 1:2] + 0.114 * images[:, 2:]
        expected = images + 0.1 * watermarker.embedder(luma, bits(16))
    torch.testing.assert_close(marked, expected, rtol=0, atol=1e-6)


# --- Embedding ---


@pytest.mark.parametrize(("height", "width"), [(32, 32), (45, 70), (20, 24)])
def test_embed_adds_the_attenuated_watermark(
    tiny_watermarker: Watermarker, random_images: Callable[..., Tensor], height: int, width: int
) -> None:
    images, messages = random_images(2, height, width), torch.cat([bits(16, 1), bits(16, 2)])
    red, green, blue = images[:, 0:1], images[:, 1:2], images[:, 2:3]

    def resized(x: Tensor, size: tuple[int, int]) -> Tensor:
        return F.interpolate(x, size=size, mode="bilinear", align_corners=False, antialias=True)

    with torch.inference_mode():
        small = resized(0.299 * red + 0.587 * green + 0.114 * blue, (32, 32))
        watermark = resized(tiny_watermarker.embedder(small, messages), (height, width))
        expected = (images + 0.2 * JND(1, 1)(images) * watermark).clamp(0, 1)
        marked = tiny_watermarker.embed(images, messages)
    torch.testing.assert_close(marked, expected, rtol=0, atol=1e-6)
    assert marked.shape == images.shape
    assert (marked - images).abs().max() > 1e-4


def test_embed_stays_in_range(tiny_watermarker: Watermarker) -> None:
    loud = Watermarker(tiny_watermarker.embedder, tiny_watermarker.detector, JND(), 32, scaling_w=100.0)
    with torch.inference_mode():
        marked = loud.embed(pattern(32, 32), torch.arange(16)[None] % 2)
    assert (marked.min().item(), marked.max().item()) == (0, 1)


def test_embed_puts_a_colour_watermark_in_every_channel(tiny: Variant) -> None:
    card = dataclasses.replace(tiny.embedder, channels=3)
    variant = dataclasses.replace(tiny, embedder=card)
    watermarker = load_watermarker(variant, find_weights(variant, "seeded"))
    images = pattern(32, 32) * 0.5 + 0.25
    with torch.inference_mode():
        delta = watermarker.embed(images, bits(16)) - images
        expected = 0.2 * watermarker.attenuation(images) * watermarker.embedder(images, bits(16))
    torch.testing.assert_close(delta, expected, rtol=0, atol=1e-6)
    assert not torch.allclose(delta[:, 0], delta[:, 1], atol=1e-5)


def test_detect_resizes_to_the_trained_size(
    tiny_watermarker: Watermarker, random_images: Callable[..., Tensor]
) -> None:
    images = random_images(1, 50, 41)
    small = F.interpolate(images, size=(32, 32), mode="bilinear", align_corners=False, antialias=True)
    with torch.inference_mode():
        assert torch.equal(tiny_watermarker.detect(images), tiny_watermarker.detector(small))
        assert torch.equal(tiny_watermarker(images), tiny_watermarker.detect(images))


def test_every_bit_changes_the_message_plane() -> None:
    torch.manual_seed(0)
    processor = MessageProcessor(nbits=16, hidden_size=4)
    latents, messages = torch.rand(1, 3, 2, 5), bits(16)
    with torch.inference_mode():
        mixed = processor(latents, messages)
        assert mixed.shape == (1, 7, 2, 5)
        assert torch.equal(mixed[:, :3], latents)
        table = processor.msg_embeddings.weight
        vector = sum((table[2 * k + int(messages[0, k])] for k in range(16)), start=torch.zeros(4))
        torch.testing.assert_close(mixed[:, 3:], vector[None, :, None, None].expand(1, 4, 2, 5))
        for bit in range(16):
            flipped = messages.clone()
            flipped[0, bit] ^= 1
            assert not torch.equal(processor(latents, flipped)[:, 3:], mixed[:, 3:]), bit
        assert torch.equal(processor(latents, messages.float()), mixed)


def test_every_bit_changes_the_watermark(tiny_watermarker: Watermarker) -> None:
    images, messages = pattern(32, 32)[:, :1], bits(16)
    with torch.inference_mode():
        watermark = tiny_watermarker.embedder(images, messages)
        for bit in range(16):
            flipped = messages.clone()
            flipped[0, bit] ^= 1
            assert (tiny_watermarker.embedder(images, flipped) - watermark).abs().max() > 1e-4, bit
