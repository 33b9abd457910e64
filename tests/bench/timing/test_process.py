"""The protocol between the bench and the process that it times: a real model in a real process."""

import json
import os
import signal
import sys
from pathlib import Path

import pytest

from sealbench.bench.errors import RunnerError
from sealbench.bench.targets import Group
from sealbench.bench.timing.process import ALLOCATION, TimedProcess, file_request, reference_request, timed_calls
from sealbench.bench.timing.rounds import take_rounds
from sealbench.bench.timing.worker import peak_memory_mb, slowed
from sealbench.converters.cards.image_size import ImageSize
from sealbench.converters.families.registry import get_card
from sealbench.converters.families.weight_sources import find_weights
from tests.bench.tiny import tiny_tflite

pytestmark = [pytest.mark.convert, pytest.mark.main_job]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "tiny.tflite"
    path.write_bytes(tiny_tflite())
    return path


def test_two_processes_with_one_file_take_rounds(model: Path) -> None:
    request = file_request("litert", model, threads=1)
    with TimedProcess(request) as first, TimedProcess(request) as second:
        assert first.start.load_ms > 0
        assert first.start.first_ms > 0
        warm = first.warm_up()
        assert warm.call_s > 0
        assert 10 < first.start.bare_mb < warm.peak_mb
        assert warm.peak_mb < 150  # neither torch nor scipy is in it
        samples = take_rounds(timed_calls({"a": first, "b": second}, 1.0), rounds=4)
    assert [sample.name for sample in samples] == ["a", "b", "b", "a"] * 2
    assert all(sample.latency_ms > 0 for sample in samples)


def test_pytorch_has_a_process_as_well() -> None:
    card = get_card("videoseal_nano")
    group = Group(card, find_weights(card), ImageSize(64, 64))
    with TimedProcess(reference_request(group, threads=1)) as process:
        assert process.time_call(None).latency_ms > 0
        assert process.warm_up().peak_mb > process.start.bare_mb


def test_a_damaged_model_is_named(model: Path, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.tflite"
    damaged.write_bytes(model.read_bytes()[:-20_000])
    with pytest.raises(RunnerError, match=r"damaged\.tflite"):
        TimedProcess(file_request("litert", damaged, threads=1))
    with pytest.raises(RunnerError, match=r"missing\.tflite"):
        TimedProcess(file_request("litert", tmp_path / "missing.tflite", threads=1))


def worker(code: str) -> tuple[str, ...]:
    return (sys.executable, "-c", f"import json, os, sys\nwhat = json.loads(input())\n{code}")


START = json.dumps({"load_ms": 1, "first_ms": 1, "bare_mb": 1})


def test_a_process_that_dies_is_an_error_that_names_the_file() -> None:
    request = file_request("litert", Path("/models/some.tflite"), threads=1)
    with pytest.raises(RunnerError, match=r"some\.tflite: .*ended with exit code 3: out of luck"):
        TimedProcess(request, worker("print('out of luck', file=sys.stderr); sys.exit(3)"))
    dies_later = worker(f"print('{START}', flush=True); input(); os.kill(os.getpid(), {int(signal.SIGKILL)})")
    with (
        TimedProcess(request, dies_later) as process,
        pytest.raises(RunnerError, match=r"some\.tflite: .*killed by SIGKILL; was there enough memory"),
    ):
        process.time_call(None)
    cut_off = worker(f"print('{START}', flush=True); input(); print('{{\"latency_ms\"', end='')")
    with TimedProcess(request, cut_off) as process, pytest.raises(RunnerError, match=r"some\.tflite"):
        process.time_call(None)


def test_an_error_without_a_file_gets_its_name() -> None:
    fails = worker("print(json.dumps({'error': 'planted'}))")
    with pytest.raises(RunnerError, match=r"some\.tflite: planted"):
        TimedProcess(file_request("litert", Path("/models/some.tflite"), threads=1), fails)


def test_a_process_ends_with_its_input(model: Path) -> None:
    process = TimedProcess(file_request("litert", model, threads=1))
    number = process._process.pid
    process.close()
    with pytest.raises(ProcessLookupError):
        os.kill(number, 0)


def test_a_planted_slow_down_is_a_share_of_each_call() -> None:
    now = 0

    def clock() -> int:
        nonlocal now
        now += 1  # looking at the clock takes a nanosecond, so that a busy wait ends
        return now

    def call() -> None:
        nonlocal now
        now += 1_000_000

    slowed(call, 0.1, clock)()
    assert now == pytest.approx(1_100_000, abs=10)


def test_memory_is_in_megabytes() -> None:
    before = peak_memory_mb()
    block = bytearray(b"x") * 200_000_000
    assert len(block) == 200_000_000
    assert peak_memory_mb() > 200
    assert before > 10


def test_memory_is_kept_between_calls_unless_the_user_says_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    """What PyTorch allocates anew for each call must not be taken from the system again."""
    name = "MALLOC_MMAP_THRESHOLD_"
    reports = worker(
        f"print(json.dumps({{'load_ms': float(os.environ['{name}']), 'first_ms': 0, 'bare_mb': 0}}), flush=True)"
    )
    request = {"kind": "file", "path": "some.tflite"}
    with TimedProcess(request, reports) as process:
        assert process.start.load_ms == float(ALLOCATION[name])
    monkeypatch.setenv(name, "4096")
    with TimedProcess(request, reports) as process:
        assert process.start.load_ms == 4096
