"""What the suites share: models, files, images and outputs, each made once and dropped with its group."""

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bench.bit_rows import Outputs, bit_rows, recorded_outputs
from bench.image_set import ImageSet, prepare, read_samples
from bench.latency import LatencySample, affordable_rounds
from bench.runners import LiteRTRunner, Runner, TensorFlowRunner, TorchRunner
from bench.targets import Group, Target
from converters.lazy_model import LazyModel
from converters.store import Artifact, ArtifactSpec, ArtifactStore
from reports.run_directory import RunDirectory

if TYPE_CHECKING:
    import pandas as pd

# Files of more bytes than this, the float32 file among them, are not timed side by side: each interpreter holds a copy
# of its weights, packed for its kernels and up to four times the size of an int8 file.
HEAT_BYTES = 5_000_000_000


class GroupBench:
    """Everything that the targets of one group share. Each part is made when it is first asked for.

    Args:
        group: the variant, its weights and the image size.
        targets: all targets of the group in this run; the reference is among them.
        samples: how many images of a dataset.
        run: where raw samples are written.
        store: makes artifacts.
        artifact: the file to measure instead of converting, or None.
        recorded: what an interrupted run has left of samples/bits.csv, or None.
    """

    def __init__(
        self,
        group: Group,
        targets: tuple[Target, ...],
        samples: int,
        run: RunDirectory,
        store: ArtifactStore,
        artifact: Path | None,
        recorded: "pd.DataFrame | None",
    ):
        self.group = group
        self.targets = targets
        self._model = LazyModel(group.variant, group.weights)
        self._samples = samples
        self._run = run
        self._store = store
        self._given = artifact
        self._recorded = recorded
        self._artifacts: dict[ArtifactSpec, Artifact | Exception] = {}
        self._images: dict[str, ImageSet] = {}
        self._outputs: dict[tuple[Target, str], Outputs] = {}

    @property
    def reference(self) -> Target:
        """The PyTorch target that all others are compared with."""
        return next(target for target in self.targets if target.is_reference)

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

    def path(self, target: Target) -> Path:
        """The file that a target measures: the one that was given, or the converted one."""
        return self._given or self.convert(target).path

    def runner(self, target: Target) -> Runner:
        """A runner for a target, ready for its first image."""
        if target.is_reference:
            size = (self.group.size.height, self.group.size.width)
            # The whole Watermarker resizes its images before its detector, as a file of that mode does.
            module = self._model.watermarker() if self.group.mode == "resize" else self._model.detector
            return TorchRunner(module, size, self.group.variant.nbits, target.threads)
        return self._file_runner(self.path(target), target)

    def images(self, dataset: str) -> ImageSet:
        """A dataset's images, watermarked with this group's embedder."""
        if dataset not in self._images:
            samples = read_samples(dataset, self.group, self._samples)
            self._images[dataset] = prepare(dataset, samples, self.group, self._model.watermarker)
        return self._images[dataset]

    def outputs(self, target: Target, dataset: str) -> Outputs:
        """What a target says of a dataset; run once, and written to samples/bits.csv when it is."""
        if (target, dataset) not in self._outputs:
            images = self.images(dataset)
            reference = None if target.is_reference else self.outputs(self.reference, dataset)
            outputs = None if self._recorded is None else recorded_outputs(self._recorded, target.case, images)
            if outputs is None:
                run = self.runner(target)
                outputs = Outputs(
                    watermarked=np.stack([run(image) for image in images.watermarked]),
                    plain=None if images.plain is None else np.stack([run(image) for image in images.plain]),
                )
                self._run.append_bits(bit_rows(target.case, images, outputs, reference or outputs))
            self._outputs[target, dataset] = outputs
        return self._outputs[target, dataset]

    @cached_property
    def latencies(self) -> tuple[LatencySample, ...]:
        """Interleaved latency of all targets of the group, on one image; written to samples/latency.csv.

        The float32 file takes part even where it is not a target, since speed-ups are relative to it. Files that are
        too large to be run side by side take their turns in several heats, each with PyTorch and float32.
        """
        image = np.random.default_rng(0).random((self.group.size.height, self.group.size.width, 3), dtype=np.float32)
        by_name = {str(target): target for target in self.targets}
        samples: list[LatencySample] = []
        for heat in self._heats():
            runners = {str(target): self.runner(target) for target in heat}
            for base in {str(target.float32): target.float32 for target in heat if not target.is_reference}.values():
                runners.setdefault(self.float32_name(base), self._file_runner(self.convert(base).path, base))
            calls = {name: (lambda run=run: run(image)) for name, run in runners.items()}
            first = samples[-1].round + 1 if samples else 0
            timed = [replace(sample, round=first + sample.round) for sample in affordable_rounds(calls)]
            self._run.append_latency(_latency_row(by_name[s.name], s) for s in timed if s.name in by_name)
            samples += timed
        return tuple(samples)

    def float32_name(self, target: Target) -> str:
        """The name in `latencies` of the float32 file that a target's speed is compared with."""
        name = str(target.float32)
        measured = self._given is None and any(str(other) == name for other in self.targets)
        return name if measured else f"{name} (converted)"

    def source_state(self) -> Mapping[str, np.ndarray]:
        """The PyTorch detector's weights by name, with those of every rewrite, whatever the target's file has."""
        from converters.weight_slopes import source_state

        return source_state(self._model.detector)

    def _heats(self) -> list[list[Target]]:
        """Targets that are timed side by side: all of them, unless their files are too large together.

        The files of one precision stay together; the reference is in every heat.
        """
        by_precision: dict[str, list[Target]] = {}
        for target in self.targets:
            if not target.is_reference:
                by_precision.setdefault(target.precision.name, []).append(target)
        heats: list[list[Target]] = []
        room = 0
        for targets in by_precision.values():
            needed = sum(self.path(target).stat().st_size for target in targets if target != target.float32)
            if not heats or needed > room:
                heats.append([self.reference])
                room = HEAT_BYTES - self.convert(targets[0].float32).size_bytes
            heats[-1] += targets
            room -= needed
        return heats

    def _file_runner(self, path: Path, target: Target) -> Runner:
        kind = TensorFlowRunner if target.backend == "tensorflow" else LiteRTRunner
        return kind(path, target.threads, self.group.variant.nbits)


class Workbench:
    """Keeps the shared things of one group at a time: tests come sorted by group, so that memory stays bounded.

    Args:
        targets: of the whole run.
        samples: for each variant's name how many images of a dataset.
        run, store, artifact, recorded: see `GroupBench`.
    """

    def __init__(
        self,
        targets: tuple[Target, ...],
        samples: Mapping[str, int],
        run: RunDirectory,
        store: ArtifactStore,
        artifact: Path | None,
        recorded: "pd.DataFrame | None" = None,
    ):
        self._targets = targets
        self._samples = samples
        self._parts = (run, store, artifact, recorded)
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
