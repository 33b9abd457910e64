"""Depthwise convolutions of more than 25 taps in LiteRT: time for each kernel size, and for an exact split of 7 x 7.

Needs torch, litert-torch and ai-edge-litert: python depthwise.py
"""

import contextlib
import importlib.metadata
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import litert_torch
import numpy as np
import torch
from ai_edge_litert.interpreter import Interpreter
from torch import nn

CHANNELS, SIDE, THREADS, ROUNDS = 96, 64, 2, 40
TURN_S = 0.005  # each turn lasts so long before the call that counts, so that the turns do not disturb each other


class Split7x7(nn.Module):
    """A 7 x 7 depthwise convolution as its inner 5 x 5, its outer rows and the rest of its outer columns."""

    def __init__(self, conv: nn.Conv2d):
        super().__init__()
        weight, channels = conv.weight.detach(), conv.in_channels
        self.inner = nn.Conv2d(channels, channels, 5, padding=2, groups=channels)
        self.rows = nn.Conv2d(channels, channels, (2, 7), padding=(3, 3), dilation=(6, 1), groups=channels, bias=False)
        self.columns = nn.Conv2d(
            channels, channels, (5, 2), padding=(2, 3), dilation=(1, 6), groups=channels, bias=False
        )
        self.inner.weight = nn.Parameter(weight[:, :, 1:6, 1:6].contiguous())
        self.inner.bias = conv.bias
        self.rows.weight = nn.Parameter(weight[:, :, ::6, :].contiguous())
        self.columns.weight = nn.Parameter(weight[:, :, 1:6, ::6].contiguous())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, C, H, W) to the same shape."""
        return self.inner(x) + self.rows(x) + self.columns(x)


class ChannelsLast(nn.Module):
    """Takes and gives (B, H, W, C), so that no transposition is timed."""

    def __init__(self, inner: nn.Module):
        super().__init__()
        self.inner = inner

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, H, W, C) to the same shape."""
        return self.inner(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)


def prepare(module: nn.Module, path: Path, image: np.ndarray) -> tuple[Callable[[], None], Callable[[], np.ndarray]]:
    """Convert a module; give one call that runs it and one that reads its output."""
    with (
        open(os.devnull, "w", encoding="utf-8") as nothing,  # noqa: PTH123
        contextlib.redirect_stdout(nothing),
        contextlib.redirect_stderr(nothing),
    ):
        litert_torch.convert(ChannelsLast(module).eval(), (torch.from_numpy(image),)).export(str(path))
    interpreter = Interpreter(model_path=str(path), num_threads=THREADS)
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], image)
    return interpreter.invoke, lambda: interpreter.get_tensor(interpreter.get_output_details()[0]["index"])


def main() -> None:
    """Measure and print the table."""
    torch.manual_seed(0)
    image = np.random.default_rng(0).standard_normal((1, SIDE, SIDE, CHANNELS)).astype(np.float32)
    kernels = [(3, 3), (5, 5), (5, 6), (7, 7), (9, 9)]
    convs = {
        kernel: nn.Conv2d(CHANNELS, CHANNELS, kernel, padding=(kernel[0] // 2, kernel[1] // 2), groups=CHANNELS)
        for kernel in kernels
    }
    modules: dict[str, tuple[int, nn.Module]] = {f"{h} x {w}": (h * w, conv) for (h, w), conv in convs.items()}
    modules["7 x 7 as 5 x 5 + 2 x 7 + 5 x 2"] = (49, Split7x7(convs[7, 7]))
    with tempfile.TemporaryDirectory() as folder:
        calls = {}
        for number, (name, (_, module)) in enumerate(modules.items()):
            calls[name] = prepare(module, Path(folder) / f"{number}.tflite", image)
        times: dict[str, list[float]] = {name: [] for name in modules}
        for _ in range(ROUNDS):
            for name, (invoke, _) in calls.items():
                turn = time.perf_counter()
                invoke()
                while time.perf_counter() - turn < TURN_S:
                    invoke()
                start = time.perf_counter()
                invoke()
                times[name].append(time.perf_counter() - start)
        whole, split = (calls[name][1]() for name in ("7 x 7", "7 x 7 as 5 x 5 + 2 x 7 + 5 x 2"))
    for package in ("ai-edge-litert", "litert-torch", "torch"):
        print(f"{package} {importlib.metadata.version(package)}")
    print(f"depthwise float32, {CHANNELS} channels, {SIDE} x {SIDE}, {THREADS} threads, median of {ROUNDS}\n")
    print("| kernel | taps | ms | GFLOP/s |\n| --- | --- | --- | --- |")
    for name, (taps, _) in modules.items():
        median = statistics.median(times[name])
        print(f"| {name} | {taps} | {median * 1e3:.3f} | {2 * taps * CHANNELS * SIDE**2 / median / 1e9:.0f} |")
    print(f"\nlargest difference of the split to 7 x 7: {np.abs(whole - split).max():.1e}")


if __name__ == "__main__":
    main()
