"""What attacks cost is said for each file, with how sure that is."""

import math
from dataclasses import replace

import numpy as np
import pytest

from sealbench.reports.render.plots.robustness import attack_results, robustness, robustness_markdown
from sealbench.reports.render.record import RunRecord
from sealbench.reports.schema.records import Measurement
from tests.reports.synthetic import attack_rows, healthy_rows

ROWS = healthy_rows() + attack_rows()


def changed(metric: str, precision: str, attack: str, **changes: float | None) -> list[Measurement]:
    """ROWS with one measurement of the nano model changed."""
    place = ("videoseal_nano", "litert", metric, precision, attack)
    return [
        replace(row, **changes) if _place(row) == place else row  # type: ignore[arg-type]
        for row in ROWS
    ]


def _place(row: Measurement) -> tuple[str, ...]:
    return row.case.variant, row.case.backend, row.metric, row.case.precision, row.attack


def test_nothing_without_attacks() -> None:
    assert attack_results(healthy_rows()) == []
    assert robustness(RunRecord(healthy_rows())) is None
    assert robustness_markdown(healthy_rows()) == ""


def test_accuracy_of_trained_and_agreement_of_seeded_weights() -> None:
    found = {(r.model.variant, r.file, r.attack): r for r in attack_results(ROWS)}
    assert {attack for _, _, attack in found} == {"none", "jpeg:90", "jpeg:70", "jpeg:50", "flip"}
    int8 = found["videoseal_nano", "int8", "jpeg:50"]
    assert (int8.value, int8.loss, int8.loss_low, int8.loss_high) == pytest.approx((87.7, 0.3, 0.2, 0.4))
    assert found["videoseal_nano", "PyTorch", "jpeg:50"].loss == 0
    seeded = found["videoseal", "int8", "jpeg:90"]
    assert (seeded.value, seeded.loss, seeded.loss_low, seeded.loss_high) == pytest.approx((99.72, 0.28, 0.23, 0.33))
    assert ("videoseal", "PyTorch", "jpeg:90") not in found


def test_another_dataset_does_not_get_in_between() -> None:
    other = [replace(row, dataset="other", value=0.1) for row in attack_rows()]
    assert attack_results(ROWS + other) == attack_results(ROWS)


def test_the_picture_has_a_facet_for_each_model_and_a_cell_for_each_reading() -> None:
    figure = robustness(RunRecord(ROWS))
    assert figure is not None
    nano, full, *_ = figure.axes
    assert [text.get_text() for text in nano.get_yticklabels()] == ["none", "jpeg:90", "jpeg:70", "jpeg:50", "flip"]
    labels = ["PyTorch", "float32", "fp16", "int8", "int8_weight_only"]
    assert [text.get_text() for text in nano.get_xticklabels()] == labels
    assert [text.get_text() for text in full.get_xticklabels()] == labels[1:]
    cells = {(round(text.get_position()[0]), round(text.get_position()[1])): text.get_text() for text in nano.texts}
    assert len(cells) == 25
    assert (cells[0, 3], cells[3, 3]) == ("88.0", "87.7")
    (image,) = nano.get_images()
    losses = image.get_array()
    assert losses is not None
    assert losses[3, 3] == pytest.approx(0.3)
    assert image.get_clim() == pytest.approx((-1.12, 1.12))  # the largest loss of all facets


def test_a_value_that_is_not_known_leaves_its_cell_white() -> None:
    figure = robustness(RunRecord(changed("bit_accuracy_delta", "int8", "flip", value=math.nan)))
    assert figure is not None
    (image,) = figure.axes[0].get_images()
    losses = image.get_array()
    assert isinstance(losses, np.ma.MaskedArray)
    assert np.ma.getmaskarray(losses)[4, 3]
    text = robustness_markdown(changed("bit_accuracy_delta", "int8", "flip", value=math.nan))
    assert "bit accuracy: not known under flip" in text


def test_each_file_has_its_line() -> None:
    lines = robustness_markdown(ROWS).splitlines()
    assert lines[0] == "### Robustness"
    assert lines[2] == "videoseal_nano, 256, attacks: 4"
    assert lines[4:8] == [
        "- float32 bit accuracy: not lower under any attack",
        "- fp16 bit accuracy: not lower under any attack",
        "- int8 costs 0.31 JPEG-quality points \\[-0.19, 0.81\\], not distinguishable from 0; "
        "bit accuracy: at most 0.40 points lower \\[0.30, 0.50\\], under flip",
        "- int8_weight_only costs 0.90 JPEG-quality points \\[0.40, 1.40\\]; "
        "bit accuracy: at most 0.08 points lower \\[-0.02, 0.18\\], under flip",
    ]
    seeded = next(line for line in lines if "agreement with PyTorch" in line and line.startswith("- int8 "))
    assert "JPEG" not in seeded  # means nothing for untrained weights
    assert "at most 1.12 points lower" in seeded


def test_a_cost_that_cannot_be_told() -> None:
    rows = changed("jpeg_quality_cost", "int8", "none", value=math.nan, ci_low=math.nan, ci_high=math.nan)
    assert "costs an unknown JPEG quality" in robustness_markdown(rows)
    rows = changed("jpeg_quality_cost", "int8", "none", ci_low=None, ci_high=None)
    assert "- int8 costs 0.31 JPEG-quality points; bit" in robustness_markdown(rows)
