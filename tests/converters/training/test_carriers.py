"""Carriers: what they are made of, and that a message can be read from them."""

import pytest
import torch

from sealbench.converters.training.carriers import (
    SIGN_PERIOD,
    TONE_PERIOD,
    carrier_pattern,
    sign_tiles,
    tone_frequencies,
    tone_tiles,
)


def test_signs_are_orthogonal_and_carry_the_message() -> None:
    tiles = sign_tiles(32, seed=0)
    assert torch.equal(tiles[:, 0], -tiles[:, 1])
    flat = tiles[:, 1].flatten(1)
    gram = flat @ flat.T / SIGN_PERIOD**2
    assert torch.allclose(gram, torch.eye(32) / 32, atol=1e-6)
    messages = torch.randint(0, 2, (50, 32), generator=torch.Generator().manual_seed(0))
    pattern = carrier_pattern(tiles, messages, 16, 24)
    assert pattern.shape == (50, 1, 16, 24)
    correlation = torch.einsum("byx,nyx->bn", pattern[:, 0, :SIGN_PERIOD, :SIGN_PERIOD], tiles[:, 1])
    assert torch.equal(correlation > 0, messages > 0)


def tone_energies(pattern: torch.Tensor) -> torch.Tensor:
    """How strong each bit's two waves are in patterns (B, 1, 64, 64), whatever their phase: (B, 32, 2)."""
    spectrum = torch.fft.fft2(pattern[:, 0]).abs()  # a tile's frequency lies at its double in 64 pixels
    places = torch.tensor(tone_frequencies()) * 2
    return spectrum[:, places[:, 1] % 64, places[:, 0] % 64].reshape(len(pattern), 32, 2)


def test_tones_carry_the_message_wherever_the_image_begins() -> None:
    tiles = tone_tiles(32, seed=0)
    flat = tiles.flatten(0, 1).flatten(1)
    assert torch.allclose(flat @ flat.T / TONE_PERIOD**2, torch.eye(64) / 32, atol=1e-6)
    generator = torch.Generator().manual_seed(0)
    messages = torch.randint(0, 2, (20, 32), generator=generator)
    offsets = torch.randint(0, TONE_PERIOD, (20, 2), generator=generator)
    moved = carrier_pattern(tiles, messages, 64, 64, offsets=offsets)
    assert not torch.equal(moved, carrier_pattern(tiles, messages, 64, 64))
    energies = tone_energies(moved)
    assert torch.equal(energies[..., 1] > energies[..., 0], messages > 0)


def test_bits_that_are_not_shown_leave_their_strength_to_the_others() -> None:
    tiles, messages = tone_tiles(32, seed=0), torch.ones(1, 32, dtype=torch.long)
    shown = torch.zeros(1, 32)
    shown[0, 5] = 1
    energies = tone_energies(carrier_pattern(tiles, messages, 64, 64, shown))[0]
    assert int(energies.flatten().argmax()) == 2 * 5 + 1
    main = float(energies[5, 1])
    energies[5] = 0
    assert float(energies.max()) < 0.1 * main  # what is there are overtones: the sum goes through a tanh


def test_too_many_bits_for_a_tile() -> None:
    with pytest.raises(ValueError, match="64 bits do not fit"):
        sign_tiles(64, seed=0)
    with pytest.raises(ValueError, match="33 bits do not fit"):
        tone_tiles(33, seed=0)
