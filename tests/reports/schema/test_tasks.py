from sealbench.reports.gates.judge import judge, load_gates
from sealbench.reports.render.markdown import summary_markdown
from sealbench.reports.render.tables import console_summary, summary_frame
from sealbench.reports.schema.tasks import QUALITY, TENSOR, WATERMARK, task_of
from tests.reports.synthetic import healthy_rows, quality_rows, tensor_rows


def test_a_model_is_of_the_task_whose_metrics_were_measured() -> None:
    assert task_of({"size_bytes": 1.0, "score_error_pct": 0.4, "bit_accuracy": None}) is QUALITY
    assert task_of({"size_bytes": 1.0, "bit_agreement": 1.0}) is WATERMARK
    assert task_of({"size_bytes": 1.0, "output_cosine": 1.0}) is TENSOR
    assert task_of({"size_bytes": 1.0}) is WATERMARK


def test_each_task_has_headings_of_its_own() -> None:
    rows = healthy_rows() + quality_rows() + tensor_rows()
    results = judge(load_gates(), rows, [])
    frame = summary_frame(rows, results)
    page = summary_markdown(frame, results, len(rows))
    assert page.startswith("## Watermark detectors and Quality models and Other models by precision")
    tables = [line for line in page.splitlines() if line.startswith("| model")]
    assert ["rank correlation" in line for line in tables] == [False, True, False]
    assert ["accuracy" in line for line in tables] == [True, False, False]
    console = console_summary(frame)
    assert "0.9980" in console
    assert "uvq1p5 1080x1920 (file)" in console
    assert "0.4 % score error" in page
    assert ["cosine" in line for line in tables] == [False, False, True]
    assert "my_network 32 (own)" in console
    note = "on random inputs, which show what a file computes and nothing of data: my_network"
    assert note in console
    assert note.replace("_", "\\_") in page or note in page
    assert "random inputs" not in console_summary(summary_frame(healthy_rows(), []))
    assert "| 98.50 % |" in page
