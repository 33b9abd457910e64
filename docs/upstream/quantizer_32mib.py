"""litert-quantizer refuses a convolution whose weights are larger than 32 MiB.

Needs torch, litert-torch and litert-quantizer: python quantizer_32mib.py
"""

import contextlib
import importlib.metadata
import os
import tempfile
from pathlib import Path

import litert_torch
import torch
from litert_quantizer import quantizer, recipe
from torch import nn


def quantize(module: nn.Module, sample: torch.Tensor) -> str:
    """Convert a module, quantize it to int8, and say what happened."""
    with (
        tempfile.TemporaryDirectory() as folder,
        open(os.devnull, "w", encoding="utf-8") as nothing,  # noqa: PTH123
        contextlib.redirect_stdout(nothing),
        contextlib.redirect_stderr(nothing),
    ):
        path = Path(folder) / "model.tflite"
        litert_torch.convert(module.eval(), (sample,)).export(str(path))
        try:
            quantizer.Quantizer(str(path), recipe.dynamic_wi8_afp32()).quantize()
        except ValueError as error:
            return f"{type(error).__name__}: {error}"
    return "quantized"


def main() -> None:
    """Try a convolution below 32 MiB, one above, and a matrix above."""
    for package in ("litert-quantizer", "litert-torch", "torch"):
        print(f"{package} {importlib.metadata.version(package)}")
    for name, module, sample in (
        ("3 x 3, 896 to 896 channels", nn.Conv2d(896, 896, 3), torch.zeros(1, 896, 4, 4)),
        ("3 x 3, 1024 to 1024 channels", nn.Conv2d(1024, 1024, 3), torch.zeros(1, 1024, 4, 4)),
        ("matrix, 3072 x 3072", nn.Linear(3072, 3072), torch.zeros(1, 3072)),
    ):
        mebibytes = 4 * module.weight.numel() / 2**20
        print(f"{name}, {mebibytes:.1f} MiB: {quantize(module, sample)}")


if __name__ == "__main__":
    main()
