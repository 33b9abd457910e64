"""What the suites share: models, files, pictures and outputs, each made once and dropped with its group."""

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np

from sealbench.bench.backends.worker.session import WorkerSession
from sealbench.bench.matrix import upstream_targets
from sealbench.bench.measuring.context import RunContext
from sealbench.bench.measuring.files import GroupFiles
from sealbench.bench.measuring.pictures import PicturePass
from sealbench.bench.measuring.timings import GroupTimings, Timings
from sealbench.bench.targets import Group, Target
from sealbench.bench.tasks.registry import task_of
from sealbench.converters.families import family_of
from sealbench.converters.tflite.weights import file_weights
from sealbench.reports.schema.records import NO_ATTACK


class GroupBench:
    """Everything that the targets of one group share. Each part is made when it is first asked for.

    Args:
        group: the variant, its weights and the image size.
        context: of the run.

    Attributes:
        family: of the variant.
        files: of the targets.
    """

    def __init__(self, group: Group, context: RunContext):
        self.group = group
        self.family = family_of(group.variant)
        self._context = context
        self._targets = tuple(target for target in context.targets if target.group == group)
        self._task = task_of(group.variant)
        self._model = self.family.model(group.variant, group.weights)
        self.files = GroupFiles(context.store, self._model, context.artifact)
        self._pictures = PicturePass(group, self._task, self._model, self.reference, self.files, context)
        inputs = self._task.random_inputs(group)
        self._timings = GroupTimings(group, upstream_targets(self._targets), self.files, inputs, context)

    @property
    def reference(self) -> Target:
        """The PyTorch target that all others are compared with."""
        return next(target for target in self._targets if target.is_reference)

    @property
    def attacks(self) -> tuple[str, ...]:
        """Those under which watermarked images are measured."""
        return self._context.attacks

    def images(self, dataset: str) -> Any:
        """What is known of a dataset's pictures beside their pixels: the task's labels."""
        return self._pictures.labels(dataset)

    def outputs(self, target: Target, dataset: str, attack: str = NO_ATTACK) -> Any:
        """The outputs of a target on a dataset, as the task keeps them; run and written to samples/ once.

        Raises:
            Exception: what kept the target from being converted or run.
        """
        return self._pictures.outputs(target, dataset, attack)

    @cached_property
    def timings(self) -> Timings:
        """See `sealbench.bench.measuring.timings.GroupTimings.take`."""
        return self._timings.take()

    def speed_bases(self, target: Target) -> dict[str, str]:
        """See `sealbench.bench.measuring.timings.GroupTimings.speed_bases`."""
        return self._timings.speed_bases(target)

    def open(self, target: Target) -> WorkerSession:
        """A target in a process of its own: its file, or the PyTorch model."""
        return WorkerSession(self._timings.request(target))

    @property
    def random_inputs(self) -> tuple[np.ndarray, ...]:
        """What a model takes of one image: arrays of its shapes, of values that mean nothing."""
        return self._task.random_inputs(self.group)

    def source_state(self) -> Mapping[str, np.ndarray]:
        """The PyTorch network's weights by name, with those of every rewrite, whatever the target's file has.

        Shapes are PyTorch's, like (O, I, H, W) of a convolution.
        """
        state = self._model.source_state()
        if state is None:  # those of the float32 file, whose outputs are compared with PyTorch's
            file = next(target for target in self._targets if not target.is_reference)
            state = file_weights(self.files.convert(file.float32).path)
        return state


class Workbench:
    """Keeps the shared things of one group at a time: tests come sorted by group, so that memory stays bounded.

    Args:
        context: of the run.
    """

    def __init__(self, context: RunContext):
        self._context = context
        self._current: GroupBench | None = None

    def group(self, group: Group) -> GroupBench:
        """The shared things of `group`; those of another group are dropped."""
        if self._current is None or self._current.group != group:
            self._current = None  # before the next is made: never two large models at once
            self._current = GroupBench(group, self._context)
        return self._current
