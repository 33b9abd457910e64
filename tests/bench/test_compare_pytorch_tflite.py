import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from sealbench.bench import compare_pytorch_tflite
from sealbench.bench.analysis import pytorch_check
from sealbench.bench.compare_pytorch_tflite import main
from sealbench.datasets.images import read_image, write_png
from tests.bench.tiny import NBITS, TINY, tiny_tflite

SCRIPT = Path(compare_pytorch_tflite.__file__)

Run = Callable[..., int]


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.png"
    # Smooth, so that resizing leaves something to read.
    ramp = np.linspace(60, 190, 40 * 48 * 3).reshape(40, 48, 3)
    write_png(path, ramp.astype(np.uint8))
    return path


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """The command for the tiny model; returns its exit code."""
    monkeypatch.setattr(compare_pytorch_tflite, "get_variant", {"tiny": TINY}.__getitem__)
    monkeypatch.setattr(pytorch_check, "ROUNDS", 2)

    def call(*arguments: str | Path, model: bytes | None = None) -> int:
        path = tmp_path / "tiny.tflite"
        path.write_bytes(tiny_tflite() if model is None else model)
        options = ("--model_name", "tiny", "--tflite_model", path, "--output_dir", tmp_path / "out", *arguments)
        return main([str(option) for option in options])

    return call


def written(tmp_path: Path) -> dict:
    content = (tmp_path / "out" / "comparison.json").read_text()
    return json.loads(content, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))


def outputs(tmp_path: Path) -> list[str]:
    return sorted(path.name for path in (tmp_path / "out").glob("*")) if (tmp_path / "out").is_dir() else []


@pytest.mark.main_job
def test_help_starts_without_torch() -> None:
    script = f"""
import runpy, sys
sys.argv = ["compare", "--help"]
try:
    runpy.run_path({str(SCRIPT)!r}, run_name="__main__")
finally:
    print("loaded", sorted({{"torch", "litert_torch", "ai_edge_litert"}} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert "--watermarked_image" in done.stdout
    assert done.stdout.splitlines()[-1] == "loaded []"


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--input", "a.png", "--skip_embed"], "--skip_embed needs --watermarked_image"),
        (["--input", "a.png", "--seed", "-1"], "--seed -1"),
        (["--input", "a.png"], "model.tflite: no such file"),
        (["--input", "a.png", "--model_name", "videoseel"], "'videoseel'; known: "),
    ],
)
def test_wrong_options_are_one_line_and_exit_code_2(
    arguments: list[str], reason: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    common = ["--model_name", "videoseal_nano", "--weights", "seeded", "--tflite_model", str(tmp_path / "model.tflite")]
    assert main([*common, "--output_dir", str(tmp_path / "out"), *arguments]) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith("error: ")
    assert reason in captured.err
    assert captured.err.count("\n") == 1
    assert captured.out == ""
    assert outputs(tmp_path) == []


@pytest.mark.convert
def test_a_photograph_is_watermarked_and_compared(
    run: Run, photo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("--input", photo) == 0
    assert outputs(tmp_path) == ["comparison.json", "photo_watermarked.png"]
    found = written(tmp_path)
    marked, original = read_image(tmp_path / "out" / "photo_watermarked.png"), read_image(photo)
    assert marked.shape == original.shape  # at its own size, not the model's
    assert 0 < np.abs(marked.astype(int) - original).max() < 60
    assert found["weights"] == "seeded"
    assert len(found["message"]) == NBITS
    right = [a == b for a, b in zip(found["pytorch"]["message"], found["message"], strict=True)]
    assert found["pytorch"]["bit_accuracy"] == sum(right) / NBITS
    assert found["bit_agreement"] == 1.0
    assert 0 <= found["logits_mae"] < 1e-4
    assert found["pytorch"]["confidence"] == pytest.approx(found["tflite"]["confidence"], abs=1e-4)
    assert found["speedup"]["rounds"] == 2
    assert found["speedup"]["ratio"] == pytest.approx(found["pytorch"]["latency_ms"] / found["tflite"]["latency_ms"])
    text = capsys.readouterr().out
    assert "bit agreement     1.0000" in text
    assert "untrained" in text


@pytest.mark.convert
def test_missing_weights_are_reported_and_no_folder_is_left(
    run: Run, photo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("--input", photo, "--weights", "missing.pth") == 2
    assert capsys.readouterr().err.startswith("error: missing.pth: no such file")
    assert not (tmp_path / "out").exists()


@pytest.mark.convert
def test_the_seed_decides_the_message_and_a_message_can_be_given(run: Run, photo: Path, tmp_path: Path) -> None:
    messages = []
    for seed in (0, 0, 1, 2, 3):
        assert run("--input", photo, "--seed", str(seed)) == 0
        messages.append(written(tmp_path)["message"])
    assert messages[0] == messages[1]
    assert len(set(messages)) > 1
    assert run("--input", photo, "--message", "0x6") == 0
    assert written(tmp_path)["message"] == "0110"


@pytest.mark.convert
def test_an_image_that_is_watermarked_already(
    run: Run, photo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("--watermarked_image", photo, "--skip_embed") == 0
    assert outputs(tmp_path) == ["comparison.json"]  # nothing was embedded
    found = written(tmp_path)
    assert found["message"] is None
    assert found["pytorch"]["bit_accuracy"] is None
    assert [line.split()[2:] for line in capsys.readouterr().out.splitlines() if "bit accuracy  " in line] == [
        ["n/a", "n/a"]
    ]
    decided = found["pytorch"]["message"]
    inverse = decided.translate(str.maketrans("01", "10"))
    (tmp_path / "message.txt").write_text(inverse)
    assert run("--watermarked_image", photo, "--skip_embed", "--message", decided) == 0
    assert written(tmp_path)["tflite"]["bit_accuracy"] == 1.0
    assert run("--watermarked_image", photo, "--message", tmp_path / "message.txt") == 0
    assert written(tmp_path)["tflite"]["bit_accuracy"] == 0.0


@pytest.mark.convert
def test_a_damaged_detector_is_seen(run: Run, photo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    content = tiny_tflite()
    bias = np.array(_last_bias(), "<f4").tobytes()
    assert content.count(bias) == 1
    assert run("--input", photo, model=content.replace(bias, np.full(1 + NBITS, np.nan, "<f4").tobytes())) == 0
    found = written(tmp_path)
    assert found["tflite"]["nan_count"] == 1 + NBITS
    assert found["tflite"]["bit_accuracy"] == 0.0
    assert found["tflite"]["confidence"] is None
    assert found["bit_agreement"] == 0.0
    assert found["logits_mae"] is None
    assert "nan" in capsys.readouterr().out


def _last_bias() -> np.ndarray:
    from tests.bench.tiny import tiny_watermarker

    return tiny_watermarker().detector.get_parameter("pixel_decoder.linear.bias").detach().numpy()


@pytest.mark.convert
@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--input", "missing.png"], "missing.png: no such file"),
        (["--input", "{photo}", "--message", "01011"], "found 5 bits; expected 4 bits"),
        (["--input", "{photo}", "--threads", "0"], "0 threads"),
        (["--input", "{photo}", "--output_dir", "{photo}"], "photo.png: cannot be written"),
    ],
)
def test_wrong_input_leaves_nothing_behind(
    run: Run, photo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], reason: str
) -> None:
    assert run(*(argument.replace("{photo}", str(photo)) for argument in arguments)) == 2
    captured = capsys.readouterr()
    assert reason in captured.err
    assert captured.err.count("\n") == 1
    assert captured.out == ""
    assert outputs(tmp_path) == []


@pytest.mark.convert
def test_the_image_goes_when_the_numbers_cannot_be_written(run: Run, photo: Path, tmp_path: Path) -> None:
    (tmp_path / "out" / "comparison.json").mkdir(parents=True)  # in the way of the file
    assert run("--input", photo) == 2
    assert outputs(tmp_path) == ["comparison.json"]


@pytest.mark.convert
def test_a_truncated_model_is_one_line(run: Run, photo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--input", photo, model=tiny_tflite()[:1000]) == 2
    assert "tiny.tflite: cannot be run" in capsys.readouterr().err
