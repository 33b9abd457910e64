"""The pictures that the batch norms of UVQ's seeded trunks are settled on. Imports no torch."""

import numpy as np

from sealbench.datasets.attacks import apply_attack
from sealbench.datasets.dead_leaves import dead_leaves

_PICTURES, _SIDE = 8, 256
_NOISE = "gaussian_noise:20"


def settling_pictures() -> list[np.ndarray]:
    """Generated pictures (256, 256, 3) uint8, every second one with noise; the same each time."""
    pictures = [dead_leaves(_SIDE, _SIDE, seed=number) for number in range(_PICTURES)]
    pictures[1::2] = [apply_attack(picture, _NOISE, seed) for seed, picture in enumerate(pictures[1::2])]
    return pictures
