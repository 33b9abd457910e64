import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from sealbench.converters.cards.image_size import ImageSize
from sealbench.converters.export.detector import ResizeFirst, resize_matrix
from sealbench.converters.models.watermarker import Watermarker
from sealbench.converters.tflite.model_file import read_model_file

Run = Callable[[Path, Tensor], np.ndarray[Any, np.dtype[np.float32]]]


@pytest.mark.parametrize(
    ("before", "after"), [(56, 32), (40, 32), (32, 32), (20, 32), (7, 64), (640, 33), (5, 1), (1, 5)]
)
def test_resize_matrix_is_pytorchs_resize(before: int, after: int) -> None:
    lines = torch.from_numpy(np.random.default_rng(before).random((4, before), dtype=np.float32))
    expected = F.interpolate(lines[None, None], size=(4, after), mode="bilinear", align_corners=False, antialias=True)
    matrix = resize_matrix(before, after)
    assert matrix.shape == (after, before)
    torch.testing.assert_close(lines @ matrix.T, expected[0, 0], rtol=0, atol=1e-6)
    torch.testing.assert_close(matrix.sum(dim=1), torch.ones(after))


@pytest.mark.parametrize(("height", "width"), [(40, 56), (20, 24), (100, 17), (32, 32)])
def test_resize_inside_the_model_is_the_resize_before_it(
    tiny_watermarker: Watermarker, random_images: Callable[..., Tensor], height: int, width: int
) -> None:
    images = random_images(1, height, width)
    module = ResizeFirst(tiny_watermarker.detector, ImageSize(height, width), 32)
    with torch.inference_mode():
        torch.testing.assert_close(module(images), tiny_watermarker.detect(images), rtol=0, atol=1e-5)


@pytest.mark.convert
def test_float32_file_equals_pytorch(
    tiny_files: dict[str, Path],
    tiny_watermarker: Watermarker,
    random_images: Callable[..., Tensor],
    run_tflite: Run,
) -> None:
    images = [random_images(1, 32, 32, seed) for seed in range(3)] + [
        torch.zeros(1, 3, 32, 32),
        torch.ones(1, 3, 32, 32),
    ]
    for image in images:
        with torch.inference_mode():
            expected = tiny_watermarker.detector(image).numpy()
        np.testing.assert_allclose(run_tflite(tiny_files["float32"], image), expected, rtol=0, atol=1e-5)


@pytest.mark.long
@pytest.mark.convert
def test_resize_file_equals_pytorchs_resize_and_detector(
    tiny_resize_files: dict[str, Path],
    tiny_watermarker: Watermarker,
    random_images: Callable[..., Tensor],
    run_tflite: Run,
) -> None:
    for seed in range(3):
        image = random_images(1, 40, 56, seed)
        small = F.interpolate(image, size=(32, 32), mode="bilinear", align_corners=False, antialias=True)
        with torch.inference_mode():
            expected = tiny_watermarker.detector(small).numpy()
        np.testing.assert_allclose(run_tflite(tiny_resize_files["float32"], image), expected, rtol=0, atol=1e-4)


@pytest.mark.convert
def test_signatures(tiny_files: dict[str, Path], tiny_resize_files: dict[str, Path]) -> None:
    for files, shape in ((tiny_files, (1, 32, 32, 3)), (tiny_resize_files, (1, 40, 56, 3))):
        for path in files.values():
            model = read_model_file(path)
            assert [(tensor.dtype, tensor.shape) for tensor in model.inputs] == [("FLOAT32", shape)]
            assert [(tensor.dtype, tensor.shape) for tensor in model.outputs] == [("FLOAT32", (1, 17))]


QUIET = """
import os, sys
from sealbench.converters.export.quiet import quiet_unless_failing

def chatter():
    print("python chatter")
    print("python complaint", file=sys.stderr)
    os.write(1, b"native chatter")
    os.write(2, b"native complaint")

print("before", end=" ")
with quiet_unless_failing():
    chatter()
print("after", flush=True)
print("well so far", file=sys.stderr, flush=True)
with quiet_unless_failing():
    chatter()
    raise SystemExit(3)
"""


def test_converters_are_heard_only_when_they_fail() -> None:
    done = subprocess.run([sys.executable, "-c", QUIET], capture_output=True, text=True, check=False)
    assert done.returncode == 3
    assert done.stdout == "before after\n"
    quiet, _, failing = done.stderr.partition("well so far\n")
    assert quiet == ""
    for line in ("python chatter", "python complaint", "native chatter", "native complaint"):
        assert failing.count(line) == 1
