import argparse
import os
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file

from sealbench import converters
from sealbench.converters.command_line import check_folder, copy_whole, exit_code, writable_folder
from sealbench.converters.convert_detector_to_tflite import main
from sealbench.converters.convert_embedder_to_tflite import main as convert_embedder
from sealbench.converters.errors import StoreError
from sealbench.converters.export.precisions import PRECISIONS
from sealbench.converters.families.watermark import variant_names
from sealbench.converters.families.weight_sources import BUNDLED
from sealbench.converters.store import ArtifactStore
from sealbench.converters.tflite.model_file import check_detector_signature, read_model_file
from sealbench.datasets.errors import DatasetError

SCRIPT = Path(converters.__path__[0]) / "convert_detector_to_tflite.py"
HEAVY = ("torch", "litert_torch", "litert_quantizer", "ai_edge_litert", "safetensors", "pooch", "requests")


def command(arguments: Sequence[str], folder: Path, *interpreter_options: str) -> "subprocess.CompletedProcess[str]":
    """Runs the script as a user does, in a folder of its own and with an empty artifact store."""
    return subprocess.run(
        [sys.executable, *interpreter_options, str(SCRIPT), *arguments],
        cwd=folder,
        env=os.environ | {"XDG_CACHE_HOME": str(folder / "cache"), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def imported(importtime: str) -> set[str]:
    """Top-level packages in what `-X importtime` writes."""
    return {match[1] for match in re.finditer(r"^import time:.*\|\s+([A-Za-z_]\w*)", importtime, re.MULTILINE)}


@pytest.mark.main_job
def test_help_starts_without_torch(tmp_path: Path) -> None:
    done = command(["--help"], tmp_path, "-X", "importtime")
    assert done.returncode == 0
    for name in (*variant_names(), *PRECISIONS):
        assert name in done.stdout
    for option in ("--model_name", "--image_size", "--quantize", "--weights", "--no_simple", "--output_dir"):
        assert option in done.stdout
    modules = imported(done.stderr)
    assert {"argparse", "sealbench"} <= modules
    assert modules.isdisjoint(HEAVY)
    assert list(tmp_path.iterdir()) == []


NANO = ["--model_name", "videoseal_nano", "--weights", "seeded"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--model_name", "videosael"], "error: unknown variant 'videosael'; known: .*videoseal, .*videoseal_nano"),
        (
            [*NANO, "--quantize", "int9"],
            "error: unknown precision 'int9'; known: float32, fp16, int8, int8_weight_only",
        ),
        ([*NANO, "--image_size", "big"], "error: image size 'big': expected a side like 256"),
        ([*NANO, "--image_size", "63"], "error: videoseal_nano cannot take images of 63: .* at least 64 .*--no-simple"),
        (["--model_name", "videoseal", "--weights", "nowhere.pth"], r"error: nowhere\.pth: no such file; expected a"),
        (["--model_name", "videoseal", "--weights", "bundled"], "error: videoseal: no weights are bundled; use seeded"),
    ],
)
def test_wrong_input_is_one_line_and_writes_nothing(
    refused: Callable[..., str], arguments: list[str], message: str
) -> None:
    assert re.match(message, refused(main, arguments))


@pytest.mark.main_job
def test_script_ends_with_the_exit_code(tmp_path: Path) -> None:
    done = command(["--model_name", "videosael", "--output_dir", "out"], tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: unknown variant 'videosael'")
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.main_job
def test_unwritable_folder_is_reported_before_converting(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    done = command([*NANO, "--image_size", "64", "--output_dir", "file/models"], tmp_path, "-X", "importtime")
    assert done.returncode == 2
    assert "error: file/models: cannot be written (Not a directory); choose another --output_dir" in done.stderr
    assert imported(done.stderr).isdisjoint(HEAVY)
    assert not (tmp_path / "cache").exists()


def test_unwritable_folder_is_reported_before_weights_are_downloaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    for module, run in (
        ("sealbench.converters.conversion", main),
        ("sealbench.converters.embedder_conversion", convert_embedder),
    ):
        monkeypatch.setattr(f"{module}.find_weights", lambda *arguments: pytest.fail("downloaded"))
        for folder in (tmp_path / "file", tmp_path / "file" / "models" / "deep"):
            assert run(["--model_name", "videoseal", "--weights", "official", "--output_dir", str(folder)]) == 2
            assert capsys.readouterr().err.startswith(f"error: {folder}: cannot be written (Not a directory)")
    with pytest.raises(StoreError, match="cannot be written"):
        writable_folder(tmp_path / ("x" * 300))
    check_folder(tmp_path / ("x" * 300))  # that is reported when it is made; the folder above can be written


def test_calibration_without_an_embedder_is_reported_before_converting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ranges are taken from watermarked images, too, which a checkpoint of a detector alone cannot make."""
    monkeypatch.setattr(ArtifactStore, "get", lambda *arguments: pytest.fail("converted"))
    state = load_file(BUNDLED / "videoseal_nano.safetensors")
    alone = tmp_path / "detector.safetensors"
    save_file({key: value for key, value in state.items() if key.startswith("detector.")}, alone)
    options = ["--model_name", "videoseal_nano", "--weights", str(alone), "--output_dir", str(tmp_path / "out")]
    assert main([*options, "--quantize", "int8_static"]) == 2
    assert "missing: embedder." in capsys.readouterr().err


def test_a_photograph_that_is_not_installed_is_reported_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    def convert(options: argparse.Namespace) -> None:
        raise DatasetError("astronaut: the package that brings it is not installed")

    assert exit_code(convert, lambda _: argparse.Namespace(), None) == 2
    assert capsys.readouterr().err == "error: astronaut: the package that brings it is not installed\n"


def test_checkpoint_that_does_not_fit_is_reported_before_converting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "half.safetensors").write_bytes(b"\x08\0\0\0\0\0\0\0{")
    assert main(["--model_name", "videoseal_nano", "--weights", "half.safetensors", "--output_dir", "out"]) == 2
    assert capsys.readouterr().err.startswith("error: half.safetensors: not a complete .safetensors file")
    assert list(tmp_path.rglob("*.tflite")) == []


def test_a_copy_is_whole_or_not_there(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target.tflite"
    source.write_bytes(b"new")
    target.write_bytes(b"old and longer")
    copy_whole(source, target)
    assert target.read_bytes() == b"new"
    assert target.stat().st_mode & 0o777 == 0o644
    (tmp_path / "folder.tflite").mkdir()
    with pytest.raises(StoreError, match=r"folder\.tflite: cannot be written"):
        copy_whole(source, tmp_path / "folder.tflite")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder.tflite", "source", "target.tflite"]


@pytest.mark.convert
def test_converts_compares_and_reuses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main([*NANO, "--image_size", "64", "--quantize", "int8", "--output_dir", "models"]) == 0
    output = capsys.readouterr()
    path = Path("models/videoseal_detector_videoseal_nano_64_int8.tflite")
    assert [found.name for found in Path("models").iterdir()] == [path.name]
    model = read_model_file(path)
    check_detector_signature(model, 32, 64, 64)
    assert model.quantized_weight_pct > 98
    size = path.stat().st_size
    assert output.err == ""
    lines = dict(line.split(":", 1) for line in output.out.splitlines()[1:])
    assert output.out.splitlines()[0] == str(path)
    assert "seeded (untrained" in lines["weights"]
    assert f"{size / 1e6:.2f} MB ({size} bytes)" in lines["size"]
    float32_mb, saving = re.findall(r"[\d.]+", lines["float32"].replace("float32", ""))[:2]
    assert 100 * (1 - size / 1e6 / float(float32_mb)) == pytest.approx(float(saving), abs=0.2)
    assert 65 < float(saving) < 80
    assert lines["converted"].strip().endswith(" s")

    assert main([*NANO, "--image_size", "64x64", "--output_dir", "models"]) == 0
    output = capsys.readouterr()
    assert output.out.splitlines()[-1] == "converted: found in the store"
    assert "smaller" not in output.out
    float32 = read_model_file(Path("models/videoseal_detector_videoseal_nano_64.tflite"))
    assert float32.quantized_weight_pct == 0
    assert float32.size_bytes / 1e6 == pytest.approx(float(float32_mb), abs=0.005)
