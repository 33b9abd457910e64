"""The command that trains: it refuses before it works, and loses nothing when it is stopped."""

import signal
from pathlib import Path

import pytest
import torch

from sealbench.bench.commands import main as sealbench
from sealbench.bench.commands import train
from sealbench.converters.cards.watermark import Variant
from sealbench.converters.training import command
from sealbench.converters.training.data import CoverImages
from sealbench.converters.training.trainer import CHECKPOINT, StepResult, Trainer
from tests.converters.training.small_training import SMALL


def main(arguments: list[str]) -> int:
    return sealbench(["train", *arguments])


def test_the_command_reports_a_wrong_start(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--out", str(tmp_path), "--init", str(tmp_path / "none.safetensors")]) == 2
    assert "no such file" in capsys.readouterr().err
    (tmp_path / CHECKPOINT).write_bytes(b"x")
    assert main(["--out", str(tmp_path)]) == 2
    assert "--resume" in capsys.readouterr().err


def test_the_command_reports_a_checkpoint_that_it_cannot_go_on_from_before_it_makes_images(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "CoverImages", lambda *arguments: pytest.fail("made images"))
    assert main(["--out", str(tmp_path), "--resume"]) == 2
    assert "no such checkpoint" in capsys.readouterr().err
    torch.save({"format": 1, **dict.fromkeys(("variant", "recipe", "model", "average", "optimizer", "progress"), "")},
               tmp_path / CHECKPOINT)  # fmt: skip
    assert main(["--out", str(tmp_path), "--resume"]) == 2
    assert "not a training checkpoint of format 2" in capsys.readouterr().err


@pytest.mark.main_job
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_lets_the_step_end_and_nothing_is_lost(
    tmp_path: Path,
    nano_tiny: Variant,
    covers: CoverImages,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    number: signal.Signals,
) -> None:
    def killed_at_3(trainer: Trainer, result: StepResult) -> None:
        if trainer.step == 3:
            signal.raise_signal(number)

    monkeypatch.setattr(train, "get_variant", lambda name: nano_tiny)
    monkeypatch.setattr(command, "CoverImages", lambda *arguments: covers)
    monkeypatch.setitem(command.RECIPES, "from-nothing", SMALL)
    monkeypatch.setattr(command, "_print_line", killed_at_3)
    before = signal.getsignal(number)
    assert main(["--out", str(tmp_path), "--recipe", "from-nothing"]) == 130
    assert "stopped; --resume continues at step 3:" in capsys.readouterr().out
    assert signal.getsignal(number) is before
    assert main(["--out", str(tmp_path), "--recipe", "from-nothing", "--resume"]) == 0
    assert f"done at step {SMALL.steps}:" in capsys.readouterr().out


@pytest.mark.main_job
def test_a_second_signal_ends_at_once() -> None:
    with pytest.raises(KeyboardInterrupt), command._signals() as stop:
        assert not stop()
        signal.raise_signal(signal.SIGTERM)
        assert stop()
        signal.raise_signal(signal.SIGINT)


@pytest.mark.parametrize("wrong", [["--threads", "0"], ["--minutes", "nan"]])
def test_the_command_reports_a_number_without_meaning(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], wrong: list[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["--out", str(tmp_path), *wrong])
    assert f"{wrong[0]} {wrong[1]}: expected at least" in capsys.readouterr().err


def test_the_command_reports_a_folder_that_is_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()
    assert main(["--out", str(tmp_path / "file")]) == 2
    assert f"{tmp_path / 'file'}: cannot be written" in capsys.readouterr().err
