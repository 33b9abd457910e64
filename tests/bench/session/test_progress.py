"""The estimate of what is left: from what the run itself has measured, and none before."""

import pytest

from sealbench.bench.session.progress import Progress, Step, duration_text, last_of_each

CONVERT = Step("nano", "conversion", "int8", 0)
READ = Step("nano", "bit_accuracy", "int8", 12)


def test_nothing_is_said_of_time_before_anything_is_known() -> None:
    progress = Progress([CONVERT, READ])
    assert progress.remaining_s is None
    assert str(progress) == "0 of 2 tests"


def test_a_test_is_estimated_by_its_suite_and_variant_first() -> None:
    other = Step("full", "conversion", "int8", 0)
    progress = Progress([CONVERT, other, CONVERT, other, READ])
    progress.finished(CONVERT, 2)
    progress.finished(other, 40)
    assert progress.remaining_s == 2 + 40 + 21  # nothing like READ has run: the mean of all
    assert str(progress) == "2 of 5 tests, about 63 s to go"


def test_conversions_alone_give_no_estimate() -> None:
    progress = Progress([CONVERT, READ, READ, READ])
    progress.finished(CONVERT, 30)
    assert progress.remaining_s is None
    progress.finished(READ, 2)
    assert progress.remaining_s == 4


def test_a_variant_that_is_not_known_yet_is_estimated_by_the_suite() -> None:
    progress = Progress(
        [CONVERT, READ, Step("full", "bit_accuracy", "int8", 24), Step("full", "conversion", "fp16", 0)]
    )
    progress.finished(CONVERT, 30)
    progress.finished(READ, 6)
    assert progress.remaining_s == 6 / 12 * 24 + 30


def test_time_on_images_grows_with_their_number() -> None:
    few, many, file = (Step("nano", "robustness", "int8", samples) for samples in (4, 40, 0))
    progress = Progress([few, few, many, file])
    progress.finished(few, 2)
    progress.finished(few, 4)
    assert progress.remaining_s == 0.75 * 40 + 3  # six seconds for eight images; a test without images takes the mean


def test_the_end_has_no_estimate() -> None:
    progress = Progress([READ])
    progress.finished(READ, 105)
    assert progress.remaining_s == 0
    assert str(progress) == "1 of 1 tests"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0 s"), (89, "89 s"), (90, "2 min"), (3540, "59 min"), (3599, "1 h 00 min"), (3900, "1 h 05 min")],
)
def test_durations_are_rounded_for_people(seconds: float, text: str) -> None:
    assert duration_text(seconds) == text


def test_the_end_of_each_series_of_equal_names() -> None:
    assert last_of_each("aabba") == {1, 3, 4}
    assert last_of_each([]) == set()
