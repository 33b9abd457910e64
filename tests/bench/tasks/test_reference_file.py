"""A reference that runs in another environment: its interpreter, our modules, its packages."""

import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest

from sealbench.bench.backends.registry import backend_of
from sealbench.bench.backends.worker.session import WorkerSession
from sealbench.bench.errors import OptionError
from sealbench.bench.tasks.reference_file import described, engine_of, reference_file_request
from sealbench.converters.families.file import file_card
from tests.bench.tiny import tiny_tflite

pytestmark = [pytest.mark.convert, pytest.mark.main_job]


def test_an_interpreter_that_is_named_runs_the_reference(tmp_path: Path) -> None:
    """It is this one, started as another would be: with nothing but our modules put on its path."""
    path = tmp_path / "tiny.tflite"
    path.write_bytes(tiny_tflite())
    engine = engine_of(sys.executable)
    assert engine == version("ai-edge-litert")
    card, _ = file_card(path, path, sys.executable, engine)
    picture = np.random.default_rng(0).random((1, 32, 32, 3), dtype=np.float32)
    request = reference_file_request(card, threads=1)
    assert request.command[0] == sys.executable
    with WorkerSession(request) as session:
        (found,) = session(picture)
        assert session.describe()["packages"]["ai-edge-litert"] == engine
    (expected,) = backend_of("litert").open(path, 1)(picture)
    assert found.tolist() == expected.tolist()
    assert described(card) == {"file": "tiny.tflite", "ai-edge-litert": engine}


def test_an_interpreter_that_cannot_run_files_is_refused(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "bare")], check=True)
    bare = str(tmp_path / "bare" / "bin" / "python")
    with pytest.raises(OptionError, match=r"cannot run files \(ModuleNotFoundError: .*numpy.*install them there"):
        engine_of(bare)
    with pytest.raises(
        OptionError, match=r"--reference-python /none/python: cannot be run \(.*expected a Python interp"
    ):
        engine_of("/none/python")
