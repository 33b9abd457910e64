"""Fixed carriers: the signal from which the two networks start.

From random values the two networks must agree on a signal that neither knows yet, and spend most of their training
before the first bit is read. Here the detector first learns to read a signal that is given, while the embedder
learns to draw the same signal, each alone; after that they are trained together and may leave it.

The signal of a message repeats every `TILE` pixels, because a message reaches the embedder as one vector for the
whole image, and three transposed convolutions of stride 2 make of it a pattern with that period. Each bit adds or
subtracts a mixture of cosines of the middle frequencies: the lowest are where images are strongest, the highest are
what JPEG and a resize take away.
"""

import numpy as np
import torch
from torch import Tensor

TILE = 8
"""Period of the signal in pixels."""

_SKIPPED = ((0, 0), (0, 1), (1, 0))  # cosines of the longest waves, which shading in images looks like
_SPARE_COSINES = 4
_GAIN = 0.8  # of the pattern inside the tanh: strong enough to use the range, weak enough not to clip to a square wave


def carriers(nbits: int, seed: int) -> Tensor:
    """One tile for each bit.

    Args:
        nbits: message length, at most 56.
        seed: of the mixture.

    Returns:
        (nbits, TILE, TILE) float32, orthogonal; the sum over bits with any signs has a mean square of 1.

    Raises:
        ValueError: a tile has fewer frequencies than the message has bits.
    """
    position = np.arange(TILE)
    cosines = np.cos(np.pi * (position[None] + 0.5) * position[:, None] / TILE)  # (frequency, position)
    cosines *= np.sqrt(np.where(position[:, None] == 0, 1, 2) / TILE)
    frequencies = sorted(((u, v) for u in range(TILE) for v in range(TILE)), key=lambda f: (f[0] ** 2 + f[1] ** 2, f))
    middle = [frequency for frequency in frequencies if frequency not in _SKIPPED][: nbits + _SPARE_COSINES]
    if len(middle) < nbits + _SPARE_COSINES:
        raise ValueError(f"{nbits} bits do not fit in a tile of {TILE} x {TILE} pixels")
    basis = np.stack([np.outer(cosines[u], cosines[v]).ravel() for u, v in middle])  # (nbits + spare, TILE * TILE)
    # A random rotation gives every bit a share of every frequency, so that none is easier to lose than another.
    mixture = np.linalg.qr(np.random.default_rng(seed).standard_normal((len(middle), len(middle))))[0][:nbits]
    tiles = (mixture @ basis).reshape(nbits, TILE, TILE) * TILE / np.sqrt(nbits)
    return torch.from_numpy(tiles).float()


def carrier_pattern(tiles: Tensor, messages: Tensor, height: int, width: int) -> Tensor:
    """The signal of each message over a whole image.

    Args:
        tiles: as `carriers` gives them, (nbits, TILE, TILE).
        messages: bits 0 or 1, (B, nbits).
        height, width: pixels, multiples of TILE.

    Returns:
        (B, 1, height, width) in (-1, 1), as the embedder's output.
    """
    signs = 2 * messages.to(tiles.dtype) - 1
    tile = torch.tanh(_GAIN * torch.einsum("bn,nij->bij", signs, tiles))  # (B, TILE, TILE)
    return tile.repeat(1, height // TILE, width // TILE)[:, None]
