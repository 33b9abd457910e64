"""Exact rewrites of a detector before its export: the same function, written so that the kernels run it faster.

A rewrite changes no result by more than float32 rounds (1e-5 of the logits is what the tests allow). Imports no torch;
`apply.py` holds the functions.
"""

from dataclasses import dataclass

from sealbench.converters.cards.card import Card
from sealbench.converters.errors import UnknownNameError


@dataclass(frozen=True)
class Rewrite:
    """One exact rewrite.

    Attributes:
        name: as on the command line and in an artifact's provenance.
        architectures: those in which it finds something to rewrite.
        description: one line for help texts and reports.
    """

    name: str
    architectures: tuple[str, ...]
    description: str


# In the order in which they are applied.
_REWRITES = (
    Rewrite(
        "fold_norms",
        ("convnext", "vit"),
        "gains and shifts of normalizations folded into the layers that read them",
    ),
    Rewrite(
        "slice_padding",
        ("convnext", "vit"),
        "reflection padding as slices put together, so that the whole graph stays in XNNPACK",
    ),
    Rewrite(
        "split_depthwise",
        ("convnext",),
        "a depthwise convolution of more than 25 taps as the sum of some of at most 25",
    ),
)
REWRITES = {rewrite.name: rewrite for rewrite in _REWRITES}
CHOICES = ("none", "auto", *REWRITES)

# What was measured to pay, by architecture. Time as a share of the plain file, at 256, two threads on x86-64, medians
# of 24 to 28 interleaved rounds, noisy machine: videoseal float32 0.61, int8 0.70; videoseal_nano float32 0.57, int8
# 0.49, int8_weight_only 0.49, int8_static 0.33, int4 0.40, int4_weight_only 0.84; fp16 starts from the same float32
# file. Of videoseal_0.0 slice_padding float32 0.97 and int8 0.79; with fold_norms it was no faster (0.97 and 0.83).
# `make bench BENCH="--variant all --precision all --rewrite none,auto -k latency"` measures it again.
_PAYS: dict[str, tuple[str, ...]] = {
    "convnext": ("fold_norms", "slice_padding", "split_depthwise"),
    "vit": ("slice_padding",),
}


def choose_rewrites(choice: str, variant: Card) -> tuple[str, ...]:
    """Names of the rewrites to apply, in the order in which they are applied.

    Args:
        choice: `none`; `auto` for what was measured to pay; or the name of one rewrite.
        variant: its card. A rewrite that finds nothing in its architecture is left out: what is returned is what will
            have been applied.

    Raises:
        UnknownNameError: the choice is none of `CHOICES`.
    """
    if choice not in CHOICES:
        raise UnknownNameError("rewrite", choice, CHOICES)
    architecture = variant.architecture
    if choice == "none":
        return ()
    if choice == "auto":
        return _PAYS.get(architecture, ())
    return (choice,) if architecture in REWRITES[choice].architectures else ()
