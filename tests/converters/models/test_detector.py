import dataclasses

import pytest
import torch

from sealbench.converters.cards.watermark import ConvNeXtCard, Variant, ViTCard
from sealbench.converters.checkpoints.loading import load_watermarker
from sealbench.converters.families.watermark import get_variant
from sealbench.converters.families.weight_sources import find_weights
from sealbench.converters.models.build import build_detector
from sealbench.converters.models.seeding import initialize
from sealbench.converters.models.vit import regroup, relative_table
from sealbench.converters.models.watermarker import Watermarker
from tests.converters.model_inputs import pattern

# Seeded weights: raise SEEDING_VERSION in converters/checkpoints/weights.py with any change of these.
FOUR_STAGE_LOGITS = [0.630684, 0.7202247, -0.0440849, 0.0974184, 0.7353218, 0.2303227]
TINY_LOGITS = [-0.3254849, 0.5355458, -0.6606436, 0.1843723, 0.1266947, -0.4171952]
TINY_TRANSFORMER = ViTCard(
    grid=4,
    patch_size=8,
    dim=12,
    depth=3,
    heads=2,
    mlp_ratio=2,
    window_size=2,
    global_blocks=(1,),
    out_channels=8,
)
TINY_TRANSFORMER_LOGITS = [-0.2103077, -0.2432828, 0.3623962, -0.0038905, -0.338195, -0.4384947]
VIDEOSEAL_0_LOGITS = [0.7787977, 0.1667049, -0.3298106, 0.5756572, 0.3341893, -0.3502168]


# --- Values: what the definitions gave when they were compared with upstream's modules, bit for bit ---


def test_golden_logits_of_four_stages(tiny: Variant) -> None:
    variant = dataclasses.replace(tiny, detector=ConvNeXtCard((2, 1, 3, 1), (8, 16, 24, 32), 2))
    detector = load_watermarker(variant, find_weights(variant, "seeded")).detector
    with torch.inference_mode():
        logits = detector(pattern(40, 56))
    assert logits.shape == (1, 17)
    assert logits[0, :6].tolist() == pytest.approx(FOUR_STAGE_LOGITS, abs=1e-5)


def test_golden_logits_of_the_tiny_variant(tiny_watermarker: Watermarker) -> None:
    with torch.inference_mode():
        logits = tiny_watermarker.detect(pattern(32, 32))
    assert logits[0, :6].tolist() == pytest.approx(TINY_LOGITS, abs=1e-5)


def test_golden_logits_of_a_tiny_transformer(tiny: Variant) -> None:
    detector = build_detector(dataclasses.replace(tiny, detector=TINY_TRANSFORMER))
    initialize(detector, 1)
    with torch.inference_mode():
        logits = detector(pattern(32, 32))
    assert logits.shape == (1, 17)
    assert logits[0, :6].tolist() == pytest.approx(TINY_TRANSFORMER_LOGITS, abs=1e-5)


def test_golden_logits_of_videoseal_0() -> None:
    variant = get_variant("videoseal_0.0")
    with torch.device("meta"):
        detector = build_detector(variant)
    detector.to_empty(device="cpu")
    initialize(detector, 1)
    with torch.inference_mode():
        logits = detector(pattern(256, 256))
    assert logits.shape == (1, 97)
    assert logits[0, :6].tolist() == pytest.approx(VIDEOSEAL_0_LOGITS, abs=1e-5)


@pytest.mark.parametrize("positions", ["pos_embed", "rel_pos_h", "rel_pos_w"])
def test_transformer_knows_where_its_tokens_are(tiny: Variant, positions: str) -> None:
    detector = build_detector(dataclasses.replace(tiny, detector=TINY_TRANSFORMER))
    initialize(detector, 1)
    with torch.inference_mode():
        before = detector(pattern(32, 32))
        for name, value in detector.named_parameters():
            if name.endswith(positions):
                value.zero_()
        assert (detector(pattern(32, 32)) - before).abs().max() > 1e-3


def test_windows_are_cut_and_joined() -> None:
    tokens = torch.arange(2 * 16 * 3).reshape(2, 4, 4, 3)
    windows = regroup(tokens, 2)
    assert windows.shape == (8, 2, 2, 3)
    assert torch.equal(windows[1], tokens[0, :2, 2:])
    assert torch.equal(windows[6], tokens[1, 2:, :2])
    assert torch.equal(regroup(windows, 4), tokens)
    assert regroup(tokens, 4) is tokens


def test_relative_table_holds_the_vector_of_each_distance() -> None:
    vectors = torch.rand(5, 4)
    table = relative_table(vectors)
    assert table.shape == (3, 3, 4)
    for query in range(3):
        for key in range(3):
            assert torch.equal(table[query, key], vectors[query - key + 2])


# --- Smallest side ---


@pytest.mark.parametrize(("stem_stride", "stages"), [(4, 4), (2, 4), (1, 4), (3, 3), (4, 2)])
def test_smallest_side_is_the_smallest(tiny: Variant, stem_stride: int, stages: int) -> None:
    card = ConvNeXtCard((1,) * stages, (8,) * stages, stem_stride)
    detector = build_detector(dataclasses.replace(tiny, detector=card))
    side = card.smallest_side
    with torch.inference_mode():
        assert detector(torch.rand(1, 3, side, side + 5)).shape == (1, 17)
        for height, width in ((side - 1, side), (side, side - 1)):
            with pytest.raises(RuntimeError):
                detector(torch.rand(1, 3, height, width))
