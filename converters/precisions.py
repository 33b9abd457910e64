"""The precisions: one entry each, recipes as plain data. Imports no quantizer.

A recipe is a list of rules in the JSON form that ai-edge-quantizer reads; later rules win over earlier ones. To add
a precision, add an entry here: nothing else changes.
"""

from dataclasses import dataclass, field
from typing import Any

from converters.errors import UnknownNameError

Rule = dict[str, Any]


@dataclass(frozen=True)
class Precision:
    """How the weights are stored and in what numbers the file computes.

    Attributes:
        name: as on the command line and in every table; also the suffix of the file name.
        weight_bits: bits per quantized weight.
        compute: number type in which the large operations run: `float32` or `int8`.
        recipe: rules for ai-edge-quantizer; empty for float32, which is what the export gives.
        description: one line for help texts and reports.
    """

    name: str
    weight_bits: int
    compute: str
    recipe: tuple[Rule, ...] = field(hash=False)
    description: str

    @property
    def suffix(self) -> str:
        """What the file name of an artifact ends in before `.tflite`."""
        return "" if self.name == "float32" else f"_{self.name}"


def _rule(
    bits: int,
    compute: str,
    operation: str = "*",
    algorithm: str = "min_max_uniform_quantize",
    dtype: str = "INT",
    granularity: str = "CHANNELWISE",
) -> Rule:
    """One rule: which operations, how their weights are stored, and whether the kernel computes in integers.

    Computing in FLOAT means that the weights are dequantized before the operation; computing in INTEGER, that the
    kernel quantizes its input on the fly (dynamic range quantization).
    """
    return {
        "regex": ".*",
        "operation": operation,
        "algorithm_key": algorithm,
        "op_config": {
            "weight_tensor_config": {
                "num_bits": bits,
                "symmetric": True,
                "granularity": granularity,
                "dtype": dtype,
            },
            "compute_precision": compute,
            "explicit_dequantize": compute == "FLOAT",
            "skip_checks": False,
            "min_weight_elements": 0,
        },
    }


# The interpreter refuses a BATCH_MATMUL of float32 and constant int8, and the quantizer makes one all the same. The
# resize inside the model (`export.ResizeFirst`) is the only one here; in float32 it does not round the image either.
_KEEP_BATCH_MATMUL: Rule = {
    "regex": ".*",
    "operation": "BATCH_MATMUL",
    "algorithm_key": "no_quantize",
    "op_config": {},
}

_PRECISIONS = (
    Precision("float32", 32, "float32", (), "the export as it is"),
    Precision(
        "fp16",
        16,
        "float32",
        (_rule(16, "FLOAT", algorithm="float_casting", dtype="FLOAT", granularity="TENSORWISE"),),
        "weights cast to 16-bit floats, computed in float32",
    ),
    Precision(
        "int8",
        8,
        "int8",
        (_rule(8, "INTEGER"), _KEEP_BATCH_MATMUL),
        "dynamic range quantization: int8 weights by channel, activations quantized on the fly",
    ),
    Precision(
        "int8_weight_only",
        8,
        "float32",
        (_rule(8, "FLOAT"),),
        "int8 weights by channel, dequantized and computed in float32",
    ),
)
PRECISIONS = {precision.name: precision for precision in _PRECISIONS}


def get_precision(name: str) -> Precision:
    """The precision called `name`.

    Raises:
        UnknownNameError: there is none; the message lists the known ones.
    """
    if name not in PRECISIONS:
        raise UnknownNameError("precision", name, tuple(PRECISIONS))
    return PRECISIONS[name]
