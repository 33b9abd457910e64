"""Splitting a depthwise convolution: a partition of its taps, and the same result whatever its geometry."""

from itertools import product

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from sealbench.converters.rewrites.split_depthwise import (
    MAX_TAPS,
    SplitDepthwise,
    is_large_depthwise,
    partition,
    split_depthwise,
)

sides = st.integers(1, 13)
pairs = st.tuples(st.integers(1, 3), st.integers(1, 3))


def test_seven_by_seven_is_split_by_the_kernels_that_there_are() -> None:
    pieces = [([*rows], [*columns]) for rows, columns in partition(7, 7)]
    assert pieces == [
        ([1, 2, 3, 4, 5], [1, 2, 3, 4, 5]),
        ([0, 3, 6], [0, 3, 6]),
        ([0, 6], [1, 5]),
        ([0, 6], [2, 4]),
        ([1, 5], [0, 6]),
        ([2, 4], [0, 6]),
    ]


@given(height=sides, width=sides)
def test_every_tap_lies_in_a_small_piece(height: int, width: int) -> None:
    pieces = partition(height, width)
    taps = [tap for rows, columns in pieces for tap in product(rows, columns)]
    assert set(taps) == set(product(range(height), range(width)))
    assert all(len(rows) * len(columns) <= MAX_TAPS for rows, columns in pieces)
    assert len(taps) <= height * width + max(height, width) / 2, "more taps are computed twice than one for each ring"


@settings(max_examples=60, deadline=None)
@given(
    kernel=st.tuples(sides, sides),
    stride=pairs,
    dilation=pairs,
    padding=st.tuples(st.integers(0, 8), st.integers(0, 8)),
    channels=st.integers(1, 4),
    multiplier=st.integers(1, 2),
    bias=st.booleans(),
    seed=st.integers(0, 9),
)
def test_sum_of_the_pieces_is_the_convolution(
    kernel: tuple[int, int],
    stride: tuple[int, int],
    dilation: tuple[int, int],
    padding: tuple[int, int],
    channels: int,
    multiplier: int,
    bias: bool,
    seed: int,
) -> None:
    assume(kernel[0] * kernel[1] > MAX_TAPS)
    generator = torch.Generator().manual_seed(seed)
    conv = nn.Conv2d(
        channels, multiplier * channels, kernel, stride, padding, dilation, groups=channels, bias=bias
    ).requires_grad_(False)
    for values in conv.parameters():
        values.copy_(torch.randn(values.shape, generator=generator) * 0.2)
    height, width = (max(1, d * (k - 1) + 4 - 2 * p) for k, d, p in zip(kernel, dilation, padding, strict=True))
    images = torch.randn(2, channels, height, width, generator=generator)
    torch.testing.assert_close(SplitDepthwise(conv)(images), conv(images), atol=1e-5, rtol=0)


def test_small_parts_of_a_kernel_reach_the_border() -> None:
    """One tap in a corner moves the image: the padding of that piece alone decides what comes in."""
    conv = nn.Conv2d(1, 1, 7, padding=3, groups=1, bias=False).requires_grad_(False)
    conv.weight.zero_()[..., 0, 6] = 1
    image = torch.arange(64.0).reshape(1, 1, 8, 8)
    expected = torch.zeros_like(image)
    expected[..., 3:, :5] = image[..., :5, 3:]
    assert torch.equal(SplitDepthwise(conv)(image), expected)


@pytest.mark.parametrize(
    "conv",
    [
        nn.Conv2d(4, 4, 5, groups=4),
        nn.Conv2d(4, 4, 7),
        nn.Conv2d(4, 4, 7, groups=2),
        nn.Conv2d(4, 4, 7, padding=3, groups=4, padding_mode="reflect"),
        nn.Conv2d(4, 4, 7, padding="same", groups=4),
    ],
    ids=["few taps", "dense", "grouped", "reflection padding", "padding in words"],
)
def test_other_convolutions_are_left_alone(conv: nn.Conv2d) -> None:
    assert not is_large_depthwise(conv)
    assert split_depthwise(conv) is conv


def test_found_at_any_depth() -> None:
    inner = nn.Sequential(nn.ReLU(), nn.Conv2d(4, 4, 7, padding=3, groups=4))
    module = nn.Sequential(inner, nn.Conv2d(4, 4, 9, padding=4, groups=4))
    assert split_depthwise(module) is module
    assert isinstance(inner[1], SplitDepthwise)
    assert isinstance(module[1], SplitDepthwise)


def test_bias_stays_the_same_parameter_and_is_added_once() -> None:
    conv = nn.Conv2d(4, 4, 7, padding=3, groups=4)
    split = SplitDepthwise(conv)
    others = [f"p.{place}.weight" for place in range(1, 6)]
    assert [name for name, _ in split.named_parameters()] == ["p.0.weight", "p.0.bias", *others]
    assert dict(split.named_parameters())["p.0.bias"] is conv.bias
    with torch.no_grad():
        zeros: Tensor = split(torch.zeros(1, 4, 7, 7))
        torch.testing.assert_close(zeros, conv.bias[:, None, None].expand(1, 4, 7, 7))


def test_gradients_flow_to_every_piece() -> None:
    split = SplitDepthwise(nn.Conv2d(2, 2, 7, padding=3, groups=2))
    split(torch.ones(1, 2, 9, 9)).sum().backward()
    assert all(parameter.grad is not None for parameter in split.parameters())


def test_a_frozen_convolution_stays_frozen() -> None:
    split = SplitDepthwise(nn.Conv2d(2, 2, 7, groups=2).requires_grad_(False))
    assert not any(parameter.requires_grad for parameter in split.parameters())
