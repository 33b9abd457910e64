"""Our definitions compared with upstream's own modules, built from upstream's own cards.

Needs a checkout of facebookresearch/videoseal:

    VIDEOSEAL_SOURCE=/path/to/videoseal make test TEST=tests/converters/models/test_upstream.py
"""

import dataclasses
import importlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from sealbench.converters.cards.watermark import ConvNeXtCard, Variant
from sealbench.converters.families.watermark import get_variant
from sealbench.converters.models.build import build_detector, build_embedder, build_watermarker
from sealbench.converters.models.jnd import JND
from sealbench.converters.models.seeding import initialize
from sealbench.converters.models.watermarker import Watermarker
from tests.converters.upstream import CARDS, build_upstream, largest_difference, upstream_modules

FULL = sorted(set(CARDS) - {"chunkyseal"})  # whose networks are small enough to run as they are
TOLERANCE = 1e-5


@pytest.fixture(scope="module")
def source() -> Iterator[Path]:
    """The checkout; `videoseal.*` can be imported from it."""
    folder = os.environ.get("VIDEOSEAL_SOURCE")
    if not folder:
        pytest.skip("set VIDEOSEAL_SOURCE to a checkout of facebookresearch/videoseal to compare with it")
    with upstream_modules(Path(folder)):
        yield Path(folder)


def images(batch: int, height: int, width: int) -> Tensor:
    return torch.rand(batch, 3, height, width, generator=torch.Generator().manual_seed(0))


def messages(batch: int, nbits: int) -> Tensor:
    return torch.randint(0, 2, (batch, nbits), generator=torch.Generator().manual_seed(1))


def seeded(variant: Variant) -> Watermarker:
    watermarker = build_watermarker(variant)
    initialize(watermarker.embedder, 0)
    initialize(watermarker.detector, 1)
    return watermarker


def shapes(module: nn.Module) -> list[tuple[str, tuple[int, ...]]]:
    return [(name, tuple(value.shape)) for name, value in module.state_dict().items()]


@pytest.mark.parametrize("name", sorted(CARDS))
def test_state_has_upstreams_keys_and_shapes_in_upstreams_order(source: Path, name: str) -> None:
    variant = get_variant(name)
    with torch.device("meta"):
        upstream = build_upstream(source, name)
        assert shapes(build_detector(variant)) == shapes(upstream.get_submodule("detector"))
        assert shapes(build_embedder(variant)) == shapes(upstream.get_submodule("embedder"))


@pytest.mark.parametrize("name", FULL)
def test_detector_equals_upstreams(source: Path, name: str) -> None:
    detector = seeded(get_variant(name)).detector
    upstream = build_upstream(source, name).get_submodule("detector")
    upstream.load_state_dict(detector.state_dict(), strict=True)
    batch = images(2, 256, 256)
    with torch.inference_mode():
        assert largest_difference(detector(batch), upstream(batch)) <= TOLERANCE


def test_detector_of_a_narrow_chunkyseal_equals_upstreams(source: Path) -> None:
    variant = get_variant("chunkyseal")
    upstream = build_upstream(source, "chunkyseal", dims=[4, 8, 12, 16]).get_submodule("detector")
    narrow = ConvNeXtCard((3, 3, 27, 3), (11, 22, 33, 45), 2)  # times sqrt(1024 / 128), rounded down
    detector = build_detector(dataclasses.replace(variant, detector=narrow))
    initialize(detector, 1)
    upstream.load_state_dict(detector.state_dict(), strict=True)
    batch = images(2, 96, 128)
    with torch.inference_mode():
        assert largest_difference(detector(batch), upstream(batch)) <= TOLERANCE


@pytest.mark.parametrize(("height", "width"), [(256, 256), (200, 330)])
@pytest.mark.parametrize("name", FULL)
def test_watermarked_images_equal_upstreams(source: Path, name: str, height: int, width: int) -> None:
    watermarker = seeded(get_variant(name))
    upstream = build_upstream(source, name)
    for part in ("embedder", "detector"):
        upstream.get_submodule(part).load_state_dict(watermarker.get_submodule(part).state_dict(), strict=True)
    batch, bits = images(1, height, width), messages(1, get_variant(name).nbits)
    with torch.inference_mode():
        marked = upstream.embed(batch, bits)["imgs_w"]  # type: ignore[operator]
        assert largest_difference(watermarker.embed(batch, bits), marked) <= TOLERANCE
        detected = upstream.detect(marked)["preds"]  # type: ignore[operator]
        assert largest_difference(watermarker.detect(marked), detected) <= TOLERANCE
        assert (marked - batch).abs().max() > 1e-3


def test_embedder_of_chunkyseal_equals_upstreams(source: Path) -> None:
    variant = get_variant("chunkyseal")
    with torch.device("meta"):
        embedder = build_embedder(variant)
        upstream = build_upstream(source, "chunkyseal").get_submodule("embedder")
    embedder.to_empty(device="cpu")
    initialize(embedder, 0)
    upstream.load_state_dict(embedder.state_dict(), strict=True, assign=True)
    batch, bits = images(1, 64, 64), messages(1, 1024)
    with torch.inference_mode():
        assert largest_difference(embedder(batch, bits), upstream(batch, bits)) <= TOLERANCE


@pytest.mark.parametrize("channels", [(1, 1), (1, 3), (3, 3), (3, 1)])
def test_jnd_equals_upstreams(source: Path, channels: tuple[int, int]) -> None:
    batch = images(2, 40, 30)
    upstream = importlib.import_module("videoseal.modules.jnd").JND(in_channels=channels[0], out_channels=channels[1])
    assert largest_difference(JND(*channels)(batch), upstream.heatmaps(batch)) <= 1e-7
