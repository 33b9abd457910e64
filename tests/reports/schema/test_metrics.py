"""A metric's entry says where it is judged and drawn, and other distributions add entries."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import pytest

from sealbench.reports.errors import ReportError
from sealbench.reports.render.plots.figures import FIGURES
from sealbench.reports.render.record import RunRecord
from sealbench.reports.schema.metrics import METRICS, metric_named
from tests.reports.render.test_plots import rewritten_rows
from tests.reports.synthetic import attack_rows, healthy_rows


class Asked(str):
    """A metric's name that keeps every name that it is compared with."""

    names: ClassVar[set[str]] = set()
    __hash__ = str.__hash__

    def __eq__(self, other: object) -> bool:
        if isinstance(other, str):
            self.names.add(str(other))
        return str.__eq__(self, other)


ROWS = [replace(row, metric=Asked(row.metric)) for row in healthy_rows() + rewritten_rows() + attack_rows()]


@pytest.mark.parametrize("name", FIGURES)
def test_a_picture_draws_the_metrics_that_name_it_and_no_other(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: set[str] = set()
    monkeypatch.setattr(Asked, "names", asked)
    FIGURES[name](RunRecord(ROWS))
    assert asked == {metric.name for metric in METRICS.values() if name in metric.plots}


def test_every_declared_picture_exists() -> None:
    assert {name for metric in METRICS.values() for name in metric.plots} <= set(FIGURES)


def test_an_unknown_metric_is_named_with_those_that_are_known() -> None:
    with pytest.raises(ReportError, match=r"'speed'.*size_bytes"):
        metric_named("speed")


MODULE = """
from sealbench.reports.schema.metric import Headline, Metric
def metric(name, **more):
    return Metric(name, "count", "lower", "Masks that differ.", **more)
METRICS = (metric("mask_errors", task="segmentation", headline=Headline(5, "masks", "masks", "masks off")),)
TAKEN = (metric("size_bytes"),)
WRONG = [1]
"""
CODE = """
import sys
from sealbench.reports.schema.metrics import METRICS, metric_named
metric_named("size_bytes")
assert "segmenter" not in sys.modules  # ours need no other distribution
print(metric_named("mask_errors").task)
from sealbench.reports.schema.tasks import task_of
print(task_of({"mask_errors": 1.0}).title, task_of({"size_bytes": 1.0}).title)
from sealbench.reports.render.tables import console_summary, summary_frame
from sealbench.reports.schema.records import Case, measurement
case = Case("masker", "file", "int8", "64", "simple", "litert", 2)
frame = summary_frame([measurement("r", case, "", "none", "mask_errors", 3.0, 1)], [])
print("mask_errors" in frame.columns, "masks" in console_summary(frame))
"""


def run_with(folder: Path, value: str) -> subprocess.CompletedProcess[str]:
    """Run CODE where a made-up distribution offers metrics."""
    (folder / "segmenter.py").write_text(MODULE)
    info = folder / "segmenter-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: segmenter\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[sealbench.metrics]\nmasks = segmenter:{value}\n")
    command = [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(folder)!r})\n{CODE}"]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_another_distribution_adds_metrics_and_a_task(tmp_path: Path) -> None:
    ended = run_with(tmp_path, "METRICS")
    assert ended.stdout.splitlines() == ["segmentation", "Segmentation Watermark detectors", "True True"], ended.stderr


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("TAKEN", "there is a metric 'size_bytes' already"),
        ("WRONG", "expected a tuple of Metric"),
        ("NONE", "AttributeError"),
    ],
)
def test_metrics_that_cannot_be_added_are_refused_by_name(tmp_path: Path, value: str, found: str) -> None:
    ended = run_with(tmp_path, value)
    assert ended.returncode == 1
    last = ended.stderr.splitlines()[-1]
    assert "entry point 'masks' of segmenter" in last
    assert found in last
