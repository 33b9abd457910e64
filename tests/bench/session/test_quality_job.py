"""The main job on a network of another family: its rows, its gates, and a fault that is planted."""

import csv
from pathlib import Path

import numpy as np
import pytest
import torch

from sealbench.converters.checkpoints.uvq import load_network
from sealbench.converters.export.precisions import get_precision
from sealbench.converters.export.quantize import quantize
from sealbench.converters.export.uvq import export_uvq_float32
from sealbench.converters.families import family_of
from sealbench.converters.families.registry import get_card
from sealbench.converters.families.weight_sources import find_weights
from sealbench.converters.models.uvq.networks import AggregationNet
from sealbench.converters.store import ArtifactSpec, ArtifactStore
from tests.bench.main_job import main_job
from tests.bench.session.test_main_job import with_largest_weight_zeroed

pytestmark = [pytest.mark.convert, pytest.mark.main_job]
CONTENT = ("--variant", "uvq1p5_content", "--precision", "int8", "--samples", "3", "-k", "not latency")


def rows(run_dir: Path, name: str) -> list[dict[str, str]]:
    with (run_dir / name).open() as file:
        return list(csv.DictReader(file))


@pytest.mark.long
def test_a_network_is_measured_as_a_detector_is_and_a_broken_file_is_found(tmp_path: Path) -> None:
    job = main_job(tmp_path / "run", *CONTENT)
    assert job.code == 0, job.output[-3000:]
    found = {(row["precision"], row["metric"]): row for row in rows(job.run_dir, "results.csv")}
    assert {row["weights"] for row in found.values()} == {"seeded"}
    assert 0 < float(found["int8", "feature_error_pct"]["value"]) < 20
    assert 4_000_000 < float(found["int8", "size_bytes"]["value"]) < 4_450_000
    assert float(found["int8", "weight_slope_error"]["value"]) < 0.01  # folded batch norms are its source
    assert not any(metric.startswith(("bit", "logits")) for _, metric in found)
    assert "feature" in (job.run_dir / "summary.md").read_text()
    samples = rows(job.run_dir, "samples/scores.csv")
    assert len(samples) == 2 * 3  # PyTorch and the file
    error = sum(float(row["error_ss"]) for row in samples if row["backend"] == "litert")
    squares = sum(float(row["reference_ss"]) for row in samples if row["backend"] == "litert")
    assert float(found["int8", "feature_error_pct"]["value"]) == pytest.approx(100 * (error / squares) ** 0.5)

    (file,) = job.files
    assert file.name == "uvq1p5_content_256_int8.tflite"
    broken = tmp_path / "broken.tflite"
    broken.write_bytes(with_largest_weight_zeroed(file.read_bytes()))
    job = main_job(tmp_path / "broken", *CONTENT, "--weights", "seeded", "--artifact", str(broken))
    assert job.code == 1
    failed = {row["metric"] for row in rows(job.run_dir, "verdicts.csv") if row["verdict"] == "FAIL"}
    assert "unmatched_weight_pct" in failed


@pytest.mark.long
def test_a_detectors_file_is_not_taken_for_a_network(tmp_path: Path) -> None:
    store, card = ArtifactStore(tmp_path / "store"), get_card("videoseal_nano")
    weights = find_weights(card)
    family = family_of(card)
    spec = ArtifactSpec(card, weights, get_precision("float32"), family.default_size(card))
    detector = store.get(spec, family.model(card, weights)).path
    job = main_job(tmp_path / "run", *CONTENT, "--weights", "seeded", "--artifact", str(detector))
    assert job.code == 4
    assert "not the network uvq1p5_content" in job.output


def test_aggregation_is_calibrated_with_both_of_its_inputs(tmp_path: Path) -> None:
    """Its two inputs reach the right tensors: the ranges in the file are those of the right one."""
    card = get_card("uvq1p5_aggregation")
    network = load_network("aggregation")
    assert isinstance(network, AggregationNet)
    family = family_of(card)
    export_uvq_float32(network, tmp_path / "float32.tflite")
    rng = np.random.default_rng(0)
    content = rng.random((1, 8, 8, 128), dtype=np.float32)
    distortion = rng.random((1, 24, 24, 128), dtype=np.float32)
    recipe = family.recipe(get_precision("int8_static"), ())
    path = tmp_path / "static.tflite"
    quantize(tmp_path / "float32.tflite", recipe, path, [(content, distortion)])
    from sealbench.bench.backends.registry import backend_of

    (found,) = backend_of("litert").open(path, 1)(content, distortion)
    with torch.inference_mode():
        expected = network(torch.from_numpy(content), torch.from_numpy(distortion)).numpy()
    assert found == pytest.approx(expected, rel=0.02)
