"""Folding gains and shifts: the same function for any values of them, and nothing left to multiply."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from sealbench.converters.models import convnext, vit
from sealbench.converters.models.layers import ChannelNorm, GlobalResponseNorm
from sealbench.converters.rewrites.fold_norms import ChannelsLastNorm, ScaledResponseNorm, fold_norms


def randomized(module: nn.Module, seed: int) -> nn.Module:
    """All parameters random, gains and shifts among them, which are 1 and 0 when made."""
    generator = torch.Generator().manual_seed(seed)
    for name, value in module.requires_grad_(False).named_parameters():
        value.copy_(
            torch.randn(value.shape, generator=generator) * (0.5 if value.ndim < 2 else 0.1) + ("gamma" in name)
        )
    return module.eval()


def both(module: nn.Module, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    before = module(images)
    return fold_norms(module)(images), before


@settings(max_examples=30, deadline=None)
@given(channels=st.integers(1, 24), height=st.integers(1, 9), width=st.integers(1, 9), seed=st.integers(0, 99))
def test_a_convnext_block_stays_the_same_function(channels: int, height: int, width: int, seed: int) -> None:
    module = nn.Sequential(randomized(convnext.Block(channels), seed))
    images = torch.randn(2, channels, height, width, generator=torch.Generator().manual_seed(seed))
    torch.testing.assert_close(*both(module, images), atol=1e-5, rtol=1e-5)
    left = {name for name, _ in module.named_parameters() if "norm" in name or "grn" in name}
    assert left == {"0.grn.gamma"}


@pytest.mark.parametrize("seed", range(4))
def test_a_vit_block_stays_the_same_function(seed: int) -> None:
    module = nn.Sequential(randomized(vit.Block(dim=24, heads=3, mlp_ratio=2, side=4), seed))
    tokens = torch.randn(2, 4, 4, 24, generator=torch.Generator().manual_seed(seed))
    torch.testing.assert_close(*both(module, tokens), atol=1e-5, rtol=1e-5)
    assert not [name for name, _ in module.named_parameters() if "norm" in name]


@settings(max_examples=30, deadline=None)
@given(
    kernel=st.integers(1, 3),
    stride=st.integers(1, 3),
    padding=st.integers(0, 1),
    groups=st.sampled_from([1, 4]),
    seed=st.integers(0, 99),
)
def test_a_norm_before_a_convolution_is_folded_only_where_that_is_exact(
    kernel: int, stride: int, padding: int, groups: int, seed: int
) -> None:
    conv = nn.Conv2d(8, 12, kernel, stride, padding, groups=groups)
    module = randomized(nn.Sequential(ChannelNorm(8), conv), seed)
    images = torch.randn(2, 8, 7, 6, generator=torch.Generator().manual_seed(seed))
    torch.testing.assert_close(*both(module, images), atol=1e-5, rtol=1e-5)
    norm = module.get_submodule("0")
    assert isinstance(norm, ChannelsLastNorm)
    assert (norm.weight is None) == (padding == 0 and groups == 1)


def test_a_norm_that_no_linear_layer_reads_keeps_its_gain() -> None:
    module = randomized(nn.Sequential(ChannelNorm(8), nn.GELU()), 1)
    torch.testing.assert_close(*both(module, torch.randn(1, 8, 3, 3)), atol=1e-6, rtol=1e-6)


def test_of_a_response_norm_the_scale_is_left() -> None:
    norm = randomized(GlobalResponseNorm(6), 2)
    assert isinstance(norm, GlobalResponseNorm)
    images = torch.randn(2, 5, 4, 6)
    torch.testing.assert_close(ScaledResponseNorm(norm)(images) + norm.beta, norm(images), atol=1e-6, rtol=1e-6)
    assert torch.equal(ScaledResponseNorm(norm)(torch.zeros(1, 2, 2, 6)), torch.zeros(1, 2, 2, 6))
