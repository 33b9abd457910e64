import importlib.metadata
from pathlib import Path

import numpy as np
import pytest

from sealbench.bench.analysis.operations.graph_operations import read_operations
from sealbench.bench.analysis.operations.litert_profiler import ProfiledModel
from sealbench.bench.backends.runners import FileRunner
from sealbench.bench.errors import RunnerError
from sealbench.converters.errors import ModelFileError
from tests.bench.tiny import NBITS, SIZE, tiny_tflite


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.tflite"
    path.write_bytes(tiny_tflite())
    return path


@pytest.mark.convert
def test_every_operation_of_a_run_is_listed_and_its_output_is_the_runners(tiny: Path) -> None:
    images = np.random.default_rng(0).random((2, *SIZE, 3), dtype=np.float32)
    run = FileRunner(tiny, 2, NBITS)
    with ProfiledModel(tiny, 2) as model:
        model(images[0])
        first, second = (model.profile(image) for image in images)
    for profile, image in zip((first, second), images, strict=True):
        np.testing.assert_array_equal(profile.output, run(image))
    assert not np.array_equal(first.output, second.output)
    # The profiler starts anew with each run.
    assert [event.name for event in first.events] == [event.name for event in second.events]
    names = [event.name for event in first.events if event.in_xnnpack]
    assert sum(name.startswith("Convolution") for name in names) == 4 + 5  # depthwise; stem, three steps and the head
    assert sum(name.startswith("GELU") for name in names) == 4 + 1
    operations = read_operations(tiny)
    outside = [event for event in first.events if not event.in_xnnpack]
    assert [operations[event.index].kind for event in outside] == [event.name for event in outside] == ["MIRROR_PAD"]
    assert 0 < sum(event.time_ms for event in first.events) < first.run_ms


@pytest.mark.convert
def test_another_version_of_litert_is_refused(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.metadata, "version", lambda _: "2.4.0")
    with pytest.raises(RunnerError, match=r"ai-edge-litert 2\.4\.0.*known for 2\.3"):
        ProfiledModel(tiny, 1)


def test_a_file_that_is_no_model_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "text.tflite"
    path.write_text("no model at all")
    with pytest.raises(ModelFileError, match="not a TFLite model"):
        ProfiledModel(path, 1)
