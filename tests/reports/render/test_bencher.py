"""A run in Bencher's metric format."""

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest

from sealbench.bench.commands import main as sealbench
from sealbench.reports.render.bencher import bencher_metrics
from tests.reports.saved_runs import saved_run
from tests.reports.synthetic import NANO, altered, healthy_rows


def main(arguments: list[str]) -> int:
    return sealbench(["bencher", *arguments])


INT8 = "videoseal_nano bundled 256 simple int8 litert threads=2"


def test_benchmarks_measures_and_intervals() -> None:
    found = bencher_metrics(healthy_rows())
    assert found[INT8]["size_bytes"] == {"value": 3.17e6}
    assert found[INT8]["latency_ms"] == pytest.approx({"value": 12.1, "lower_value": 11.858, "upper_value": 12.342})
    assert found[f"{INT8}, photographs"]["bit_accuracy"]["value"] == 0.9927
    assert "size_bytes" not in found[f"{INT8}, photographs"]


def test_what_means_nothing_or_is_no_number_is_left_out() -> None:
    rows = altered(healthy_rows(), "videoseal_nano", "int8", "size_bytes", value=math.nan)
    rows = altered(rows, "videoseal_nano", "int8", "latency_ms", ci_high=math.inf)
    found = bencher_metrics(rows)
    assert "size_bytes" not in found[INT8]
    assert set(found[INT8]["latency_ms"]) == {"value", "lower_value"}
    seeded = "videoseal seeded 256 simple int8 litert threads=2, photographs"
    assert "bit_agreement" in found[seeded]
    assert "bit_accuracy" not in found[seeded]  # untrained


def test_cases_keep_names_of_their_own() -> None:
    row = next(row for row in healthy_rows() if row.case == NANO and row.metric == "size_bytes")
    others = [
        replace(row, case=replace(row.case, threads=1)),
        replace(row, case=replace(row.case, rewrites="split_depthwise")),
        replace(row, case=replace(row.case, mode="resize")),
        replace(row, dataset="photographs"),
        replace(row, dataset="photographs", attack="jpeg:50"),
    ]
    assert len(bencher_metrics([row, *others])) == 6
    assert all(len(name) <= 1024 for name in bencher_metrics([replace(row, dataset="x" * 2000)]))


def test_the_command_writes_what_follows_the_format(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = saved_run(tmp_path / "run", healthy_rows())
    assert main([str(run)]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert main([str(run), "--out", str(tmp_path / "bmf.json")]) == 0
    assert json.loads((tmp_path / "bmf.json").read_text()) == printed
    for measures in printed.values():
        for name, metric in measures.items():
            assert 0 < len(name) <= 64
            assert {"value"} <= set(metric) <= {"value", "lower_value", "upper_value"}
            assert all(isinstance(number, float | int) for number in metric.values())
    assert main([str(tmp_path)]) == 2
