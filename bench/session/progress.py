"""How far a run is, and how long the rest will take.

Every run leaves in samples/durations.csv how long each step took. The first estimate comes from those of one run
(`expected_durations.csv`: of `make bench` with an empty store, on two cores of an AMD EPYC); while a run goes on, what
its own steps took corrects it.
"""

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

EXPECTED = Path(__file__).with_name("expected_durations.csv")
# A step that the table does not know takes as long as that of this suite, precision or variant, or this many seconds.
# Under an attack an image is run once; the suite of fidelity runs it watermarked and plain, which leaves time for the
# attack.
SIMILAR_SUITE = {"robustness": "fidelity"}
SIMILAR_PRECISION = "int8"
SIMILAR_VARIANT = "videoseal"
UNKNOWN_S = 1.0
# The first estimate counts as much as so many seconds of the run: a first step that was in the cache changes little.
TRUSTED_S = 60.0


@dataclass(frozen=True)
class Step:
    """What the time of one test depends on.

    Attributes:
        variant, precision: of its target; the precision is `PyTorch` for the reference.
        suite: the suite it belongs to, like `latency`.
        samples: images it runs on, of all its attacks together; 0 for a property of the file.
    """

    variant: str
    suite: str
    precision: str
    samples: int


@cache
def measured_durations(path: Path = EXPECTED) -> Mapping[tuple[str, str, str], tuple[int, float]]:
    """What the steps of a run took: (variant, suite, precision) to (samples, seconds of all tests of that step)."""
    durations: dict[tuple[str, str, str], tuple[int, float]] = {}
    with path.open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            key = (row["variant"], row["suite"], row["precision"])
            samples, seconds = durations.get(key, (0, 0.0))
            durations[key] = (max(samples, int(row["samples"])), seconds + float(row["seconds"]))
    return durations


def expected_s(step: Step, durations: Mapping[tuple[str, str, str], tuple[int, float]]) -> float:
    """Seconds that all tests of a step should take, for as many images as it runs on."""
    for variant in (step.variant, SIMILAR_VARIANT):
        for suite in (step.suite, SIMILAR_SUITE.get(step.suite, "")):
            for precision in (step.precision, SIMILAR_PRECISION):
                if (found := durations.get((variant, suite, precision))) is not None:
                    samples, seconds = found
                    return seconds * step.samples / samples if samples else seconds
    return UNKNOWN_S


class Progress:
    """Counts what is done and estimates the rest.

    Args:
        steps: of every test of the run, in order; several tests may be of one step.
        durations: see `measured_durations`.

    Attributes:
        tests: of the run.
    """

    def __init__(self, steps: Sequence[Step], durations: Mapping[tuple[str, str, str], tuple[int, float]]):
        self.tests = len(steps)
        tests_of = {step: steps.count(step) for step in dict.fromkeys(steps)}
        self._expected = {step: expected_s(step, durations) / count for step, count in tests_of.items()}
        self._open = list(steps)
        self._done_s = 0.0
        self._done_expected_s = 0.0

    def finished(self, step: Step, seconds: float) -> None:
        """Count one test.

        Args:
            step: of the test.
            seconds: that it took.
        """
        self._open.remove(step)
        self._done_s += seconds
        self._done_expected_s += self._expected[step]

    @property
    def remaining_s(self) -> float:
        """Seconds that the open tests should take, at the speed of this run so far."""
        speed = (self._done_s + TRUSTED_S) / (self._done_expected_s + TRUSTED_S)
        return speed * sum(self._expected[step] for step in self._open)

    @property
    def done(self) -> int:
        """Tests that have ended."""
        return self.tests - len(self._open)

    @property
    def rest_text(self) -> str:
        """The estimate for people: `about 12 min to go`, or nothing after the last test."""
        return f"about {duration_text(self.remaining_s)} to go" if self._open else ""

    def __str__(self) -> str:
        return ", ".join(filter(None, [f"{self.done} of {self.tests} tests", self.rest_text]))


def duration_text(seconds: float) -> str:
    """For people: `40 s`, `12 min`, `1 h 05 min`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def last_of_each(names: Iterable[str]) -> set[int]:
    """Indices at which a run of equal names ends."""
    listed = list(names)
    return {index for index, name in enumerate(listed) if index + 1 == len(listed) or listed[index + 1] != name}
