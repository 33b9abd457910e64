"""How sure it is that a value changed between two runs: the evidence that their samples give for it.

Each kind of metric has its own: what was measured on the same images is compared image by image, times by their rounds,
and what is only known by an interval by both intervals.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from sealbench.reports.gates.judge import Verdict
from sealbench.reports.gates.slowdown import judge_slowdown
from sealbench.reports.run.comparability import MACHINE_UNITS
from sealbench.reports.run.loaded_run import LoadedRun
from sealbench.reports.schema.records import Case, Measurement
from sealbench.reports.schema.tables import CONFIDENCE_BIT, SAMPLE_CASE_COLUMNS
from sealbench.reports.statistics.changes import (
    difference_interval,
    paired_difference_interval,
    quantile_ratio_interval,
)
from sealbench.reports.statistics.flips import mcnemar_pvalue
from sealbench.reports.statistics.intervals import Interval
from sealbench.reports.statistics.picture_sums import BINARY, STATISTICS, Sums, bit_sums, mark_bits, score_sums

SIGNIFICANCE = 0.05
ABSOLUTE_TIME_NOISE = 0.10
"""Share by which the time of one file differs from one run to the next on a machine that does nothing else: medians of
68 to 74 ms and of 28 to 32 ms were seen for two files. Rounds of one run cannot show it."""
RATIO_NOISE = 0.05
"""The same for a ratio of two times of one run, from which the pace of the machine cancels out."""
FIDELITY_NOISE = 0.01
"""Share below which a change of an error of the logits, a score or features is rounding: other versions of a kernel add
in another order."""
REFERENCE_TOLERANCE = 0.01
"""Of the mean magnitude of PyTorch's logits: where two runs differ by more, they read other images or weights."""
_QUANTILES = {"latency_ms": 0.5, "latency_p90_ms": 0.9, "latency_p99_ms": 0.99}
_COUNTED = ("nan_count", "tied_bits")
_LATENCY_FILE = ("variant", "precision", "backend", "image_size", "rewrites", "threads")


@dataclass(frozen=True)
class Evidence:
    """What is known of a change.

    Attributes:
        kind: "exact", "paired" (by image), "rounds" or "intervals".
        change: After minus before in the metric's unit, or after divided by before where `ratio`.
        low: Lower end of its 95 % interval, or None where it is exact or a single picture.
        high: Upper end.
        ratio: Whether the change is a ratio.
        real: Whether it is more than noise.
        words: What the reader should know of it, or "".
    """

    kind: str
    change: float
    low: float | None
    high: float | None
    ratio: bool
    real: bool
    words: str = ""


@dataclass(frozen=True)
class NoEvidence:
    """Nothing says whether a change is more than noise.

    Attributes:
        reason: Why, in a sentence.
    """

    reason: str


class SamplePairs:
    """The samples of two runs side by side, each file's put together once.

    Args:
        before: The earlier run.
        after: The later one.
    """

    def __init__(self, before: LoadedRun, after: LoadedRun):
        self._runs = (before, after)
        self._pairs: dict[tuple[Case, Case, str, str], _Pair | NoEvidence | None] = {}

    def evidence(self, before: Measurement, after: Measurement) -> Evidence | NoEvidence:
        """What the two runs say of the change of one value.

        Args:
            before: The value of the earlier run, finite.
            after: That of the later one, finite, of the same metric.

        Returns:
            The evidence, or why there is none.
        """
        if before.metric in _QUANTILES and (found := self._rounds(before, after)):
            return found
        if not before.dataset and not _on_machine(before):
            return _exact(before, after)
        if before.metric in _COUNTED:
            return _exact(before, after)
        if before.metric in STATISTICS:
            pair = self._pair(before, after)
            if isinstance(pair, NoEvidence):
                return pair
            if pair is not None and (found := _paired(pair, before, after)):
                return found
        return _by_intervals(before, after)

    def _rounds(self, before: Measurement, after: Measurement) -> Evidence | None:
        """The change of a latency; None where there are no rounds, or they do not give the recorded values."""
        quantile = _QUANTILES[before.metric]
        times = [_times(run, row.case) for run, row in zip(self._runs, (before, after), strict=True)]
        if not all(len(rounds) for rounds in times):
            return None
        values = [float(np.quantile(rounds, quantile)) for rounds in times]
        ends = quantile_ratio_interval(times[0], times[1], quantile)
        if ends is None or not _recorded(values, before, after):
            return None
        return _ratio_evidence("rounds", values[1] / values[0], ends, ABSOLUTE_TIME_NOISE)

    def _pair(self, before: Measurement, after: Measurement) -> _Pair | NoEvidence | None:
        key = (before.case, after.case, before.dataset, before.attack)
        if key not in self._pairs:
            self._pairs[key] = _bits_side_by_side(self._runs, before, after) or _scores_side_by_side(
                self._runs, before, after
            )
        return self._pairs[key]


@dataclass(frozen=True, eq=False)
class _Pair:
    """Sums of both runs over the same pictures, and for single bits how many only one of them counts."""

    before: Sums
    after: Sums
    lost_and_gained: Mapping[str, tuple[int, int]]


def _times(run: LoadedRun, case: Case) -> np.ndarray:
    """The timings of a case, (rounds,) in milliseconds."""
    mine = _of_case(run.latency, case, _LATENCY_FILE)
    return mine["latency_ms"].to_numpy(np.float64)


def _of_case(frame: pd.DataFrame, case: Case, columns: tuple[str, ...]) -> pd.DataFrame:
    for column in columns:
        frame = frame[frame[column] == getattr(case, column)]
    return frame


def _bits_side_by_side(
    runs: tuple[LoadedRun, LoadedRun], before: Measurement, after: Measurement
) -> _Pair | NoEvidence | None:
    """The bits of a case in both runs; None where they are not of the same images, or there are none."""
    frames = []
    for run, row in zip(runs, (before, after), strict=True):
        mine = _of_case(run.bits, row.case, SAMPLE_CASE_COLUMNS)
        mine = mine[(mine["attack"] == row.attack) & mine["sample"].str.startswith(f"{row.dataset}/")]
        frames.append(mine.sort_values(["sample", "bit"], kind="stable"))
    first, second = frames
    if first.empty or len(first) != len(second):
        return None
    for name in ("sample", "bit", "message"):
        ours, theirs = first[name].to_numpy(), second[name].to_numpy()
        same = np.array_equal(ours, theirs, equal_nan=True) if name == "message" else np.array_equal(ours, theirs)
        if not same:
            return None
    bits = (first["bit"] != CONFIDENCE_BIT).to_numpy()
    references = [frame["reference_logit"].to_numpy()[bits] for frame in frames]
    shift = float(np.nanmax(np.abs(references[1] - references[0]), initial=0.0))
    scale = float(np.nanmean(np.abs(references[0])))
    if shift > REFERENCE_TOLERANCE * scale:
        return NoEvidence(
            f"PyTorch's own logits of these images differ by up to {shift:.3g} (mean magnitude {scale:.3g}): the runs "
            "read other pixels or other weights"
        )
    marked = [mark_bits(frame) for frame in frames]
    changed = {
        name: (
            int((marked[0][name].to_numpy() & ~marked[1][name].to_numpy()).sum()),
            int((~marked[0][name].to_numpy() & marked[1][name].to_numpy()).sum()),
        )
        for name in set(BINARY.values())
    }
    pictures = {**runs[1].pictures, **runs[0].pictures}
    return _Pair(bit_sums(first, pictures), bit_sums(second, pictures), changed)


def _scores_side_by_side(runs: tuple[LoadedRun, LoadedRun], before: Measurement, after: Measurement) -> _Pair | None:
    """The frames of a case in both runs; None where they are not the same, or there are none."""
    frames = []
    for run, row in zip(runs, (before, after), strict=True):
        mine = _of_case(run.scores, row.case, SAMPLE_CASE_COLUMNS)
        frames.append(mine[mine["sample"].str.startswith(f"{row.dataset}/")].sort_values("sample", kind="stable"))
    first, second = frames
    if first.empty or list(first["sample"]) != list(second["sample"]):
        return None
    pictures = {**runs[1].pictures, **runs[0].pictures}
    return _Pair(score_sums(first, pictures), score_sums(second, pictures), {})


def _paired(pair: _Pair, before: Measurement, after: Measurement) -> Evidence | None:
    """The change by picture; None where the samples do not give the recorded values."""
    statistic = STATISTICS[before.metric]
    if not all(name in sums for sums in (pair.before, pair.after) for name in statistic.sums):
        return None
    sums = [[run[name] for name in statistic.sums] for run in (pair.before, pair.after)]
    with np.errstate(divide="ignore", invalid="ignore"):
        values = [float(statistic.of(*(column.sum() for column in columns))) for columns in sums]
    if not _recorded(values, before, after):
        return None
    ends = paired_difference_interval(statistic.of, sums[0], sums[1])
    change = after.value - before.value
    words, sure = "", ends is not None and not ends.low <= 0 <= ends.high
    if before.metric in BINARY:
        lost, gained = pair.lost_and_gained[BINARY[before.metric]]
        pvalue = mcnemar_pvalue(lost, gained, "two-sided")
        words = f"{lost} bits lost, {gained} gained, McNemar p = {pvalue:.2g}"
        # Both must see it: flips of one picture are not independent, and few pictures make a narrow interval.
        sure = pvalue < SIGNIFICANCE and (sure or ends is None)
    elif ends is None:
        return None
    elif before.unit in {"logit", "%", "dB", "score", "correlation"}:
        sure = sure and abs(change) > FIDELITY_NOISE * abs(before.value)
    low, high = (None, None) if ends is None else ends
    return Evidence("paired", change, low, high, ratio=False, real=sure, words=words)


def _recorded(values: Sequence[float], before: Measurement, after: Measurement) -> bool:
    """Whether the samples of both runs give the values that were recorded."""
    recorded = (before.value, after.value)
    return all(math.isclose(a, b, rel_tol=1e-5, abs_tol=1e-9) for a, b in zip(values, recorded, strict=True))


def _by_intervals(before: Measurement, after: Measurement) -> Evidence | NoEvidence:
    """The change by the recorded intervals of two measurements that know nothing of each other."""
    ends = [
        Interval(row.ci_low, row.ci_high)
        for row in (before, after)
        if row.ci_low is not None and row.ci_high is not None
    ]
    if len(ends) < 2:
        return NoEvidence("a single value without an interval: nothing says how much of the change is noise")
    if before.unit == "x" and min(before.value, after.value, *ends[0], *ends[1]) > 0:
        logs = [Interval(math.log(low), math.log(high)) for low, high in ends]
        found = difference_interval(math.log(before.value), logs[0], math.log(after.value), logs[1])
        ratio = Interval(math.exp(found.low), math.exp(found.high))
        return _ratio_evidence("intervals", after.value / before.value, ratio, RATIO_NOISE)
    found = difference_interval(before.value, ends[0], after.value, ends[1])
    sure = not found.low <= 0 <= found.high
    return Evidence("intervals", after.value - before.value, found.low, found.high, ratio=False, real=sure)


def _ratio_evidence(kind: str, ratio: float, ends: Interval, noise: float) -> Evidence:
    """A ratio by the rule for slow-downs, which is asked in both directions: is one more than noise above the other?"""
    inverse = Interval(1 / ends.high, 1 / ends.low if ends.low else math.inf)
    verdicts = {judge_slowdown(low, high, noise) for low, high in (ends, inverse)}
    unsure_words = (
        f"not sure: the interval reaches beyond {100 * noise:g} %" if Verdict.INCONCLUSIVE in verdicts else ""
    )
    real = Verdict.FAIL in verdicts
    return Evidence(kind, ratio, ends.low, ends.high, ratio=True, real=real, words="" if real else unsure_words)


def _exact(before: Measurement, after: Measurement) -> Evidence:
    same = math.isclose(before.value, after.value, rel_tol=1e-9)
    return Evidence("exact", after.value - before.value, None, None, ratio=False, real=not same)


def _on_machine(row: Measurement) -> bool:
    return row.unit in MACHINE_UNITS
