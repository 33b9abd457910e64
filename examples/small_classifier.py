"""A network of your own, measured against its files at every precision.

    sealbench bench --model examples/small_classifier.py:small_classifier --precision float32,int8

A factory takes nothing. It returns the module, an example of what it takes and, if you have them, inputs to measure on.
"""

import torch
from torch import Tensor, nn

SIDE = 32


def block(before: int, after: int) -> nn.Sequential:
    """Halves a picture's sides."""
    return nn.Sequential(nn.Conv2d(before, after, 3, stride=2, padding=1), nn.BatchNorm2d(after), nn.ReLU())


def small_classifier() -> tuple[nn.Module, Tensor, list[Tensor]]:
    """Ten classes of pictures (1, 3, 32, 32); random values, where yours would call `load_state_dict`."""
    network = nn.Sequential(
        block(3, 16), block(16, 32), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 10), nn.Softmax(dim=-1)
    )
    pictures = [torch.rand(1, 3, SIDE, SIDE) * brightness / 24 for brightness in range(1, 25)]
    return network, pictures[0], pictures
