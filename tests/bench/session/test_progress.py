"""The estimate of what is left: from a full run at first, then from the run itself."""

from pathlib import Path

import pytest

from sealbench.bench.options import DEFAULT_VARIANTS
from sealbench.bench.session.progress import Progress, Step, duration_text, expected_s, last_of_each, measured_durations
from sealbench.bench.suites import ORDER

CONVERT = Step("videoseal", "conversion", "int8", 0)
READ = Step("videoseal", "bit_accuracy", "int8", 12)
DURATIONS = {("videoseal", "conversion", "int8"): (0, 30.0), ("videoseal", "bit_accuracy", "int8"): (24, 60.0)}


def test_time_on_images_grows_with_their_number() -> None:
    assert expected_s(CONVERT, DURATIONS) == 30
    assert expected_s(READ, DURATIONS) == 30
    assert expected_s(Step("mine", "conversion", "int8", 0), DURATIONS) == 30  # as the variant that it is taken for
    assert expected_s(Step("mine", "bit_accuracy", "int4", 24), DURATIONS) == 60  # as the precision, too
    assert expected_s(Step("mine", "new_suite", "int8", 0), DURATIONS) == 1


def test_attacked_images_take_as_long_as_others_until_it_is_known() -> None:
    fidelity = {("videoseal", "fidelity", "int8"): (24, 12.0)}
    step = Step("videoseal", "robustness", "int8", 12 * 40)  # 12 images under 40 attacks
    assert expected_s(step, fidelity) == 240
    assert expected_s(step, fidelity | {("videoseal", "robustness", "int8"): (24, 6.0)}) == 120
    assert expected_s(Step("mine", "robustness", "int8", 24), fidelity) == 12


def test_the_estimate_follows_the_run() -> None:
    progress = Progress([CONVERT, READ, READ], DURATIONS)
    assert progress.remaining_s == pytest.approx(60)
    progress.finished(CONVERT, 30)
    assert progress.remaining_s == pytest.approx(30)
    assert str(progress) == "1 of 3 tests, about 30 s to go"
    progress.finished(READ, 105)  # seven times as long as expected
    assert progress.remaining_s == pytest.approx(15 * (135 + 60) / (45 + 60))
    progress.finished(READ, 1)
    assert progress.remaining_s == 0
    assert str(progress) == "3 of 3 tests"


def test_the_table_knows_every_suite_of_watermarks() -> None:
    known = {(variant, suite) for variant, suite, _ in measured_durations()}
    suites = set(ORDER) - {"robustness", "scores", "features"}  # attacks were not asked for; no watermark has a score
    assert known == {(variant, suite) for variant in DEFAULT_VARIANTS for suite in suites}


def test_durations_of_tests_of_one_step_add_up(tmp_path: Path) -> None:
    path = tmp_path / "durations.csv"
    path.write_text("variant,suite,precision,samples,seconds\na,latency,int8,0,2.5\na,latency,int8,0,1.5\n")
    assert measured_durations(path) == {("a", "latency", "int8"): (0, 4.0)}


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0 s"), (89, "89 s"), (90, "2 min"), (3540, "59 min"), (3599, "1 h 00 min"), (3900, "1 h 05 min")],
)
def test_durations_are_told_for_people(seconds: float, text: str) -> None:
    assert duration_text(seconds) == text


def test_the_end_of_each_run_of_equal_names() -> None:
    assert last_of_each("aabba") == {1, 3, 4}
    assert last_of_each([]) == set()
