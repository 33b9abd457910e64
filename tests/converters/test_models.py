import dataclasses
from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from numpy.typing import NDArray
from torch import Tensor, nn

from converters.models.build import build_detector, build_watermarker
from converters.models.jnd import JND
from converters.models.seeding import initialize
from converters.models.unet import MessageProcessor
from converters.models.watermarker import Watermarker
from converters.variants import DetectorCard, Variant, get_variant
from converters.weights import find_weights, load_watermarker

Layout = dict[str, tuple[int, ...]]

# Seeded weights: raise SEEDING_VERSION in converters/weights.py with any change of these.
FOUR_STAGE_LOGITS = [0.630684, 0.7202247, -0.0440849, 0.0974184, 0.7353218, 0.2303227]
TINY_LOGITS = [-0.3254849, 0.5355458, -0.6606436, 0.1843723, 0.1266947, -0.4171952]
TINY_WATERMARKS = {
    "bilinear": [-0.7724677, -0.74448, -0.7484574, -0.7022625, -0.6618894],
    "conv": [0.4007233, 0.151956, 0.320858, -0.1496999, 0.6243737],
}


@pytest.fixture(scope="module")
def videoseal() -> Watermarker:
    """Names and shapes alone, without values."""
    with torch.device("meta"):
        return build_watermarker(get_variant("videoseal"))


def pattern(height: int, width: int) -> Tensor:
    """An image (1, 3, H, W) that is the same on every machine and under every version of the libraries."""
    values = torch.arange(3 * height * width) * 37 % 101
    return (values / 100).reshape(1, 3, height, width)


def bits(nbits: int, seed: int = 0) -> Tensor:
    return torch.from_numpy(np.random.default_rng(seed).integers(0, 2, (1, nbits)))


def layout(module: nn.Module) -> Layout:
    return {name: tuple(value.shape) for name, value in module.state_dict().items()}


# --- Layout: the names and shapes of the released checkpoint of videoseal 1.0 ---


def released_detector() -> Layout:
    dims, depths = (96, 192, 384, 768), (3, 3, 9, 3)
    shapes: Layout = {
        "convnext.downsample_layers.0.0.weight": (96, 3, 4, 4),
        "convnext.downsample_layers.0.0.bias": (96,),
        "convnext.downsample_layers.0.1.weight": (96,),
        "convnext.downsample_layers.0.1.bias": (96,),
    }
    for stage in (1, 2, 3):
        shapes |= {
            f"convnext.downsample_layers.{stage}.0.weight": (dims[stage - 1],),
            f"convnext.downsample_layers.{stage}.0.bias": (dims[stage - 1],),
            f"convnext.downsample_layers.{stage}.1.weight": (dims[stage], dims[stage - 1], 2, 2),
            f"convnext.downsample_layers.{stage}.1.bias": (dims[stage],),
        }
    for stage, (dim, depth) in enumerate(zip(dims, depths, strict=True)):
        for block in range(depth):
            prefix = f"convnext.stages.{stage}.{block}"
            shapes |= {
                f"{prefix}.dwconv.weight": (dim, 1, 7, 7),
                f"{prefix}.dwconv.bias": (dim,),
                f"{prefix}.norm.weight": (dim,),
                f"{prefix}.norm.bias": (dim,),
                f"{prefix}.pwconv1.weight": (4 * dim, dim),
                f"{prefix}.pwconv1.bias": (4 * dim,),
                f"{prefix}.grn.gamma": (1, 1, 1, 4 * dim),
                f"{prefix}.grn.beta": (1, 1, 1, 4 * dim),
                f"{prefix}.pwconv2.weight": (dim, 4 * dim),
                f"{prefix}.pwconv2.bias": (dim,),
            }
    return shapes | {
        "pixel_decoder.output_upscaling.0.upsample_block.2.weight": (768, 768, 3, 3),
        "pixel_decoder.output_upscaling.0.upsample_block.3.weight": (768,),
        "pixel_decoder.output_upscaling.0.upsample_block.3.bias": (768,),
        "pixel_decoder.linear.weight": (257, 768),
        "pixel_decoder.linear.bias": (257,),
    }


def residual_block(prefix: str, before: int, after: int) -> Layout:
    shapes: Layout = {}
    for conv, norm, channels in ((0, 1, before), (3, 4, after)):
        shapes[f"{prefix}.double_conv.{conv}.weight"] = (after, channels, 3, 3)
        for name in ("weight", "bias", "running_mean", "running_var"):
            shapes[f"{prefix}.double_conv.{norm}.{name}"] = (after,)
        shapes[f"{prefix}.double_conv.{norm}.num_batches_tracked"] = ()
    return shapes | {f"{prefix}.res_conv.weight": (after, before, 1, 1), f"{prefix}.res_conv.bias": (after,)}


def released_embedder() -> Layout:
    shapes: Layout = {
        "msg_processor.msg_embeddings.weight": (512, 256),
        "unet.msg_processor.msg_embeddings.weight": (512, 256),
        "unet.outc.weight": (1, 16, 1, 1),
        "unet.outc.bias": (1,),
    }
    shapes |= residual_block("unet.inc", 1, 16)
    for index, (before, after) in enumerate([(16, 32), (32, 64), (64, 128)]):
        shapes[f"unet.downs.{index}.down.weight"] = (after, before, 3, 3)
        shapes[f"unet.downs.{index}.down.bias"] = (after,)
        shapes |= residual_block(f"unet.downs.{index}.conv", after, after)
    for index in range(8):
        shapes |= residual_block(f"unet.bottleneck.model.{index}", 384, 384)
    for index, (before, after) in enumerate([(768, 64), (128, 32), (64, 16)]):
        shapes[f"unet.ups.{index}.up.upsample_block.2.weight"] = (after, before, 3, 3)
        shapes[f"unet.ups.{index}.up.upsample_block.3.weight"] = (after,)
        shapes[f"unet.ups.{index}.up.upsample_block.3.bias"] = (after,)
        shapes |= residual_block(f"unet.ups.{index}.conv", after, after)
    return shapes


def test_detector_has_the_released_layout(videoseal: Watermarker) -> None:
    assert layout(videoseal.detector) == released_detector()
    assert len(released_detector()) == 201
    assert sum(value.numel() for value in videoseal.detector.parameters()) == 33_372_545


def test_embedder_has_the_released_layout(videoseal: Watermarker) -> None:
    assert layout(videoseal.embedder) == released_embedder()
    assert len(released_embedder()) == 229
    assert sum(value.numel() for value in videoseal.embedder.parameters()) == 23_660_369


def test_constants_have_the_released_layout(videoseal: Watermarker) -> None:
    assert layout(videoseal.attenuation) == {
        "conv_x.weight": (1, 1, 3, 3),
        "conv_y.weight": (1, 1, 3, 3),
        "conv_lum.weight": (1, 1, 5, 5),
    }


# --- Values: what the definitions gave when they were compared with upstream's modules, bit for bit ---


def test_golden_logits_of_four_stages(tiny: Variant) -> None:
    variant = dataclasses.replace(tiny, detector=DetectorCard((2, 1, 3, 1), (8, 16, 24, 32), 2))
    detector = load_watermarker(variant, find_weights(variant, "seeded")).detector
    with torch.inference_mode():
        logits = detector(pattern(40, 56))
    assert logits.shape == (1, 17)
    assert logits[0, :6].tolist() == pytest.approx(FOUR_STAGE_LOGITS, abs=1e-5)


def test_golden_logits_of_the_tiny_variant(tiny_watermarker: Watermarker) -> None:
    with torch.inference_mode():
        logits = tiny_watermarker.detect(pattern(32, 32))
    assert logits[0, :6].tolist() == pytest.approx(TINY_LOGITS, abs=1e-5)


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


def test_seeding_fills_every_parameter_at_its_scale(tiny: Variant) -> None:
    module = build_watermarker(tiny)
    before = {name: value.clone() for name, value in module.embedder.named_parameters()}
    initialize(module.embedder, 0)
    initialize(module.detector, 1)
    for name, value in module.embedder.named_parameters():
        assert not torch.equal(value, before[name]), name
    # a 1 x 1 convolution is a weight, not a gain: about 0, with variance 1 / fan-in
    wide = nn.Conv2d(400, 1, 1)
    initialize(wide, 0)
    assert wide.weight.std().item() == pytest.approx(400**-0.5, rel=0.15)
    assert abs(wide.weight.mean().item()) < 0.01
    norm = nn.LayerNorm(400)
    initialize(norm, 0)
    assert norm.weight.mean().item() == pytest.approx(1, abs=0.02)
    assert norm.bias.std().item() == pytest.approx(0.1, rel=0.15)
    gamma = dict(module.detector.named_parameters())["convnext.stages.0.0.grn.gamma"]
    assert 0.05 < gamma.std().item() < 0.2
    assert abs(gamma.mean().item()) < 0.1


# --- Smallest side ---


@pytest.mark.parametrize(("stem_stride", "stages"), [(4, 4), (2, 4), (1, 4), (3, 3), (4, 2)])
def test_smallest_side_is_the_smallest(tiny: Variant, stem_stride: int, stages: int) -> None:
    card = DetectorCard((1,) * stages, (8,) * stages, stem_stride)
    detector = build_detector(dataclasses.replace(tiny, detector=card))
    side = card.smallest_side
    with torch.inference_mode():
        assert detector(torch.rand(1, 3, side, side + 5)).shape == (1, 17)
        for height, width in ((side - 1, side), (side, side - 1)):
            with pytest.raises(RuntimeError):
                detector(torch.rand(1, 3, height, width))


# --- JND ---


def naive_jnd(levels: NDArray[np.float64]) -> NDArray[np.float64]:
    """Wu et al. 2017 pixel by pixel for one channel in 8-bit levels; zeros beyond the border."""
    height, width = levels.shape
    padded = np.pad(levels, 2)
    result = np.empty_like(levels)
    for y, x in product(range(height), range(width)):
        window = padded[y : y + 5, x : x + 5]
        ring = window[1:4, 1:4].sum() - window[2, 2]
        background = (window.sum() - window[2, 2] + ring) / 32  # the inner ring counts twice
        if background <= 127:
            luminance = 17 * (1 - np.sqrt(background / 127 + 1e-5))
        else:
            luminance = 3 / 128 * (background - 127) + 3
        left, right, above, below = window[1:4, 1], window[1:4, 3], window[1, 1:4], window[3, 1:4]
        smooth = np.array([1, 2, 1])
        gradient = np.hypot((right - left) @ smooth, (above - below) @ smooth)
        contrast = 0.117 * 16 * gradient**2.4 / (gradient**2 + 26**2)
        result[y, x] = max(0, luminance + contrast - 0.3 * min(luminance, contrast)) / 255
    return result


def test_jnd_is_the_papers_formula() -> None:
    rng = np.random.default_rng(3)
    ramp = np.linspace(0, 1, 13)[None, None, :]  # dark, middle and bright backgrounds
    image = np.clip(ramp + 0.3 * (rng.random((3, 11, 13)) - 0.5), 0, 1).astype(np.float32)
    image[:, :6, :6] = 0
    image[:, 6:, 8:] = 1
    images = torch.from_numpy(image)[None]
    channels = [naive_jnd(255 * plane.astype(np.float64)) for plane in image]
    luma = naive_jnd(255 * (np.array([0.299, 0.587, 0.114]) @ image.reshape(3, -1).astype(np.float64)).reshape(11, 13))

    def assert_close(found: Tensor, expected: NDArray[np.float64]) -> None:
        np.testing.assert_allclose(found[0].numpy(), expected, rtol=1e-4, atol=1e-6)

    assert_close(JND(1, 1)(images), luma[None])
    assert_close(JND(1, 3)(images), np.stack([luma] * 3))
    assert_close(JND(3, 3)(images), np.stack(channels))
    assert_close(JND(3, 1)(images), np.mean(channels, axis=0)[None])
    assert luma.max() > 5 * luma.min() > 0  # the image exercises the formula


@pytest.mark.parametrize("level", [-0.1, 0.0, 1.0])
def test_jnd_and_its_gradient_are_finite_on_a_flat_image(level: float) -> None:
    images = torch.full((1, 3, 8, 8), level, requires_grad=True)
    result = JND()(images)
    assert result.isfinite().all()
    result.sum().backward()
    assert images.grad is not None
    assert images.grad.isfinite().all()


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


# --- Upstream's own modules, where they are installed ---


def upstream_module(name: str) -> Any:
    reason = "upstream's package videoseal is not installed: nothing to compare with"
    return pytest.importorskip(f"videoseal.{name}", reason=reason, exc_type=ImportError)


def test_detector_equals_upstreams(tiny: Variant, random_images: Callable[..., Tensor]) -> None:
    card = DetectorCard((1, 2, 1, 1), (8, 16, 24, 32), 4)
    upstream = (
        upstream_module("models.extractor")
        .ConvnextExtractor(
            upstream_module("modules.convnext").ConvNeXtV2(depths=list(card.depths), dims=list(card.dims)),
            upstream_module("modules.pixel_decoder").PixelDecoder(
                embed_dim=32, nbits=16, upscale_stages=[1], upscale_type="bilinear"
            ),
        )
        .eval()
    )
    detector = build_detector(dataclasses.replace(tiny, detector=card))
    initialize(detector, 0)
    upstream.load_state_dict(detector.state_dict(), strict=True)
    images = random_images(2, 64, 96)
    with torch.inference_mode():
        assert torch.equal(detector(images), upstream(images))


def test_embedder_equals_upstreams(tiny: Variant, random_images: Callable[..., Tensor]) -> None:
    card = tiny.embedder
    processor = upstream_module("modules.msg_processor").MsgProcessor(
        nbits=tiny.nbits, hidden_size=card.hidden_size, msg_processor_type="binary+concat"
    )
    unet = upstream_module("modules.unet").UNetMsg(
        processor, 1, 1, card.widths[0], card.num_blocks, "relu", "batch", z_channels_mults=(1, 2)
    )
    upstream = upstream_module("models.embedder").UnetEmbedder(unet, processor).eval()
    embedder = build_watermarker(tiny).embedder
    initialize(embedder, 0)
    upstream.load_state_dict(embedder.state_dict(), strict=True)
    images, messages = random_images(2, 32, 48)[:, :1], torch.cat([bits(16, 1), bits(16, 2)])
    with torch.inference_mode():
        assert torch.equal(embedder(images, messages), upstream(images, messages))


def test_jnd_equals_upstreams(random_images: Callable[..., Tensor]) -> None:
    upstream = upstream_module("modules.jnd").JND
    images = random_images(2, 40, 30)
    for channels in ((1, 1), (1, 3), (3, 3), (3, 1)):
        torch.testing.assert_close(
            JND(*channels)(images),
            upstream(in_channels=channels[0], out_channels=channels[1]).heatmaps(images),
            rtol=1e-5,
            atol=1e-7,
        )
