"""What an application would see of a picture, for people and for programs."""

import json
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from sealbench.bench.commands import main
from sealbench.bench.detector import VideoSealDetectorTFLite
from sealbench.datasets.images import write_png
from sealbench.datasets.messages import format_bits
from tests.bench.tiny import NBITS, tiny_tflite

pytestmark = pytest.mark.convert


@pytest.fixture
def model(tmp_path: Path) -> str:
    path = tmp_path / "tiny.tflite"
    path.write_bytes(tiny_tflite())
    return str(path)


@pytest.fixture
def photo(tmp_path: Path) -> str:
    path = tmp_path / "photo.png"
    write_png(path, np.random.default_rng(1).integers(0, 256, (48, 40, 3), dtype=np.uint8))
    return str(path)


def test_bits_confidence_and_what_they_say_of_a_message(
    model: str, photo: str, capsys: pytest.CaptureFixture[str]
) -> None:
    detection = VideoSealDetectorTFLite(model, nbits=NBITS).detect(photo)
    bits = format_bits(detection.message)
    wrong = bits[:-1] + ("0" if bits[-1] == "1" else "1")
    assert main(["detect", model, photo, "--message", wrong, "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert found == {
        "picture": photo,
        "bits": bits,
        "hex": f"0x{int(bits, 2):x}",
        "confidence": detection.confidence,
        "confidence_logit": detection.confidence_logit,
        "right_bits": 3,
        "bit_accuracy": 0.75,
        "log10_pvalue": pytest.approx(math.log10(5 / 16)),  # 3 or 4 of 4 coins: 4 + 1 of 16 cases
    }
    assert main(["detect", model, photo, "--message", bits]) == 0
    text = capsys.readouterr().out
    assert text.startswith(f"{photo}\n  bits          {bits}\n  hex           0x")
    assert "bit accuracy  1.0000 (4 of 4 bits)" in text
    assert "log10 p       -1.20" in text


def test_a_picture_that_cannot_be_read_costs_itself_alone(
    model: str, photo: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["detect", model, "none.png", photo]) == 2
    captured = capsys.readouterr()
    assert captured.out.startswith(photo)
    assert captured.err.startswith("error: none.png: no such file")
    assert captured.err.endswith("error: 1 of 2 pictures could not be read\n")
    assert main(["detect", model, photo, "none.png", "--json"]) == 2
    right, wrong = json.loads(capsys.readouterr().out)
    assert len(right["bits"]) == NBITS
    assert wrong["error"].startswith("none.png: no such file")


def test_wrong_input_is_one_line(model: str, photo: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["detect", photo, photo]) == 2
    assert "photo.png: not a TFLite model" in capsys.readouterr().err.splitlines()[-1]
    assert main(["detect", model, photo, "--message", "01011"]) == 2
    assert capsys.readouterr().err.startswith("error: message: found 5 bits; expected 4 bits")


@pytest.mark.main_job
def test_nothing_but_the_answer_is_printed_and_torch_is_not_loaded(model: str, photo: str) -> None:
    script = (
        "import sys; from sealbench.bench.commands import main; code = main(sys.argv[1:]);"
        "sys.exit(code or ', '.join({'torch', 'pytest', 'pandas'} & set(sys.modules)) or 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, "detect", model, photo], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
