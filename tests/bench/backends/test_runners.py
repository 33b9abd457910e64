import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from sealbench.bench.backends.runners import FileRunner, TorchRunner
from sealbench.bench.errors import RunnerError
from tests.bench.tiny import NBITS, SIZE, tiny_tflite, tiny_watermarker


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.tflite"
    path.write_bytes(tiny_tflite())
    return path


@pytest.fixture(scope="session")
def foreign(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A detector with its channels first: (1, 3, 32, 32)."""
    import litert_torch

    class MeanColour(nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return images.mean(dim=(2, 3))

    path = tmp_path_factory.mktemp("foreign") / "channels_first.tflite"
    litert_torch.convert(MeanColour().eval(), (torch.rand(1, 3, *SIZE),)).export(str(path))
    return path


def picture(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).random((*SIZE, 3), dtype=np.float32)


class Recorder(nn.Module):
    """A detector that shows its input: the mean of each channel, and the threads it ran on."""

    def __init__(self) -> None:
        super().__init__()
        self.output = torch.zeros(1, 3)
        self.threads = 0

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        self.threads = torch.get_num_threads()
        assert torch.is_inference_mode_enabled()
        return self.output.copy_(images.mean(dim=(2, 3)))


def test_torch_runner_puts_channels_first_and_keeps_rows() -> None:
    image = np.zeros((4, 6, 3), np.float32)
    image[..., 0], image[..., 2] = 0.25, 1.0
    runner = TorchRunner(Recorder(), (4, 6), nbits=2, threads=1)
    assert runner(image).tolist() == [0.25, 0.0, 1.0]
    seen: list[torch.Tensor] = []
    first_row = nn.Module()
    first_row.forward = lambda images: seen.append(images.clone()) or torch.zeros(1, 3)  # type: ignore[func-returns-value]
    image[0] = 0.5
    TorchRunner(first_row, (4, 6), nbits=2, threads=1)(image)
    assert seen[0].shape == (1, 3, 4, 6)
    assert torch.equal(seen[0][0, :, 0], torch.full((3, 6), 0.5))


def test_torch_runner_sets_its_threads_and_puts_back_what_it_found() -> None:
    before = torch.get_num_threads()
    detector = Recorder()
    for threads in (1, 2, 1):
        TorchRunner(detector, (2, 2), nbits=2, threads=threads)(np.zeros((2, 2, 3), np.float32))
        assert detector.threads == threads
        assert torch.get_num_threads() == before

    class Fails(nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            raise RuntimeError("planted")

    with pytest.raises(RuntimeError, match="planted"):
        TorchRunner(Fails(), (2, 2), nbits=2, threads=before + 1)(np.zeros((2, 2, 3), np.float32))
    assert torch.get_num_threads() == before


def test_torch_outputs_are_the_callers_own() -> None:
    runner = TorchRunner(Recorder(), (2, 2), nbits=2, threads=1)  # its module gives one buffer out again and again
    first = runner(np.ones((2, 2, 3), np.float32))
    runner(np.zeros((2, 2, 3), np.float32))
    assert first.tolist() == [1.0, 1.0, 1.0]
    assert first.dtype == np.float32


def test_torch_runner_takes_read_only_images_and_passes_nan_on() -> None:
    image = np.full((2, 2, 3), np.nan, np.float32)
    image.flags.writeable = False
    assert np.isnan(TorchRunner(Recorder(), (2, 2), nbits=2, threads=1)(image)).all()


def test_torch_runner_turns_dropout_off() -> None:
    module = nn.Sequential(Recorder(), nn.Dropout(0.999))
    assert TorchRunner(module, (2, 2), nbits=2, threads=1)(np.ones((2, 2, 3), np.float32)).tolist() == [1.0, 1.0, 1.0]


def test_torch_runner_refuses_another_number_of_bits() -> None:
    runner = TorchRunner(Recorder(), (2, 2), nbits=32, threads=1)
    with pytest.raises(RunnerError, match=r"shape \(1, 3\); expected \(1, 33\)"):
        runner(np.ones((2, 2, 3), np.float32))


@pytest.mark.parametrize(
    "image", [np.zeros((2, 3, 3), np.float32), np.zeros((3, 2, 2), np.float32), np.zeros((2, 2, 3))]
)
def test_images_of_another_shape_or_type_are_refused(image: np.ndarray) -> None:
    with pytest.raises(RunnerError, match=r"expected \(2, 2, 3\) float32"):
        TorchRunner(Recorder(), (2, 2), nbits=2, threads=1)(image)


def test_no_threads_are_refused() -> None:
    with pytest.raises(RunnerError, match="0 threads"):
        TorchRunner(Recorder(), (2, 2), nbits=2, threads=0)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b"TF", "not a TFLite model"),
        (b"a text that is longer than eight bytes", "not a TFLite model"),
        (b"\x1c\x00\x00\x00TFL3" + bytes(100), "cannot be run"),
    ],
)
def test_files_that_are_no_model_are_refused(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "some.tflite"
    path.write_bytes(content)
    with pytest.raises(RunnerError, match=reason) as caught:
        FileRunner(path, threads=1)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_files_and_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(RunnerError, match=r"missing\.tflite: no such file; expected a \.tflite file"):
        FileRunner(tmp_path / "missing.tflite", threads=1)
    with pytest.raises(RunnerError, match="a folder; expected"):
        FileRunner(tmp_path, threads=1)


@pytest.mark.skipif(find_spec("tensorflow") is not None, reason="TensorFlow is installed")
def test_tensorflow_that_is_not_installed_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(RunnerError, match=r"pip install 'sealbench\[tensorflow\]'"):
        FileRunner(tmp_path / "any.tflite", threads=1, backend="tensorflow")


@pytest.mark.main_job
def test_importing_runners_imports_no_engine() -> None:
    script = (
        "import sys, sealbench.bench.backends.runners;"
        "print(sorted({'torch', 'ai_edge_litert', 'tensorflow'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.convert
def test_litert_gives_what_pytorch_gives(model: Path) -> None:
    litert = FileRunner(model, threads=2, nbits=NBITS)
    pytorch = TorchRunner(tiny_watermarker().detector, SIZE, NBITS, threads=1)
    assert (litert.backend, litert.threads, litert.input_size, litert.nbits) == ("litert", 2, SIZE, NBITS)
    outputs = [litert(picture(seed)) for seed in range(3)]
    for seed, output in enumerate(outputs):  # read after all have run: an earlier one is not overwritten
        assert output.shape == (1 + NBITS,)
        assert output.dtype == np.float32
        assert output == pytest.approx(pytorch(picture(seed)), abs=1e-5)
    assert np.abs(outputs[0] - outputs[1]).max() > 1e-3  # else agreement would say nothing


@pytest.mark.convert
def test_litert_takes_images_that_are_not_contiguous_or_read_only(model: Path) -> None:
    runner = FileRunner(model, threads=1)
    image = picture(0)[:, ::-1]
    frozen = image.copy()
    frozen.flags.writeable = False
    assert np.array_equal(runner(image), runner(frozen))


@pytest.mark.convert
def test_litert_passes_nan_on_and_recovers(model: Path) -> None:
    runner = FileRunner(model, threads=1)
    healthy = runner(picture(0))
    assert np.isnan(runner(np.full((*SIZE, 3), np.nan, np.float32))).any()
    assert np.array_equal(runner(picture(0)), healthy)


@pytest.mark.convert
@pytest.mark.parametrize("image", [np.zeros((3, 32, 32), np.float32), np.zeros((32, 32, 3), np.uint8)])
def test_litert_refuses_images_that_do_not_fit(model: Path, image: np.ndarray) -> None:
    with pytest.raises(RunnerError, match=r"expected \(32, 32, 3\) float32"):
        FileRunner(model, threads=1)(image)


@pytest.mark.convert
@pytest.mark.parametrize("kept", [0.1, 0.9, 0.999])
def test_a_truncated_model_is_refused(model: Path, kept: float) -> None:
    content = model.read_bytes()
    model.write_bytes(content[: int(len(content) * kept)])
    with pytest.raises(RunnerError, match=r"tiny\.tflite: cannot be run .*cut off or damaged"):
        FileRunner(model, threads=1)


@pytest.mark.convert
def test_another_number_of_bits_is_refused(model: Path) -> None:
    with pytest.raises(RunnerError) as caught:
        FileRunner(model, threads=1, nbits=256)
    assert str(caught.value) == (
        f"{model}: found float32 (1, 32, 32, 3) -> float32 (1, 5); "
        "expected float32 (1, height, width, 3) -> float32 (1, 257)"
    )


@pytest.mark.convert
def test_channels_first_are_refused(foreign: Path) -> None:
    with pytest.raises(RunnerError) as caught:
        FileRunner(foreign, threads=1)
    assert str(caught.value) == (
        f"{foreign}: found float32 (1, 3, 32, 32) -> float32 (1, 3); "
        "expected float32 (1, height, width, 3) -> float32 (1, 1 + bits); "
        "the channels must come last: convert it again so"
    )


@pytest.mark.convert
@pytest.mark.skipif(find_spec("tensorflow") is None, reason="the extra tensorflow is not installed")
def test_tensorflow_gives_what_litert_gives(model: Path) -> None:
    tensorflow = FileRunner(model, threads=1, nbits=NBITS, backend="tensorflow")
    assert tensorflow.backend == "tensorflow"
    assert tensorflow(picture(0)) == pytest.approx(FileRunner(model, threads=1)(picture(0)), abs=1e-5)
