"""One pass over the pictures: what is made once is made once, parts join, and one file's death costs its rows alone."""

import csv
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sealbench.bench.backends.worker.session import OpenRequest, WorkerSession
from sealbench.bench.errors import RunnerError, WorkerError
from sealbench.bench.measuring import pictures
from sealbench.bench.measuring.context import RunContext, Shown
from sealbench.bench.measuring.workbench import GroupBench
from sealbench.bench.targets import Group, Target
from sealbench.bench.tasks.protocol import Arrays
from sealbench.bench.tasks.watermark import WatermarkTask
from sealbench.converters.cards.image_size import ImageSize
from sealbench.converters.export.precisions import get_precision
from sealbench.converters.families.registry import get_card
from sealbench.converters.families.weight_sources import find_weights
from sealbench.converters.store import ArtifactStore
from sealbench.datasets.images import read_image, resize, write_png
from sealbench.datasets.preprocess import PREPROCESSES
from sealbench.datasets.sample import Sample
from sealbench.reports.run.directory import RunDirectory
from tests.bench.tiny import file_like_nano

CARD = get_card("videoseal_nano")
GROUP = Group(CARD, find_weights(CARD), ImageSize(256, 256))
TORCH = Target(GROUP, get_precision("float32"), "torch", 2)
FLOAT32, INT8, INT4 = (Target(GROUP, get_precision(name), "litert", 2) for name in ("float32", "int8", "int4"))
DATASET, ATTACK, COUNT = "photographs", "jpeg:50", 5


@dataclass(frozen=True)
class CountingTask(WatermarkTask):
    """Counts what is read, marked and attacked, and by which model each picture is seen."""

    counts: Counter[tuple[str, ...]] = field(default_factory=Counter)

    def read(self, dataset: str, group: Group, count: int, rate: float) -> list[Sample]:
        self.counts["read", dataset] += 1
        return super().read(dataset, group, count, rate)

    def prepare(self, dataset: str, samples: Sequence[Sample], group: Group, model: Any, first: int) -> Any:
        self.counts.update(("mark", sample.id) for sample in samples)
        return super().prepare(dataset, samples, group, model, first)

    def attacked(self, inputs: Any, attack: str, group: Group) -> Any:
        self.counts.update(("attack", attack, name) for name in inputs.labels.ids)
        return super().attacked(inputs, attack, group)

    def reference(self, group: Group, model: Any, threads: int) -> Any:
        self.counts["open", "torch"] += 1
        return super().reference(group, model, threads)


@pytest.fixture(scope="module")
def detector(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("detector") / "detector.tflite"
    path.write_bytes(file_like_nano())
    return path


@pytest.fixture
def task(monkeypatch: pytest.MonkeyPatch) -> CountingTask:
    counting = CountingTask()
    monkeypatch.setattr("sealbench.bench.measuring.workbench.task_of", lambda card: counting)
    return counting


def group_bench(folder: Path, detector: Path, shown: Sequence[Shown], resumed: bool = False) -> GroupBench:
    run = RunDirectory.resume(folder) if resumed else RunDirectory.open(run_dir=folder)
    targets = (TORCH, FLOAT32, INT8, INT4)
    context = RunContext(
        targets, tuple(shown), {CARD.name: COUNT}, run, ArtifactStore(folder.parent / "store"), detector,
        folder if resumed else None, 1.0, (), (ATTACK,),
    )  # fmt: skip
    return GroupBench(GROUP, context)


ALL = [Shown(target, DATASET, attack) for attack in ("none", ATTACK) for target in (FLOAT32, INT8)]


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "samples" / "bits.csv").open() as file:
        return list(csv.DictReader(file))


@pytest.mark.convert
def test_everything_is_made_once_and_shown_to_every_model_once(
    tmp_path: Path, detector: Path, task: CountingTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    start = WorkerSession.__init__

    def counted(self: WorkerSession, request: OpenRequest) -> None:
        opened.append(request.name)
        start(self, request)

    monkeypatch.setattr(WorkerSession, "__init__", counted)
    bench = group_bench(tmp_path / "run", detector, ALL)
    outputs = {(one.target, one.attack): bench.outputs(one.target, DATASET, one.attack) for one in ALL}
    labels = bench.images(DATASET)
    reference = bench.outputs(TORCH, DATASET, ATTACK)
    assert len(labels.ids) == len(set(labels.ids)) == COUNT
    assert task.counts == Counter(
        {("read", DATASET): 1, ("open", "torch"): 1}
        | {("mark", name): 1 for name in labels.ids}
        | {("attack", ATTACK, name): 1 for name in labels.ids}
    )
    assert opened == [str(detector)] * 2  # one process for each file, both attacks in it
    assert reference.watermarked.shape == (COUNT, 33)
    assert reference.plain is None
    assert outputs[INT8, "none"].plain.shape == (COUNT, 33)
    assert np.array_equal(outputs[INT8, ATTACK].watermarked, outputs[FLOAT32, ATTACK].watermarked)  # one file
    seen = Counter((row["backend"], row["precision"], row["attack"], row["sample"]) for row in rows(tmp_path / "run"))
    assert set(seen.values()) == {33}
    assert len(seen) == 3 * (2 * COUNT + COUNT)


@pytest.mark.convert
def test_parts_join_to_what_one_part_gives(
    tmp_path: Path, detector: Path, task: CountingTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = group_bench(tmp_path / "whole", detector, ALL)
    monkeypatch.setattr(pictures, "PART", 2)
    parts = group_bench(tmp_path / "parts", detector, ALL)
    for one in (*ALL, Shown(TORCH, DATASET, "none")):
        found = [bench.outputs(one.target, DATASET, one.attack) for bench in (whole, parts)]
        assert np.array_equal(found[0].everything, found[1].everything)
    labels = [bench.images(DATASET) for bench in (whole, parts)]
    assert labels[0].ids == labels[1].ids
    assert np.array_equal(labels[0].messages, labels[1].messages)
    assert np.array_equal(labels[0].psnr_db, labels[1].psnr_db)
    assert sorted(map(str, rows(tmp_path / "whole"))) == sorted(map(str, rows(tmp_path / "parts")))


@pytest.mark.convert
def test_a_run_is_resumed_by_case_and_part(
    tmp_path: Path, detector: Path, task: CountingTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed in the second part of three: what is recorded is taken from there, and the rest is run."""
    monkeypatch.setattr(pictures, "PART", 2)
    expected = group_bench(tmp_path / "run", detector, ALL)
    everything = {(one.target, one.attack): expected.outputs(one.target, DATASET, one.attack) for one in ALL}
    path = tmp_path / "run" / "samples" / "bits.csv"
    before = path.read_text(encoding="utf-8")
    lines = before.splitlines(keepends=True)
    names = list(dict.fromkeys(row["sample"].removesuffix("/plain") for row in rows(tmp_path / "run")))
    kept = [  # all of the first part, and PyTorch and float32 of the second
        line for line, row in zip(lines[1:], rows(tmp_path / "run"), strict=True)
        if (part := names.index(row["sample"].removesuffix("/plain")) // 2) == 0
        or (part == 1 and row["precision"] == "float32")
    ]  # fmt: skip
    path.write_text("".join([lines[0], *kept]), encoding="utf-8")
    run: list[tuple[str, int]] = []
    shown = WorkerSession.run

    def counted(self: WorkerSession, shown_pictures: Any) -> Any:
        found = shown(self, shown_pictures)
        run.append((self._process._name, len(found)))
        return found

    monkeypatch.setattr(WorkerSession, "run", counted)
    resumed = group_bench(tmp_path / "run", detector, ALL, resumed=True)
    for one in ALL:
        found = resumed.outputs(one.target, DATASET, one.attack)
        assert np.array_equal(found.everything, everything[one.target, one.attack].everything)
    # int8 of the second part (2 pictures, with plain ones and attacked), and both files of the third (1 picture).
    assert [count for _, count in run] == [4, 2, 2, 1, 2, 1]
    assert sorted(path.read_text(encoding="utf-8").splitlines()) == sorted(before.splitlines())


@pytest.mark.convert
@pytest.mark.parametrize("after", [0, 1])
def test_a_file_that_dies_costs_its_own_rows(
    tmp_path: Path, detector: Path, task: CountingTask, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    monkeypatch.setattr(pictures, "PART", 2)
    runs: Counter[str] = Counter()
    opened = pictures.PicturePass._open

    def open_and_plant(self: pictures.PicturePass, target: Target) -> WorkerSession:
        session = opened(self, target)
        if target == INT8:
            show = session.run

            def dies(shown: Any) -> list[Arrays]:
                if runs["int8"] == after:
                    session._process._process.kill()
                runs["int8"] += 1
                return show(shown)

            monkeypatch.setattr(session, "run", dies)
        return session

    monkeypatch.setattr(pictures.PicturePass, "_open", open_and_plant)
    bench = group_bench(tmp_path / "run", detector, [Shown(target, DATASET, "none") for target in (INT8, FLOAT32)])
    for _ in range(2):  # every test of the file says so
        with pytest.raises(WorkerError, match=r"detector\.tflite: the process that ran it was killed by SIGKILL"):
            bench.outputs(INT8, DATASET)
    assert runs["int8"] == after + 1, "tried again for every part"
    assert bench.outputs(FLOAT32, DATASET).watermarked.shape == (COUNT, 33)
    found = Counter((row["backend"], row["precision"]) for row in rows(tmp_path / "run"))
    assert found["torch", "float32"] == found["litert", "float32"] == 2 * COUNT * 33
    assert found["litert", "int8"] == after * 2 * 2 * 33  # the parts before are kept


@pytest.mark.convert
def test_each_picture_path_is_shown_to_every_model_and_compared_with_upstreams(
    tmp_path: Path, detector: Path, task: CountingTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PyTorch after an app's resize is run as files are, and a file is opened once for all paths."""
    folder = tmp_path / "larger"
    smooth = resize(np.random.default_rng(0).integers(0, 256, (5, 6, 3), dtype=np.uint8), 300, 340)
    for name, picture in (("a", smooth), ("b", smooth[::-1])):
        write_png(folder / f"{name}.png", picture)
    opened: list[Target] = []
    plain_open = pictures.PicturePass._open

    def counted(self: pictures.PicturePass, target: Target) -> WorkerSession:
        opened.append(target)
        return plain_open(self, target)

    monkeypatch.setattr(pictures.PicturePass, "_open", counted)
    torch, int8 = (replace(target, preprocess="app") for target in (TORCH, INT8))
    shown = [Shown(one, str(folder), attack) for one in (torch, INT8, int8) for attack in ("none", ATTACK)]
    bench = group_bench(tmp_path / "run", detector, shown)
    targets = (TORCH, torch, INT8, int8)
    found = {target: bench.outputs(target, str(folder), ATTACK).watermarked for target in targets}
    assert opened == [INT8]
    assert task.counts["attack", ATTACK, "a.png"] == 2  # once for each path
    for one, other in ((TORCH, torch), (INT8, int8), (torch, int8)):
        assert not np.array_equal(found[one], found[other])
    # As many logits of each image, and beside all of them those of PyTorch with upstream's resize.
    kept = {
        (row["backend"], row["preprocess"], row["attack"], row["sample"], row["bit"]): (
            row["reference_logit"],
            row["logit"],
        )
        for row in rows(tmp_path / "run")
    }
    assert len(kept) == 4 * 33 * (2 * 2 + 2)
    assert all(
        reference == kept["torch", "upstream", attack, sample, bit][1]
        for (_, _, attack, sample, bit), (reference, _) in kept.items()
    )
    picture = read_image(folder / "a.png")
    session = task.reference(GROUP, bench._model, 2)
    (expected,) = session(PREPROCESSES["app"](picture, 256, 256)[np.newaxis])
    plain = bench.outputs(torch, str(folder), "none").plain
    assert np.array_equal(plain[0], expected[0])


@pytest.mark.convert
def test_where_pytorch_fails_every_file_says_so(
    tmp_path: Path, detector: Path, task: CountingTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(self: object, group: Group, model: Any, threads: int) -> Any:
        raise RunnerError("PyTorch: planted")

    monkeypatch.setattr(CountingTask, "reference", fails)
    bench = group_bench(tmp_path / "run", detector, ALL)
    for target in (TORCH, FLOAT32, INT8):
        with pytest.raises(RunnerError, match="planted"):
            bench.outputs(target, DATASET)
    assert len(bench.images(DATASET).ids) == COUNT


@pytest.mark.convert
def test_a_file_of_another_size_is_refused(tmp_path: Path, detector: Path, task: CountingTask) -> None:
    group = replace(GROUP, size=ImageSize(128, 128))
    torch, int8 = (replace(target, group=group) for target in (TORCH, INT8))
    context = RunContext(
        (torch, int8), (Shown(int8, DATASET, "none"),), {CARD.name: 1}, RunDirectory.open(run_dir=tmp_path / "run"),
        ArtifactStore(tmp_path / "store"), detector, None, 1.0, (), (),
    )  # fmt: skip
    with pytest.raises(RunnerError, match="takes images of 256 x 256; expected 128"):
        GroupBench(group, context).outputs(int8, DATASET)


def test_open_files_are_closed_where_their_memory_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    class FakeSession:
        def __init__(self, target: Target):
            opened.append(target)
            self.target = target

        def close(self) -> None:
            closed.append(self.target)

    opened: list[Target] = []
    closed: list[Target] = []
    monkeypatch.setattr(pictures, "OPEN_BYTES", 100)
    sizes = {FLOAT32: 60, INT8: 40, INT4: 30}
    with pictures.OpenFiles(FakeSession, sizes.__getitem__) as files:  # type: ignore[arg-type]
        for target in (FLOAT32, INT8, FLOAT32, INT4, FLOAT32):
            files[target]
        assert opened == [FLOAT32, INT8, INT4, FLOAT32]
        assert closed == [FLOAT32, INT8]
    assert closed == [FLOAT32, INT8, INT4, FLOAT32]
