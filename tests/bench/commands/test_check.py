"""`sealbench check` is the published comparison under the words of the other commands."""

import json
from pathlib import Path

import numpy as np
import pytest

from sealbench.bench import compare_pytorch_tflite
from sealbench.bench.analysis import pytorch_check
from sealbench.bench.commands import check, main
from sealbench.datasets.images import write_png
from tests.bench.tiny import TINY, tiny_tflite

pytestmark = pytest.mark.convert


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(pytorch_check, "ROUNDS", 2)
    for module in (check, compare_pytorch_tflite):
        monkeypatch.setattr(module, "get_variant", {"tiny": TINY}.__getitem__)
    write_png("photo.png", np.random.default_rng(0).integers(60, 190, (40, 48, 3)).astype(np.uint8))
    Path("tiny.tflite").write_bytes(tiny_tflite())
    return tmp_path


def without_times(text: str) -> dict[str, object]:
    found = json.loads(text)
    for name in ("pytorch", "tflite"):
        del found[name]["latency_ms"]
    del found["speedup"]
    return dict(found)


def test_it_finds_what_the_script_finds(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    script = "--input photo.png --model_name tiny --tflite_model tiny.tflite --output_dir by_script --message 0x6"
    assert compare_pytorch_tflite.main(script.split()) == 0
    shown = capsys.readouterr().out
    words = "check tiny.tflite photo.png --variant tiny --message 0x6"
    assert main([*words.split(), "--out", "by_command"]) == 0
    assert capsys.readouterr().out.splitlines()[1:3] == shown.splitlines()[1:3]
    script_wrote, command_wrote = (
        Path(folder, "comparison.json").read_text().replace(folder, "") for folder in ("by_script", "by_command")
    )
    assert without_times(script_wrote) == without_times(command_wrote)
    pictures = [Path(folder, "photo_watermarked.png").read_bytes() for folder in ("by_script", "by_command")]
    assert pictures[0] == pictures[1]
    # Without a folder nothing is written, and JSON is what would have been.
    before = sorted(desk.rglob("*"))
    assert main([*words.split(), "--json"]) == 0
    assert sorted(desk.rglob("*")) == before
    found, expected = without_times(capsys.readouterr().out), without_times(command_wrote)
    assert found.pop("image") == "photo.png"
    expected.pop("image")
    assert found == expected


def test_a_marked_picture_is_read_as_it_is(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "tiny.tflite", "photo.png", "--variant", "tiny", "--marked", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["message"], found["psnr_db"], found["bit_agreement"]) == (None, None, 1.0)
