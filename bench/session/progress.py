"""How far a run is, and how long the rest will take, by what its own tests have taken so far."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Step:
    """What the time of one test depends on; with the time a row of samples/durations.csv.

    Attributes:
        variant, precision: of its target; the precision is `PyTorch` for the reference.
        suite: the suite it belongs to, like `latency`.
        samples: images it runs on; 0 for a property of the file.
    """

    variant: str
    suite: str
    precision: str
    samples: int


@dataclass
class _Taken:
    """What finished tests took together: their number, their images, and seconds."""

    tests: int = 0
    samples: int = 0
    seconds: float = 0.0

    def add(self, step: Step, seconds: float) -> None:
        self.tests += 1
        self.samples += step.samples
        self.seconds += seconds

    def estimate_s(self, step: Step) -> float:
        """Seconds of another such test: by its images where both have any, else the mean of a test."""
        if self.samples and step.samples:
            return self.seconds * step.samples / self.samples
        return self.seconds / self.tests


@dataclass
class Progress:
    """Counts what is done and estimates the rest.

    A test is estimated by the finished tests of its suite and variant; where there are none, by those of its suite;
    where there are none either, by all. There is no estimate before at least half of the rest is of suites of which a
    test has finished: the first tests convert, and take longer than the others.

    Args:
        steps: of every test of the run, in order; several tests may have equal steps.
    """

    steps: Sequence[Step] = ()
    _taken: dict[tuple[str, ...], _Taken] = field(default_factory=dict, init=False)
    _rest: list[Step] = field(init=False)

    def __post_init__(self) -> None:
        self._rest = list(self.steps)

    def finished(self, step: Step, seconds: float) -> None:
        """Count one test.

        Args:
            step: of the test.
            seconds: that it took.
        """
        self._rest.remove(step)
        for key in _keys(step):
            self._taken.setdefault(key, _Taken()).add(step, seconds)

    @property
    def remaining_s(self) -> float | None:
        """Seconds that the rest should take; None while too little is known of it."""
        known = sum((step.suite,) in self._taken for step in self._rest)
        if 2 * known < len(self._rest) or not self._taken:
            return None
        return sum(self._estimate_s(step) for step in self._rest)

    @property
    def tests(self) -> int:
        """Tests of the run."""
        return len(self.steps)

    @property
    def done(self) -> int:
        """Tests that have ended."""
        return self.tests - len(self._rest)

    @property
    def rest_text(self) -> str:
        """The estimate for people: `about 12 min to go`; empty where there is none and after the last test."""
        remaining_s = self.remaining_s
        return "" if remaining_s is None or not self._rest else f"about {duration_text(remaining_s)} to go"

    def __str__(self) -> str:
        return ", ".join(filter(None, [f"{self.done} of {self.tests} tests", self.rest_text]))

    def _estimate_s(self, step: Step) -> float:
        taken = next(self._taken[key] for key in _keys(step) if key in self._taken)
        return taken.estimate_s(step)


def _keys(step: Step) -> tuple[tuple[str, ...], ...]:
    """Groups of tests that a step belongs to, the most alike first; the last one has all."""
    return ((step.suite, step.variant), (step.suite,), ())


def duration_text(seconds: float) -> str:
    """For people: `40 s`, `12 min`, `1 h 05 min`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def last_of_each(names: Iterable[str]) -> set[int]:
    """Indices at which a series of equal names ends."""
    listed = list(names)
    return {index for index, name in enumerate(listed) if index + 1 == len(listed) or listed[index + 1] != name}
