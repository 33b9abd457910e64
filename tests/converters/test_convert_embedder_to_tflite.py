import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from sealbench import converters
from sealbench.converters.convert_embedder_to_tflite import main
from sealbench.converters.tflite.model_file import TensorSignature, read_model_file

SCRIPT = Path(converters.__path__[0]) / "convert_embedder_to_tflite.py"
NANO = ["--model_name", "videoseal_nano"]


@pytest.mark.main_job
def test_help_starts_without_torch() -> None:
    command = [sys.executable, "-X", "importtime", str(SCRIPT), "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0
    for option in ("--model_name", "--quantize", "--weights", "--output_dir"):
        assert option in done.stdout
    assert not re.search(r"\|\s+(torch|litert_torch|litert_quantizer)\n", done.stderr)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--model_name", "videosael"], "error: unknown variant 'videosael'"),
        ([*NANO, "--quantize", "int9"], "error: unknown precision 'int9'"),
        ([*NANO, "--quantize", "int8"], "error: --quantize int8: an embedder converts to float32 or fp16; as int8 its"),
        ([*NANO, "--weights", "nowhere.pth"], r"error: nowhere\.pth: no such file"),
    ],
)
def test_wrong_input_is_one_line_and_writes_nothing(
    refused: Callable[..., str], arguments: list[str], message: str
) -> None:
    assert re.match(message, refused(main, arguments))


@pytest.mark.long
@pytest.mark.convert
def test_converts_and_tells_the_difference(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main([*NANO, "--quantize", "fp16"]) == 0
    path = Path("models/videoseal_embedder_videoseal_nano_256_fp16.tflite")
    assert [found.name for found in Path("models").iterdir()] == [path.name]
    model = read_model_file(path)
    assert model.inputs == (TensorSignature("FLOAT32", (1, 256, 256, 3)), TensorSignature("FLOAT32", (1, 32)))
    assert model.outputs == (TensorSignature("FLOAT32", (1, 256, 256, 1)),)
    assert model.quantized_weight_pct > 98
    output = capsys.readouterr()
    assert output.err == ""
    lines = dict(line.split(":", 1) for line in output.out.splitlines()[1:])
    assert output.out.splitlines()[0] == str(path)
    assert f"({model.size_bytes} bytes)" in lines["size"]
    difference = re.search(r"at most ([\d.e-]+),", lines["watermark"])
    assert difference is not None
    assert 1e-5 < float(difference[1]) < 0.01
    read = re.search(r"([\d.]+) % of its bits, of PyTorch's watermark ([\d.]+) %", lines["read"])
    assert read is not None
    assert min(float(read[1]), float(read[2])) > 99.5
