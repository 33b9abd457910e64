"""The recipes that each precision's was chosen from, as plain data; `sealbench candidates` measures them.

The one in use is not repeated here: it is what `sealbench.converters.export.precisions` says, and the first of every
    list.
"""

from dataclasses import dataclass, field, replace

from sealbench.converters.export.calibration_inputs import CALIBRATION_SAMPLES
from sealbench.converters.export.precisions import (
    FLOAT_BATCH_MATMUL,
    FLOAT_INPUT_AND_OUTPUT,
    GPTQ,
    HALF_FLOAT_ENDS,
    OCTAV,
    PRECISIONS,
    SMALL_PIECES,
    SPLIT_WEIGHTS,
    Precision,
    Rule,
    dynamic,
    half_float,
    static,
    weight_only,
)

MSE = "MSE"


@dataclass(frozen=True)
class Candidate:
    """One way to make a precision.

    Attributes:
        precision: its name.
        name: what differs from the recipe in use; `in use` for that itself.
        recipe: rules, in the form of `sealbench.converters.export.precisions`; empty for float32.
        plain: without the rewrites that are made for the recipe in use.
        rewrites: made before the export.
        crops: numbers of the first calibration crop and of the one after the last.
    """

    precision: str
    name: str
    recipe: tuple[Rule, ...] = field(hash=False)
    plain: bool = False
    rewrites: tuple[str, ...] = ()
    crops: tuple[int, int] = (0, CALIBRATION_SAMPLES)

    @property
    def in_use(self) -> bool:
        """Whether this is what the registry makes."""
        return self.name == IN_USE


IN_USE = "in use"


def _int8() -> tuple[Candidate, ...]:
    return (
        Candidate("int8", "published recipe", (dynamic(8), FLOAT_BATCH_MATMUL), plain=True),
        Candidate("int8", "published recipe, rewritten", (dynamic(8), FLOAT_BATCH_MATMUL)),
        Candidate("int8", "ends int8", (dynamic(8), FLOAT_BATCH_MATMUL, *SPLIT_WEIGHTS)),
        Candidate("int8", "head int8", (dynamic(8), FLOAT_BATCH_MATMUL, HALF_FLOAT_ENDS[0], *SPLIT_WEIGHTS)),
        Candidate("int8", "stem int8", (dynamic(8), FLOAT_BATCH_MATMUL, HALF_FLOAT_ENDS[1], *SPLIT_WEIGHTS)),
        Candidate("int8", "not rewritten", (dynamic(8), FLOAT_BATCH_MATMUL, *HALF_FLOAT_ENDS), plain=True),
        Candidate("int8", "depthwise dynamic", (dynamic(8), FLOAT_BATCH_MATMUL, *HALF_FLOAT_ENDS)),
        Candidate(
            "int8",
            "depthwise int8",
            (dynamic(8), FLOAT_BATCH_MATMUL, *HALF_FLOAT_ENDS, weight_only(8, "DEPTHWISE_CONV_2D")),
        ),
        Candidate(
            "int8",
            "depthwise fp16",
            (dynamic(8), FLOAT_BATCH_MATMUL, *HALF_FLOAT_ENDS, half_float("DEPTHWISE_CONV_2D")),
        ),
        Candidate(
            "int8",
            "OCTAV",
            (
                dynamic(8, algorithm=OCTAV),
                FLOAT_BATCH_MATMUL,
                *HALF_FLOAT_ENDS,
                weight_only(8, "DEPTHWISE_CONV_2D", OCTAV),
                SMALL_PIECES,
            ),
        ),
        Candidate("int8", "MSE", (dynamic(8, algorithm=MSE), FLOAT_BATCH_MATMUL, *HALF_FLOAT_ENDS, *SPLIT_WEIGHTS)),
    )


def _int8_weight_only() -> tuple[Candidate, ...]:
    return (
        Candidate("int8_weight_only", "published recipe", (weight_only(8),), plain=True),
        Candidate("int8_weight_only", "ends int8", (weight_only(8), FLOAT_BATCH_MATMUL)),
        Candidate("int8_weight_only", "OCTAV", (weight_only(8, algorithm=OCTAV), FLOAT_BATCH_MATMUL, *HALF_FLOAT_ENDS)),
    )


def _int8_static() -> tuple[Candidate, ...]:
    depthwise_static = PRECISIONS["int8_static"].recipe
    in_use = (*depthwise_static, *SPLIT_WEIGHTS)
    kept = (FLOAT_BATCH_MATMUL, *FLOAT_INPUT_AND_OUTPUT)
    convolutions = (dynamic(8), static("CONV_2D"))
    disjoint = [
        (start, start + CALIBRATION_SAMPLES) for start in range(CALIBRATION_SAMPLES, 5 * CALIBRATION_SAMPLES, 8)
    ]
    return (
        Candidate("int8_static", "not rewritten", depthwise_static, plain=True),
        Candidate("int8_static", "depthwise static", depthwise_static),
        Candidate(
            "int8_static",
            "FULLY_CONNECTED static",
            (*convolutions, static("FULLY_CONNECTED"), *kept, *HALF_FLOAT_ENDS, *SPLIT_WEIGHTS),
        ),
        Candidate("int8_static", "everything static", (static("*"), FLOAT_BATCH_MATMUL, *FLOAT_INPUT_AND_OUTPUT)),
        Candidate("int8_static", "ends int8", (*convolutions, *kept, *SPLIT_WEIGHTS)),
        *(Candidate("int8_static", f"calibration crops {a} to {b - 1}", in_use, crops=(a, b)) for a, b in disjoint),
        Candidate("int8_static", "calibration crops 0 to 1", in_use, crops=(0, 2)),
        Candidate("int8_static", "calibration crops 0 to 31", in_use, crops=(0, 32)),
    )


def _int4() -> tuple[Candidate, ...]:
    def four(convolution: str, linear: str) -> tuple[Rule, ...]:
        return (dynamic(8), dynamic(4, "CONV_2D", convolution), dynamic(4, "FULLY_CONNECTED", linear))

    kept = (FLOAT_BATCH_MATMUL, *HALF_FLOAT_ENDS, *SPLIT_WEIGHTS)
    in_use = PRECISIONS["int4"].recipe
    return (
        Candidate("int4", "ends int4", (*four(OCTAV, OCTAV), FLOAT_BATCH_MATMUL, *SPLIT_WEIGHTS)),
        Candidate("int4", "min-max", (dynamic(8), dynamic(4, "CONV_2D"), dynamic(4, "FULLY_CONNECTED"), *kept)),
        Candidate("int4", "MSE", (*four(MSE, MSE), *kept)),
        Candidate("int4", "GPTQ in FULLY_CONNECTED", (*four(OCTAV, GPTQ), *kept)),
        Candidate("int4", "convolutions int8", (dynamic(8), dynamic(4, "FULLY_CONNECTED", OCTAV), *kept)),
        Candidate("int4", "not rewritten", in_use, plain=True),
    )


def _int4_weight_only() -> tuple[Candidate, ...]:
    rules = (weight_only(8), weight_only(4, "CONV_2D"), weight_only(4, "FULLY_CONNECTED"))
    return (Candidate("int4_weight_only", "min-max", (*rules, FLOAT_BATCH_MATMUL, *HALF_FLOAT_ENDS)),)


def _int4_block32() -> tuple[Candidate, ...]:
    kept = (FLOAT_BATCH_MATMUL, *HALF_FLOAT_ENDS, *SPLIT_WEIGHTS)
    convolutions = dynamic(4, "CONV_2D", OCTAV)
    octav = dynamic(4, "FULLY_CONNECTED", OCTAV, "BLOCKWISE_32")
    min_max = dynamic(4, "FULLY_CONNECTED", granularity="BLOCKWISE_32")
    return (
        Candidate("int4_block32", "OCTAV", (dynamic(8), convolutions, octav, *kept)),
        Candidate("int4_block32", "convolutions int8", (dynamic(8), min_max, *kept)),
    )


_OTHERS = {
    "int8": _int8,
    "int8_weight_only": _int8_weight_only,
    "int8_static": _int8_static,
    "int4": _int4,
    "int4_weight_only": _int4_weight_only,
    "int4_block32": _int4_block32,
}


def candidates(precision: Precision, rewrites: tuple[str, ...]) -> tuple[Candidate, ...]:
    """The recipe in use of a precision, then what it was chosen from.

    Args:
        precision: any of the registry.
        rewrites: those that are made for the recipe in use; where an architecture has none, the others go without as
            well, and those that would then be the same are left out.
    """
    found = [Candidate(precision.name, IN_USE, precision.recipe_for(rewrites), rewrites=rewrites)]
    for other in _OTHERS[precision.name]() if precision.name in _OTHERS else ():
        candidate = replace(other, rewrites=() if other.plain else rewrites)
        alike = [
            c
            for c in found
            if (c.recipe, c.rewrites, c.crops) == (candidate.recipe, candidate.rewrites, candidate.crops)
        ]
        if not alike and (other.plain or rewrites):
            found.append(candidate)
    return tuple(found)
