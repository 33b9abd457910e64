import pytest
import torch
from torch import nn

from sealbench.converters.cards.watermark import Variant
from sealbench.converters.families.watermark import get_variant
from sealbench.converters.models.build import build_detector, build_embedder, build_watermarker
from sealbench.converters.models.seeding import initialize


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


def test_seeding_gives_a_transformers_positions_their_scales() -> None:
    detector = build_detector(get_variant("videoseal_0.0"))
    initialize(detector, 1)
    values = dict(detector.named_parameters())
    assert values["image_encoder.pos_embed"].std().item() == pytest.approx(0.1, rel=0.05)
    relative = values["image_encoder.blocks.2.attn.rel_pos_h"]  # multiplied with queries of 64 channels
    assert relative.std().item() == pytest.approx(64**-0.5, rel=0.1)


def test_seeding_puts_the_gain_of_an_rms_norm_about_one() -> None:
    embedder = build_embedder(get_variant("videoseal_0.0"))
    initialize(embedder, 0)
    gain = dict(embedder.named_parameters())["unet.bottleneck.model.0.double_conv.1.gamma"]
    assert gain.mean().item() == pytest.approx(1, abs=0.02)
    assert gain.std().item() == pytest.approx(0.1, rel=0.15)


def test_seeding_after_the_meta_device_is_the_same(tiny: Variant) -> None:
    for build in (build_detector, build_embedder):
        usual = build(tiny)
        with torch.device("meta"):
            empty = build(tiny)
        empty.to_empty(device="cpu")
        for values in empty.state_dict().values():
            values.fill_(7)  # memory that was someone else's
        for module in (usual, empty):
            initialize(module, 3)
        assert usual.state_dict().keys() == empty.state_dict().keys()
        for name, value in usual.state_dict().items():
            assert torch.equal(value, empty.state_dict()[name]), name


def test_attenuation_survives_the_meta_device(tiny: Variant) -> None:
    with torch.device("meta"):
        watermarker = build_watermarker(tiny)
    images = torch.rand(1, 3, 8, 8)
    assert torch.equal(watermarker.attenuation(images), build_watermarker(tiny).attenuation(images))


def test_parts_that_are_built_already_are_taken(tiny: Variant) -> None:
    detector, embedder = build_detector(tiny), build_embedder(tiny)
    watermarker = build_watermarker(tiny, embedder=embedder, detector=detector)
    assert watermarker.detector is detector
    assert watermarker.embedder is embedder
