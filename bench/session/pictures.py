"""One pass over the pictures: each is read, marked and attacked once, and shown to PyTorch and to every file once."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from types import TracebackType
from typing import Any, Self

from sealbench.bench.backends.protocol import Session
from sealbench.bench.backends.worker.session import WorkerSession, file_request
from sealbench.bench.session.context import RunContext
from sealbench.bench.session.files import GroupFiles
from sealbench.bench.targets import Group, Target
from sealbench.bench.tasks.join import joined
from sealbench.bench.tasks.protocol import Arrays, Inputs, Task
from sealbench.converters.families import Model
from sealbench.reports.schema.records import NO_ATTACK, UPSTREAM

PART = 24
"""Pictures are prepared so many at a time, or fewer where that would take more than `PART_BYTES`."""
PART_BYTES = 500_000_000
OPEN_BYTES = 7_000_000_000
"""Files stay open from part to part where their weights take no more than this together."""


@dataclass(frozen=True)
class Seen:
    """What a pass over one dataset leaves.

    Attributes:
        labels: of all its pictures.
        outputs: by target and attack what the task kept.
        failures: by target what kept it from being run to the end.
    """

    labels: Any
    outputs: Mapping[tuple[Target, str], Any]
    failures: Mapping[Target, Exception]


class PicturePass:
    """Shows the pictures of a dataset to all models of a group that need them, when it is first asked for.

    Args:
        group: whose models they are.
        task: of its models.
        model: the PyTorch model.
        reference: its target.
        files: of the group.
        context: of the run.
    """

    def __init__(
        self, group: Group, task: Task, model: Model, reference: Target, files: GroupFiles, context: RunContext
    ):
        self._group = group
        self._task = task
        self._model = model
        self._reference = reference
        self._files = files
        self._context = context
        self._recorded = None if context.resumed is None else task.load(context.resumed)
        self._seen: dict[str, Seen | Exception] = {}

    def labels(self, dataset: str) -> Any:
        """What is known of a dataset's pictures beside their pixels, as the task's `Inputs.labels`."""
        return self._pass(dataset).labels

    def outputs(self, target: Target, dataset: str, attack: str) -> Any:
        """What the task kept of a target's outputs on a dataset.

        Raises:
            Exception: what kept the target from being converted or run.
        """
        seen = self._pass(dataset)
        if target in seen.failures:
            raise seen.failures[target]
        return seen.outputs[target, attack]

    def _pass(self, dataset: str) -> Seen:
        if dataset not in self._seen:
            try:
                self._seen[dataset] = self._show(dataset)
            except Exception as error:  # not tried again for every test
                self._seen[dataset] = error
        seen = self._seen[dataset]
        if isinstance(seen, Exception):
            raise seen
        return seen

    def _show(self, dataset: str) -> Seen:
        wanted = self._wanted(dataset)
        count = self._context.samples[self._group.variant.name]
        samples = self._task.read(dataset, self._group, count, self._context.rate)
        size = self._part_size(wanted)
        run = [target.upstream for target in wanted]  # files that several picture paths share are opened once
        labels: list[Any] = []
        outputs: dict[tuple[Target, str], list[Any]] = {}
        failures: dict[Target, Exception] = {}
        with OpenFiles(self._open, self._files.weight_bytes) as files:
            for first in range(0, len(samples), size):
                inputs = self._task.prepare(dataset, samples[first : first + size], self._group, self._model, first)
                part = _Part(inputs, self._task, self._group, lambda: self._open_reference)
                labels.append(inputs.labels)
                for place, (target, attacks) in enumerate(wanted.items()):
                    for attack in attacks:
                        if target not in failures:
                            self._show_part(part, target, attack, files, outputs, failures)
                    if first + size >= len(samples) and target.upstream not in run[place + 1 :]:
                        files.close(target.upstream)
        reference = vars(self).get("_open_reference")
        if isinstance(reference, WorkerSession):  # a process of its own, which the next dataset starts again
            reference.close()
            del self._open_reference
        complete = {key: joined(found) for key, found in outputs.items() if len(found) == len(labels)}
        return Seen(joined(labels), complete, failures)

    def _wanted(self, dataset: str) -> dict[Target, list[str]]:
        """The attacks under which each target is run, the reference first and under all of them."""
        mine = [one for one in self._context.shown if one.dataset == dataset and one.target.group == self._group]
        wanted: dict[Target, list[str]] = {self._reference: list(dict.fromkeys(one.attack for one in mine))}
        for one in dict.fromkeys(mine):
            if one.target != self._reference:
                wanted.setdefault(one.target, []).append(one.attack)
        return wanted

    def _part_size(self, wanted: Mapping[Target, list[str]]) -> int:
        picture_bytes = sum(array.nbytes for array in self._task.random_inputs(self._group))
        paths = {target.preprocess for target in wanted}
        # Without a watermark, with one, and under each attack; on each picture path.
        kinds = (2 + len(wanted[self._reference])) * len(paths)
        return max(1, min(PART, PART_BYTES // (picture_bytes * kinds)))

    def _show_part(
        self,
        part: "_Part",
        target: Target,
        attack: str,
        files: "OpenFiles",
        outputs: dict[tuple[Target, str], list[Any]],
        failures: dict[Target, Exception],
    ) -> None:
        """Run a target on a part of the pictures, or take what an interrupted run has recorded of it."""
        labels, case, path = part.labels, target.case, target.preprocess
        kept = None if self._recorded is None else self._task.recorded(self._recorded, case, labels, attack)
        if kept is None and self._reference in failures:
            failures[target] = failures[self._reference]
            return
        if kept is None:
            try:
                reference = part.pytorch(attack)
                if target.backend == self._reference.backend:
                    found = part.pytorch(attack, path)
                else:
                    found = files[target.upstream].run(part.pictures(attack, path))
            except Exception as error:  # a converter or an engine may raise anything; it costs this target's rows
                failures[target] = error
                return
            kept = self._task.outputs(part.inputs(attack, path), found, reference)
            self._task.append(self._context.run, case, labels, attack, kept, part.reference_outputs(attack))
        outputs.setdefault((target, attack), []).append(kept)

    @cached_property
    def _open_reference(self) -> Session:
        return self._task.reference(self._group, self._model, self._reference.threads)

    def _open(self, target: Target) -> WorkerSession:
        path = self._files.path(target)
        session = WorkerSession(file_request(target.backend, path, target.threads))
        try:
            self._task.check_signature(path, session, self._group)
        except BaseException:
            session.close()
            raise
        return session


class _Part:
    """Pictures that are prepared together: what models take of them by attack and picture path, and what PyTorch gives.

    Each is made once, when it is first asked for.
    """

    def __init__(self, inputs: Inputs, task: Task, group: Group, open_reference: Callable[[], Session]):
        self._task = task
        self._group = group
        self._open_reference = open_reference
        self._inputs = {(NO_ATTACK, UPSTREAM): inputs}
        self._pytorch: dict[tuple[str, str], list[Arrays]] = {}
        self._outputs: dict[str, Any] = {}

    @property
    def labels(self) -> Any:
        return self._inputs[NO_ATTACK, UPSTREAM].labels

    def inputs(self, attack: str, path: str = UPSTREAM) -> Inputs:
        if (attack, path) not in self._inputs:
            if attack == NO_ATTACK:
                made = self._task.resized(self.inputs(NO_ATTACK), path, self._group)
            else:
                made = self._task.attacked(self.inputs(NO_ATTACK, path), attack, self._group)
            self._inputs[attack, path] = made
        return self._inputs[attack, path]

    def pictures(self, attack: str, path: str = UPSTREAM) -> Iterator[Arrays]:
        inputs = self.inputs(attack, path)
        return (inputs.arrays(index) for index in range(len(inputs)))

    def pytorch(self, attack: str, path: str = UPSTREAM) -> list[Arrays]:
        if (attack, path) not in self._pytorch:
            session = self._open_reference()
            self._pytorch[attack, path] = [session(*arrays) for arrays in self.pictures(attack, path)]
        return self._pytorch[attack, path]

    def reference_outputs(self, attack: str) -> Any:
        if attack not in self._outputs:
            reference = self.pytorch(attack)
            self._outputs[attack] = self._task.outputs(self.inputs(attack), reference, reference)
        return self._outputs[attack]


class OpenFiles:
    """Files in their worker processes, which stay open from part to part where memory allows.

    Args:
        open_file: opens one.
        weight_bytes: what the weights of one take; together at most `OPEN_BYTES`, or one file alone.
    """

    def __init__(self, open_file: Callable[[Target], WorkerSession], weight_bytes: Callable[[Target], int]):
        self._open_file = open_file
        self._weight_bytes = weight_bytes
        self._open: dict[Target, WorkerSession] = {}

    def __getitem__(self, target: Target) -> WorkerSession:
        """The open file; others are closed where their memory is needed."""
        if target not in self._open:
            room = OPEN_BYTES - self._weight_bytes(target)
            while self._open and sum(map(self._weight_bytes, self._open)) > room:
                self.close(next(iter(self._open)))
            self._open[target] = self._open_file(target)
        return self._open[target]

    def close(self, target: Target) -> None:
        """Close a file, where it is open."""
        if target in self._open:
            self._open.pop(target).close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for target in list(self._open):
            self.close(target)
