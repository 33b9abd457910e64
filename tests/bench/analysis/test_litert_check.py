"""Our medians beside LiteRT's own: the arithmetic, and one run of the tool."""

from pathlib import Path

import pytest

from sealbench.bench.analysis.litert_check import Round, our_median_ms, ratio_of, tools_median_ms
from sealbench.bench.commands import main as sealbench
from sealbench.bench.errors import RunnerError
from tests.bench.tiny import tiny_tflite


def main(arguments: list[str]) -> int:
    return sealbench(["litert-check", *arguments])


def test_the_ratio_is_that_of_medians_of_the_same_turn() -> None:
    rounds = [Round(10.0 * load, 9.8 * load) for load in (1.0, 3.0, 1.2, 0.9, 2.0, 1.1, 1.0)]
    rounds[3] = Round(20.0, 10.0)
    ratio, interval = ratio_of(rounds)
    assert ratio == pytest.approx(10 / 9.8)
    assert interval == (pytest.approx(10 / 9.8), 2.0)


@pytest.mark.convert
@pytest.mark.main_job
def test_both_give_the_time_of_a_call(tmp_path: Path) -> None:
    path = tmp_path / "tiny.tflite"
    path.write_bytes(tiny_tflite())
    assert our_median_ms(path, threads=1, calls=3) > 0
    assert tools_median_ms(path, threads=1, calls=3) > 0
    with pytest.raises(RunnerError, match=r"missing\.tflite.* failed with exit code 1: .*Model file not found"):
        tools_median_ms(tmp_path / "missing.tflite", threads=1, calls=3)


def test_wrong_input_is_reported(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--variant", "videoseal_nano", "--precision", "int9"]) == 2
    assert "int9" in capsys.readouterr().err
