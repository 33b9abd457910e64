"""A tiny variant with every kind of layer, converted once a session, and a runner for `.tflite` files."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from filelock import FileLock
from numpy.typing import NDArray
from torch import Tensor

from sealbench.converters.cards.image_size import ImageSize
from sealbench.converters.cards.watermark import Blending, ConvNeXtCard, EmbedderCard, Variant
from sealbench.converters.checkpoints.loading import load_watermarker
from sealbench.converters.export.calibration import calibration_images
from sealbench.converters.export.detector import export_float32
from sealbench.converters.export.precisions import PRECISIONS
from sealbench.converters.export.quantize import quantize
from sealbench.converters.families.weight_sources import find_weights
from sealbench.converters.models.watermarker import Watermarker
from sealbench.converters.training.data import CoverImages
from tests.converters.made_checkpoints import TWINS, State, unseeded_state
from tests.converters.training.small_training import CPU, SMALL

FloatArray = NDArray[np.float32]

TINY = Variant(
    name="tiny",
    task="watermark",
    nbits=16,
    image_size=32,
    detector=ConvNeXtCard(depths=(1, 1), dims=(8, 16), stem_stride=4),
    embedder=EmbedderCard(hidden_size=4, channels=1, widths=(4, 8), num_blocks=1, upsampling="bilinear"),
    blending=Blending(jnd_in_channels=1, jnd_out_channels=1, scaling_w=0.2),
)
SIMPLE_SIZE = ImageSize(32, 32)
RESIZE_SIZE = ImageSize(40, 56)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> Iterator[None]:
    """Networks this small lose more by waiting for threads than they win."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def tiny() -> Variant:
    return TINY


@pytest.fixture(scope="session")
def tiny_watermarker() -> Watermarker:
    return load_watermarker(TINY, find_weights(TINY, "seeded"))


@pytest.fixture
def nano_tiny(tiny: Variant) -> Variant:
    """The tiny variant with an embedder that can draw tones."""
    return replace(tiny, nbits=4, embedder=replace(tiny.embedder, widths=(4, 4, 4, 4, 4, 8), upsampling="conv"))


@pytest.fixture(scope="session")
def covers() -> CoverImages:
    """What a small training sees."""
    return CoverImages(SMALL.generated_images, SMALL.generated_share, SMALL.crops, SMALL.seed, CPU)


@pytest.fixture
def state() -> State:
    """Values of the tiny variant that are not the seeded ones, with the copy that a checkpoint holds of one of them."""
    drawn = unseeded_state(TINY)
    return drawn | {TWINS[0]: drawn[TWINS[1]]}


@pytest.fixture
def refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[[Callable[[list[str]], int], list[str]], str]:
    """Runs a conversion command that must end with 2, say one line on standard error and write nothing; the line."""

    def run(main: Callable[[list[str]], int], arguments: list[str]) -> str:
        monkeypatch.chdir(tmp_path)
        assert main([*arguments, "--output_dir", "out"]) == 2
        output = capsys.readouterr()
        assert output.out == ""
        assert output.err.count("\n") == 1
        assert list(tmp_path.iterdir()) == []
        return output.err

    return run


@pytest.fixture(scope="session")
def random_images() -> Callable[..., Tensor]:
    def make(batch: int, height: int, width: int, seed: int = 0) -> Tensor:
        values = np.random.default_rng(seed).random((batch, 3, height, width), dtype=np.float32)
        return torch.from_numpy(values)

    return make


@pytest.fixture(scope="session")
def run_tflite() -> Callable[[Path, Tensor], FloatArray]:
    """Runs one image (1, 3, H, W) through a file and gives its logits (1, 1 + nbits)."""
    from ai_edge_litert.interpreter import Interpreter

    def run(path: Path, image: Tensor) -> FloatArray:
        interpreter = Interpreter(model_path=str(path), num_threads=1)
        interpreter.allocate_tensors()
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], image.permute(0, 2, 3, 1).numpy())
        interpreter.invoke()
        output: FloatArray = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
        return output

    return run


def _all_precisions(folder: Path, watermarker: Watermarker, size: ImageSize, mode: str) -> dict[str, Path]:
    """Made by the first process of the session that asks; a finished folder is not written again."""
    folder.mkdir(exist_ok=True)
    files = {name: folder / f"{name}.tflite" for name in PRECISIONS}
    whole = folder / "whole"
    with FileLock(f"{folder}.lock"):
        if not whole.exists():
            export_float32(watermarker.detector, TINY, size, mode, files["float32"])
            images = calibration_images(watermarker, TINY.nbits, size, 0, 2)
            for name, precision in PRECISIONS.items():
                if name != "float32":
                    quantize(files["float32"], precision.recipe_for(()), files[name], images)
            whole.touch()
    return files


@pytest.fixture(scope="session")
def tiny_files(shared_folder: Path, tiny_watermarker: Watermarker) -> dict[str, Path]:
    """The tiny detector at 32 x 32 at every precision, by name."""
    return _all_precisions(shared_folder / "tiny_simple", tiny_watermarker, SIMPLE_SIZE, "simple")


@pytest.fixture(scope="session")
def tiny_resize_files(shared_folder: Path, tiny_watermarker: Watermarker) -> dict[str, Path]:
    """The tiny detector behind a resize from 40 x 56 to 32 x 32, at every precision, by name."""
    return _all_precisions(shared_folder / "tiny_resize", tiny_watermarker, RESIZE_SIZE, "resize")
