"""A planted loss is found, an interval covers as often as it claims, and a NaN passes no gate."""

import math

import numpy as np
import pytest

from sealbench.reports.gates.judge import Verdict, judge, load_gates
from sealbench.reports.schema.records import Measurement, measurement
from sealbench.reports.statistics import flips
from tests.reports.synthetic import NANO

NAN = math.nan
# Of the reference right, wrong, right, right; then the same of the file, of which bits 1 and 3 flipped, and bit 4 of
# the second image is undecided.
MESSAGES = np.array([[1, 1, 0, 0], [1, 1, 0, 0]])
REFERENCE = np.array([[2.0, -0.1, -3.0, -0.2], [2.0, -0.1, -3.0, -0.2]])
LOGITS = np.array([[2.5, 0.3, -2.0, 0.1], [1.0, -0.3, 0.4, -0.2]])

IMAGES, ACCURACY = 200, 0.97
TRIALS, MANY_TRIALS = 60, 200
long = pytest.mark.long


def simulated(
    random: np.random.Generator, nbits: int, pictures: int, lost: float, noise: float, spread: float = 0.5
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Logits, reference, messages and sources of images whose pictures flip bits more or less often.

    Args:
        random: the generator.
        nbits: of each of the images.
        pictures: they were cut from.
        lost: share of the bits that are lost and not won back.
        noise: share that flips to wrong, and as many to right, besides.
        spread: standard deviation of the pictures' rates, in parts of their mean.
    """
    sources = np.arange(IMAGES) % pictures
    messages = np.ones((IMAGES, nbits), int)
    wrong = random.random((IMAGES, nbits)) > ACCURACY
    rates = random.gamma(1 / spread**2, spread**2, pictures)[sources, None]  # mean 1
    chance = random.random((IMAGES, nbits))
    flipped = np.where(wrong, chance < noise * rates / (1 - ACCURACY), chance < (noise + lost) * rates / ACCURACY)
    reference = np.where(wrong, -1.0, 1.0)
    return np.where(flipped, -reference, reference), reference, messages, sources


def pvalue(logits: np.ndarray, reference: np.ndarray, messages: np.ndarray) -> float:
    negative = int(flips.negative_flips(logits, reference, messages).sum())
    return flips.mcnemar_pvalue(negative, int(flips.positive_flips(logits, reference, messages).sum()))


def test_negative_and_positive_flips_are_told_apart() -> None:
    assert flips.negative_flips(LOGITS, REFERENCE, MESSAGES).tolist() == [
        [False] * 3 + [True],
        [False] * 2 + [True, False],
    ]
    assert flips.positive_flips(LOGITS, REFERENCE, MESSAGES).tolist() == [[False, True, False, False], [False] * 4]
    assert flips.neutral_flips(LOGITS, REFERENCE).sum() == 3


def test_mcnemar_is_the_binomial_tail() -> None:
    assert flips.mcnemar_pvalue(0, 0) == 1.0
    assert flips.mcnemar_pvalue(5, 0) == pytest.approx(1 / 32)
    assert flips.mcnemar_pvalue(3, 1) == pytest.approx(5 / 16)
    for lost, gained in ((6, 0), (0, 6)):
        assert flips.mcnemar_pvalue(lost, gained, "two-sided") == pytest.approx(2 / 2**6)
    assert flips.mcnemar_pvalue(0, 0, "two-sided") == 1.0
    assert flips.mcnemar_pvalue(1, 7) == pytest.approx(255 / 256)  # a gain is no loss


@pytest.mark.parametrize(
    ("nbits", "trials"), [(32, TRIALS), pytest.param(32, MANY_TRIALS, marks=long), pytest.param(256, 200, marks=long)]
)
def test_a_loss_of_half_a_percent_is_found_among_flips_that_cancel_out(nbits: int, trials: int) -> None:
    random = np.random.default_rng(1)
    found = [pvalue(*simulated(random, nbits, 24, lost=0.005, noise=0.001)[:3]) < 0.05 for _ in range(trials)]
    assert np.mean(found) >= 0.95


# Of 200 trials 0.07 is 0.05 and two standard errors. Of 60 trials 0.12 leaves out a rate of 0.2 in 93 of 100 cases.
@pytest.mark.parametrize(
    ("nbits", "trials", "most"),
    [(32, TRIALS, 0.12), pytest.param(32, MANY_TRIALS, 0.07, marks=long), pytest.param(256, 200, 0.07, marks=long)],
)
def test_no_loss_is_not_called_one(nbits: int, trials: int, most: float) -> None:
    random = np.random.default_rng(2)
    found = [pvalue(*simulated(random, nbits, 24, lost=0.0, noise=0.001)[:3]) < 0.05 for _ in range(trials)]
    assert np.mean(found) <= most


# Pictures that lose very differently: the interval that takes bits or images for independent covers 0.63 of them, which
# 0.85 of 30 trials leaves out in 99 of 100 cases.
@pytest.mark.parametrize(
    ("pictures", "lost", "spread", "trials", "least"),
    [
        (24, 0.02, 1.0, 30, 0.85),
        pytest.param(24, 0.005, 0.5, MANY_TRIALS, 0.93, marks=long),
        pytest.param(8, 0.005, 0.5, MANY_TRIALS, 0.92, marks=long),
    ],
)
def test_the_interval_of_the_ratio_covers_as_it_says(
    pictures: int, lost: float, spread: float, trials: int, least: float
) -> None:
    random = np.random.default_rng(3)
    truth = 100 * (1 - lost / ACCURACY)
    covered = []
    for _ in range(trials):
        ratio, interval = flips.accuracy_ratio_pct(*simulated(random, 32, pictures, lost, 0.001, spread))
        assert interval is not None
        assert interval.low < ratio < interval.high
        covered.append(interval.low <= truth <= interval.high)
    assert np.mean(covered) >= least


# 0.025 and three standard errors of 200 trials are 0.06. Of 24 trials 0.1 leaves out a rate of 0.3 in 99 of 100 cases.
@pytest.mark.parametrize(("trials", "most"), [(24, 0.1), pytest.param(MANY_TRIALS, 0.06, marks=long)])
def test_flips_of_one_picture_deceive_mcnemar_and_not_the_interval(trials: int, most: float) -> None:
    """All flips lie in a few pictures that lose or win as a coin falls: there is no loss in the mean."""
    random = np.random.default_rng(4)
    called, excluded = [], []
    for _ in range(trials):
        sources = np.arange(IMAGES) % 24
        messages = np.ones((IMAGES, 32), int)
        reference = np.where(random.random((IMAGES, 32)) < 0.5, 1.0, -1.0)
        losing = random.random(24)[sources, None] < 0.5  # else it wins
        flipped = (random.random((IMAGES, 32)) < 0.1) & (losing == (reference > 0))
        logits = np.where(flipped, -reference, reference)
        called.append(pvalue(logits, reference, messages) < 0.05)
        _, interval = flips.accuracy_ratio_pct(logits, reference, messages, sources)
        assert interval is not None
        excluded.append(interval.high < 100)
    assert np.mean(called) > 0.2
    assert np.mean(excluded) < most


def test_the_interval_of_files_without_a_flip_is_the_exact_one() -> None:
    messages = np.ones((12, 32), int)
    logits = np.ones((12, 32))
    ratio, interval = flips.accuracy_ratio_pct(logits, logits, messages, np.arange(12) % 6)
    assert ratio == 100
    assert interval is not None
    margin = 100 * (1 - 0.025 ** (1 / (12 * 32)))  # nothing in so many trials
    assert interval == pytest.approx((100 - margin, 100 + margin))
    for pictures in (1, 4):
        assert flips.accuracy_ratio_pct(logits, logits, messages, np.arange(12) % pictures) == (100, None)


def judged(logits: np.ndarray, reference: np.ndarray, messages: np.ndarray, sources: np.ndarray) -> Verdict:
    ratio, interval = flips.accuracy_ratio_pct(logits, reference, messages, sources)
    row: Measurement = measurement("r", NANO, "photographs", "none", "bit_accuracy_ratio_pct", ratio, 12, interval)
    gates = [gate for gate in load_gates() if gate.metric == "bit_accuracy_ratio_pct"]
    (result,) = (result for result in judge(gates, [row], []) if result.measurement is not None)
    return result.verdict


def test_the_gate_passes_a_good_file_fails_a_bad_one_and_says_when_it_cannot_tell() -> None:
    random = np.random.default_rng(5)
    assert judged(*simulated(random, 32, 24, lost=0.002, noise=0.001)) is Verdict.PASS
    assert judged(*simulated(random, 32, 24, lost=0.03, noise=0.001)) is Verdict.FAIL
    few = np.ones((6, 32))  # bits
    assert judged(few, few, few.astype(int), np.arange(6)) is Verdict.INCONCLUSIVE
    many = np.ones((200, 256))
    assert judged(many, many, many.astype(int), np.arange(200) % 4) is Verdict.INCONCLUSIVE  # pictures
    assert judged(many, many, many.astype(int), np.arange(200) % 5) is Verdict.PASS
    broken = np.ones((200, 32))
    broken[0, 0] = NAN
    messages, sources = np.ones((200, 32), int), np.arange(200)
    assert judged(broken, np.ones((200, 32)), messages, sources) is Verdict.FAIL
    assert judged(np.ones((200, 32)), broken, messages, sources) is Verdict.FAIL
    assert judged(-np.ones((200, 32)), -np.ones((200, 32)), messages, sources) is Verdict.FAIL  # 0 of 0


def test_a_nan_is_a_negative_flip_and_never_a_positive_one() -> None:
    undecided = np.full((1, 2), NAN)
    reference, messages = np.array([[1.0, -1.0]]), np.array([[1, 1]])
    assert flips.negative_flips(undecided, reference, messages).tolist() == [[True, False]]
    assert not flips.positive_flips(undecided, reference, messages).any()
    assert not flips.positive_flips(np.ones((1, 2)), undecided, messages).any()
    assert flips.neutral_flips(undecided, undecided).all()


def test_bits_at_risk_are_those_within_reach_of_the_errors() -> None:
    reference = np.linspace(-1, 1, 201)[None]  # steps of 0.01
    logits = reference + np.where(np.arange(201) % 2, 0.1, -0.1)
    at_risk = flips.bits_at_risk(logits, reference)
    assert at_risk.sum() == pytest.approx(20, abs=1)  # |logit| < 0.1
    assert not at_risk[np.abs(reference) > 0.11].any()
    assert flips.bits_at_risk(reference, reference).sum() == 0
    one_outlier = reference.copy()
    one_outlier[0, 0] += 100  # one error of 201 is above the 99th percentile
    assert flips.bits_at_risk(one_outlier, reference).sum() == 0
    for bad in (NAN, math.inf):
        one_outlier[0, 0] = bad
        assert np.isnan(flips.bits_at_risk(one_outlier, reference)).all()


def test_ties_are_exact_zeros_of_either_sign() -> None:
    assert flips.tied_bits(np.array([[0.0, -0.0, 1e-30, NAN]])) == 2


def test_shapes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="shape"):
        flips.negative_flips(LOGITS, REFERENCE[:1], MESSAGES)
    with pytest.raises(ValueError, match="shape"):
        flips.bits_at_risk(LOGITS, REFERENCE[:1])
