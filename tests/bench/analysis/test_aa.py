"""What a file's comparisons with itself say; one of them is made with real processes."""

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sealbench.bench.analysis.aa import (
    BASE,
    COMPARED,
    Comparison,
    append_csv,
    compare,
    judged,
    noise_floor,
    report,
    smallest_found,
)
from sealbench.bench.commands import main as sealbench
from sealbench.bench.timing.interim import INTERIM_ANALYSES
from sealbench.bench.timing.rounds import LatencySample
from sealbench.reports.gates.judge import Verdict
from tests.bench.tiny import tiny_tflite


def main(arguments: list[str]) -> int:
    return sealbench(["aa", *arguments])


def comparison(ratio: float, width: float = 0.02, slowdown: float = 0.0, rounds: int = 20) -> Comparison:
    low, high = ratio - width / 2, ratio + width / 2
    verdict = Verdict.FAIL if low > 1.05 else Verdict.PASS if high <= 1.05 else Verdict.INCONCLUSIVE
    return Comparison(slowdown, ratio, low, high, rounds, verdict)


def noisy(factor: float, seed: int) -> list[LatencySample]:
    """20 rounds with 2 % of noise, in which the second takes `factor` times as long."""
    times = np.random.default_rng(seed).lognormal(0, 0.02, (2, 20)) * [[1.0], [factor]]
    return [
        LatencySample(name, number, 0, float(time))
        for name, row in zip((BASE, COMPARED), times, strict=True)
        for number, time in enumerate(row)
    ]


def test_a_slow_down_is_found_and_noise_is_not() -> None:
    same = [judged(noisy(1.0, seed), 0.0) for seed in range(30)]
    assert {one.verdict for one in same} == {Verdict.PASS}
    slowed = [judged(noisy(1.1, seed), 0.1) for seed in range(30)]
    assert {one.verdict for one in slowed} <= {Verdict.FAIL, Verdict.INCONCLUSIVE}
    assert sum(one.verdict is Verdict.FAIL for one in slowed) >= 27
    assert all(one.low < one.ratio < one.high and one.rounds == 20 for one in slowed)
    assert np.median([one.ratio for one in slowed]) == pytest.approx(1.1, abs=0.01)


def test_a_busy_machine_decides_nothing() -> None:
    samples = [replace(sample, waited_ms=sample.latency_ms) for sample in noisy(1.5, 0)]
    assert judged(noisy(1.5, 0), 0.5).verdict is Verdict.FAIL
    found = judged(samples, 0.5)
    assert (found.verdict, found.low, found.high) == (Verdict.INCONCLUSIVE, -np.inf, np.inf)
    lines, well = report([found] * 3, [])
    assert "3 INCONCLUSIVE (rounds: 3 took 20)" in lines[0]
    assert not well, "nothing was decided"


def test_the_smallest_slow_down_is_what_lifts_the_intervals_above_the_margin() -> None:
    same = [judged(noisy(1.0, seed), 0.0) for seed in range(40)]
    smallest = smallest_found(same)
    assert 0.05 < smallest < 0.12
    for factor, expected in ((1 + smallest + 0.003, True), (1 + smallest - 0.006, False)):
        found = [judged(noisy(factor, seed), 0.0).verdict is Verdict.FAIL for seed in range(40)]
        assert bool(np.mean(found) >= 0.95) is expected


def test_the_noise_floor_is_what_most_ratios_stay_within() -> None:
    same = [comparison(1 + 0.001 * step) for step in range(-10, 11)]
    assert noise_floor(same) == pytest.approx(0.010)
    assert noise_floor(same, 0.5) == pytest.approx(0.005)


def test_a_report_counts_what_went_wrong() -> None:
    same = [comparison(1.0)] * 298 + [comparison(1.04), comparison(1.01, rounds=40)]
    slowed = [comparison(1.1, slowdown=0.1)] * 96 + [comparison(1.05, slowdown=0.1)] * 4
    lines, well = report(same, slowed)
    assert well
    assert "300 comparisons of the file with itself: 300 PASS (rounds: 299 took 20, 1 took 40)" in lines[0]
    assert "false FAIL: 0" in lines[1]
    assert "planted 10 %: 100 trials: 96 FAIL, 4 INCONCLUSIVE" in lines[4]
    assert "found: 96, called PASS: 0" in lines[5]
    assert not report([*same, comparison(1.2)], slowed)[1]  # a false FAIL
    assert not report(same, [*slowed[:94], *slowed[96:], *slowed[96:98]])[1]  # 94 of 100 found
    assert not report(same, [*slowed[:99], comparison(1.0, slowdown=0.1)])[1]  # one called PASS


def test_every_comparison_is_written(tmp_path: Path) -> None:
    path = tmp_path / "aa.csv"
    append_csv(comparison(1.0), path)
    append_csv(comparison(1.25, slowdown=0.1), path)
    with path.open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["slowdown"], row["ratio"], row["verdict"]) for row in rows] == [
        ("0.0", "1.0", "PASS"),
        ("0.1", "1.25", "FAIL"),
    ]


@pytest.mark.long
@pytest.mark.convert
@pytest.mark.main_job
def test_two_processes_are_compared(tmp_path: Path) -> None:
    path = tmp_path / "tiny.tflite"
    path.write_bytes(tiny_tflite())
    found = compare(path, threads=1, slowdown=9.0)  # ten times as slow: no noise hides that
    assert found.ratio > 2
    # Where others have the processors, there is no interval.
    assert found.verdict is (Verdict.FAIL if np.isfinite(found.low) else Verdict.INCONCLUSIVE)
    assert found.rounds in {20 * 2**look for look in range(INTERIM_ANALYSES)}


def test_wrong_input_is_reported(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["--variant", "videoseal9"]) == 2
    assert "videoseal9" in capsys.readouterr().err
    (tmp_path / "file").touch()
    assert main(["--out", str(tmp_path / "file" / "aa.csv")]) == 2
    assert f"{tmp_path / 'file'}: cannot be written" in capsys.readouterr().err
    for wrong, reason in (
        (["--comparisons", "-1"], "--comparisons -1: expected at least 0"),
        (["--comparisons", "0", "--trials", "0"], "there is nothing to compare"),
        (["--slowdown", "5"], "--slowdown 5: expected more than the 5 % that are let pass"),
        (["--slowdown", "nan"], "--slowdown nan: expected more"),
    ):
        with pytest.raises(SystemExit):
            main(wrong)
        assert reason in capsys.readouterr().err
