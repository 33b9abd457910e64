"""Depthwise convolutions of many taps as sums of such with few.

XNNPACK has fast depthwise kernels up to 25 taps; one of 49 runs eleven times slower for each tap on x86
(`docs/upstream/depthwise.md`). A convolution is linear in its kernel, so that it is the sum of the convolutions with
the pieces of any partition of the kernel. The pieces here are rectangles of taps at even distances, centred on the
kernel's own centre: each is a dilated convolution whose padding is symmetric, and no padding or shift is left over.
"""

from typing import TypeGuard

import torch
from torch import Tensor, nn

MAX_TAPS = 25  # of XNNPACK's largest fast depthwise kernel

Taps = tuple[range, range]  # rows and columns of a kernel


class SplitDepthwise(nn.Module):
    """A depthwise convolution as the sum of some whose kernels have at most `MAX_TAPS` taps.

    Args:
        conv: one that `is_large_depthwise`. Its bias is added by the first piece.
    """

    def __init__(self, conv: nn.Conv2d):
        super().__init__()
        # Attributes of one letter: they are part of the names of the exported file's tensors.
        self.p = nn.ModuleList()
        rest = conv.weight.detach().clone()  # (O, 1, h, w), without the taps that a piece has already
        for rows, columns in partition(*conv.kernel_size):
            self.p.append(_piece(conv, rest, (rows, columns), None if len(self.p) else conv.bias))
            rest[:, :, _slice(rows), _slice(columns)] = 0

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to what the whole convolution gives."""
        return sum((piece(x) for piece in self.p[1:]), start=self.p[0](x))


class _Cropped(nn.Module):
    """A convolution of what is left of (B, C, H, W) without `rows` and `columns` at either end."""

    def __init__(self, conv: nn.Conv2d, rows: int, columns: int):
        super().__init__()
        self.c = conv
        self.rows = rows
        self.columns = columns

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[-2:]
        return self.c(x[..., self.rows : height - self.rows, self.columns : width - self.columns])


def split_depthwise(module: nn.Module) -> nn.Module:
    """Replace, in place, every convolution in `module` that `is_large_depthwise`."""
    if is_large_depthwise(module):
        return SplitDepthwise(module)
    for name, child in module.named_children():
        setattr(module, name, split_depthwise(child))
    return module


def is_large_depthwise(module: nn.Module) -> TypeGuard[nn.Conv2d]:
    """Whether it is a depthwise convolution of more than `MAX_TAPS` taps that can be split.

    Any kernel, stride, dilation and number of outputs for each channel can. Left alone are other paddings than zeros,
    and `padding="same"` or `"valid"`: the former pads an even kernel unevenly.
    """
    return (
        isinstance(module, nn.Conv2d)
        and module.groups == module.in_channels
        and module.kernel_size[0] * module.kernel_size[1] > MAX_TAPS
        and module.padding_mode == "zeros"
        and not isinstance(module.padding, str)
    )


def partition(height: int, width: int) -> list[Taps]:
    """Rectangles of at most `MAX_TAPS` taps that make up a kernel of `height` x `width`, the inner one first.

    A tap belongs to the first rectangle that has it. While too many are left, the outermost ring comes off: the corners
    together with the middles of the sides, then what is left of the sides in quadruples. XNNPACK has kernels for 4, 9
    and 25 taps, and a piece costs as much as the smallest that holds it: 7 x 7 gives one of 25, one of 9 and four of 4,
    and takes 0.78 of the time of one of 25, one of 14 and one of 10 (float32, 64 x 64 x 96, two threads on x86-64).
    A kernel of one or two lines has no ring: it loses its ends.
    """
    return _partition(range(height), range(width))


def _partition(rows: range, columns: range) -> list[Taps]:
    if len(rows) * len(columns) <= MAX_TAPS:
        return [(rows, columns)]
    if len(rows) < 3:
        return [*_partition(rows, columns[1:-1]), (rows, _ends(columns))]
    if len(columns) < 3:
        return [*_partition(rows[1:-1], columns), (_ends(rows), columns)]
    return _partition(rows[1:-1], columns[1:-1]) + _ring(rows, columns)


def _ring(rows: range, columns: range) -> list[Taps]:
    """The outermost taps of a rectangle, at least three by three; the first piece has the centre as well."""
    return [
        (_ends_and_middle(rows), _ends_and_middle(columns)),
        *((_ends(rows), _ends(columns[place:-place])) for place in range(1, len(columns) // 2)),
        *((_ends(rows[place:-place]), _ends(columns)) for place in range(1, len(rows) // 2)),
    ]


def _ends_and_middle(line: range) -> range:
    """The first, the middle (where there is one) and the last of a line."""
    return line[:: (len(line) - 1) // 2] if len(line) % 2 else _ends(line)


def _ends(line: range) -> range:
    """The first and the last of a line."""
    return line[:: len(line) - 1]


def _slice(taps: range) -> slice:
    return slice(taps.start, taps.stop, taps.step)


def _piece(conv: nn.Conv2d, weight: Tensor, taps: Taps, bias: Tensor | None) -> nn.Module:
    """The convolution with some taps of `weight`: dilated, its padding less by the lines that lie outside."""
    rows, columns = taps
    assert not isinstance(conv.padding, str)
    top = conv.padding[0] - rows.start * conv.dilation[0]
    left = conv.padding[1] - columns.start * conv.dilation[1]
    with torch.device("meta"):
        piece = nn.Conv2d(
            conv.in_channels,
            conv.out_channels,
            (len(rows), len(columns)),
            (conv.stride[0], conv.stride[1]),
            (max(top, 0), max(left, 0)),
            (rows.step * conv.dilation[0], columns.step * conv.dilation[1]),
            conv.groups,
            bias=False,
        )
    weight = weight[:, :, _slice(rows), _slice(columns)].clone()
    piece.weight = nn.Parameter(weight, requires_grad=conv.weight.requires_grad)
    piece.bias = bias
    return piece if min(top, left) >= 0 else _Cropped(piece, max(-top, 0), max(-left, 0))
