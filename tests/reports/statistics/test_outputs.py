import math

import numpy as np
import pytest

from sealbench.reports.schema.tables import OUTPUT_SUMS
from sealbench.reports.statistics import outputs as metrics

REFERENCE = np.array([[3.0, 0.0], [0.0, 4.0]])
FOUND = np.array([[3.0, 1.0], [2.0, 1.0]])  # the second vector chooses otherwise


def sums_of(*pairs: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """One sample, an output for each pair."""
    return np.array([[metrics.output_sums(found, reference) for found, reference in pairs]])


def test_sums_by_hand() -> None:
    assert dict(zip(OUTPUT_SUMS, metrics.output_sums(FOUND, REFERENCE), strict=True)) == {
        "values": 4,
        "nonfinite": 0,
        "error_abs": 6.0,
        "error_max": 3.0,
        "error_ss": 14.0,
        "reference_ss": 25.0,
        "found_ss": 15.0,
        "product": 13.0,
        "top1_vectors": 2,
        "top1_agreeing": 1,
    }


def test_metrics_are_those_of_the_worst_output() -> None:
    exact = (np.array([[7.0, 1.0]]), np.array([[7.0, 1.0]]))
    sums = sums_of(exact, (FOUND, REFERENCE), exact)
    assert metrics.mean_errors(sums).tolist() == [1.5]
    assert metrics.largest_error(sums) == 3
    assert metrics.snr_db(sums) == pytest.approx(10 * math.log10(25 / 14))
    assert metrics.cosine(sums) == pytest.approx(13 / math.sqrt(15 * 25))
    assert metrics.top1_shares(sums).tolist() == [0.5]


def test_sums_add_up_over_samples() -> None:
    pairs = [(np.array([[1.0, 2.0]]), np.array([[1.0, 3.0]])), (np.array([[5.0, 2.0]]), np.array([[4.0, 2.0]]))]
    sums = np.concatenate([sums_of(pair) for pair in pairs])
    assert metrics.mean_errors(sums).tolist() == [0.5, 0.5]
    assert metrics.snr_db(sums) == pytest.approx(10 * math.log10((1 + 9 + 16 + 4) / 2))
    whole = sums_of((np.concatenate([a for a, _ in pairs]), np.concatenate([b for _, b in pairs])))
    assert metrics.cosine(sums) == metrics.cosine(whole)


def test_what_does_not_differ() -> None:
    for value in (np.zeros((1, 3)), np.ones((1, 3))):
        sums = sums_of((value, value))
        assert metrics.cosine(sums) == 1
        assert metrics.snr_db(sums) == math.inf
        assert metrics.mean_errors(sums).tolist() == [0]
        assert metrics.top1_shares(sums).tolist() == [1]


def test_a_file_that_gives_nothing_is_no_good_file() -> None:
    sums = sums_of((np.zeros((1, 3)), np.ones((1, 3))))
    assert math.isnan(metrics.cosine(sums))
    assert metrics.snr_db(sums) == 0


def test_nan_of_one_value_is_the_worst_of_all() -> None:
    broken = FOUND.copy()
    broken[0, 0] = math.nan
    sums = sums_of((FOUND, REFERENCE), (broken, REFERENCE))
    assert metrics.column(sums, "nonfinite").sum() == 1
    assert math.isnan(metrics.cosine(sums))
    assert math.isnan(metrics.snr_db(sums))
    assert math.isnan(metrics.largest_error(sums))
    assert math.isnan(metrics.mean_errors(sums)[0])


def test_single_values_make_no_choice() -> None:
    scalar, column = (np.array(2.0), np.array(2.5)), (np.ones((4, 1)), np.zeros((4, 1)))
    assert math.isnan(metrics.top1_shares(sums_of(scalar, column))[0])
    assert metrics.top1_shares(sums_of(scalar, (FOUND, REFERENCE))).tolist() == [0.5]


@pytest.mark.parametrize("shapes", [((1, 2), (1, 3)), ((1, 2), (2,)), ((0,), (0,))])
def test_outputs_of_other_shapes_are_refused(shapes: tuple[tuple[int, ...], tuple[int, ...]]) -> None:
    with pytest.raises(ValueError, match="expected one shape, with values"):
        metrics.output_sums(*map(np.zeros, shapes))
