"""What other packages add: a backend, a task and a family, installed beside sealbench and run without a change."""

import csv
import json
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

from sealbench.bench.backends.worker.session import WorkerSession, file_request
from tests.bench.made_distribution import make_distribution, on_path
from tests.bench.main_job import ROOT
from tests.bench.tiny import file_like_nano, tiny_tflite

pytestmark = [pytest.mark.convert, pytest.mark.main_job]

FAKE_BACKEND = """
    class FakeBackend:
        name = "fake"
        def missing(self): return MISSING
        def load_engine(self): self._litert().load_engine()
        def open(self, model, threads): return self._litert().open(model, threads)
        def describe(self): return {"fake-engine": "7.1"}
        def _litert(self):
            from sealbench.bench.backends.registry import backend_of
            return backend_of("litert")
    BACKEND = FakeBackend()
"""
# Its sessions end their process by a signal, as a native library does that meets a broken file.
DIES = """
    class Dies:
        def __init__(self, session): self.inputs, self.outputs = session.inputs, session.outputs
        def __call__(self, *arrays):
            import os, signal
            os.kill(os.getpid(), signal.SIGSEGV)
    FakeBackend.open = lambda self, model, threads: Dies(self._litert().open(model, threads))
"""
ENTRY = {"sealbench.backends": "fake = fake_backend:BACKEND"}
DEMO_TASK = """
    from dataclasses import dataclass
    from sealbench.bench.tasks.watermark import WatermarkTask
    @dataclass(frozen=True)
    class DemoTask(WatermarkTask):
        suites: tuple[str, ...] = ("demo_suites",)
    TASK = DemoTask()
"""
DEMO_SUITE = """
    import pytest
    pytestmark = pytest.mark.suite(order=5, outputs=("bits",))
    @pytest.mark.measures("size_bytes")
    def test_demo_size(file_target, group, record):
        record("size_bytes", group.files.path(file_target).stat().st_size, n=1)
"""
# A family whose one model is the bundled one under another name, for the task above.
DEMO_FAMILY = """
    from dataclasses import fields
    from sealbench.converters.cards.watermark import Variant
    from sealbench.converters.families.watermark import WatermarkFamily
    class DemoVariant(Variant):
        family = "demo"
    class DemoFamily(WatermarkFamily):
        def cards(self):
            nano = super().cards()["videoseal_nano"]
            values = {field.name: getattr(nano, field.name) for field in fields(nano)}
            return {"demo_nano": DemoVariant(**values | {"name": "demo_nano", "task": "demo"})}
    FAMILY = DemoFamily()
"""
DEMO_ENTRIES = {"sealbench.tasks": "demo = demo_task:TASK", "sealbench.families": "demo = demo_family:FAMILY"}


@pytest.fixture(scope="module")
def detector(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("detector") / "detector.tflite"
    path.write_bytes(file_like_nano())
    return path


def bench(run_dir: Path, installed: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "sealbench", "bench", "--run-dir", str(run_dir), "--no-gate"]
    environment = on_path(installed, XDG_CACHE_HOME=str(run_dir.parent / "cache"))
    variant = () if "--variant" in arguments else ("--variant", "videoseal_nano")
    command += [*variant, *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def rows(run_dir: Path) -> list[dict[str, str]]:
    with (run_dir / "results.csv").open() as file:
        return list(csv.DictReader(file))


def install_backend(folder: Path, missing: object = None, source: str = FAKE_BACKEND) -> Path:
    modules = {"fake_backend.py": dedent(source).replace("MISSING", repr(missing))}
    make_distribution(folder, "fake-backend", ENTRY, modules)
    return folder


def test_a_backend_of_another_package_runs_files(tmp_path: Path, detector: Path) -> None:
    installed = install_backend(tmp_path / "installed")
    run_dir = tmp_path / "run"
    found = bench(
        run_dir, installed, "--precision", "float32", "--artifact", str(detector), "--backend", "litert,fake",
        "--samples", "2", "-k", "test_bit_accuracy or test_backends",
    )  # fmt: skip
    assert found.returncode == 0, found.stdout + found.stderr
    accuracy = {row["backend"]: row["value"] for row in rows(run_dir) if row["metric"] == "bit_accuracy"}
    assert accuracy.keys() == {"torch", "litert", "fake"}
    assert accuracy["fake"] == accuracy["litert"] != accuracy["torch"]
    (difference,) = [row for row in rows(run_dir) if row["metric"] == "litert_max_abs_diff"]
    assert (difference["backend"], difference["value"]) == ("fake", "0.0")
    environment = json.loads((run_dir / "environment.json").read_text())
    assert environment["backends"]["fake"] == {"fake-engine": "7.1"}


def test_a_file_that_ends_its_process_costs_its_rows_and_the_run_goes_on(tmp_path: Path, detector: Path) -> None:
    installed = install_backend(tmp_path / "installed", source=FAKE_BACKEND + DIES)
    run_dir = tmp_path / "run"
    found = bench(
        run_dir, installed, "--precision", "float32", "--artifact", str(detector), "--backend", "fake,litert",
        "--samples", "2", "-k", "test_bit_accuracy and not delta",
    )  # fmt: skip
    assert found.returncode == 1, found.stdout + found.stderr
    assert "detector.tflite: the process that ran it was killed by SIGSEGV" in found.stdout
    assert "1 failed, 3 passed" in found.stdout
    assert {row["backend"] for row in rows(run_dir) if row["metric"] == "bit_accuracy"} == {"torch", "litert"}
    assert (run_dir / "report.html").exists()
    assert (run_dir / "summary.md").exists()


def test_the_process_that_times_files_finds_it_as_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = tmp_path / "tiny.tflite"
    model.write_bytes(tiny_tflite())
    monkeypatch.setenv("PYTHONPATH", on_path(install_backend(tmp_path / "installed"))["PYTHONPATH"])
    with WorkerSession(file_request("fake", model, threads=1)) as process:
        assert process.warm_up(process.put_random()).call_s > 0


def test_a_backend_that_cannot_be_used_here_says_what_to_install(tmp_path: Path) -> None:
    installed = install_backend(tmp_path / "installed", "pip install 'fake-backend[engine]'")
    found = bench(tmp_path / "run", installed, "--backend", "fake")
    assert found.returncode == 4
    assert "--backend fake: not installed; pip install 'fake-backend[engine]'" in found.stderr
    assert not (tmp_path / "run").exists()
    listed = bench(tmp_path / "run", installed, "--backend", "onnx")
    assert "--backend onnx: unknown; known: fake, litert, tensorflow" in listed.stderr


def test_a_backend_that_cannot_be_loaded_stops_only_who_asks_for_it(tmp_path: Path) -> None:
    make_distribution(tmp_path / "installed", "fake-backend", ENTRY, {"fake_backend.py": "import no_such_engine"})
    found = bench(tmp_path / "run", tmp_path / "installed", "--backend", "fake")
    assert found.returncode == 4
    assert "the backend 'fake' of the package fake-backend 1.2 cannot be loaded (ModuleNotFoundError" in found.stderr
    assert bench(tmp_path / "run", tmp_path / "installed", "--collect-only", "-q").returncode == 0


def test_a_task_of_another_package_brings_its_suites(tmp_path: Path, detector: Path) -> None:
    modules = {
        "demo_task.py": DEMO_TASK,
        "demo_suites/__init__.py": "",
        "demo_suites/test_demo.py": DEMO_SUITE,
        "demo_family.py": DEMO_FAMILY,
    }
    make_distribution(tmp_path / "installed", "demo-task", DEMO_ENTRIES, modules)
    run_dir = tmp_path / "run"
    found = bench(
        run_dir, tmp_path / "installed", "--variant", "demo_nano", "--precision", "float32",
        "--artifact", str(detector), "--samples", "2", "-k", "demo_size or test_bit_accuracy", "-v",
    )  # fmt: skip
    assert found.returncode == 0, found.stdout + found.stderr
    assert [row["value"] for row in rows(run_dir) if row["metric"] == "size_bytes"] == [f"{detector.stat().st_size}.0"]
    assert {row["metric"] for row in rows(run_dir)} > {"size_bytes", "bit_accuracy"}
    assert found.stdout.index("::test_demo_size") < found.stdout.index("::test_bit_accuracy")  # by its order
    with (run_dir / "samples" / "durations.csv").open() as file:
        assert next(csv.DictReader(file))["suite"] == "demo"


def test_a_task_with_a_suite_that_is_missing_is_an_error(tmp_path: Path) -> None:
    modules = {"demo_task.py": DEMO_TASK, "demo_family.py": DEMO_FAMILY}
    make_distribution(tmp_path / "installed", "demo-task", DEMO_ENTRIES, modules)
    found = bench(tmp_path / "run", tmp_path / "installed", "--variant", "demo_nano")
    assert found.returncode == 4
    assert "the task 'demo' names its suites 'demo_suites', which cannot be found" in found.stderr
