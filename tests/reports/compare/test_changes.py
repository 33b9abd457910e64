"""What changed between two runs, and how sure that is."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sealbench.reports.compare.changes import Change, Status, compare, count_statuses, regressions
from sealbench.reports.errors import ReportError
from sealbench.reports.gates.judge import Gate, load_gates
from sealbench.reports.run.loaded_run import LoadedRun, load_run
from sealbench.reports.schema.records import Measurement, measurement
from tests.reports.saved_runs import ENVIRONMENT, INT8, NBITS, bits_of, run_of_bits, saved_run
from tests.reports.synthetic import NANO, altered, healthy_rows, without


def loaded(path: Path, rows: list[Measurement], **parts: object) -> LoadedRun:
    return load_run(saved_run(path, rows, **parts))  # type: ignore[arg-type]


def changes_of(tmp_path: Path, before: list[Measurement], after: list[Measurement]) -> tuple[Change, ...]:
    return compare(loaded(tmp_path / "before", before), loaded(tmp_path / "after", after), load_gates())


def only(changes: tuple[Change, ...], metric: str, precision: str = "int8") -> Change:
    """The change of one metric of the trained model."""
    found = [c for c in changes if (c.metric, c.case.precision, c.case.variant) == (metric, precision, NANO.variant)]
    (change,) = [change for change in found if change.case.backend == "litert"]
    return change


def test_a_run_and_itself_have_nothing_but_unchanged_rows(tmp_path: Path) -> None:
    changes = changes_of(tmp_path, healthy_rows(), healthy_rows())
    counts = count_statuses(changes)
    assert len(changes) == len(healthy_rows())
    assert {status for status, count in counts.items() if count} == {Status.UNCHANGED, Status.NOT_COMPARED}
    meaningless = [change for change in changes if change.status is Status.NOT_COMPARED]
    assert {change.case.weights for change in meaningless} == {"seeded"}
    assert all("means nothing for seeded weights" in change.words for change in meaningless)


def test_sizes_are_compared_exactly_and_by_the_metrics_direction(tmp_path: Path) -> None:
    rows = altered(healthy_rows(), "videoseal_nano", "int8", "size_bytes", value=3.17e6 + 1)
    rows = altered(rows, "videoseal_nano", "fp16", "size_bytes", value=5.72e6 - 1)
    rows = altered(rows, "videoseal_nano", "fp16", "quantized_weight_pct", value=98.0)
    changes = changes_of(tmp_path, healthy_rows(), rows)
    grown, shrunk = only(changes, "size_bytes"), only(changes, "size_bytes", "fp16")
    assert (grown.status, grown.change, grown.evidence) == (Status.WORSE, 1, "exact")
    assert (shrunk.status, shrunk.change) == (Status.BETTER, -1)
    assert only(changes, "quantized_weight_pct", "fp16").status is Status.CHANGED  # neither direction is better


def test_rows_of_one_run_alone_are_new_or_missing(tmp_path: Path) -> None:
    fewer = without(healthy_rows(), "videoseal_nano", "int8", "bit_agreement")
    gone = only(changes_of(tmp_path, healthy_rows(), fewer), "bit_agreement")
    assert (gone.status, gone.before, gone.after) == (Status.MISSING, 0.9990, None)
    found = only(changes_of(tmp_path, fewer, healthy_rows()), "bit_agreement")
    assert (found.status, found.before, found.after) == (Status.NEW, None, 0.9990)


@pytest.mark.parametrize(
    ("value", "status"), [(1.62, Status.UNCHANGED), (1.5, Status.WORSE), (2.2, Status.BETTER), (1.71, Status.UNCHANGED)]
)
def test_ratios_of_times_change_by_more_than_both_intervals_and_the_noise_of_a_machine(
    tmp_path: Path, value: float, status: Status
) -> None:
    before = altered(
        healthy_rows(), "videoseal_nano", "int8", "speedup_vs_float32", value=1.74, ci_low=1.70, ci_high=1.78
    )
    after = altered(
        before, "videoseal_nano", "int8", "speedup_vs_float32", value=value, ci_low=value - 0.04, ci_high=value + 0.04
    )
    change = only(changes_of(tmp_path, before, after), "speedup_vs_float32")
    assert (change.status, change.evidence, change.ratio) == (status, "intervals", True)
    assert change.change == pytest.approx(value / 1.74)
    assert change.low is not None
    assert change.high is not None
    assert change.low < value / 1.74 < change.high


def latency_rows(milliseconds: float, seed: int, rounds: int = 40) -> list[tuple[object, ...]]:
    times = milliseconds * np.random.default_rng(seed).lognormal(0, 0.03, rounds)
    return [
        ("videoseal_nano", "int8", "256", "litert", 2, number, 0, float(time), "none")
        for number, time in enumerate(times)
    ]


def latency_run(path: Path, milliseconds: float, seed: int, environment: object = None) -> LoadedRun:
    samples = latency_rows(milliseconds, seed)
    median = float(np.median([row[7] for row in samples]))
    rows = [measurement("r", INT8, "", "none", "latency_ms", median, 40, (median, median))]
    return loaded(path, rows, latency=samples, environment=environment or ENVIRONMENT)


def test_a_latency_that_may_have_changed_by_more_than_noise_says_so(tmp_path: Path) -> None:
    before, near = latency_run(tmp_path / "a", 12.0, 1), latency_run(tmp_path / "b", 12.2, 2)
    beside = latency_run(tmp_path / "c", 13.2, 3)  # 10 %: on the edge of what two runs may differ by
    sure, unsure = (only(compare(before, after), "latency_ms") for after in (near, beside))
    assert (sure.status, sure.words) == (Status.UNCHANGED, "")
    assert (unsure.status, unsure.words) == (Status.UNCHANGED, "not sure: the interval reaches beyond 10 %")


@pytest.mark.parametrize(
    ("milliseconds", "status"), [(12.0, Status.UNCHANGED), (12.6, Status.UNCHANGED), (15.0, Status.WORSE)]
)
def test_latency_is_compared_by_the_rounds_of_both_runs(tmp_path: Path, milliseconds: float, status: Status) -> None:
    before, after = latency_run(tmp_path / "a", 12.0, 1), latency_run(tmp_path / "b", milliseconds, 2)
    (change,) = compare(before, after)
    assert (change.status, change.evidence) == (status, "rounds")
    assert change.low is not None
    assert change.high is not None
    assert change.low < milliseconds / 12 < change.high


@pytest.mark.parametrize("other", [{"cpu": "Model A"}, {"cpu_model": "family 7"}, {"cores": 4}, {"machine": "aarch64"}])
def test_times_of_another_machine_are_not_compared_and_say_why(tmp_path: Path, other: dict[str, object]) -> None:
    before, after = latency_run(tmp_path / "a", 12, 1), latency_run(tmp_path / "b", 24, 2, {**ENVIRONMENT, **other})
    (change,) = compare(before, after)
    assert change.status is Status.NOT_COMPARED
    assert next(iter(other)) in change.words


def test_times_of_other_threads_are_not_compared_and_everything_else_is(tmp_path: Path) -> None:
    one = [replace(row, case=replace(row.case, threads=1)) for row in healthy_rows()]
    changes = changes_of(tmp_path, healthy_rows(), one)
    assert not {Status.NEW, Status.MISSING} & {change.status for change in changes}
    assert only(changes, "size_bytes").status is Status.UNCHANGED
    slow = only(changes, "latency_ms")
    assert (slow.status, slow.words) == (Status.NOT_COMPARED, "other threads: 2 and 1")


def test_two_numbers_of_threads_in_one_run_stay_apart(tmp_path: Path) -> None:
    both = [*healthy_rows(), *(replace(row, case=replace(row.case, threads=1)) for row in healthy_rows())]
    assert count_statuses(changes_of(tmp_path, healthy_rows(), both))[Status.NEW] == len(healthy_rows())


def flipped(images: int, flips: list[tuple[int, int]]) -> np.ndarray:
    right = np.ones((images, NBITS), bool)
    for image, bit in flips:
        right[image, bit] = False
    return right


def test_bits_that_are_lost_in_many_pictures_are_worse(tmp_path: Path) -> None:
    before = run_of_bits(tmp_path / "a", flipped(16, []))
    after = run_of_bits(tmp_path / "b", flipped(16, [(image, 3) for image in range(16)]))
    change = only(compare(before, after), "bit_accuracy")
    assert (change.status, change.evidence) == (Status.WORSE, "paired")
    assert change.change == pytest.approx(-1 / 32)
    assert change.words == "16 bits lost, 0 gained, McNemar p = 3.1e-05"
    assert only(compare(before, after), "word_accuracy").status is Status.WORSE
    back = only(compare(after, before), "bit_accuracy")
    assert (back.status, back.change) == (Status.BETTER, pytest.approx(1 / 32))


def test_a_few_bits_are_noise(tmp_path: Path) -> None:
    before = run_of_bits(tmp_path / "a", flipped(16, []))
    after = run_of_bits(tmp_path / "b", flipped(16, [(1, 3), (2, 3), (5, 1)]))
    change = only(compare(before, after), "bit_accuracy")
    assert (change.status, change.change) == (Status.UNCHANGED, pytest.approx(-3 / 512))


def test_many_bits_of_one_picture_say_nothing_of_others(tmp_path: Path) -> None:
    before = run_of_bits(tmp_path / "a", flipped(16, []))
    after = run_of_bits(tmp_path / "b", flipped(16, [(0, bit) for bit in range(10)]))
    change = only(compare(before, after), "bit_accuracy")
    assert "p = 0.002" in change.words  # McNemar alone would have called it
    assert change.status is Status.UNCHANGED


def test_a_single_picture_is_judged_by_mcnemar_alone(tmp_path: Path) -> None:
    before = run_of_bits(tmp_path / "a", flipped(4, []), pictures=1)
    after = run_of_bits(tmp_path / "b", flipped(4, [(0, bit) for bit in range(10)]), pictures=1)
    change = only(compare(before, after), "bit_accuracy")
    assert (change.status, change.low) == (Status.WORSE, None)
    error = only(compare(before, after), "logits_mae")  # nothing at all says how much of it is noise
    assert error.status is Status.NOT_COMPARED


@pytest.mark.long
def test_a_planted_loss_of_half_a_percent_is_found_at_200_images(tmp_path: Path) -> None:
    right = np.ones((200, NBITS), bool)
    before = run_of_bits(tmp_path / "before", right, metrics=("bit_accuracy",))
    found = []
    for trial in range(10):
        lost = np.random.default_rng(trial).random(right.shape) < 0.005
        after = run_of_bits(tmp_path / "after", right & ~lost, metrics=("bit_accuracy",))
        found.append(only(compare(before, after), "bit_accuracy").status)
    assert set(found) == {Status.WORSE}


@pytest.mark.long
def test_bits_that_come_and_go_are_seldom_called_a_change(tmp_path: Path) -> None:
    """Two files of the same quality, each with 2 % of the bits wrong at random."""
    found = []
    for trial in range(20):
        random = np.random.default_rng(trial)
        before, after = (
            run_of_bits(tmp_path / name, random.random((32, NBITS)) > 0.02, metrics=("bit_accuracy",)) for name in "ab"
        )
        found.append(only(compare(before, after), "bit_accuracy").status)
    assert sum(status is not Status.UNCHANGED for status in found) <= 2


def test_errors_of_logits_are_paired_and_rounding_is_no_change(tmp_path: Path) -> None:
    right = np.ones((16, NBITS), bool)
    before = run_of_bits(tmp_path / "a", right, noise=0.100)
    rounded = run_of_bits(tmp_path / "b", right, noise=0.1005)
    larger = run_of_bits(tmp_path / "c", right, noise=0.11)
    assert only(compare(before, rounded), "logits_mae").status is Status.UNCHANGED
    worse = only(compare(before, larger), "logits_mae")
    assert (worse.status, worse.change) == (Status.WORSE, pytest.approx(0.01))


def test_samples_that_do_not_give_the_recorded_value_are_no_evidence(tmp_path: Path) -> None:
    bits = bits_of(flipped(16, []))
    rows = [measurement("r", INT8, "photographs", "none", "bit_accuracy", value, 16) for value in (0.99, 0.98)]
    before, after = (loaded(tmp_path / str(row.value), [row], bits=bits) for row in rows)
    (change,) = compare(before, after)
    assert change.status is Status.NOT_COMPARED
    assert "without an interval" in change.words


def test_other_logits_of_pytorch_on_the_same_images_are_told(tmp_path: Path) -> None:
    right = np.ones((8, NBITS), bool)
    before = run_of_bits(tmp_path / "a", right, metrics=("bit_accuracy",))
    moved = [(*row[:7], float(row[7]) * 1.1, *row[8:]) for row in bits_of(right)]  # type: ignore[arg-type]
    rows = [replace(before.measurements[0], value=0.9)]
    (change,) = compare(before, loaded(tmp_path / "b", rows, bits=moved))
    assert change.status is Status.NOT_COMPARED
    assert "other pixels or other weights" in change.words


def test_rows_under_an_attack_are_compared_with_that_attack(tmp_path: Path) -> None:
    clean, lossy = flipped(16, []), flipped(16, [(image, 0) for image in range(16)])

    def run(name: str, attacked: np.ndarray) -> LoadedRun:
        rows = [
            measurement("r", INT8, "photographs", attack, "bit_accuracy", float(right.mean()), 16)
            for attack, right in (("none", clean), ("jpeg:50", attacked))
        ]
        return loaded(tmp_path / name, rows, bits=[*bits_of(clean), *bits_of(attacked, attack="jpeg:50")])

    found = {change.attack: change for change in compare(run("a", clean), run("b", lossy))}
    assert found["none"].status is Status.UNCHANGED
    assert (found["jpeg:50"].status, found["jpeg:50"].evidence) == (Status.WORSE, "paired")


@pytest.mark.parametrize(
    ("before", "after", "status"),
    [
        (0.9990, math.nan, Status.WORSE),
        (math.nan, 0.9990, Status.BETTER),
        (math.nan, math.nan, Status.UNCHANGED),
        (math.inf, 0.9990, Status.WORSE),
    ],
)
def test_nan_is_the_worst_there_is(tmp_path: Path, before: float, after: float, status: Status) -> None:
    first, second = (
        altered(healthy_rows(), "videoseal_nano", "int8", "bit_agreement", value=value) for value in (before, after)
    )
    assert only(changes_of(tmp_path, first, second), "bit_agreement").status is status


def test_what_a_gate_judges_is_a_regression_when_worse_and_nothing_else_is(tmp_path: Path) -> None:
    rows = altered(healthy_rows(), "videoseal_nano", "int8", "size_bytes", value=4e6)
    rows = altered(rows, "videoseal_nano", "int8", "size_reduction_pct", value=71.0)
    changes = changes_of(tmp_path, healthy_rows(), rows)
    assert only(changes, "size_bytes").status is Status.WORSE
    assert [change.metric for change in regressions(changes)] == ["size_reduction_pct"]
    size = Gate("size_bytes", {"precision": "int8"}, "<=", 1e9, "any")
    before, after = load_run(tmp_path / "before"), load_run(tmp_path / "after")
    assert [change.metric for change in regressions(compare(before, after, [size]))] == ["size_bytes"]


def test_runs_of_other_weights_are_refused(tmp_path: Path) -> None:
    other = {**ENVIRONMENT, "weights": {"videoseal_nano": {"kind": "file", "fingerprint": "e" * 64}}}
    before, after = loaded(tmp_path / "a", healthy_rows()), loaded(tmp_path / "b", healthy_rows(), environment=other)
    with pytest.raises(ReportError, match="weights of videoseal_nano differ: found bundled aaaaaaaaaaaa and file eee"):
        compare(before, after)
