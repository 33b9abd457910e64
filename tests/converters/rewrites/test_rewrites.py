"""The registry: what is chosen, in what order it is applied, and that the original is left alone."""

import subprocess
import sys

import pytest
import torch
from torch import nn

from sealbench.converters.cards.watermark import Variant
from sealbench.converters.checkpoints.loading import load_watermarker
from sealbench.converters.errors import UnknownNameError
from sealbench.converters.families.watermark import get_variant, variant_names
from sealbench.converters.families.weight_sources import find_weights
from sealbench.converters.models.build import build_detector
from sealbench.converters.models.seeding import initialize
from sealbench.converters.rewrites import CHOICES, REWRITES, choose_rewrites
from sealbench.converters.rewrites.apply import apply_rewrites


def large_depthwise(detector: nn.Module) -> list[str]:
    return [
        name
        for name, module in detector.named_modules()
        if isinstance(module, nn.Conv2d) and module.groups > 1 and module.kernel_size == (7, 7)
    ]


def test_none_chooses_nothing(tiny: Variant) -> None:
    assert choose_rewrites("none", tiny) == ()


def test_a_name_chooses_that_rewrite(tiny: Variant) -> None:
    assert choose_rewrites("split_depthwise", tiny) == ("split_depthwise",)


def test_a_rewrite_that_finds_nothing_is_not_chosen() -> None:
    assert choose_rewrites("split_depthwise", get_variant("videoseal_0.0")) == ()


def test_an_unknown_choice_lists_the_known_ones(tiny: Variant) -> None:
    with pytest.raises(
        UnknownNameError, match="unknown rewrite 'fast'; known: none, auto, fold_norms, slice_padding, split_depthwise"
    ):
        choose_rewrites("fast", tiny)


@pytest.mark.parametrize("name", variant_names())
def test_auto_chooses_only_what_applies(name: str) -> None:
    variant = get_variant(name)
    chosen = choose_rewrites("auto", variant)
    assert all(variant.detector.architecture in REWRITES[rewrite].architectures for rewrite in chosen)
    assert list(chosen) == [rewrite for rewrite in REWRITES if rewrite in chosen], "not in the order of application"


@pytest.mark.parametrize("name", variant_names())
def test_architectures_say_where_something_is_found(name: str) -> None:
    """A card's architecture decides what provenance says was applied, so it must be what happens to the module."""
    variant = get_variant(name)
    with torch.device("meta"):
        detector = build_detector(variant)
    for rewrite in REWRITES.values():
        changed = str(apply_rewrites(detector, [rewrite.name])) != str(detector)
        assert changed == (variant.detector.architecture in rewrite.architectures), rewrite.name


def test_unknown_names_are_refused() -> None:
    with pytest.raises(UnknownNameError, match="split_depthwise"):
        apply_rewrites(nn.Linear(2, 2), ["split_depthwise", "fast"])


def test_original_is_untouched_and_shares_what_did_not_change(tiny: Variant) -> None:
    detector = build_detector(tiny)
    before = list(detector.state_dict())
    blocks = large_depthwise(detector)
    rewritten = apply_rewrites(detector, ["split_depthwise"])
    assert list(detector.state_dict()) == before
    assert large_depthwise(detector) == blocks != []
    assert large_depthwise(rewritten) == []
    originals = dict(detector.named_parameters())
    kept = {name: value for name, value in rewritten.named_parameters() if ".p." not in name}
    assert set(originals) - set(kept) == {f"{name}.{kind}" for name in blocks for kind in ("weight", "bias")}
    assert all(value is originals[name] for name, value in kept.items())


@pytest.mark.parametrize("name", REWRITES)
def test_parameters_are_copied_only_where_they_change(tiny: Variant, name: str) -> None:
    detector = build_detector(tiny)
    initialize(detector, 3)
    before = {key: value.clone() for key, value in detector.state_dict().items()}
    rewritten = dict(apply_rewrites(detector, [name]).named_parameters())
    after = dict(detector.named_parameters())
    assert all(torch.equal(value, before[key]) for key, value in after.items()), "the original was changed"
    for key, value in rewritten.items():
        if key in after and value is not after[key]:
            assert not torch.equal(value, after[key]), f"{key} is a copy"


def test_nothing_to_rewrite_gives_an_equal_copy() -> None:
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Conv2d(4, 4, 5, groups=4)).eval()
    copy = apply_rewrites(module, list(REWRITES))
    images = torch.rand(1, 3, 9, 9)
    assert copy is not module
    assert torch.equal(copy(images), module(images))
    assert all(ours is theirs for ours, theirs in zip(copy.buffers(), module.buffers(), strict=True))


@pytest.mark.parametrize("choice", [choice for choice in CHOICES if choice not in {"none", "auto"}])
def test_each_rewrite_is_exact_on_the_tiny_detector(tiny: Variant, choice: str) -> None:
    detector = build_detector(tiny)
    initialize(detector, 3)
    images = torch.rand(2, 3, 40, 56, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(apply_rewrites(detector, [choice])(images), detector(images), atol=1e-5, rtol=0)


def test_auto_is_exact_on_videoseal() -> None:
    variant = get_variant("videoseal")
    detector = load_watermarker(variant, find_weights(variant, "seeded")).detector.eval()
    chosen = choose_rewrites("auto", variant)
    images = torch.rand(1, 3, 128, 128, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(apply_rewrites(detector, chosen)(images), detector(images), atol=1e-5, rtol=0)


def test_choosing_needs_no_torch() -> None:
    code = "import sys, sealbench.converters.rewrites; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
