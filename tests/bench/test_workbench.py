"""Like is compared with like: a file's speed with that of PyTorch and float32 on as many threads."""

from pathlib import Path
from types import MappingProxyType

import pytest

from bench.targets import Group, Target
from bench.workbench import GroupBench
from converters.image_size import ImageSize
from converters.precisions import get_precision
from converters.store import ArtifactStore
from converters.variants import get_card
from converters.weights import find_weights
from reports.run_directory import RunDirectory

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


def bench(tmp_path: Path, targets: tuple[Target, ...], artifact: Path | None = None) -> GroupBench:
    run = RunDirectory.open(run_dir=tmp_path / "run")
    return GroupBench(GROUP, targets, 1, run, ArtifactStore(tmp_path / "store"), artifact, None, 1.0, (), ())


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
