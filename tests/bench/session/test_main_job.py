"""The main job end to end on the bundled model: its files, its verdicts, and the faults it must find."""

import csv
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from ai_edge_litert import schema_py_generated as schema

from sealbench.converters.checkpoints.loading import load_watermarker
from sealbench.converters.embedding import embed_pictures
from sealbench.converters.families.watermark import get_variant
from sealbench.converters.families.weight_sources import find_weights
from sealbench.datasets.images import write_png
from sealbench.datasets.messages import format_bits, random_messages
from sealbench.datasets.photographs import photo_samples
from sealbench.reports.schema.tables import RESULTS
from tests.bench.main_job import MainJob, main_job, main_job_on_terminal, render_again

pytestmark = [pytest.mark.convert, pytest.mark.main_job]

NANO = ("--variant", "videoseal_nano", "--samples", "12", "-k", "not latency")
ACCURACY = ("bit_accuracy", "bit_agreement", "word_accuracy", "logits_mae", "detection_confidence", "snr_db")


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> MainJob:
    """The bundled model at float32 and int8, converted once for this file."""
    return main_job(tmp_path_factory.mktemp("run"), *NANO, "--precision", "float32,int8")


@pytest.fixture(scope="module")
def files(job: MainJob) -> dict[str, Path]:
    """The converted files by precision."""
    found = {path.stem: path for path in job.files}
    stem = "videoseal_detector_videoseal_nano_256"
    return {"float32": found[stem], "int8": found[f"{stem}_int8"]}


def results(run_dir: Path) -> pd.DataFrame:
    frame = pd.read_csv(run_dir / "results.csv", dtype={"image_size": str, "dataset": str})
    return frame.fillna({"dataset": ""})


def failed_metrics(job: MainJob) -> set[str]:
    verdicts = pd.read_csv(job.run_dir / "verdicts.csv")
    return set(verdicts[verdicts.verdict == "FAIL"].metric)


def lines_of_files(output: str) -> list[str]:
    """The lines on finished files, without what moves a terminal's cursor."""
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", output)
    return [line for line in plain.splitlines() if re.match(r"videoseal_nano 256 \S+: size", line)]


def test_each_finished_file_has_a_line_of_what_was_measured(job: MainJob) -> None:
    values = results(job.run_dir)
    files = values[(values.backend == "litert") & values.dataset.isin(["", "photographs"])]
    found = files.set_index(["precision", "metric"])["value"].to_dict()
    assert lines_of_files(job.output) == [
        f"videoseal_nano 256 {precision}*: size {found[precision, 'size_bytes'] / 1e6:.1f} MB, "
        f"agreement {100 * found[precision, 'bit_agreement']:.2f} %, "
        f"accuracy {100 * found[precision, 'bit_accuracy']:.2f} %, PASS"
        for precision in ("float32", "int8")
    ]


def test_a_pipe_gets_plain_lines(job: MainJob) -> None:
    assert "\x1b" not in job.output
    assert "\r" not in job.output
    while_running, _, at_the_end = job.output.partition(" sealbench ")
    ours = [line for line in while_running.splitlines() if line.startswith("videoseal_nano ")]
    assert len(ours) > 8  # suites and files
    assert max(map(len, [*ours, *at_the_end.splitlines()[1:-3]])) <= 100  # a path is as long as it is


@pytest.mark.long
def test_a_terminal_gets_a_bar_and_a_quiet_run_only_the_table(job: MainJob, tmp_path: Path) -> None:
    chosen = ("-k", "conversion or size or bit_accuracy", "--precision", "float32,int8", *NANO[:4])
    shown = main_job_on_terminal(tmp_path / "shown", *chosen)
    assert shown.code == 0, shown.output[-3000:]
    tests = len(pd.read_csv(tmp_path / "shown/samples/durations.csv"))
    assert f"{tests - 1}/{tests} tests" in shown.output
    assert f"{tests}/{tests} tests" in shown.output
    assert "\x1b[2K" in shown.output  # drawn over itself
    assert [line.rpartition(", ")[2] for line in lines_of_files(shown.output)] == ["PASS", "PASS"]
    assert "test_size.py ." not in shown.output  # pytest's own dots
    quiet = main_job(tmp_path / "quiet", *chosen, "-q")
    assert lines_of_files(quiet.output) == []
    assert "to go" not in quiet.output
    assert f"report: {tmp_path / 'quiet' / 'report.html'}" in quiet.output


@pytest.mark.long
def test_a_failing_file_says_so_above_the_bar(job: MainJob, tmp_path: Path) -> None:
    gates = tmp_path / "gates.toml"
    gates.write_text('[[gate]]\nmetric = "size_bytes"\nop = "<"\nlimit = 9\nreason = "tiny"\n', encoding="utf-8")
    chosen = ("-k", "conversion or size", "--precision", "int8", *NANO[:4], "--gates", str(gates))
    shown = main_job_on_terminal(tmp_path / "run", *chosen)
    assert shown.code == 1
    (line,) = lines_of_files(shown.output)
    assert line.endswith(" MB, FAIL")
    assert re.search(r"FAILED bench/suites/test_size\.py::\S+", shown.output.partition("= FAILURES =")[0])


def test_the_bundled_model_passes(job: MainJob) -> None:
    assert job.code == 0, job.output[-3000:]
    written = ("results.csv", "summary.csv", "verdicts.csv", "environment.json", "summary.md", "report.html")
    for name in (*written, "samples/bits.csv"):
        assert (job.run_dir / name).stat().st_size > 0, name
    assert sorted(path.name for path in (job.run_dir / "plots").glob("*.png"))
    assert f"report: {job.run_dir / 'report.html'} (" in job.output
    assert failed_metrics(job) == set()
    frame = results(job.run_dir)
    assert tuple(frame.columns) == RESULTS.names
    assert set(frame.backend) == {"torch", "litert"}
    assert set(frame.weights) == {"bundled"}
    environment = json.loads((job.run_dir / "environment.json").read_text())
    assert environment["weights"]["videoseal_nano"]["kind"] == "bundled"
    assert environment["packages"]["litert-torch"] == "0.10.0"


def test_gates_of_suites_that_were_not_selected_do_not_apply(job: MainJob) -> None:
    verdicts = pd.read_csv(job.run_dir / "verdicts.csv")
    speed = verdicts[verdicts.metric.str.startswith("speedup")]
    assert set(speed.verdict) == {"NOT_APPLICABLE"}


def test_accuracy_recomputes_from_the_samples_with_pandas_alone(job: MainJob) -> None:
    bits = pd.read_csv(job.run_dir / "samples" / "bits.csv").dropna(subset="message")
    right = ((bits.logit > 0) == (bits.message == 1)) & bits.logit.notna()
    recomputed = right.groupby([bits.precision, bits.backend]).mean()
    frame = results(job.run_dir)
    recorded = frame[frame.metric == "bit_accuracy"].set_index(["precision", "backend"]).value
    assert len(recomputed) == 3
    assert recomputed.to_dict() == recorded.to_dict()


@pytest.mark.long
def test_a_second_run_gives_the_same_accuracy_to_the_last_digit(job: MainJob, tmp_path: Path) -> None:
    again = main_job(tmp_path / "run", *NANO, "--precision", "float32,int8")

    def rows(run_dir: Path) -> list[list[str]]:
        with (run_dir / "results.csv").open() as file:
            return [row[1:] for row in csv.reader(file)]  # all but the run's own name

    assert rows(again.run_dir) == rows(job.run_dir)


def test_rendering_again_judges_the_same(job: MainJob) -> None:
    before = (job.run_dir / "verdicts.csv").read_bytes()
    assert render_again(job.run_dir).code == 0
    assert (job.run_dir / "verdicts.csv").read_bytes() == before


def judge_file(path: Path, precision: str, run_dir: Path) -> MainJob:
    return main_job(run_dir, *NANO, "--precision", precision, "--artifact", str(path))


@pytest.mark.long
def test_a_file_from_elsewhere_is_measured_as_what_it_is_said_to_be(files: dict[str, Path], tmp_path: Path) -> None:
    elsewhere = tmp_path / "mine.tflite"
    shutil.copy(files["int8"], elsewhere)
    job = judge_file(elsewhere, "int8", tmp_path / "run")
    assert job.code == 0, job.output[-3000:]


@pytest.mark.long
def test_a_copy_of_float32_is_no_int8(files: dict[str, Path], tmp_path: Path) -> None:
    job = judge_file(files["float32"], "int8", tmp_path / "run")
    assert job.code == 1
    assert {"size_reduction_pct", "quantized_weight_pct"} <= failed_metrics(job)


def test_a_file_with_one_layer_zeroed_fails(files: dict[str, Path], tmp_path: Path) -> None:
    broken = tmp_path / "zeroed.tflite"
    broken.write_bytes(with_largest_weight_zeroed(files["int8"].read_bytes()))
    job = judge_file(broken, "int8", tmp_path / "run")
    assert job.code == 1
    assert {"bit_agreement", "bit_accuracy_delta", "logits_mae_rel_pct"} <= failed_metrics(job)


def with_largest_weight_zeroed(content: bytes) -> bytes:
    """The file with the weights of its largest layer all zero; a quantized file keeps them behind the flatbuffer."""
    model = schema.Model.GetRootAsModel(content, 0)
    buffers = [model.Buffers(index) for index in range(model.BuffersLength())]
    largest = max(buffers, key=lambda buffer: buffer.Size())
    start, size = largest.Offset(), largest.Size()
    assert any(content[start : start + size])
    return content[:start] + bytes(size) + content[start + size :]


@pytest.fixture(scope="module")
def blind_to_bright_images(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The bundled detector, but NaN for the brightest of the images that the tests use."""
    import torch

    from sealbench.converters.cards.image_size import ImageSize
    from sealbench.converters.export.detector import export_float32

    variant = get_variant("videoseal_nano")
    means = sorted(sample.image.mean() / 255 for sample in photo_samples("evaluation", (256, 256), 12))
    threshold = (means[-1] + means[-2]) / 2

    class Blind(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.detector = load_watermarker(variant, find_weights(variant)).detector

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            root = torch.sqrt(threshold - images.mean())  # NaN above the threshold
            return self.detector(images) + (root - root.detach() * 1.0) * 1e-9

    path = tmp_path_factory.mktemp("blind") / "blind.tflite"
    export_float32(Blind().eval(), variant, ImageSize(256, 256), "simple", path)
    yield path


@pytest.mark.long
def test_a_file_that_gives_nan_for_one_image_fails(blind_to_bright_images: Path, tmp_path: Path) -> None:
    job = judge_file(blind_to_bright_images, "float32", tmp_path / "run")
    assert job.code == 1
    assert "nan_count" in failed_metrics(job)
    counted = results(job.run_dir).set_index("metric").value["nan_count"]
    assert counted == 2 * 33  # one image, with and without its watermark


@pytest.fixture(scope="module")
def marked(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str], np.ndarray]:
    """A folder of watermarked images, their names, and their messages."""
    variant = get_variant("videoseal_nano")
    samples = photo_samples("evaluation", (256, 256), 12)
    messages = random_messages(len(samples), variant.nbits, seed=5)
    watermarker = load_watermarker(variant, find_weights(variant))
    images = embed_pictures(watermarker, [sample.image for sample in samples], messages)
    folder = tmp_path_factory.mktemp("marked")
    names = [f"{sample.id}.png" for sample in samples]
    for name, image in zip(names, images, strict=True):
        write_png(folder / name, image)
    return folder, names, messages


def write_manifest(folder: Path, names: list[str], messages: np.ndarray) -> None:
    rows = [f"{name},{format_bits(message)}\n" for name, message in zip(names, messages, strict=True)]
    (folder / "manifest.csv").write_text("file,message\n" + "".join(rows))


@pytest.mark.long
def test_images_that_are_watermarked_already_are_read(
    job: MainJob, marked: tuple[Path, list[str], np.ndarray], tmp_path: Path
) -> None:
    folder, names, messages = marked
    write_manifest(folder, names, messages)
    found = main_job(tmp_path / "run", *NANO, "--precision", "int8", "--dataset", str(folder))
    assert found.code == 0, found.output[-3000:]
    frame = results(found.run_dir)
    assert set(frame.dataset) == {"", folder.name}
    assert "false_positive_rate" not in set(frame.metric)  # there are no images without a watermark


@pytest.mark.long
def test_shuffled_messages_fail(job: MainJob, marked: tuple[Path, list[str], np.ndarray], tmp_path: Path) -> None:
    folder, names, messages = marked
    write_manifest(folder, names, np.roll(messages, 1, axis=0))
    found = main_job(tmp_path / "run", *NANO, "--precision", "int8", "--dataset", str(folder))
    assert found.code == 1
    assert "bit_accuracy" in failed_metrics(found)


@pytest.mark.long
def test_latency_is_measured_in_rounds_and_by_pytest_benchmark(job: MainJob, tmp_path: Path) -> None:
    report = tmp_path / "benchmark.json"
    options = ("--variant", "videoseal_nano", "--precision", "int8", "-k", "latency", "--no-gate", "--threads", "1,2")
    found = main_job(tmp_path / "run", *options, f"--benchmark-json={report}")
    assert found.code == 0, found.output[-3000:]
    frame = results(found.run_dir).set_index(["threads", "metric", "backend"]).value
    samples = pd.read_csv(found.run_dir / "samples" / "latency.csv")
    medians = samples.groupby(["threads", "backend"]).latency_ms.median()
    for threads in (1, 2):  # like is compared with like
        litert, torch = medians[threads, "litert"], medians[threads, "torch"]
        assert frame[threads, "latency_ms", "litert"] == pytest.approx(litert)
        assert frame[threads, "speedup_vs_torch", "litert"] == pytest.approx(torch / litert)
        # The float32 file takes part though it was not asked for.
        assert frame[threads, "speedup_vs_float32", "litert"] > 0
        for backend in ("litert", "torch"):
            assert frame[threads, "load_ms", backend] > 0
            assert frame[threads, "first_ms", backend] > 0
            assert frame[threads, "peak_memory_mb", backend] > frame[threads, "bare_memory_mb", backend] > 10
        # Nothing but the engine is in a file's process.
        assert frame[threads, "bare_memory_mb", "litert"] < frame[threads, "bare_memory_mb", "torch"]
    assert set(samples.groupby("round").size()) == {2}
    assert samples.groupby("round").threads.nunique().max() == 1
    names = [entry["name"] for entry in json.loads(report.read_text())["benchmarks"]]
    assert len(set(names)) == 4


@pytest.mark.long
def test_threads_are_a_dimension_of_latency_alone(job: MainJob, tmp_path: Path) -> None:
    found = main_job(tmp_path / "run", *NANO, "--precision", "int8", "--threads", "1,2")
    assert found.code == 0, found.output[-3000:]
    assert set(results(found.run_dir).threads) == {1}  # latency was left out
