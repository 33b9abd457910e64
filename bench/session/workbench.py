"""What the suites share: models, files, images and outputs, each made once and dropped with its group."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np

from sealbench.bench.errors import RunnerError
from sealbench.bench.targets import Group, Target
from sealbench.bench.tasks.protocol import Run
from sealbench.bench.tasks.registry import task_of
from sealbench.bench.timing.process import Start, TimedProcess, Warm, file_request, reference_request, timed_calls
from sealbench.bench.timing.rounds import LatencySample, plan_rounds, take_rounds
from sealbench.converters.families import family_of
from sealbench.converters.store import Artifact, ArtifactSpec, ArtifactStore, sha256_again
from sealbench.converters.tflite.weights import file_weights
from sealbench.reports.gates.judge import Gate
from sealbench.reports.run.directory import RunDirectory
from sealbench.reports.schema.records import NO_ATTACK
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


class GroupBench:
    """Everything that the targets of one group share. Each part is made when it is first asked for.

    Args:
        group: the variant, its weights and the image size.
        targets: all targets of the group in this run; the reference is among them.
        samples: how many images of a dataset.
        run: where raw samples are written.
        store: makes artifacts.
        artifact: the file to measure instead of converting, or None.
        resumed: the folder of an interrupted run that is resumed, or None.
        rate: frames that are taken of a second of a video.
        gates: what the run is judged by; rounds are added while one on a speed-up is inconclusive.
        attacks: under which watermarked images are measured.
    """

    def __init__(
        self,
        group: Group,
        targets: tuple[Target, ...],
        samples: int,
        run: RunDirectory,
        store: ArtifactStore,
        artifact: Path | None,
        resumed: Path | None,
        rate: float,
        gates: Sequence[Gate],
        attacks: tuple[str, ...],
    ):
        self.group = group
        self.targets = targets
        self.attacks = attacks
        self.family = family_of(group.variant)
        self._task = task_of(group.variant)
        self._model = self.family.model(group.variant, group.weights)
        self._samples = samples
        self._run = run
        self._store = store
        self._given = artifact
        self._recorded = None if resumed is None else self._task.load(resumed)
        self._rate = rate
        self._gates = gates
        self._artifacts: dict[ArtifactSpec, Artifact | Exception] = {}
        self._images: dict[str, Any] = {}
        self._attacked: dict[tuple[str, str], Any] = {}  # the last ones only
        self._outputs: dict[tuple[Target, str, str], Any] = {}

    @property
    def reference(self) -> Target:
        """The PyTorch target that all others are compared with."""
        return next(target for target in self.targets if target.is_reference)

    def speed_bases(self, target: Target) -> dict[str, str]:
        """Names in `timings` of what a file's speed is compared with, by metric; all on as many threads."""
        names = {str(other) for other in self.targets}
        references = [other for other in self.targets if other.is_reference and other.threads == target.threads]
        bases = {"speedup_vs_torch": str(references[0]), "speedup_vs_float32": self._float32_name(target)}
        if target.rewrites and str(target.plain) in names:
            bases["speedup_vs_plain"] = str(target.plain)
        return bases

    def convert(self, target: Target) -> Artifact:
        """The file of a target of this group from the store, converted if it is not there.

        Raises:
            Exception: whatever the converter raised; it is not tried again for every suite.
        """
        spec = target.spec
        if spec not in self._artifacts:
            try:
                self._artifacts[spec] = self._store.get(spec, self._model)
            except Exception as error:
                self._artifacts[spec] = error
        artifact = self._artifacts[spec]
        if isinstance(artifact, Exception):
            raise artifact
        return artifact

    def sha256_again(self, target: Target) -> str:
        """See `sealbench.converters.store.sha256_again`."""
        return sha256_again(target.spec)

    def path(self, target: Target) -> Path:
        """The file that a target measures: the one that was given, or the converted one."""
        return self._given or self.convert(target).path

    def runner(self, target: Target) -> Run:
        """A runner for a target, ready for its first image."""
        if target.is_reference:
            return self._task.reference(self.group, self._model, target.threads)
        return self._task.runner(self.path(target), target)

    def images(self, dataset: str, attack: str = NO_ATTACK) -> Any:
        """A dataset's images as the task prepares them: watermarked with this group's embedder, or cut to patches.

        Of attacked ones only the last are kept: tests come sorted by attack.
        """
        if dataset not in self._images:
            samples = self._task.read(dataset, self.group, self._samples, self._rate)
            self._images[dataset] = self._task.prepare(dataset, samples, self.group, self._model)
        if attack == NO_ATTACK:
            return self._images[dataset]
        if (dataset, attack) not in self._attacked:
            self._attacked.clear()  # before the next are made
            self._attacked[dataset, attack] = self._task.attacked(self._images[dataset], attack, self.group)
        return self._attacked[dataset, attack]

    def outputs(self, target: Target, dataset: str, attack: str = NO_ATTACK) -> Any:
        """The outputs of a target on a dataset, as the task keeps them; run and written to samples/ once."""
        key = (target, dataset, attack)
        if key not in self._outputs:
            images = self.images(dataset, attack)
            outputs = None if self._recorded is None else self._task.recorded(self._recorded, target.case, images)
            if outputs is None:
                reference = None if target.is_reference else self._reference_outputs(dataset, attack)
                outputs = self._task.run(self.runner(target), images, reference)
                self._task.append(self._run, target.case, images, outputs, reference or outputs)
            self._outputs[key] = outputs
        return self._outputs[key]

    def _reference_outputs(self, dataset: str, attack: str) -> Any:
        """The outputs of PyTorch, with all that a comparison needs of it."""
        outputs, images = self.outputs(self.reference, dataset, attack), self.images(dataset, attack)
        whole = self._task.comparable(outputs, lambda: self.runner(self.reference), images)
        self._outputs[self.reference, dataset, attack] = whole
        return whole

    @cached_property
    def random_inputs(self) -> tuple[np.ndarray, ...]:
        """What a runner takes of one image: arrays of its shapes, of values that mean nothing."""
        return self._task.random_inputs(self.group)

    @cached_property
    def timings(self) -> Timings:
        """All targets of the group, each in its own process, in interleaved rounds; written to samples/latency.csv.

        The float32 file takes part even where it is not a target, since speed-ups are relative to it. Files that are
        too large to be run side by side are timed in several batches, each with PyTorch and float32, and so are
        those of each number of threads. What cannot be converted or run is left out, see `Timings.of`.
        """
        by_name = {str(target): target for target in self.targets}
        samples: list[LatencySample] = []
        starts: dict[str, Start] = {}
        warm: dict[str, Warm] = {}
        failures = self._conversion_failures()
        died: dict[str, Exception] = {}
        running: dict[str, TimedProcess] = {}
        with ExitStack() as stack:
            for batch in self._batches([target for target in self.targets if str(target) not in failures]):
                requests = self._requests(batch)
                for name in running.keys() - requests.keys():  # their memory is needed
                    running.pop(name).close()
                for name, request in requests.items():  # one after the other: each starts undisturbed
                    if name in running or name in failures:
                        continue
                    try:
                        process = stack.enter_context(TimedProcess(request))
                        starts[name], warm[name] = process.start, process.warm_up()
                    except RunnerError as error:
                        failures[name] = error
                    else:
                        running[name] = process
                try:
                    timed = self._rounds(batch, running, warm, samples[-1].round + 1 if samples else 0)
                except RunnerError as error:  # a process died: nothing is known of this batch, and others go on
                    died |= dict.fromkeys(map(str, batch), error)
                    while running:
                        running.popitem()[1].close()
                    continue
                rows = (_latency_row(by_name[s.name], s) for s in timed if s.name in by_name)
                self._run.append_rows(LATENCY, rows)
                samples += timed
        known = {sample.name for sample in samples}  # in another batch, as PyTorch and float32 may be
        failures |= {name: error for name, error in died.items() if name not in known}
        return Timings(tuple(samples), starts, warm, failures)

    def _conversion_failures(self) -> dict[str, Exception]:
        """By name what the converter raised for a target, or for the float32 file that its speed is compared with."""
        failures: dict[str, Exception] = {}
        for target in self.targets:
            if not target.is_reference:
                try:
                    self.path(target)
                    self.convert(target.float32)
                except Exception as error:
                    failures[str(target)] = error
        return failures

    def _requests(self, batch: Sequence[Target]) -> dict[str, dict[str, Any]]:
        """What the processes of a batch load, by name: its targets, and the float32 files they are compared with."""
        requests = {
            str(target): reference_request(self.group, target.threads)
            if target.is_reference
            else file_request(target.backend, self.path(target), target.threads)
            for target in batch
        }
        for base in {str(target.float32): target.float32 for target in batch if not target.is_reference}.values():
            path = self.convert(base).path
            requests.setdefault(self._float32_name(base), file_request(base.backend, path, base.threads))
        return requests

    def _rounds(
        self, batch: Sequence[Target], running: Mapping[str, TimedProcess], warm: Mapping[str, Warm], first: int
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
            lambda samples: is_inconclusive(self._gates, speed_rows(self._run.run_id, samples, bases)),
        )

    def _float32_name(self, target: Target) -> str:
        """The name in `timings` of the float32 file that a target's speed is compared with."""
        name = str(target.float32)
        measured = self._given is None and any(str(other) == name for other in self.targets)
        return name if measured else f"{name} (converted)"

    def source_state(self) -> Mapping[str, np.ndarray]:
        """The PyTorch network's weights by name, with those of every rewrite, whatever the target's file has.

        Shapes are PyTorch's, like (O, I, H, W) of a convolution.
        """
        state = self._model.source_state()
        if state is None:  # the weights of the float32 file, whose outputs are compared with PyTorch's
            file = next(target for target in self.targets if not target.is_reference)
            state = file_weights(self.convert(file.float32).path)
        return state

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
            needed = sum(self._weight_bytes(file) for file in files if file != file.float32)
            if not batches or needed > room or batches[-1][0].threads != threads:
                batches.append([references[threads]])
                room = BATCH_BYTES - self.convert(files[0].float32).size_bytes
            batches[-1] += files
            room -= needed
        timed = {batch[0].threads for batch in batches}
        return batches + [[reference] for threads, reference in references.items() if threads not in timed]

    def _weight_bytes(self, target: Target) -> int:
        """What a target's weights take while it runs: those that are computed in float32 are unpacked to it."""
        file = target.float32 if target.precision.compute == "float32" else target
        return self.path(file).stat().st_size


class Workbench:
    """Keeps the shared things of one group at a time: tests come sorted by group, so that memory stays bounded.

    Args:
        targets: of the whole run.
        samples: for each variant's name how many images of a dataset.
        run, store, artifact, resumed, rate, gates, attacks: see `GroupBench`.
    """

    def __init__(
        self,
        targets: tuple[Target, ...],
        samples: Mapping[str, int],
        run: RunDirectory,
        store: ArtifactStore,
        artifact: Path | None,
        resumed: Path | None,
        rate: float,
        gates: Sequence[Gate],
        attacks: tuple[str, ...],
    ):
        self._targets = targets
        self._samples = samples
        self._parts = (run, store, artifact, resumed, rate, gates, attacks)
        self._current: GroupBench | None = None

    def group(self, group: Group) -> GroupBench:
        """The shared things of `group`; those of another group are dropped."""
        if self._current is None or self._current.group != group:
            self._current = None  # before the next is made: never two large models at once
            targets = tuple(target for target in self._targets if target.group == group)
            self._current = GroupBench(group, targets, self._samples[group.variant.name], *self._parts)
        return self._current


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
