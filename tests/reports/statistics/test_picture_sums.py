"""Sums over pictures, and the metrics as functions of them."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from sealbench.reports.schema.metrics import METRICS
from sealbench.reports.schema.tables import BITS, SCORES
from sealbench.reports.statistics.picture_sums import BINARY, STATISTICS, Sums, bit_sums, score_sums

# image: message, logits, PyTorch's logits; channel 0 of both
IMAGES = {
    "a": ([1, 1, 0, 0], [2.0, -1.0, -3.0, 0.5], [2.5, 1.0, -3.0, -0.5], (3.0, 2.0)),
    "b": ([0, 0, 1, 1], [-1.0, -1.0, 4.0, 2.0], [-1.0, 1.0, 4.0, 3.0], (1.0, 1.0)),
    "c": ([1, 1, 1, 1], [1.0, 1.0, 1.0, 1.0], [1.0, 1.0, 1.0, 1.0], (2.0, 2.0)),
}
PICTURES = {"photos/a": "one", "photos/b": "one", "photos/c": "two"}


def bits(images: dict[str, tuple[list[int], list[float], list[float], tuple[float, float]]]) -> pd.DataFrame:
    """With each image one without a watermark, whose logits are the negative ones."""
    rows: list[tuple[object, ...]] = []
    for name, (message, logits, reference, channel) in images.items():
        head = ("tiny", "int8", "litert", "none")
        for suffix, sign in (("", 1), ("/plain", -1)):
            sample = f"photos/{name}{suffix}"
            rows.append((*head, sample, -1, math.nan, channel[1], channel[0], "32", "none", "upstream"))
            rows += [
                (*head, sample, bit, math.nan if suffix else message[bit], sign * reference[bit], sign * logits[bit],
                 "32", "none", "upstream")
                for bit in range(4)
            ]  # fmt: skip
    return pd.DataFrame(rows, columns=list(BITS.names))


def value(metric: str, sums: Sums) -> float:
    statistic = STATISTICS[metric]
    return float(statistic.of(*(sums[name].sum() for name in statistic.sums)))


def test_every_statistic_is_of_a_known_metric() -> None:
    assert set(STATISTICS) <= set(METRICS)
    assert set(BINARY) <= set(STATISTICS)


def test_metrics_by_hand() -> None:
    sums = bit_sums(bits(IMAGES), PICTURES)
    assert value("bit_accuracy", sums) == pytest.approx(10 / 12)  # a loses bits 1 and 3
    assert value("bit_accuracy_delta", sums) == pytest.approx(100 * (10 - 11) / 12)  # PyTorch loses bit 1 of b
    assert value("bit_accuracy_ratio_pct", sums) == pytest.approx(100 * 10 / 11)
    assert value("bit_agreement", sums) == pytest.approx(9 / 12)
    assert (value("negative_flips", sums), value("positive_flips", sums)) == (2, 1)
    assert value("neutral_flips", sums) == 3
    assert value("word_accuracy", sums) == pytest.approx(2 / 3)
    errors = np.array([0.5, 2, 0, 1, 0, 2, 0, 1, 0, 0, 0, 0])
    reference = np.array([2.5, 1, 3, 0.5, 1, 1, 4, 3, 1, 1, 1, 1])
    assert value("logits_mae", sums) == pytest.approx(errors.mean())
    assert value("logits_rmse", sums) == pytest.approx(math.sqrt((errors**2).mean()))
    assert value("logits_mae_rel_pct", sums) == pytest.approx(100 * errors.mean() / reference.mean())
    assert value("snr_db", sums) == pytest.approx(10 * math.log10((reference**2).sum() / (errors**2).sum()))
    tails = [stats.binom.sf(right - 1, 4, 0.5) for right in (2, 4, 4)]
    assert value("log10_pvalue", sums) == pytest.approx(np.log10(tails).mean())
    assert value("tpr_at_fpr_1e-6", sums) == 0
    assert value("detection_confidence", sums) == pytest.approx(2.0)
    moved = abs(1 / (1 + math.exp(-3)) - 1 / (1 + math.exp(-2)))
    assert value("confidence_delta", sums) == pytest.approx(2 * moved / 6)


def test_images_of_one_picture_are_summed_and_an_unknown_image_is_a_picture_of_its_own() -> None:
    assert list(bit_sums(bits(IMAGES), PICTURES)["images"]) == [2, 1]
    assert list(bit_sums(bits(IMAGES), {})["images"]) == [1, 1, 1]


def test_nan_is_wrong_and_makes_its_errors_unknown() -> None:
    message, logits, reference, channel = IMAGES["c"]
    broken = {**IMAGES, "c": (message, [math.nan, *logits[1:]], reference, channel)}
    sums = bit_sums(bits(broken), PICTURES)
    assert value("bit_accuracy", sums) == pytest.approx(9 / 12)
    assert value("bit_agreement", sums) == pytest.approx(8 / 12)
    assert value("negative_flips", sums) == 3
    assert math.isnan(value("logits_mae", sums))
    assert list(np.isnan(sums["absolute_error"])) == [False, True]


def test_scores_and_features() -> None:
    rows = [
        (
            "uvq",
            "int8",
            "litert",
            "none",
            "clips/a",
            2.2,
            2.0,
            1,
            0,
            4.0,
            100.0,
            90.0,
            94.0,
            "1080x1920",
            "none",
            "upstream",
        ),
        (
            "uvq",
            "int8",
            "litert",
            "none",
            "clips/b",
            3.9,
            4.0,
            1,
            0,
            5.0,
            125.0,
            135.0,
            128.0,
            "1080x1920",
            "none",
            "upstream",
        ),
    ]
    sums = score_sums(pd.DataFrame(rows, columns=list(SCORES.names)), {})
    assert value("score_mae", sums) == pytest.approx(0.15)
    assert value("score_error_pct", sums) == pytest.approx((10 + 2.5) / 2)
    assert value("feature_error_pct", sums) == pytest.approx(100 * math.sqrt(9 / 225))
    assert value("feature_cosine", sums) == pytest.approx(222 / 225)
