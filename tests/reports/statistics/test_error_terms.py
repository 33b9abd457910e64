"""Terms add up for each logit, and so do their shares."""

import math

import numpy as np
import pytest

from sealbench.reports.statistics.error_terms import TOTAL, differences, error_terms

RANDOM = np.random.default_rng(0)
STAGES = {
    "PyTorch": RANDOM.normal(size=(5, 32)).astype(np.float32),
    "conversion": RANDOM.normal(size=(5, 32)).astype(np.float32),
    "quantization": RANDOM.normal(size=(5, 32)).astype(np.float32),
    "kernels": RANDOM.normal(size=(5, 32)).astype(np.float32),
}


def test_terms_add_up_logit_by_logit() -> None:
    found = differences(STAGES)
    assert list(found) == ["conversion", "quantization", "kernels", TOTAL]
    expected = STAGES["kernels"].astype(np.float64) - STAGES["PyTorch"]
    np.testing.assert_allclose(found[TOTAL], expected, rtol=0, atol=1e-15 * 10)
    np.testing.assert_array_equal(found["conversion"] + found["quantization"] + found["kernels"], found[TOTAL])


def test_sizes_and_shares() -> None:
    first = np.zeros((1, 4))
    stages = {
        "a": first,
        "b": first + np.array([3, -3, 3, -3]),
        "c": first + np.array([4, -4, 4, -4]),
        "d": first + np.array([4, -4, 4, -2]),
    }
    by_name = {term.term: term for term in error_terms(stages)}
    assert (by_name["b"].rms, by_name["b"].mae) == (3, 3)
    assert (by_name["d"].rms, by_name["d"].mae) == (1, 0.5)
    assert by_name[TOTAL].mae == 3.5
    assert by_name[TOTAL].share_pct == 100
    assert by_name["b"].share_pct == pytest.approx(100 * 3 * 14 / 52)
    assert by_name["d"].share_pct < 0  # it takes back what others added
    assert sum(term.share_pct for name, term in by_name.items() if name != TOTAL) == pytest.approx(100)


def test_a_nan_is_no_small_error() -> None:
    broken = {**STAGES, "kernels": np.where(np.arange(32) == 7, math.nan, STAGES["kernels"])}
    terms = {term.term: term for term in error_terms(broken)}
    assert math.isnan(terms["kernels"].rms)
    assert math.isnan(terms[TOTAL].rms)
    assert math.isnan(terms[TOTAL].share_pct)
    assert math.isfinite(terms["quantization"].rms)


def test_without_any_error_shares_mean_nothing() -> None:
    same = dict.fromkeys(("a", "b"), np.ones((1, 2)))
    assert [(term.rms, math.isnan(term.share_pct)) for term in error_terms(same)] == [(0, True), (0, True)]


def test_stages_of_another_shape_are_refused() -> None:
    with pytest.raises(ValueError, match="expected two or more of one shape"):
        error_terms({"a": np.ones((1, 2)), "b": np.ones((2, 2))})
    with pytest.raises(ValueError, match="found 1 stages"):
        error_terms({"a": np.ones((1, 2))})
