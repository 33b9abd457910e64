import hashlib

import pytest
import torch
from torch import nn

from sealbench.converters.families.watermark import get_variant
from sealbench.converters.models.build import build_detector, build_embedder, build_watermarker
from sealbench.converters.models.watermarker import Watermarker

Layout = dict[str, tuple[int, ...]]

# Of each variant's detector and embedder, computed from upstream's modules: parameters, tensors of the state, and the
# sha256 of their names and shapes in order.
UPSTREAM = {
    ("videoseal", "detector"): (33372545, 201, "bcafe34e80d83885d71b9cf6be682f377aa916c5aa591d2ff3fedc048a36959b"),
    ("videoseal", "embedder"): (23660369, 229, "d1c5ac878d24f798411083f268a902a4d86ed2f4336cfd074b9f371d00af9c76"),
    ("videoseal_0.0", "detector"): (24559713, 182, "c5e01e1eda52aba58765d01a42767bb716d8ab410f36dd97a5383f472d99d233"),
    ("videoseal_0.0", "embedder"): (16635891, 109, "e5290530895af6c2775ba76270848b6c8ff5f46e6743bfb43f011804fce6fd77"),
    ("pixelseal", "detector"): (33372545, 201, "bcafe34e80d83885d71b9cf6be682f377aa916c5aa591d2ff3fedc048a36959b"),
    ("pixelseal", "embedder"): (43805345, 229, "3ad12308f2238254caec723a67f087a935baa00dc496c6c663536028b613ed4f"),
    ("chunkyseal", "detector"): (773715209, 381, "28eec3fba298ce17161a9c33e25291af7b47962f093773be2940c7279cfad916"),
    ("chunkyseal", "embedder"): (1022745283, 229, "6cae8d00b51e6dab0ab477d72ee7e6d82495ee3afea26f5c0d44c22dfebaa5db"),
}


@pytest.mark.parametrize(("name", "part"), UPSTREAM)
def test_state_is_upstreams(name: str, part: str) -> None:
    with torch.device("meta"):
        module = {"detector": build_detector, "embedder": build_embedder}[part](get_variant(name))
    lines = "\n".join(f"{key} {tuple(value.shape)}" for key, value in module.state_dict().items())
    found = sum(value.numel() for value in module.parameters()), len(module.state_dict())
    assert (*found, hashlib.sha256(lines.encode()).hexdigest()) == UPSTREAM[name, part]


@pytest.fixture(scope="module")
def videoseal() -> Watermarker:
    """Names and shapes alone, without values."""
    with torch.device("meta"):
        return build_watermarker(get_variant("videoseal"))


def layout(module: nn.Module) -> Layout:
    return {name: tuple(value.shape) for name, value in module.state_dict().items()}


# --- The names and shapes of the released checkpoint of videoseal 1.0 ---


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
