"""The fit of the last layer, and the picture of the curves."""

from pathlib import Path

import pytest
import torch
from torch import nn

from converters.models.watermarker import Watermarker
from converters.training import curves
from converters.training.checkpoint import CURVE_COLUMNS, CurveLog
from converters.training.data import CoverImages
from converters.training.readout import Means, collect_means, fit_readout, main


def leaking_means(count: int = 600) -> Means:
    """Means in which every bit leaks into the place of the next."""
    generator = torch.Generator().manual_seed(0)
    messages = torch.randint(0, 2, (count, 4), generator=generator)
    signs = 2.0 * messages.double() - 1
    noise = 0.1 * torch.randn(count, 4, generator=generator, dtype=torch.float64)
    return Means(signs + 1.2 * signs.roll(1, dims=1) + noise, messages, torch.zeros(50, 4, dtype=torch.float64))


def test_the_fit_takes_leaks_away_and_leaves_the_confidence() -> None:
    linear = nn.Linear(4, 5)
    with torch.no_grad():
        linear.weight.copy_(torch.cat([torch.full((1, 4), 7.0), torch.eye(4)]))
        linear.bias.fill_(0.5)
    means = leaking_means()

    def accuracy() -> float:
        logits = linear(means.marked.float())[:, 1:]
        return float(((logits > 0) == (means.messages > 0)).float().mean())

    assert accuracy() < 0.8
    tried = fit_readout(linear, means)
    assert accuracy() > 0.99
    assert tried[0][0] == float("inf")
    assert min(loss for _, loss in tried[1:]) < tried[0][1]
    assert linear.weight[0].tolist() == [7.0] * 4
    assert float(linear.bias[0].detach()) == 0.5


def test_means_of_a_model(tiny_watermarker: Watermarker) -> None:
    means = collect_means(tiny_watermarker, CoverImages(1, 0.5, 0), images=20, nbits=16, seed=0)
    assert means.marked.shape == (24, 16)
    assert means.messages.shape == (24, 16)
    assert means.unmarked.shape == (6, 16)
    assert not tiny_watermarker.detector.get_submodule("pixel_decoder.linear")._forward_pre_hooks


def test_the_command_tells_missing_weights(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--weights", str(tmp_path / "none.pth"), "--out", str(tmp_path / "out.safetensors")]) == 2
    assert "no such file" in capsys.readouterr().err


def test_curves_become_a_picture(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = CurveLog(tmp_path / "curves.csv", 0)
    for step in (25, 50):
        log.append({**dict.fromkeys(CURVE_COLUMNS, 0.5), "step": step, "phase": "joint"})
    out = tmp_path / "curves.png"
    assert curves.main([str(tmp_path), "--out", str(out)]) == 0
    assert out.read_bytes().startswith(b"\x89PNG")
    assert out.stat().st_size < 100_000
    assert curves.main([str(tmp_path / "none"), "--out", str(out)]) == 2
    assert "no such file" in capsys.readouterr().err
