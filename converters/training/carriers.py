"""Fixed carriers: the signals from which the two networks start.

From random values the two networks must agree on a signal that neither knows yet, and spend most of their training
before the first bit is read. Here the detector first learns to read a signal that is given, and the embedder to draw
it, each alone; after that they are trained together and may leave it.

A message reaches the embedder as one vector for the whole image, and its transposed convolutions make of it a pattern
that repeats. So a carrier is two tiles for each bit, one for each of its values, and the signal is the sum of the tiles
of a message's bits, repeated over the image. There are two kinds:

`sign_tiles` differ by their sign. They are linear and quickly learned, but a crop moves and stretches them into others.

`tone_tiles` are waves of two directions (frequency-shift keying). What tells them apart is where their energy lies,
which a shift leaves alone and a stretch moves a little, so that they can be read after a crop. A detector that has seen
no watermark stays at chance on all of them together; one that reads signs learns them when few are shown at first.
"""

import math

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

SIGN_PERIOD, TONE_PERIOD = 8, 32
"""Periods of the two kinds in pixels."""

_SKIPPED = ((0, 0), (0, 1), (1, 0))  # cosines of the longest waves, which shading in images looks like
_SPARE_COSINES = 4
_GAIN = 0.8  # of the pattern inside the tanh: strong enough to use the range, weak enough not to clip to a square wave
# Cycles a pixel, and how many directions. Above 0.35 a resize to 70 % leaves nothing, and below 0.1 images are strong.
# A crop to 80 % moves a ring inwards, about to the next one but not onto it. There are as many directions as leave
# equal distances between neighbours. Rounded to whole cycles a tile, a few waves of a crop come near another's place.
_RINGS = ((0.325, 22), (0.245, 18), (0.185, 14), (0.14, 10))


def sign_tiles(nbits: int, seed: int) -> Tensor:
    """Tiles that each bit adds or subtracts: mixtures of cosines of the middle frequencies.

    The lowest frequencies are where images are strongest, the highest are what JPEG and a resize take away.

    Args:
        nbits: message length, at most 57.
        seed: of the mixture.

    Returns:
        (nbits, 2, SIGN_PERIOD, SIGN_PERIOD) float32, orthogonal between bits; the sum over bits with any message has a
        mean square of 1.

    Raises:
        ValueError: a tile has fewer frequencies than the message has bits.
    """
    period = SIGN_PERIOD
    position = np.arange(period)
    cosines = np.cos(np.pi * (position[None] + 0.5) * position[:, None] / period)  # (frequency, position)
    cosines *= np.sqrt(np.where(position[:, None] == 0, 1, 2) / period)
    frequencies = sorted(
        ((u, v) for u in range(period) for v in range(period)), key=lambda f: (f[0] ** 2 + f[1] ** 2, f)
    )
    middle = [frequency for frequency in frequencies if frequency not in _SKIPPED][: nbits + _SPARE_COSINES]
    if len(middle) < nbits + _SPARE_COSINES:
        raise ValueError(f"{nbits} bits do not fit in a tile of {period} x {period} pixels")
    basis = np.stack([np.outer(cosines[u], cosines[v]).ravel() for u, v in middle])  # (nbits + spare, period * period)
    # A random rotation gives every bit a share of every frequency, so that none is easier to lose than another.
    mixture = np.linalg.qr(np.random.default_rng(seed).standard_normal((len(middle), len(middle))))[0][:nbits]
    tiles = torch.from_numpy((mixture @ basis).reshape(nbits, period, period) * period / np.sqrt(nbits)).float()
    return torch.stack([-tiles, tiles], dim=1)


def tone_frequencies() -> list[tuple[int, int]]:
    """Cycles a tile along x and y, two neighbours on a ring after another for each bit."""
    frequencies = []
    for ring, (radius, directions) in enumerate(_RINGS):
        for index in range(directions):
            angle = math.pi * (index + (ring % 2) / 2) / directions
            place = (TONE_PERIOD * radius * math.cos(angle), TONE_PERIOD * radius * math.sin(angle))
            frequencies.append((round(place[0]), round(place[1])))
    return frequencies


def tone_tiles(nbits: int, seed: int) -> Tensor:
    """Tiles with one wave each: a bit has two, neighbours in direction and alike in length.

    Args:
        nbits: message length, at most 32.
        seed: of the phases.

    Returns:
        (nbits, 2, TONE_PERIOD, TONE_PERIOD) float32, all orthogonal; the sum over bits with any message has a mean
        square of 1.

    Raises:
        ValueError: there are fewer waves than two for each bit.
    """
    frequencies = tone_frequencies()[: 2 * nbits]
    if len(frequencies) < 2 * nbits:
        raise ValueError(f"{nbits} bits do not fit in {len(frequencies)} waves, two for each")
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:TONE_PERIOD, :TONE_PERIOD]
    waves = np.stack(
        [np.cos(2 * np.pi * (u * x + v * y) / TONE_PERIOD + rng.uniform(0, 2 * np.pi)) for u, v in frequencies]
    )
    return torch.from_numpy(waves.reshape(nbits, 2, TONE_PERIOD, TONE_PERIOD) * math.sqrt(2 / nbits)).float()


def carrier_pattern(
    tiles: Tensor,
    messages: Tensor,
    height: int,
    width: int,
    shown: Tensor | None = None,
    offsets: Tensor | None = None,
) -> Tensor:
    """The signal of each message over a whole image.

    Args:
        tiles: (nbits, 2, P, P), as `sign_tiles` and `tone_tiles` give them.
        messages: bits 0 or 1, (B, nbits).
        height, width: pixels.
        shown: (B, nbits), 1 for the bits that are drawn and 0 for those that are left out, at least one of an image;
            those that are drawn get the strength of all. All where it is not given.
        offsets: (B, 2) integers: the place in the tile at which an image begins. (0, 0) where they are not given.

    Returns:
        (B, 1, height, width) in (-1, 1), as the embedder's output.
    """
    count, nbits = messages.shape
    period = tiles.shape[-1]
    strength = F.one_hot(messages.long(), 2).to(tiles.dtype)  # (B, nbits, 2)
    if shown is not None:
        strength = strength * (shown * torch.sqrt(nbits / shown.sum(dim=1, keepdim=True)))[..., None]
    tile = torch.tanh(_GAIN * torch.einsum("bnk,nkij->bij", strength, tiles))  # (B, P, P)
    start = torch.zeros(count, 2, dtype=torch.long, device=tiles.device) if offsets is None else offsets
    rows = (start[:, :1] + torch.arange(height, device=tiles.device)) % period  # (B, height)
    columns = (start[:, 1:] + torch.arange(width, device=tiles.device)) % period  # (B, width)
    images = torch.arange(count, device=tiles.device)[:, None, None]
    return tile[images, rows[:, :, None], columns[:, None, :]][:, None]
