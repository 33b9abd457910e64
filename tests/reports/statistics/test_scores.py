import math

import numpy as np
import pytest

from sealbench.reports.statistics import scores as score_metrics

REFERENCE = np.array([1.5, 2.0, 2.5, 4.0])


def test_errors_are_shares_of_the_reference() -> None:
    assert score_metrics.score_errors_pct(np.array([1.5, 2.1, 2.0, 4.0]), REFERENCE) == pytest.approx([0, 5, 20, 0])


def test_rank_correlation_knows_orders_alone() -> None:
    assert score_metrics.rank_correlation(REFERENCE**3, REFERENCE) == pytest.approx(1)
    assert score_metrics.rank_correlation(-REFERENCE, REFERENCE) == pytest.approx(-1)
    # One swap of neighbours of four: 1 - 6 * 2 / (4 * 15).
    assert score_metrics.rank_correlation(np.array([2.0, 1.5, 2.5, 4.0]), REFERENCE) == pytest.approx(0.8)


@pytest.mark.parametrize("scores", [np.full(4, 3.0), np.array([1.0, np.nan, 2, 3])])
def test_scores_that_say_nothing_have_no_rank(scores: np.ndarray) -> None:
    assert math.isnan(score_metrics.rank_correlation(scores, REFERENCE))
    assert math.isnan(score_metrics.rank_correlation(REFERENCE, scores))


def test_pairs_are_of_one_source_and_a_tie_is_no_agreement() -> None:
    sources = ["a", "a", "b", "b"]
    assert score_metrics.pair_agreement(np.array([1.0, 2.0, 2.0, 2.0]), REFERENCE, sources) == 0.5
    # Between sources everything is upside down, within each all is right.
    assert score_metrics.pair_agreement(np.array([3.0, 4.0, 1.0, 2.0]), REFERENCE, sources) == 1
    assert math.isnan(score_metrics.pair_agreement(REFERENCE, REFERENCE, ["a", "b", "c", "d"]))
    assert math.isnan(score_metrics.pair_agreement(np.array([1, 2, np.nan, 3]), REFERENCE, sources))


def test_feature_error_and_cosine_follow_from_the_sums() -> None:
    rng = np.random.default_rng(0)
    found, reference = rng.normal(size=(3, 50)), rng.normal(size=(3, 50))
    error = score_metrics.feature_error_pct(((found - reference) ** 2).sum(1), (reference**2).sum(1))
    assert error == pytest.approx(100 * np.linalg.norm(found - reference) / np.linalg.norm(reference))
    cosine = score_metrics.feature_cosine((found * reference).sum(1), (found**2).sum(1), (reference**2).sum(1))
    wanted = (found * reference).sum() / (np.linalg.norm(found) * np.linalg.norm(reference))
    assert cosine == pytest.approx(wanted)


def test_other_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match=r"expected both \(n,\)"):
        score_metrics.rank_correlation(REFERENCE[:2], REFERENCE)
