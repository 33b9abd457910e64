"""Like is compared with like: a file's speed with that of PyTorch and float32 on as many threads."""

from pathlib import Path
from types import MappingProxyType
from typing import ClassVar, Self

import numpy as np
import pytest

from sealbench.bench.backends.worker.session import OpenRequest, Start, Warm
from sealbench.bench.backends.worker.timed_call import TimedCall
from sealbench.bench.errors import RunnerError
from sealbench.bench.measuring import timings
from sealbench.bench.measuring.context import RunContext
from sealbench.bench.measuring.files import GroupFiles
from sealbench.bench.measuring.workbench import GroupBench
from sealbench.bench.targets import Group, Target
from sealbench.converters.cards.image_size import ImageSize
from sealbench.converters.errors import ConverterError
from sealbench.converters.export.precisions import get_precision
from sealbench.converters.families.registry import get_card
from sealbench.converters.families.weight_sources import find_weights
from sealbench.converters.store import Artifact, ArtifactStore
from sealbench.reports.gates.judge import Gate
from sealbench.reports.run.directory import RunDirectory

CARD = get_card("videoseal_nano")
GROUP = Group(CARD, find_weights(CARD, "seeded"), ImageSize(256, 256))


def target(precision: str, threads: int, backend: str = "litert", rewrite: str = "none") -> Target:
    return Target(GROUP, get_precision(precision), backend, threads, rewrite)


TARGETS = tuple(
    made
    for threads in (1, 2)
    for made in (
        target("float32", threads, "torch"),
        target("float32", threads),
        target("int8", threads),
        target("int8", threads, rewrite="auto"),
    )
)


def bench(
    tmp_path: Path, targets: tuple[Target, ...], artifact: Path | None = None, gates: tuple[Gate, ...] = ()
) -> GroupBench:
    run = RunDirectory.open(run_dir=tmp_path / "run")
    store = ArtifactStore(tmp_path / "store")
    return GroupBench(GROUP, RunContext(targets, (), {CARD.name: 1}, run, store, artifact, None, 1.0, gates, ()))


def test_names_tell_threads_apart() -> None:
    assert len({str(one) for one in TARGETS}) == len(TARGETS)
    assert str(TARGETS[2]) == "videoseal_nano-256-int8-litert-t1"


@pytest.mark.parametrize("threads", [1, 2])
def test_speed_is_compared_on_as_many_threads(tmp_path: Path, threads: int) -> None:
    group = bench(tmp_path, TARGETS)
    bases = MappingProxyType(group.speed_bases(target("int8", threads)))
    assert bases == {
        "speedup_vs_torch": f"videoseal_nano-256-float32-torch-t{threads}",
        "speedup_vs_float32": f"videoseal_nano-256-float32-litert-t{threads}",
    }
    rewritten = group.speed_bases(target("int8", threads, rewrite="auto"))
    assert rewritten["speedup_vs_plain"] == f"videoseal_nano-256-int8-litert-t{threads}"
    # Its float32 file has the rewrite as well, and is no target of this run.
    assert rewritten["speedup_vs_float32"] == f"{target('float32', threads, rewrite='auto')} (converted)"


def test_a_given_file_is_compared_with_the_converted_float32_one(tmp_path: Path) -> None:
    targets = (target("float32", 2, "torch"), target("float32", 2))
    group = bench(tmp_path, targets, tmp_path / "mine.tflite")
    assert group.speed_bases(targets[1])["speedup_vs_float32"] == "videoseal_nano-256-float32-litert-t2 (converted)"


class FakeProcess:
    """A model whose calls take a time that its name says; its class counts what has started and what runs.

    `int4` cannot be run: there is no such operation.
    """

    started: ClassVar[list[str]] = []
    running: ClassVar[list[str]] = []
    most_running: ClassVar[int] = 0

    def __init__(self, request: OpenRequest):
        self.name = Path(request.arguments["path"]).name if "path" in request.arguments else "torch"
        self.start = Start(load_ms=1, bare_mb=3)
        self.calls = 0
        self.started.append(self.name)
        if self.name == "int4":
            raise RunnerError("int4: BATCH_MATMUL is not known")
        self.running.append(self.name)
        FakeProcess.most_running = max(self.most_running, len(self.running))

    def put(self, *arrays: np.ndarray) -> int:
        assert [array.shape for array in arrays] == [(1, 256, 256, 3)]
        return 7

    def warm_up(self, number: int) -> Warm:
        assert number == 7
        return Warm(first_ms=2, call_s=0.1, peak_mb=4)

    def time_call(self, number: int, settle_ms: float | None) -> TimedCall:
        assert number == 7
        self.calls += 1
        faster = self.calls % 2 / 2  # 9.5 and 10 ms alternately: 20 over it is 2 to 2.1
        return TimedCall({"torch": 30.0, "float32": 20.0}.get(self.name, 10.0 - faster))

    def close(self) -> None:
        if self.name in self.running:
            self.running.remove(self.name)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> type[FakeProcess]:
    def convert(self: GroupFiles, target: Target) -> Artifact:
        if target.precision.name == "int8_static":
            raise ConverterError("int8_static: no calibration images")
        path = tmp_path / target.precision.name
        path.write_bytes(bytes(100))
        return Artifact(path, 100, "", 0.0, reused=True)

    monkeypatch.setattr(timings, "WorkerSession", FakeProcess)
    monkeypatch.setattr(GroupFiles, "convert", convert)
    FakeProcess.started.clear()
    FakeProcess.most_running = 0
    return FakeProcess


def test_what_is_in_several_batches_starts_once(
    fake: type[FakeProcess], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timings, "BATCH_BYTES", 250)  # float32 and one other file at a time
    targets = (target("float32", 2, "torch"), *(target(name, 2) for name in ("float32", "fp16", "int8")))
    taken = bench(tmp_path, targets).timings
    assert fake.started == ["torch", "float32", "fp16", "int8"]
    assert (fake.running, fake.most_running) == ([], 3)
    rounds = [{sample.round for sample in taken.samples if sample.name == str(one)} for one in targets]
    assert rounds[2] | rounds[3] == rounds[0] == rounds[1]
    assert not rounds[2] & rounds[3]
    assert set(taken.starts) == set(taken.warm) == set(map(str, targets))


def test_what_cannot_be_converted_or_run_leaves_the_others_their_times(fake: type[FakeProcess], tmp_path: Path) -> None:
    targets = (
        target("float32", 2, "torch"),
        *(target(name, 2) for name in ("float32", "int8_static", "int4", "int8")),
    )
    gate = Gate("speedup_vs_float32", {"precision": "int*"}, ">", 1.2, "planted", "interval")
    group = bench(tmp_path, targets, gates=(gate,))
    timed = {str(one) for one in targets} - {str(targets[2]), str(targets[3])}
    assert {sample.name for sample in group.timings.of(str(targets[4])).samples} == timed
    with pytest.raises(ConverterError, match="no calibration images"):
        group.timings.of(str(targets[2]))
    with pytest.raises(RunnerError, match="BATCH_MATMUL"):
        group.timings.of(str(targets[3]))
    assert fake.started.count("int4") == 1, "tried again for every suite"
    rows = (tmp_path / "run" / "samples" / "latency.csv").read_text(encoding="utf-8")
    assert rows.count(",int8,") > 0
    assert rows.count(",int4,") == 0


def test_where_the_reference_cannot_be_run_files_have_times_and_no_speedup_over_it(
    fake: type[FakeProcess], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def start(request: OpenRequest) -> FakeProcess:
        if "path" not in request.arguments:
            raise RunnerError("PyTorch's videoseal_nano: was killed by SIGKILL")
        return fake(request)

    monkeypatch.setattr(timings, "WorkerSession", start)
    targets = (target("float32", 2, "torch"), target("float32", 2), target("int8", 2))
    gate = Gate("speedup_vs_torch", {"precision": "int8"}, ">", 1.2, "planted", "interval")
    group = bench(tmp_path, targets, gates=(gate,))
    assert {sample.name for sample in group.timings.of(str(targets[2])).samples} == {str(targets[1]), str(targets[2])}
    with pytest.raises(RunnerError, match="SIGKILL"):
        group.timings.of(str(targets[2]), group.speed_bases(targets[2])["speedup_vs_torch"])
    with pytest.raises(RunnerError, match="SIGKILL"):
        group.timings.of(str(targets[0]))


def test_the_reference_is_timed_where_no_file_is(fake: type[FakeProcess], tmp_path: Path) -> None:
    targets = (target("float32", 2, "torch"), target("int4", 2), target("int8_static", 2))
    taken = bench(tmp_path, targets[::2]).timings.of(str(targets[0]))  # that file cannot be converted
    assert {sample.name for sample in taken.samples} == {str(targets[0])}
    assert set(taken.failures) == {str(targets[2])}


@pytest.mark.parametrize(("first", "second"), [("int8", "fp16"), ("fp16", "int8")])
def test_a_process_that_dies_while_timed_ends_its_batch_alone(
    fake: type[FakeProcess], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first: str, second: str
) -> None:
    def time_call(self: FakeProcess, number: int, settle_ms: float | None) -> TimedCall:
        if self.name == "fp16":
            raise RunnerError("fp16: the process that timed it was killed by SIGKILL")
        return alive(self, number, settle_ms)

    alive = FakeProcess.time_call
    monkeypatch.setattr(FakeProcess, "time_call", time_call)
    monkeypatch.setattr(timings, "BATCH_BYTES", 250)  # float32 and one other file at a time
    targets = (
        target("float32", 2, "torch"),
        *(target(name, 2) for name in ("float32", "int8", "fp16", "int8_weight_only")),
    )
    group = bench(tmp_path, targets)
    assert set(group.timings.failures) == {str(targets[3])}
    assert {sample.name for sample in group.timings.samples} == {str(one) for one in targets} - {str(targets[3])}
    assert fake.running == []
    lines = (tmp_path / "run" / "samples" / "latency.csv").read_text(encoding="utf-8").splitlines()
    assert len(lines) == len(set(lines)), "rounds were written twice"


@pytest.mark.parametrize(("limit", "rounds"), [(2.0, 8 * 24), (1.2, 24)])
def test_rounds_are_added_while_a_gate_is_inconclusive(
    fake: type[FakeProcess], tmp_path: Path, limit: float, rounds: int
) -> None:
    targets = (target("float32", 2, "torch"), target("float32", 2), target("int8", 2))
    gate = Gate("speedup_vs_float32", {"precision": "int8"}, ">", limit, "planted", "interval")
    samples = bench(tmp_path, targets, gates=(gate,)).timings.samples
    assert len({sample.round for sample in samples}) == rounds
