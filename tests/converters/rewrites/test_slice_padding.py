"""Padding with slices is the reflection padding it replaces, to the last bit."""

import pytest
import torch
from torch import nn

from sealbench.converters.rewrites.slice_padding import SlicePadding, slice_padding


@pytest.mark.parametrize(("height", "width"), [(2, 2), (2, 5), (8, 8), (7, 3)])
def test_slices_are_the_reflection(height: int, width: int) -> None:
    images = torch.randn(2, 3, height, width)
    assert torch.equal(SlicePadding()(images), nn.ReflectionPad2d(1)(images))


def test_only_reflection_by_one_pixel_is_replaced() -> None:
    others = [nn.ReflectionPad2d(2), nn.ReflectionPad2d((1, 1, 0, 1)), nn.ZeroPad2d(1), nn.ReplicationPad2d(1)]
    module = nn.Sequential(nn.Sequential(nn.ReflectionPad2d(1)), *others)
    assert slice_padding(module) is module
    assert [module.get_submodule(f"{place}") for place in range(1, 5)] == others
    assert isinstance(module.get_submodule("0.0"), SlicePadding)
