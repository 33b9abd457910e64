"""The precisions: one entry each, recipes as plain data. Imports no quantizer.

A recipe is a list of rules in the JSON form that litert-quantizer reads; later rules win over earlier ones, and an
operation that a rule's algorithm cannot quantize keeps what the rules before gave it. To add a precision, add an entry
here: nothing else changes. `docs/quantization-candidates.md` shows what these recipes were chosen from.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sealbench.converters.errors import UnknownNameError

Rule = dict[str, Any]

MIN_MAX = "min_max_uniform_quantize"
# Clips a channel where the sum of clipping and rounding errors is smallest: Sakr et al. 2022, arXiv:2206.06501, eq. 6.
OCTAV = "OCTAV"
GPTQ = "GPTQ"
SPLIT_DEPTHWISE = "split_depthwise"


def dynamic(bits: int, operation: str = "*", algorithm: str = MIN_MAX, granularity: str = "CHANNELWISE") -> Rule:
    """Integer weights; the kernel quantizes its input on the fly and computes in integers (dynamic range)."""
    return _rule(operation, algorithm, "INTEGER", _tensor(bits, granularity))


def weight_only(bits: int, operation: str = "*", algorithm: str = MIN_MAX, granularity: str = "CHANNELWISE") -> Rule:
    """Integer weights that are dequantized before the operation, which computes in float32."""
    return _rule(operation, algorithm, "FLOAT", _tensor(bits, granularity))


def static(operation: str, algorithm: str = MIN_MAX) -> Rule:
    """int8 weights and int8 activations, whose scales come from calibration images."""
    rule = _rule(operation, algorithm, "INTEGER", _tensor(8, "CHANNELWISE"))
    rule["op_config"]["activation_tensor_config"] = _tensor(8, "TENSORWISE", symmetric=False)
    return rule


def half_float(operation: str = "*", regex: str = ".*") -> Rule:
    """Weights cast to 16-bit floats and computed in float32."""
    return _rule(operation, "float_casting", "FLOAT", _tensor(16, "TENSORWISE", dtype="FLOAT")) | {"regex": regex}


def untouched(operation: str, regex: str = ".*") -> Rule:
    """Operations that stay as the export made them."""
    return {"regex": regex, "operation": operation, "algorithm_key": "no_quantize", "op_config": {}}


def _tensor(bits: int, granularity: str, symmetric: bool = True, dtype: str = "INT") -> dict[str, Any]:
    return {"num_bits": bits, "symmetric": symmetric, "granularity": granularity, "dtype": dtype}


def _rule(operation: str, algorithm: str, compute: str, weights: dict[str, Any]) -> Rule:
    return {
        "regex": ".*",
        "operation": operation,
        "algorithm_key": algorithm,
        "op_config": {
            "weight_tensor_config": weights,
            "compute_precision": compute,
            "explicit_dequantize": compute == "FLOAT",
            "skip_checks": False,
            "min_weight_elements": 0,
        },
    }


# The two ends of a detector: the convolution that reads the image, by the path of its module in a ConvNeXt, and the
# linear layer that gives the logits, by the name of the file's output. They hold a few thousandths of the weights and
# make most of the error of an int8 file, as their errors are not averaged out by any layer after or before them.
_STEM = r"convnext/(?:[\w.]*_)?0/(?:[\w.]*\.)?Conv2d_0;"
_HEAD = "serving_default_output"
HALF_FLOAT_ENDS = (half_float("CONV_2D", _STEM), half_float("FULLY_CONNECTED", _HEAD))

# The interpreter refuses a BATCH_MATMUL of float32 and constant int8, and the quantizer makes one all the same: in the
# ViT's relative positions and in the resize inside the model (`export.ResizeFirst`), which so does not round the image.
FLOAT_BATCH_MATMUL = untouched("BATCH_MATMUL")

# A static recipe of everything makes the file ask for int8 images and give int8 logits.
FLOAT_INPUT_AND_OUTPUT = (untouched("INPUT"), untouched("OUTPUT"))

# XNNPACK has no dynamic int8 depthwise convolution: the file falls into twenty parts. Split into pieces of at most 25
# taps, its float32 kernel is fast, so that only the weights are kept in int8. Unsplit, leaving XNNPACK is faster. The
# later pieces have at most 9 taps for each channel: those take less room in 16-bit floats than with a scale and a zero
# point (12 bytes) for each channel.
SMALL_PIECES = half_float("DEPTHWISE_CONV_2D", r"Conv2d_[1-9]\d*;")
SPLIT_WEIGHTS = (weight_only(8, "DEPTHWISE_CONV_2D"), SMALL_PIECES)


@dataclass(frozen=True)
class Precision:
    """How the weights are stored and in what numbers the file computes.

    Attributes:
        name: as on the command line and in every table; also the suffix of the file name.
        weight_bits: bits per quantized weight.
        compute: number type in which the large operations run: `float32` or `int8`.
        recipe: rules for the graph as the detector is defined; empty for float32, which is what the export gives.
        description: one line for help texts and reports.
        split_rules: rules that follow them where depthwise convolutions are split.
    """

    name: str
    weight_bits: int
    compute: str
    recipe: tuple[Rule, ...] = field(hash=False)
    description: str
    split_rules: tuple[Rule, ...] = field(hash=False, default=())

    @property
    def suffix(self) -> str:
        """What the file name of an artifact ends in before `.tflite`."""
        return "" if self.name == "float32" else f"_{self.name}"

    @property
    def needs_calibration(self) -> bool:
        """Whether `quantize` must be given calibration images."""
        return needs_calibration(self.recipe)

    def recipe_for(self, rewrites: tuple[str, ...]) -> tuple[Rule, ...]:
        """The rules for a graph with these rewrites (`sealbench.converters.rewrites`); empty for float32."""
        return self.recipe + self.split_rules if SPLIT_DEPTHWISE in rewrites else self.recipe


def needs_calibration(recipe: Sequence[Rule]) -> bool:
    """Whether a recipe takes something from images: ranges of activations, or GPTQ's second moments."""
    return uses_gptq(recipe) or any("activation_tensor_config" in rule["op_config"] for rule in recipe)


def uses_gptq(recipe: Sequence[Rule]) -> bool:
    """Whether a recipe fits weights to second moments of their inputs (Frantar et al. 2022, arXiv:2210.17323)."""
    return any(rule["algorithm_key"] == GPTQ for rule in recipe)


_PRECISIONS = (
    Precision("float32", 32, "float32", (), "the export as it is"),
    Precision("fp16", 16, "float32", (half_float(),), "weights cast to 16-bit floats, computed in float32"),
    Precision(
        "int8",
        8,
        "int8",
        (dynamic(8), FLOAT_BATCH_MATMUL, *HALF_FLOAT_ENDS),
        "dynamic range quantization: int8 weights by channel, activations quantized on the fly",
        split_rules=SPLIT_WEIGHTS,
    ),
    Precision(
        "int8_weight_only",
        8,
        "float32",
        (weight_only(8), FLOAT_BATCH_MATMUL, *HALF_FLOAT_ENDS),
        "int8 weights by channel, dequantized and computed in float32",
        split_rules=(SMALL_PIECES,),
    ),
    Precision(
        "int8_static",
        8,
        "int8",
        # One scale holds the input of a convolution, but not what the layers after GRN read.
        (
            dynamic(8),
            static("CONV_2D"),
            static("DEPTHWISE_CONV_2D"),
            FLOAT_BATCH_MATMUL,
            *FLOAT_INPUT_AND_OUTPUT,
            *HALF_FLOAT_ENDS,
        ),
        "int8 weights by channel; activations of convolutions in int8 with scales from calibration images",
        # Static pieces of a split convolution are slower than float32 ones: XNNPACK's int8 kernels for them are, and
        # the number types change before and after each.
        split_rules=SPLIT_WEIGHTS,
    ),
    Precision(
        "int4",
        4,
        "int8",
        (
            dynamic(8),
            dynamic(4, "CONV_2D", OCTAV),
            dynamic(4, "FULLY_CONNECTED", OCTAV),
            FLOAT_BATCH_MATMUL,
            *HALF_FLOAT_ENDS,
        ),
        "int4 weights by channel (depthwise int8), activations quantized on the fly to int8",
        split_rules=SPLIT_WEIGHTS,
    ),
    Precision(
        "int4_weight_only",
        4,
        "float32",
        (
            weight_only(8),
            weight_only(4, "CONV_2D", OCTAV),
            weight_only(4, "FULLY_CONNECTED", OCTAV),
            FLOAT_BATCH_MATMUL,
            *HALF_FLOAT_ENDS,
        ),
        "int4 weights by channel (depthwise int8), dequantized and computed in float32",
        split_rules=(SMALL_PIECES,),
    ),
    Precision(
        "int4_block32",
        4,
        "int8",
        (
            dynamic(8),
            dynamic(4, "CONV_2D", OCTAV),
            dynamic(4, "FULLY_CONNECTED", granularity="BLOCKWISE_32"),
            FLOAT_BATCH_MATMUL,
            *HALF_FLOAT_ENDS,
        ),
        "int4 weights with a scale for every 32 of a linear layer (where 32 divides its inputs) or for every channel",
        split_rules=SPLIT_WEIGHTS,
    ),
)
PRECISIONS = {precision.name: precision for precision in _PRECISIONS}

# Of fewer bits an embedder's watermark is too far off; the error that names them has the differences.
EMBEDDER_PRECISIONS = tuple(precision.name for precision in _PRECISIONS if precision.weight_bits >= 16)


def get_precision(name: str) -> Precision:
    """The precision called `name`.

    Raises:
        UnknownNameError: there is none; the message lists the known ones.
    """
    if name not in PRECISIONS:
        raise UnknownNameError("precision", name, tuple(PRECISIONS))
    return PRECISIONS[name]
