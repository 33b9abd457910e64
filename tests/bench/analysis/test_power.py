"""The power study finds what was planted, and calls nothing a loss that is none."""

from pathlib import Path

import numpy as np
import pytest

from sealbench.bench.analysis.power import finds, study
from sealbench.bench.commands import main as sealbench
from sealbench.reports.errors import ReportError
from sealbench.reports.run.directory import RunDirectory
from sealbench.reports.schema.tables import BITS
from tests.reports.synthetic import RUN_ID, bit_rows


def main(arguments: list[str]) -> int:
    return sealbench(["power", *arguments])


TRIALS = 200


def logits(flipped: float, seed: int = 1) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of a file, of PyTorch and the messages: PyTorch reads 97 % right, and the file flips a share at random."""
    random = np.random.default_rng(seed)
    messages = random.integers(0, 2, (60, 32))
    reference = np.where(random.random(messages.shape) < 0.03, 1 - 2 * messages, 2 * messages - 1) * 3.0
    return np.where(random.random(messages.shape) < flipped, -reference, reference), reference, messages


def test_half_a_percent_is_found_at_200_images_among_flips_that_are_no_loss() -> None:
    assert finds(*logits(0.002), lost=0.005, images=200, trials=TRIALS, seed=0) >= 0.95 * TRIALS


def test_no_loss_is_rarely_called_one_even_where_the_file_itself_loses() -> None:
    file, reference, messages = logits(0.01)  # nearly all of its flips are negative: places change, so that none are
    assert finds(file, reference, messages, lost=0.0, images=200, trials=TRIALS, seed=0) <= 0.09 * TRIALS


def test_equal_files_give_no_alarm_and_a_smaller_loss_is_found_less_often() -> None:
    _, reference, messages = logits(0.0)
    found = [finds(reference, reference, messages, lost, images=50, trials=TRIALS, seed=0) for lost in (0, 1e-3, 5e-3)]
    assert found[0] == 0
    assert found[0] < found[1] < found[2]


def test_the_command_shows_every_file_of_a_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = RunDirectory.open(RUN_ID, tmp_path / "run")
    run.append_rows(BITS, bit_rows())
    powers = study(run.path, "none", (0.0, 5.0), images=40, trials=20)
    assert [(power.variant, power.precision, power.lost_pct) for power in powers[:3]] == [
        ("videoseal_nano", "float32", 0.0),
        ("videoseal_nano", "float32", 5.0),
        ("videoseal_nano", "fp16", 0.0),
    ]
    assert len(powers) == 16
    assert [power.found for power in powers[:2]] == [0, 20]
    assert powers[1].interval == pytest.approx((0.025 ** (1 / 20), 1.0))
    assert main([str(run.path), "--loss", "5", "--samples", "40", "--trials", "20"]) == 0
    assert "100.0 [83.2, 100.0]" in capsys.readouterr().out


def test_wrong_input_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = RunDirectory.open(RUN_ID, tmp_path / "run")
    assert main([str(run.path)]) == 2
    run.append_rows(BITS, bit_rows(images=1))
    assert main([str(run.path), "--attack", "jpeg:50"]) == 2
    errors = capsys.readouterr().err.splitlines()
    assert "no bits of watermarked images under attack 'none'; found: none was measured" in errors[0]
    assert "found: none" in errors[1]
    with pytest.raises(SystemExit):
        main([str(run.path), "--trials", "0"])
    with pytest.raises(SystemExit):
        main([str(run.path), "--loss", "101"])
    with pytest.raises(ReportError):
        study(tmp_path / "nothing", "none", (0.5,), 10, 10)
