"""The pictures show what was measured, leave out what was not, and never stop a run."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.image import imread

from reports import plots
from reports.plot_style import bar_label, in_order, style_of
from reports.plots import FIGURES, write_plots
from reports.quality_plots import score_scatter
from reports.records import BIT_COLUMNS, SCORE_COLUMNS, Case, Measurement, measurement
from reports.run_directory import PLOTS
from tests.reports.synthetic import FULL, NANO, PRECISIONS, RUN_ID, attack_rows, bit_rows, healthy_rows, torch_of

BITS = pd.DataFrame(bit_rows(images=2), columns=list(BIT_COLUMNS))
NO_BITS = BITS.iloc[:0]


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """Draw few pixels where no test looks at them."""
    if request.function is not test_every_picture_of_the_contract_is_drawn:
        monkeypatch.setattr(plots, "_DPI", 30)


def rewritten_rows() -> list[Measurement]:
    """How many times as fast two files of the nano model and one of the full one became; and one that says nothing."""

    def row(base: Case, precision: str, rewrites: str, value: float, low: float, high: float) -> Measurement:
        case = replace(base, precision=precision, rewrites=rewrites)
        return measurement(RUN_ID, case, "", "none", "speedup_vs_plain", value, 40, (low, high))

    return [
        row(NANO, "int8", "split_depthwise", 1.25, 1.0, 1.6),
        row(NANO, "float32", "split_depthwise", 2.0, 1.9, 2.1),
        row(NANO, "fp16", "none", 1.0, 1.0, 1.0),
        row(FULL, "int8", "split_depthwise", 0.8, 0.5, 1.0),
    ]


def texts(axes_owner: object) -> list[str]:
    return [text.get_text() for text in axes_owner.texts]  # type: ignore[attr-defined]


def test_every_picture_of_the_contract_is_drawn(tmp_path: Path) -> None:
    written, problems = write_plots(healthy_rows() + rewritten_rows() + attack_rows(), BITS, tmp_path)
    assert problems == []
    assert [f"plots/{path.name}" for path in written] == [name for name in PLOTS if name != "plots/score_scatter.png"]
    for path in written:
        picture = imread(path)
        assert picture.shape[1] >= 900
        assert picture[..., :3].std() > 0.05  # something is drawn


def test_the_bars_are_the_values_with_one_facet_for_each_variant() -> None:
    figure = FIGURES["size_by_precision"](healthy_rows(), NO_BITS)
    assert figure is not None
    nano, full = figure.axes
    assert [bar.get_width() for bar in full.patches] == [133.39, 66.9, 34.1, 34.1]  # type: ignore[attr-defined]
    assert [label.get_text() for label in nano.get_yticklabels()] == list(PRECISIONS)
    assert "seeded (untrained)" in full.get_title()
    assert "seeded" not in nano.get_title()
    assert "  34.1 MB  (74.4 % smaller)" in texts(full)
    assert full.get_xlabel() == "file size, MB"


def test_latency_has_a_bar_for_pytorch() -> None:
    figure = FIGURES["latency_by_precision"](healthy_rows(), NO_BITS)
    assert figure is not None
    full = figure.axes[1]
    assert [label.get_text() for label in full.get_yticklabels()] == ["PyTorch", *PRECISIONS]
    assert [bar.get_width() for bar in full.patches] == [123.0, 71.2, 70.4, 30.3, 72.8]  # type: ignore[attr-defined]
    assert "  30.3 ms  (4.1 x)" in texts(full)


def test_rewritten_files_are_shown_as_a_share_of_the_plain_ones_time() -> None:
    figure = FIGURES["rewrite_effect"](healthy_rows() + rewritten_rows(), NO_BITS)
    assert figure is not None
    nano, full = figure.axes
    assert [label.get_text() for label in nano.get_yticklabels()] == ["float32*", "int8*"]
    assert [label.get_text() for label in full.get_yticklabels()] == ["int8*"]
    line, *points = nano.lines
    assert np.asarray(line.get_xdata()).tolist() == [1, 1]
    assert [(float(point.get_xdata()[0]), float(point.get_ydata()[0])) for point in points] == [(0.5, 0), (0.8, 1)]  # type: ignore[index, arg-type]
    ends = [sorted(collection.get_segments()[0][:, 0]) for collection in nano.collections]  # type: ignore[attr-defined]
    assert ends == [pytest.approx([1 / 2.1, 1 / 1.9]), pytest.approx([1 / 1.6, 1.0])]
    assert texts(full) == ["  1.25"]  # slower
    assert full.get_xlim()[1] > 2.0  # 0.5 times as fast: the end of its interval is in the picture
    assert any("split_depthwise" in text for text in texts(figure))


def test_without_files_measured_both_ways_there_is_no_picture_of_rewrites() -> None:
    assert FIGURES["rewrite_effect"](healthy_rows(), NO_BITS) is None
    plain = [row for row in rewritten_rows() if row.rewrites == "none"]
    assert len(plain) == 1
    assert FIGURES["rewrite_effect"](plain, NO_BITS) is None


def test_seeded_weights_show_agreement_and_never_accuracy() -> None:
    for name in ("accuracy_vs_size", "accuracy_vs_latency"):
        figure = FIGURES[name](healthy_rows(), NO_BITS)
        assert figure is not None
        nano, full = figure.axes
        assert nano.get_ylabel() == "bit accuracy, %"
        assert full.get_ylabel() == "bit agreement with PyTorch, %"
        heights = {float(line.get_ydata()[0]) for line in full.lines}  # type: ignore[index, arg-type]
        assert heights == {100.0, 99.72, 99.9}
    figure = FIGURES["accuracy_by_precision"](healthy_rows(), NO_BITS)
    assert figure is not None
    nano, full = figure.axes
    assert "n/a, untrained" in full.get_xlabel()
    assert len(full.lines) == 4  # agreement of four files
    assert len(nano.lines) == 9  # and accuracy of those and PyTorch
    assert any("zoomed" in text for text in texts(figure))


def test_logits_have_a_panel_for_each_variant_and_precision() -> None:
    figure = FIGURES["logits_scatter"](healthy_rows(), BITS)
    assert figure is not None
    assert [axes.get_title() for axes in figure.axes] == [*PRECISIONS, *PRECISIONS]
    assert "seeded (untrained)" in figure.axes[4].get_ylabel()
    points = np.asarray(figure.axes[0].collections[-1].get_offsets())
    own = BITS[(BITS["variant"] == "videoseal_nano") & (BITS["precision"] == "float32")]
    assert sorted(points[:, 0]) == sorted(own["reference_logit"])


def test_missing_metrics_leave_pictures_out_and_remove_old_ones(tmp_path: Path) -> None:
    (tmp_path / "latency_by_precision.png").write_bytes(b"of an earlier rendering")
    rows = [row for row in healthy_rows() if row.metric in {"size_bytes", "nan_count"}]
    written, problems = write_plots(rows, NO_BITS, tmp_path)
    assert ([path.name for path in written], problems) == (["size_by_precision.png"], [])
    assert [path.name for path in tmp_path.iterdir()] == ["size_by_precision.png"]
    assert write_plots([], NO_BITS, tmp_path) == ([], [])


def test_values_that_are_not_finite_are_left_out(tmp_path: Path) -> None:
    bad = {"int8": math.nan, "fp16": math.inf}
    rows = [replace(row, value=bad.get(row.precision, row.value)) for row in healthy_rows()]
    bits = BITS.assign(logit=BITS["logit"].where(~BITS["precision"].isin(list(bad)), math.nan))
    written, problems = write_plots(rows, bits, tmp_path)
    assert (len(written), problems) == (6, [])


def test_a_picture_that_cannot_be_drawn_is_named_and_the_rest_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("no ink")

    monkeypatch.setitem(plots.FIGURES, "size_by_precision", broken)
    rows = [row for row in healthy_rows() if row.metric == "latency_ms"]
    written, problems = write_plots(rows, NO_BITS, tmp_path)
    assert [path.name for path in written] == ["latency_by_precision.png"]
    assert problems == ["plot size_by_precision could not be drawn: RuntimeError: no ink"]


def test_hostile_names_and_eight_precisions_can_be_drawn(tmp_path: Path) -> None:
    rows = [replace(row, variant="$\\frac{$ <b>\n\x1b " * 9, precision=row.precision + "$^$") for row in healthy_rows()]
    written, problems = write_plots(rows, BITS.assign(variant="$\\bad$", precision="$_$"), tmp_path)
    assert (len(written), problems) == (6, [])


def test_precisions_keep_their_order_and_look() -> None:
    assert in_order(["zebra", "int4", "int8", "PyTorch", "float32", "int8 (tensorflow)"]) == [
        "PyTorch",
        "float32",
        "int8",
        "int8 (tensorflow)",
        "int4",
        "zebra",
    ]
    known = ("PyTorch", *PRECISIONS, "int8_static", "int4", "int4_weight_only", "int4_block32")
    assert len({style_of(name)[0] for name in known}) == len({style_of(name)[1] for name in known}) == 9
    assert bar_label(torch_of(NANO)) == "PyTorch"
    assert bar_label(replace(NANO, backend="tensorflow")) == "float32 (tensorflow)"


def test_scores_are_drawn_model_by_model_and_features_are_not() -> None:
    rows = [
        (variant, precision, "litert", "none", f"set/{n}", score, 1.0 + n, 1, 0, 0, 1, 1, 1, "256", "none")
        for variant, score in (("uvq1p5", 2.0), ("uvq1p5_content", math.nan))
        for precision in ("float32", "int8")
        for n in range(3)
    ]
    figure = score_scatter([], pd.DataFrame(rows, columns=list(SCORE_COLUMNS)))
    assert figure is not None
    assert [axes.get_title() for axes in figure.axes] == ["float32", "int8"]
    assert figure.axes[0].get_ylabel().startswith("uvq1p5\n")
    assert score_scatter([], pd.DataFrame(columns=list(SCORE_COLUMNS))) is None
