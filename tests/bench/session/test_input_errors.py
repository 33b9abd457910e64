"""A careless user: every wrong input is one clear error before anything is measured, and nothing is written."""

from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
import pytest

from sealbench.converters.families.weight_sources import BUNDLED
from sealbench.datasets.images import write_png
from sealbench.datasets.preprocess import PREPROCESSES
from tests.bench.main_job import ROOT, main_job

pytestmark = pytest.mark.main_job

USAGE_ERROR = 4


def refused(tmp_path: Path, *arguments: str) -> str:
    """Run the main job, which must refuse; returns what it said."""
    job = main_job(tmp_path / "run", *arguments)
    assert job.code == USAGE_ERROR, job.output
    assert "Traceback" not in job.output
    assert not job.run_dir.exists()
    return the_error(job.output)


def the_error(output: str) -> str:
    """The one line that pytest prints of an error in its options."""
    (line,) = [line for line in output.splitlines() if line.startswith("ERROR: ")]
    return line


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("--variant", "videoseal2"), "known: chunkyseal, pixelseal, uvq1p5, uvq1p5_aggregation"),
        (("--precision", "int9"), "known: float32, fp16, int8, int8_weight_only"),
        (("--backend", "onnx"), "known: litert, tensorflow"),
        (("--dataset", "holiday"), "known: photographs, dead-leaves"),
        (("--dataset", "distorted-photographs"), "cannot be used for videoseal_nano"),
        (("--dataset", "photographs", "--variant", "uvq1p5"), "nor a known dataset; known: distorted-photographs"),
        (("--attacks", "sharpen:2"), "'sharpen' is unknown; known are: none, jpeg:1..100"),
        (("--attacks", "jpeg:0.8"), "--attacks jpeg:0.8: attack jpeg: found strength 0.8; expected jpeg:1..100"),
        (("--attacks", "quick,jpeg:60+none"), "'none' is no step of a combination"),
        (("--attacks", "quick", "--variant", "uvq1p5"), "cannot be used for uvq1p5: only watermarks are attacked"),
        (("--preprocess", "bicubic"), "bicubic: unknown; known: upstream, pillow, opencv, tensorflow, app"),
        (("--preprocess", "app"), "app: would change nothing, as the pictures of the default dataset have the model's"),
        (
            ("--preprocess", "app,pillow", "--dataset", "photographs"),
            "app,pillow: would change nothing, as the pictures",
        ),
        (("--preprocess", "app", "--variant", "uvq1p5"), "cannot be used for uvq1p5, which takes upstream alone"),
        (("--rate", "0"), "expected a number of frames a second above 0"),
        (("--image-size", "64", "--variant", "uvq1p5"), "it takes 1080x1920 only"),
        (("--weights", "uvq1p5=official", "--variant", "uvq1p5"), "no address of published weights is known"),
        (("--image-size", "big"), "expected a side like 256"),
        (("--image-size", "16"), "at least 64 pixels"),
        (("--weights", "videoseal=bundled"), "no weights are bundled"),
        (("--weights", "nowhere.pth", "--variant", "videoseal"), "nowhere.pth: no such file"),
        (("--weights", "mine.pth"), "say whose they are"),
        (("--threads", "0"), "expected at least 1"),
        (("--threads", "1,two"), "--threads two: expected at least 1"),
        (("--samples", "0"), "expected a number of at least 1"),
        (("--artifact", "x.tflite"), "exactly one --variant"),
        (
            ("--artifact", "x.tflite", "--variant", "videoseal", "--precision", "int8"),
            "say with --weights which weights",
        ),
        (
            ("--artifact", "x.tflite", "--variant", "pixelseal", "--precision", "int8", "--rewrite", "none,auto"),
            "give one --rewrite",
        ),
        (("--gates", "nowhere.toml"), "nowhere.toml"),
        (("--model", "nowhere.py:net"), "there is no file"),
        (("--model", "nowhere.net"), "expected FILE.py:FACTORY"),
        (("--file", "a.tflite"), "--file FILE --reference FILE: give both"),
        (("--reference-python", "python3"), "--file FILE --reference FILE: give both"),
        (("--file", "a.tflite", "--reference", "b.tflite", "--variant", "videoseal"), "leave --variant out"),
        (("--file", "a.tflite", "--reference", "b.tflite"), "a.tflite: no such file"),
        (("--card", "nowhere.toml"), "nowhere.toml: cannot be read"),
        (("--card", "pyproject.toml"), "pyproject.toml: has no 'task'; expected one of"),
    ],
)
def test_options(tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], reason: str) -> None:
    """In this process: options are read before anything heavy is imported."""
    place = [str(ROOT / "bench"), "-c", str(ROOT / "pyproject.toml"), "--rootdir", str(ROOT)]
    run_dir = tmp_path / "run"
    code = pytest.main([*place, "-p", "no:cacheprovider", "--run-dir", str(run_dir), *arguments])
    assert code == USAGE_ERROR
    assert reason in the_error(capsys.readouterr().err)
    assert not run_dir.exists()


def test_a_preprocess_whose_library_is_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    absent = replace(PREPROCESSES["opencv"], library=("no_such_library", "opencv"))
    monkeypatch.setitem(cast("dict", PREPROCESSES), "opencv", absent)
    arguments = ("--preprocess", "upstream,opencv", "--dataset", str(tmp_path))
    reason = "--preprocess opencv: its library is not installed; pip install 'sealbench[opencv]'"
    test_options(tmp_path, capsys, arguments, reason)


def test_truncated_artifact(tmp_path: Path) -> None:
    path = tmp_path / "cut.tflite"
    path.write_bytes(b"\x1c\x00\x00\x00TFL3" + bytes(20))
    line = refused(tmp_path, "--variant", "videoseal_nano", "--precision", "int8", "--artifact", str(path))
    assert "cut.tflite" in line


@pytest.mark.long
def test_artifact_that_is_no_model(tmp_path: Path) -> None:
    path = tmp_path / "page.tflite"
    path.write_text("<html>not found</html>")
    line = refused(tmp_path, "--variant", "videoseal_nano", "--precision", "int8", "--artifact", str(path))
    assert "page.tflite: not a TFLite model" in line


@pytest.mark.long
def test_damaged_checkpoint(tmp_path: Path) -> None:
    path = tmp_path / "cut.safetensors"
    path.write_bytes(b"\xff" * 100)
    assert "cut.safetensors" in refused(tmp_path, "--variant", "videoseal", "--weights", str(path))


@pytest.mark.long
def test_checkpoint_of_another_variant(tmp_path: Path) -> None:
    line = refused(tmp_path, "--variant", "videoseal", "--weights", str(BUNDLED / "videoseal_nano.safetensors"))
    assert "does not fit the variant videoseal;" in line


@pytest.mark.long
def test_empty_folder(tmp_path: Path) -> None:
    folder = tmp_path / "empty"
    folder.mkdir()
    assert "no picture was found" in refused(tmp_path, "--variant", "videoseal_nano", "--dataset", str(folder))


def test_what_would_be_downloaded_may_be_left_out_where_nothing_is_measured(tmp_path: Path) -> None:
    (tmp_path / "x.tflite").write_bytes(b"")
    job = main_job(tmp_path / "run", "--variant", "videoseal", "--precision", "int8", "--weights",
                   "official", "--artifact", str(tmp_path / "x.tflite"), "--collect-only", "-q")  # fmt: skip
    assert job.code == 0, job.output
    assert "test_fidelity[videoseal-256-int8" in job.output


def test_two_datasets_of_one_name(tmp_path: Path) -> None:
    for place in ("a", "b"):
        write_png(tmp_path / place / "val" / "picture.png", np.zeros((64, 64, 3), np.uint8))
    both = f"{tmp_path / 'a' / 'val'},{tmp_path / 'b' / 'val'}"
    assert "both are called val" in refused(tmp_path, "--variant", "videoseal_nano", "--dataset", both)
    write_png(tmp_path / "photographs" / "picture.png", np.zeros((64, 64, 3), np.uint8))
    both = f"photographs,{tmp_path / 'photographs'}"
    assert "both are called photographs" in refused(tmp_path, "--variant", "videoseal_nano", "--dataset", both)


@pytest.mark.long
def test_unreadable_image(tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 and no more")
    assert "broken.jpg" in refused(tmp_path, "--variant", "videoseal_nano", "--dataset", str(folder))


@pytest.mark.long
def test_message_of_another_length(tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    write_png(folder / "a.png", np.zeros((64, 64, 3), np.uint8))
    (folder / "manifest.csv").write_text("file,message\na.png,0101\n")
    line = refused(tmp_path, "--variant", "videoseal_nano", "--dataset", str(folder))
    assert "a.png" in line
    assert "4 bits, expected 32" in line


def test_manifest_that_names_a_missing_file(tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    write_png(folder / "a.png", np.zeros((64, 64, 3), np.uint8))
    (folder / "manifest.csv").write_text(f"file,message\na.png,{'01' * 16}\nb.png,{'01' * 16}\n")
    assert "b.png" in refused(tmp_path, "--variant", "videoseal_nano", "--dataset", str(folder))


@pytest.mark.long
def test_run_directory_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    job = main_job(tmp_path / "file" / "run", "--variant", "videoseal_nano")
    assert job.code == USAGE_ERROR
    assert "file" in job.output.splitlines()[-1] + job.output.splitlines()[-2]
    assert "Traceback" not in job.output
