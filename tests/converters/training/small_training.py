"""A recipe that a tiny network follows in a second."""

import torch

from sealbench.converters.training.augment import ATTACKS
from sealbench.converters.training.recipe import JOINT, SIGNS, Phase, Recipe

CPU = torch.device("cpu")
SMALL = Recipe(
    phases=(
        Phase("first", SIGNS, 12, 32, batch=8, unmarked=4, learning_rate=3e-3, scaling_start=4.0),
        Phase("second", JOINT, 8, 32, batch=4, unmarked=2, learning_rate=1e-3, attacks=tuple(ATTACKS)),
    ),
    generated_images=2,
    crops=8,
)
