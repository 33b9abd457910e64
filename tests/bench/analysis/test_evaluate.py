"""The evaluation of a watermark model: what its numbers mean on made-up logits, and one run at tiny scale."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from sealbench.bench.analysis import evaluate as evaluation
from sealbench.bench.analysis.evaluate import area_under_curve, as_markdown, attack_row, evaluate, null_row, write
from sealbench.bench.commands import main as sealbench
from tests.bench.tiny import NBITS, tiny_watermarker


def main(arguments: list[str]) -> int:
    return sealbench(["evaluate", *arguments])


def test_area_under_curve() -> None:
    assert area_under_curve(np.array([2.0, 3.0]), np.array([0.0, 1.0])) == 1
    assert area_under_curve(np.array([1.0]), np.array([1.0])) == 0.5
    assert area_under_curve(np.array([0.0]), np.array([1.0, -1.0])) == 0.5


def test_a_bit_that_was_never_learned_shows_and_photographs_are_what_is_resampled() -> None:
    """Of six photographs one is misread in every crop: sixteen copies of each know no more than the six."""
    random = np.random.default_rng(0)
    messages = random.integers(0, 2, (96, 8))
    sources = np.arange(96) % 6
    logits = np.concatenate([np.ones((96, 1)), 2.0 * messages - 1], axis=1)
    logits[:, 3] = 1  # bit 2 is said to be set whatever the message
    logits[sources == 5, 1:] *= -1
    row = attack_row("none", logits, -logits, messages, sources)
    right = (logits[:, 1:] > 0) == (messages > 0)
    assert row.bit_accuracy == right.mean()
    assert row.worst_bit_accuracy == right[:, 2].mean() < 0.65 < right[:, 1].mean()
    assert row.bit_low < 0.6 and row.bit_high > 0.9
    assert (row.confidence_auc, row.confidence_accuracy) == (1.0, 1.0)
    apart = attack_row("none", logits, -logits, messages, np.arange(96))
    assert row.bit_low < apart.bit_low < row.bit_accuracy < apart.bit_high < row.bit_high


def test_fair_bits_follow_the_binomial() -> None:
    row = null_row("fair", np.random.default_rng(0).standard_normal((2000, 32)))
    assert 0.45 < row.set_share_low < row.set_share_high < 0.55
    assert row.correlation_max < 0.12
    assert 1 <= row.variance_ratio_worst < 1.3
    assert row.nominal_rate == pytest.approx(5e-4, abs=5e-4)
    assert row.safe_threshold <= row.nominal_threshold


def test_constant_bits_are_found() -> None:
    row = null_row("stuck", np.ones((100, 32)))
    assert row.set_share_low == 1
    assert row.correlation_mean == 1, "no image decides them"
    assert row.variance_ratio_worst == 0
    assert row.nominal_rate_worst in {0, 1}, "an image more is the same image again"


def test_copied_bits_are_found() -> None:
    logits = np.repeat(np.random.default_rng(0).standard_normal((500, 4)), 8, axis=1)
    row = null_row("copied", logits)
    assert row.correlation_max > 0.99
    assert row.variance_ratio_worst > 2
    assert row.nominal_rate_worst > 1e-2
    assert row.safe_threshold_99 >= row.nominal_threshold


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Two threads wait for each other longer than a model of this size computes, if anything else runs."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def test_a_whole_evaluation(one_thread: None, tmp_path: Path) -> None:
    result = evaluate(tiny_watermarker(), NBITS, images=4, null_images=4, attacks=("none", "jpeg:80", "crop:0.8"))
    assert 20 < result.psnr_low_db <= result.psnr_db < 70
    assert [row.attack for row in result.attacks] == ["none", "jpeg:80", "crop:0.8"]
    for row in result.attacks:
        assert row.bit_low <= row.bit_accuracy <= row.bit_high
        assert row.images == 4
    write(result, tmp_path)
    assert (tmp_path / "evaluation.md").read_text() == as_markdown(result)
    assert (tmp_path / "attacks.csv").read_text().count("\n") == 4
    assert (tmp_path / "null.csv").read_text().count("\n") == 3


def test_the_command_reports_missing_weights(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--weights", str(tmp_path / "none.safetensors")]) == 2
    assert "no such file" in capsys.readouterr().err


def test_the_command_reports_what_it_cannot_do_before_it_measures(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluation, "evaluate", lambda *args, **kwargs: pytest.fail("measured"))
    (tmp_path / "file").touch()
    assert main(["--out", str(tmp_path / "file")]) == 2
    assert f"{tmp_path / 'file'}: cannot be written" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["--samples", "0"])
    assert "--samples 0: expected at least 2" in capsys.readouterr().err
