"""The picture of the curves of a training."""

from pathlib import Path

import pytest

from sealbench.converters.training import curves
from sealbench.converters.training.checkpoint import CURVE_COLUMNS, CurveLog


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
