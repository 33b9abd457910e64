"""The protocol between the bench and a worker process: a real model in a real process, and processes that fail."""

import os
import signal
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sealbench.bench.backends.registry import backend_of
from sealbench.bench.backends.worker import session as session_module
from sealbench.bench.backends.worker.frames import PICTURES
from sealbench.bench.backends.worker.memory import peak_memory_mb
from sealbench.bench.backends.worker.process import ALLOCATION, COMMAND, WorkerProcess, call_in_worker
from sealbench.bench.backends.worker.session import OpenRequest, WorkerSession, file_request
from sealbench.bench.backends.worker.timed_call import slowed
from sealbench.bench.errors import WorkerError
from sealbench.bench.targets import Group
from sealbench.bench.timing.reference import reference_request
from sealbench.bench.timing.rounds import Timed, take_rounds, timed_calls
from sealbench.converters.cards.image_size import ImageSize
from sealbench.converters.families.registry import get_card
from sealbench.converters.families.weight_sources import find_weights
from tests.bench.tiny import NBITS, SIZE, tiny_tflite

pytestmark = [pytest.mark.convert, pytest.mark.main_job]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "tiny.tflite"
    path.write_bytes(tiny_tflite())
    return path


@pytest.fixture(scope="module")
def opened(model: Path) -> Iterator[WorkerSession]:
    with WorkerSession(file_request("litert", model, threads=1)) as session:
        yield session


def picture(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).random((1, *SIZE, 3), dtype=np.float32)


def test_outputs_are_those_of_this_process_to_the_last_bit(opened: WorkerSession, model: Path) -> None:
    here = backend_of("litert").open(model, 1)
    assert (opened.inputs, opened.outputs) == (here.inputs, here.outputs)
    pictures = [(picture(seed),) for seed in range(PICTURES + 3)]
    found = opened.run(pictures)
    assert len(found) == len(pictures)
    for arrays, (output,) in zip(pictures, found, strict=True):
        assert output.shape == (1, 1 + NBITS)
        assert np.array_equal(output, here(*arrays)[0])
    assert np.array_equal(opened(picture(0))[0], found[0][0])
    assert opened.run([]) == []


def test_a_picture_stays_under_its_number_until_it_is_forgotten(opened: WorkerSession) -> None:
    first, second = opened.put(picture(0)), opened.put(picture(1))
    twice = opened.infer([first, second, first])
    assert np.array_equal(twice[0][0], twice[2][0])
    assert not np.array_equal(twice[0][0], twice[1][0])
    opened.forget(second)
    third = opened.put(picture(2))  # in the place of the second
    again = opened.infer([first, third])
    assert np.array_equal(again[0][0], twice[0][0])
    with pytest.raises(WorkerError, match=rf"tiny\.tflite: {second}"):
        opened.infer([second])
    opened.forget(first)
    opened.forget(third)
    assert opened(picture(0))[0].shape == (1, 1 + NBITS)  # an error does not end it


def test_a_worker_holds_so_many_pictures_and_no_more(opened: WorkerSession) -> None:
    numbers = [opened.put(picture(0)) for _ in range(PICTURES + 1)]
    with pytest.raises(WorkerError, match=f"found {PICTURES} pictures"):
        opened.infer(numbers[:1])
    for number in numbers[:PICTURES]:
        opened.forget(number)
    assert len(opened.run([(picture(0),)])) == 1


def test_without_shared_memory_pictures_go_through_the_socket(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "memfd_create")
    with WorkerSession(file_request("litert", model, threads=1)) as session:
        assert session._shared is None
        found = session.run([(picture(seed),) for seed in range(3)])
        expected = backend_of("litert").open(model, 1)
        assert [np.array_equal(one[0], expected(picture(seed))[0]) for seed, one in enumerate(found)] == [True] * 3


def test_a_picture_larger_than_the_first_goes_through_the_socket(opened: WorkerSession) -> None:
    assert opened._shared is not None
    number = opened.put(picture(0), picture(1))
    assert number not in opened._shared._taken
    opened.forget(number)
    assert opened(picture(0))[0].shape == (1, 1 + NBITS)


def test_another_shape_is_an_error_of_one_call(opened: WorkerSession) -> None:
    with pytest.raises(WorkerError, match=r"tiny\.tflite: failed while running"):
        opened(np.zeros((1, 8, 8, 3), np.float32))
    assert opened(picture(0))[0].shape == (1, 1 + NBITS)


def test_a_worker_says_where_it_runs(opened: WorkerSession) -> None:
    described = opened.describe()
    assert described["python"] == sys.version.split()[0]
    assert described["processors"] == os.cpu_count()
    assert described["packages"]["ai-edge-litert"] == backend_of("litert").describe()["ai-edge-litert"]


def test_two_processes_with_one_file_take_rounds(model: Path) -> None:
    request = file_request("litert", model, threads=1)
    with WorkerSession(request) as first, WorkerSession(request) as second:
        models = {"a": Timed(first, first.put_random()), "b": Timed(second, second.put_random())}
        assert first.start.load_ms > 0
        warm = first.warm_up(models["a"].picture)
        assert warm.first_ms > 0
        assert warm.call_s > 0
        assert 10 < first.start.bare_mb < warm.peak_mb
        assert warm.peak_mb < 150  # neither torch nor scipy is in it
        samples = take_rounds(timed_calls(models, 1.0), rounds=4)
    assert [sample.name for sample in samples] == ["a", "b", "b", "a"] * 2
    assert all(sample.latency_ms > 0 for sample in samples)


def test_pytorch_has_a_process_as_well() -> None:
    card = get_card("videoseal_nano")
    group = Group(card, find_weights(card), ImageSize(64, 64))
    with WorkerSession(reference_request(group, threads=1)) as session:
        (logits,) = session(np.zeros((1, 64, 64, 3), np.float32))
        assert logits.shape == (1, 33)
        number = session.put(np.zeros((1, 64, 64, 3), np.float32))
        assert session.warm_up(number).peak_mb > session.start.bare_mb
        assert session.time_call(number, None).latency_ms > 0


def test_a_damaged_model_is_named(model: Path, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.tflite"
    damaged.write_bytes(model.read_bytes()[:-20_000])
    with pytest.raises(WorkerError, match=r"damaged\.tflite: cannot be run"):
        WorkerSession(file_request("litert", damaged, threads=1))
    with pytest.raises(WorkerError, match=r"missing\.tflite"):
        WorkerSession(file_request("litert", tmp_path / "missing.tflite", threads=1))


def python(code: str) -> tuple[str, ...]:
    """A process that understands frames and does what `code` says."""
    head = (
        "import os, sys, time\n"
        "from io import FileIO\n"
        "from sealbench.bench.backends.worker.frames import receive, send\n"
        "from sealbench.bench.backends.worker.server import Files\n"
        "stream = Files(FileIO(0, closefd=False), FileIO(1, 'w', closefd=False))\n"
    )
    return (sys.executable, "-c", head + code)


OPEN = "receive(stream); send(stream, {'inputs': [], 'outputs': [], 'load_ms': 1, 'bare_mb': 2})\n"
SOME = OpenRequest("some.tflite", "sealbench.nothing:at_all", {})


@pytest.mark.parametrize(
    ("code", "how"),
    [
        ("print('out of luck', file=sys.stderr); sys.exit(3)", "ended with exit code 3: out of luck"),
        (f"{OPEN}receive(stream); os.kill(os.getpid(), {int(signal.SIGKILL)})", "killed by SIGKILL; was there enough"),
        (f"{OPEN}receive(stream); os.kill(os.getpid(), {int(signal.SIGSEGV)})", "killed by SIGSEGV"),
        (f"{OPEN}os.write(1, bytes(2)); sys.exit()", "ended with exit code 0"),
        (f"{OPEN}os.write(1, b'INFO: created a delegate'); time.sleep(60)", "sent what is no response"),
        (f"{OPEN}time.sleep(60)", "did not respond within 2 s and was killed"),
        ("time.sleep(60)", "did not respond within 2 s and was killed"),
    ],
)
def test_a_process_that_dies_or_hangs_is_an_error_that_names_the_file(code: str, how: str) -> None:
    with pytest.raises(WorkerError) as caught, WorkerSession(replace(SOME, command=python(code)), limit_s=2) as session:
        session(np.zeros(3))
    assert str(caught.value).startswith("some.tflite: the process that ran it ")
    assert how in str(caught.value)


def test_what_has_ended_stays_ended() -> None:
    command = python(f"{OPEN}receive(stream); sys.exit(7)")
    with WorkerSession(replace(SOME, command=command)) as session:
        for _ in range(2):
            with pytest.raises(WorkerError, match="ended with exit code 7"):
                session.describe()


def test_a_process_that_does_not_read_is_given_up() -> None:
    command = python(f"{OPEN}time.sleep(60)")
    with (
        WorkerSession(replace(SOME, command=command), limit_s=1) as session,
        pytest.raises(WorkerError, match="did not respond within 1 s"),
    ):
        session.put(np.zeros(10_000_000))


def test_memory_that_is_not_there_costs_one_call(opened: WorkerSession) -> None:
    with WorkerProcess("some.tflite") as worker, pytest.raises(WorkerError, match="not enough memory"):
        worker.ask(
            "call",
            function="sealbench.datasets.messages:random_messages",
            arguments={"count": 10**14, "nbits": 1, "seed": 0},
        )


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        (("dance", {}), "found the request 'dance'"),
        (("infer", {"numbers": [0]}), "found no model"),
        (("call", {"function": "os:getcwd", "arguments": {}}), "found the function 'os:getcwd'"),
        (("put", {"amount": 1}), "amount"),
    ],
)
def test_a_request_that_is_none_is_refused(request_: tuple[str, dict[str, object]], said: str) -> None:
    what, arguments = request_
    with WorkerProcess("some.tflite") as worker:
        with pytest.raises(WorkerError) as caught:
            worker.ask(what, **arguments)  # type: ignore[arg-type]
        assert said in str(caught.value)
        assert worker.ask("describe")[0]["processors"] == os.cpu_count()


def test_a_function_is_called_in_another_process(model: Path) -> None:
    found = call_in_worker(
        str(model), "sealbench.converters.tflite.contents:contents_as_json", path=str(model), threads=1
    )
    assert found["size_bytes"] == model.stat().st_size
    with pytest.raises(WorkerError, match=r"none\.tflite: no such file"):
        call_in_worker("x", "sealbench.converters.tflite.contents:contents_as_json", path="none.tflite", threads=1)


def test_a_process_ends_with_its_session(model: Path) -> None:
    session = WorkerSession(file_request("litert", model, threads=1))
    number = session._process._process.pid
    session.close()
    with pytest.raises(ProcessLookupError):
        os.kill(number, 0)


@pytest.mark.skipif(not Path("/proc/self/oom_score_adj").exists(), reason="Linux alone has it")
def test_without_memory_the_system_ends_a_worker_first(opened: WorkerSession) -> None:
    number = opened._process._process.pid
    assert Path(f"/proc/{number}/oom_score_adj").read_text().strip() == "1000"


def test_memory_is_kept_between_calls_unless_the_user_says_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    """What PyTorch allocates anew for each call must not be taken from the system again."""
    name = "MALLOC_MMAP_THRESHOLD_"
    code = OPEN.replace("'load_ms': 1", f"'load_ms': float(os.environ['{name}'])")
    with WorkerSession(replace(SOME, command=python(code))) as session:
        assert session.start.load_ms == float(ALLOCATION[name])
    monkeypatch.setenv(name, "4096")
    with WorkerSession(replace(SOME, command=python(code))) as session:
        assert session.start.load_ms == 4096


def test_shared_memory_is_of_our_own_workers_alone() -> None:
    assert session_module.COMMAND is COMMAND
    with WorkerSession(replace(SOME, command=python(OPEN))) as session:
        assert session._shared is None


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
