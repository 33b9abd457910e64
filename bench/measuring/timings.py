"""Times the models of a group, each in a process of its own, in interleaved rounds."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Self

from sealbench.bench.backends.worker.session import OpenRequest, Start, Warm, WorkerSession, file_request
from sealbench.bench.errors import RunnerError
from sealbench.bench.measuring.context import RunContext
from sealbench.bench.measuring.files import GroupFiles
from sealbench.bench.targets import Group, Target
from sealbench.bench.tasks.protocol import Arrays
from sealbench.bench.timing.reference import reference_request
from sealbench.bench.timing.rounds import LatencySample, Timed, plan_rounds, take_rounds, timed_calls
from sealbench.reports.schema.tables import LATENCY

# Files whose weights take more bytes than this while they run, the float32 file among them, are not timed side by side:
# each interpreter holds a copy of its weights, packed for its kernels.
BATCH_BYTES = 7_000_000_000


@dataclass(frozen=True)
class Timings:
    """What was timed of a group.

    Attributes:
        samples: of all rounds.
        starts, warm: by name how each model started in its process, and what it was then.
        failures: by name what kept a model from being timed.
    """

    samples: tuple[LatencySample, ...]
    starts: Mapping[str, Start]
    warm: Mapping[str, Warm]
    failures: Mapping[str, Exception]

    def of(self, *names: str) -> Self:
        """These timings, in which all of `names` were timed.

        Raises:
            Exception: what kept one of them from being converted or run; the others were timed without it.
        """
        for name in names:
            if name in self.failures:
                raise self.failures[name]
        return self


class GroupTimings:
    """Takes the times of a group's targets.

    Args:
        group: of the targets.
        targets: all of the group, of every number of threads; the references are among them.
        files: of the group.
        inputs: what the models are called with.
        context: of the run.
    """

    def __init__(self, group: Group, targets: Sequence[Target], files: GroupFiles, inputs: Arrays, context: RunContext):
        self._group = group
        self._targets = targets
        self._files = files
        self._inputs = inputs
        self._context = context

    def request(self, target: Target) -> OpenRequest:
        """What the process of a target loads: its file, or the PyTorch model."""
        if target.is_reference:
            return reference_request(self._group, target.threads)
        return file_request(target.backend, self._files.path(target), target.threads)

    def speed_bases(self, target: Target) -> dict[str, str]:
        """Names in `timings` of what a file's speed is compared with, by metric; all on as many threads."""
        names = {str(other) for other in self._targets}
        references = [other for other in self._targets if other.is_reference and other.threads == target.threads]
        bases = {"speedup_vs_torch": str(references[0]), "speedup_vs_float32": self._float32_name(target)}
        if target.rewrites and str(target.plain) in names:
            bases["speedup_vs_plain"] = str(target.plain)
        return bases

    def take(self) -> Timings:
        """All targets of the group, each in its own process, in interleaved rounds; written to samples/latency.csv.

        The float32 file takes part even where it is not a target, since speed-ups are relative to it. Files that are
        too large to be run side by side are timed in several batches, each with PyTorch and float32, and so are
        those of each number of threads. What cannot be converted or run is left out, see `Timings.of`.
        """
        by_name = {str(target): target for target in self._targets}
        samples: list[LatencySample] = []
        starts: dict[str, Start] = {}
        warm: dict[str, Warm] = {}
        failures = self._conversion_failures()
        died: dict[str, Exception] = {}
        running: dict[str, Timed] = {}
        with ExitStack() as stack:
            for batch in self._batches([target for target in self._targets if str(target) not in failures]):
                requests = self._requests(batch)
                for name in running.keys() - requests.keys():  # their memory is needed
                    running.pop(name).session.close()
                for name, request in requests.items():  # one after the other: each starts undisturbed
                    if name in running or name in failures:
                        continue
                    try:
                        session = stack.enter_context(WorkerSession(request))
                        timed = Timed(session, session.put(*self._inputs))
                        starts[name], warm[name] = session.start, session.warm_up(timed.picture)
                    except RunnerError as error:
                        failures[name] = error
                    else:
                        running[name] = timed
                try:
                    taken = self._rounds(batch, running, warm, samples[-1].round + 1 if samples else 0)
                except RunnerError as error:  # a process died: nothing is known of this batch, and others go on
                    died |= dict.fromkeys(map(str, batch), error)
                    while running:
                        running.popitem()[1].session.close()
                    continue
                rows = (_latency_row(by_name[s.name], s) for s in taken if s.name in by_name)
                self._context.run.append_rows(LATENCY, rows)
                samples += taken
        known = {sample.name for sample in samples}  # in another batch, as PyTorch and float32 may be
        failures |= {name: error for name, error in died.items() if name not in known}
        return Timings(tuple(samples), starts, warm, failures)

    def _conversion_failures(self) -> dict[str, Exception]:
        """By name what the converter raised for a target, or for the float32 file that its speed is compared with."""
        failures: dict[str, Exception] = {}
        for target in self._targets:
            if not target.is_reference:
                try:
                    self._files.path(target)
                    self._files.convert(target.float32)
                except Exception as error:
                    failures[str(target)] = error
        return failures

    def _requests(self, batch: Sequence[Target]) -> dict[str, OpenRequest]:
        """What the processes of a batch load, by name: its targets, and the float32 files they are compared with."""
        requests = {str(target): self.request(target) for target in batch}
        for base in {str(target.float32): target.float32 for target in batch if not target.is_reference}.values():
            path = self._files.convert(base).path
            requests.setdefault(self._float32_name(base), file_request(base.backend, path, base.threads))
        return requests

    def _rounds(
        self, batch: Sequence[Target], running: Mapping[str, Timed], warm: Mapping[str, Warm], first: int
    ) -> tuple[LatencySample, ...]:
        """Rounds of one batch, numbered from `first`; more of them while a gate on a speed-up is inconclusive."""
        # Not before there is something to time: the statistics of the interim analyses take a second to import.
        from sealbench.bench.timing.interim import is_inconclusive, measure_with_interim_analyses, speed_rows

        if not running:
            return ()
        plan = plan_rounds([warm[name].call_s for name in running])
        calls = timed_calls(running, plan.settle_ms)
        bases = {
            target.case: (
                str(target),
                {metric: base for metric, base in self.speed_bases(target).items() if base in running},
            )
            for target in batch
            if str(target) in running and not target.is_reference
        }
        return measure_with_interim_analyses(
            lambda done, rounds: take_rounds(calls, rounds, first + done),
            plan,
            lambda samples: is_inconclusive(self._context.gates, speed_rows(self._context.run.run_id, samples, bases)),
        )

    def _float32_name(self, target: Target) -> str:
        """The name in `timings` of the float32 file that a target's speed is compared with."""
        name = str(target.float32)
        measured = self._files.given is None and any(str(other) == name for other in self._targets)
        return name if measured else f"{name} (converted)"

    def _batches(self, targets: Sequence[Target]) -> list[list[Target]]:
        """Targets that are timed side by side: all on as many threads, unless their files are too large together.

        The files of one precision stay together; the reference is in every batch, and alone where there is no file.
        """
        together: dict[tuple[int, str], list[Target]] = {}
        for target in targets:
            if not target.is_reference:
                together.setdefault((target.threads, target.precision.name), []).append(target)
        references = {target.threads: target for target in targets if target.is_reference}
        batches: list[list[Target]] = []
        room = 0
        for (threads, _), files in together.items():
            needed = sum(self._files.weight_bytes(file) for file in files if file != file.float32)
            if not batches or needed > room or batches[-1][0].threads != threads:
                batches.append([references[threads]])
                room = BATCH_BYTES - self._files.convert(files[0].float32).size_bytes
            batches[-1] += files
            room -= needed
        timed = {batch[0].threads for batch in batches}
        return batches + [[reference] for threads, reference in references.items() if threads not in timed]


def _latency_row(target: Target, sample: LatencySample) -> dict[str, object]:
    case = target.case
    return {
        "variant": case.variant,
        "precision": case.precision,
        "image_size": case.image_size,
        "backend": case.backend,
        "threads": case.threads,
        "round": sample.round,
        "position": sample.position,
        "latency_ms": sample.latency_ms,
        "rewrites": case.rewrites,
    }
