"""What the suites share: models, files, images and outputs, each made once and dropped with its group."""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bench.image_set import ImageSet, prepare, read_samples
from bench.latency import LatencySample, interleaved, turn_orders
from bench.runners import LiteRTRunner, Runner, TensorFlowRunner, TorchRunner
from bench.targets import Group, Target
from converters.precisions import Precision, get_precision
from converters.store import Artifact, ArtifactStore
from converters.weights import load_watermarker
from reports.run_directory import RunDirectory

if TYPE_CHECKING:
    from torch import nn

    from converters.models.watermarker import Watermarker

# As many rounds as fit the time, within these bounds; more say more of a small model, whose time varies more.
LATENCY_SECONDS = 8
LATENCY_ROUNDS = (20, 100)
LATENCY_WARMUP = 3
CONFIDENCE_BIT = -1  # the number under which channel 0 stands in the column `bit` of bits.csv


@dataclass(frozen=True, eq=False)
class Outputs:
    """What a model says of an image set.

    Attributes:
        watermarked: logits (n, 1 + nbits) of the watermarked images, channel 0 the detection confidence.
        plain: the same of the images without a watermark, or None where there are none.
    """

    watermarked: np.ndarray
    plain: np.ndarray | None

    @property
    def everything(self) -> np.ndarray:
        """All logits, (n or 2n, 1 + nbits)."""
        return self.watermarked if self.plain is None else np.concatenate([self.watermarked, self.plain])


class GroupBench:
    """Everything that the targets of one group share. Each part is made when it is first asked for.

    Args:
        group: the variant, its weights and the image size.
        targets: all targets of the group in this run; the reference is among them.
        samples: how many images of a dataset.
        run: where raw samples are written.
        store: makes artifacts.
        artifact: the file to measure instead of converting, or None.
    """

    def __init__(
        self,
        group: Group,
        targets: tuple[Target, ...],
        samples: int,
        run: RunDirectory,
        store: ArtifactStore,
        artifact: Path | None,
    ):
        self.group = group
        self.targets = targets
        self._samples = samples
        self._run = run
        self._store = store
        self._given = artifact
        self._artifacts: dict[Precision, Artifact | Exception] = {}
        self._images: dict[str, ImageSet] = {}
        self._outputs: dict[tuple[Target, str], Outputs] = {}

    @cached_property
    def watermarker(self) -> "Watermarker":
        """The PyTorch embedder and detector."""
        return load_watermarker(self.group.variant, self.group.weights)

    @property
    def reference(self) -> Target:
        """The PyTorch target that all others are compared with."""
        return next(target for target in self.targets if target.is_reference)

    def convert(self, precision: Precision) -> Artifact:
        """The group's file at a precision from the store, converted if it is not there.

        Raises:
            Exception: whatever the converter raised; it is not tried again for every suite.
        """
        if precision not in self._artifacts:
            try:
                self._artifacts[precision] = self._store.get(self.group.spec(precision), self._detector)
            except Exception as error:
                self._artifacts[precision] = error
        artifact = self._artifacts[precision]
        if isinstance(artifact, Exception):
            raise artifact
        return artifact

    def float32(self) -> Artifact:
        """The float32 file of this group, which sizes and speeds are compared with."""
        return self.convert(get_precision("float32"))

    def path(self, target: Target) -> Path:
        """The file that a target measures: the one that was given, or the converted one."""
        return self._given or self.convert(target.precision).path

    def runner(self, target: Target) -> Runner:
        """A runner for a target, ready for its first image."""
        if target.is_reference:
            size = (self.group.size.height, self.group.size.width)
            return TorchRunner(self._detector(), size, self.group.variant.nbits, target.threads)
        return self._file_runner(self.path(target), target)

    def images(self, dataset: str) -> ImageSet:
        """A dataset's images, watermarked with this group's embedder."""
        if dataset not in self._images:
            samples = read_samples(dataset, self.group, self._samples)
            self._images[dataset] = prepare(dataset, samples, self.group, self.watermarker)
        return self._images[dataset]

    def outputs(self, target: Target, dataset: str) -> Outputs:
        """What a target says of a dataset; run once, and written to samples/bits.csv when it is."""
        if (target, dataset) not in self._outputs:
            images = self.images(dataset)
            reference = None if target.is_reference else self.outputs(self.reference, dataset)
            run = self.runner(target)
            outputs = Outputs(
                watermarked=np.stack([run(image) for image in images.watermarked]),
                plain=None if images.plain is None else np.stack([run(image) for image in images.plain]),
            )
            self._outputs[target, dataset] = outputs
            self._run.append_bits(_bit_rows(target, images, outputs, reference or outputs))
        return self._outputs[target, dataset]

    @cached_property
    def latencies(self) -> tuple[LatencySample, ...]:
        """Interleaved latency of all targets of the group, on one image; written to samples/latency.csv.

        The float32 file takes part even where it is not a target, since speed-ups are relative to it.
        """
        image = np.random.default_rng(0).random((self.group.size.height, self.group.size.width, 3), dtype=np.float32)
        runners = {str(target): self.runner(target) for target in self.targets}
        for backend in {target.backend for target in self.targets if not target.is_reference}:
            base = self.float32_target(backend)
            if base not in self.targets or self._given is not None:
                runners[_base_name(base)] = self._file_runner(self.float32().path, base)
        calls = {name: (lambda run=run: run(image)) for name, run in runners.items()}
        samples = interleaved(calls, _affordable_rounds(calls), LATENCY_WARMUP)
        by_name: Mapping[str, Target] = {str(target): target for target in self.targets}
        self._run.append_latency(_latency_row(by_name[s.name], s) for s in samples if s.name in by_name)
        return samples

    def float32_name(self, target: Target) -> str:
        """The name in `latencies` of the float32 file that a target's speed is compared with."""
        base = self.float32_target(target.backend)
        return _base_name(base) if base not in self.targets or self._given is not None else str(base)

    def float32_target(self, backend: str) -> Target:
        """The float32 file of this group as a target."""
        return Target(self.group, get_precision("float32"), backend, self.reference.threads)

    def _detector(self) -> "nn.Module":
        return self.watermarker.detector

    def _file_runner(self, path: Path, target: Target) -> Runner:
        kind = TensorFlowRunner if target.backend == "tensorflow" else LiteRTRunner
        return kind(path, target.threads, self.group.variant.nbits)


class Workbench:
    """Keeps the shared things of one group at a time: tests come sorted by group, so that memory stays bounded.

    Args:
        targets: of the whole run.
        samples, run, store, artifact: see `GroupBench`.
    """

    def __init__(
        self, targets: tuple[Target, ...], samples: int, run: RunDirectory, store: ArtifactStore, artifact: Path | None
    ):
        self._targets = targets
        self._parts = (samples, run, store, artifact)
        self._current: GroupBench | None = None

    def group(self, group: Group) -> GroupBench:
        """The shared things of `group`; those of another group are dropped."""
        if self._current is None or self._current.group != group:
            self._current = None  # before the next is made: never two large models at once
            targets = tuple(target for target in self._targets if target.group == group)
            self._current = GroupBench(group, targets, *self._parts)
        return self._current


def _affordable_rounds(calls: Mapping[str, Callable[[], object]]) -> int:
    """Rounds that fit LATENCY_SECONDS, in which every order of the calls is taken equally often."""
    start = time.perf_counter()
    for call in calls.values():
        call()
        call()  # as in a round: one call to settle, one to time
    least, most = LATENCY_ROUNDS
    wanted = min(max(LATENCY_SECONDS / (time.perf_counter() - start), least), most)
    orders = len(turn_orders(len(calls)))
    return orders * math.ceil(wanted / orders)


def _base_name(base: Target) -> str:
    """A name for the converted float32 file where the target of that name is another file or none."""
    return f"{base} (converted)"


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
    }


def _bit_rows(target: Target, images: ImageSet, outputs: Outputs, reference: Outputs) -> list[tuple[object, ...]]:
    """Rows of bits.csv: watermarked images with their message, then plain ones, which have none."""
    case = target.case
    head = (case.variant, case.precision, case.backend, "none")
    rows: list[tuple[object, ...]] = []

    def add(suffix: str, messages: np.ndarray | None, logits: np.ndarray, reference_logits: np.ndarray) -> None:
        for index, name in enumerate(images.ids):
            sample = f"{images.name}/{name}{suffix}"
            for channel, (expected, found) in enumerate(zip(reference_logits[index], logits[index], strict=True)):
                bit = channel - 1
                message = None if messages is None or bit == CONFIDENCE_BIT else int(messages[index, bit])
                rows.append((*head, sample, bit, message, expected, found, case.image_size))

    add("", images.messages, outputs.watermarked, reference.watermarked)
    if outputs.plain is not None and reference.plain is not None:
        add("/plain", None, outputs.plain, reference.plain)
    return rows
