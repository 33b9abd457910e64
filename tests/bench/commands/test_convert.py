"""`sealbench convert`: several variants and precisions by comma, and everything wrong is reported before any work."""

from pathlib import Path

import pytest

from sealbench.bench.commands import main
from sealbench.converters.tflite.model_file import read_model_file


@pytest.mark.convert
def test_every_precision_that_is_named_is_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    options = ("--variant", "videoseal_nano", "--precision", "int8", "--precision", "float32, int8", "--out", "made")
    assert main(["convert", *options]) == 0
    stem = "made/videoseal_detector_videoseal_nano_256"
    names = [f"{stem}_int8.tflite", f"{stem}.tflite"]
    output = capsys.readouterr()
    assert output.err == ""
    assert [line for line in output.out.splitlines() if line.endswith(".tflite")] == names
    assert sorted(str(path) for path in Path("made").iterdir()) == sorted(names)
    int8, float32 = (read_model_file(Path(name)) for name in names)
    assert int8.quantized_weight_pct > 98
    assert float32.quantized_weight_pct == 0
    saving = 100 * (1 - int8.size_bytes / float32.size_bytes)
    assert f"float32:   {float32.size_bytes / 1e6:.2f} MB; {saving:.1f} % smaller" in output.out
    assert 65 < saving < 80


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--variant", "videoseal_nano,videosael"), "unknown variant 'videosael'; known: "),
        (("--variant", "videoseal_nano", "--precision", "int8,int9"), "unknown precision 'int9'; known: "),
        (("--variant", "videoseal,videoseal_0.0", "--image-size", "128"), "videoseal_0.0 cannot take images of 128"),
        (("--variant", "videoseal,uvq1p5", "--no-simple"), "uvq1p5 cannot take images of"),
        (("--variant", "videoseal,pixelseal", "--weights", "a.pth"), "--weights a.pth: say whose they are, as VARIANT"),
        (("--variant", "videoseal", "--weights", "pixelseal=a.pth"), "pixelseal is none of those asked for: videoseal"),
        (("--variant", "videoseal_nano,videoseal", "--weights", "videoseal=none.pth"), "none.pth: no such file"),
        (("--variant", "videoseal_nano", "--rewrite", "none,auto"), "unknown rewrite 'none,auto'"),
        (
            ("--variant", "videoseal_nano", "--embedder", "--precision", "int8"),
            "--precision int8: an embedder converts to",
        ),
        (("--variant", "uvq1p5", "--embedder"), "variant 'uvq1p5' is a model of the task quality"),
    ],
)
def test_wrong_input_is_one_line_and_writes_nothing(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    options: tuple[str, ...],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sealbench.converters.conversion.make_files", lambda files: pytest.fail("converted"))
    assert main(["convert", *options]) == 2
    captured = capsys.readouterr()
    assert message in captured.err
    assert (captured.out, captured.err.count("\n")) == ("", 1)
    assert list(tmp_path.iterdir()) == []


def test_an_embedder_has_one_size_and_one_form(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["convert", "--variant", "videoseal_nano", "--embedder", "--image-size", "64"])
    assert "--embedder goes without --image-size, --no-simple and --rewrite" in capsys.readouterr().err


def test_every_model_at_every_precision_is_asked_for_by_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Path] = []
    monkeypatch.setattr("sealbench.converters.conversion.make_files", asked.extend)
    assert main(["convert", "--variant", "all", "--precision", "all", "--out", str(tmp_path)]) == 0
    assert len(asked) == len(set(asked)) == 9 * 8
