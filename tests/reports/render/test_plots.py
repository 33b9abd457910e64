"""The pictures show what was measured, leave out what was not, and never stop a run."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.image import imread

from sealbench.reports.gates.judge import judge, load_gates
from sealbench.reports.render.labels import bar_label, in_order
from sealbench.reports.render.plots import figures as plots
from sealbench.reports.render.plots.figures import FIGURES, compose, write_plots
from sealbench.reports.render.plots.quality import score_scatter
from sealbench.reports.render.plots.style import png, style_of
from sealbench.reports.render.plots.trade_off import Point, frontier
from sealbench.reports.render.record import RunRecord
from sealbench.reports.run.directory import PLOTS
from sealbench.reports.schema.records import Case, Measurement, measurement
from sealbench.reports.schema.tables import BITS as BITS_TABLE
from sealbench.reports.schema.tables import LATENCY as LATENCY_TABLE
from sealbench.reports.schema.tables import SCORES
from tests.reports.render.conftest import NANO_ONLY, SharedRun
from tests.reports.runs import latency_rows
from tests.reports.synthetic import (
    FULL,
    NANO,
    PRECISIONS,
    RUN_ID,
    altered,
    bit_rows,
    healthy_rows,
    torch_of,
)


def write(record: RunRecord, folder: Path) -> tuple[list[Path], list[str]]:
    """Compose and write every picture."""
    pictures, problems = compose(record)
    written, more = write_plots(pictures, folder)
    return written, problems + more


BITS = pd.DataFrame(bit_rows(images=2), columns=list(BITS_TABLE.names))
LATENCY = pd.DataFrame(latency_rows(rounds=20), columns=list(LATENCY_TABLE.names))
NANO_BITS, NANO_LATENCY = (samples[samples["variant"] == NANO.variant] for samples in (BITS, LATENCY))


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch, shared_run: SharedRun) -> None:
    """Draw few pixels: the shared run has the pictures as they are."""
    monkeypatch.setattr(plots, "PNG_DPI", 30)


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


def tips(axes: Axes) -> list[str]:
    """What the marks of a picture say on the page, those on top of others too."""
    words = [str(artist.get_gid()) for artist in axes.get_children() if artist.get_gid()]
    return [text.removeprefix("tip:") for text in words]


def texts(axes_owner: object) -> list[str]:
    return [text.get_text() for text in axes_owner.texts]  # type: ignore[attr-defined]


def test_every_picture_of_the_contract_is_drawn(shared_run: SharedRun) -> None:
    pictures = [path for path in shared_run.rendered.files if path.suffix == ".png"]
    assert [f"plots/{path.name}" for path in pictures] == list(PLOTS)
    for path in pictures:
        picture = imread(path)
        assert picture.shape[1] >= 900
        assert picture[..., :3].std() > 0.05  # something is drawn


def test_pixels_of_a_picture_are_the_same_each_time(tmp_path: Path) -> None:
    record = RunRecord(NANO_ONLY)
    first, second = (png(FIGURES["accuracy_vs_size"](record)) for _ in range(2))  # type: ignore[arg-type]
    assert first == second


def test_the_bars_are_the_values_with_one_facet_for_each_variant() -> None:
    figure = FIGURES["size_by_precision"](RunRecord(healthy_rows()))
    assert figure is not None
    nano, full = figure.axes
    assert [bar.get_width() for bar in full.patches] == [133.39, 66.9, 34.1, 34.1]  # type: ignore[attr-defined]
    assert [label.get_text() for label in nano.get_yticklabels()] == list(PRECISIONS)
    assert "seeded (untrained)" in full.get_title()
    assert "seeded" not in nano.get_title()
    assert "  34.1 MB  (74.4 % smaller)" in texts(full)
    assert full.get_xlabel() == "file size, MB"


def test_latency_has_a_bar_for_pytorch() -> None:
    figure = FIGURES["latency_by_precision"](RunRecord(healthy_rows()))
    assert figure is not None
    full = figure.axes[1]
    assert [label.get_text() for label in full.get_yticklabels()] == ["PyTorch", *PRECISIONS]
    assert [bar.get_width() for bar in full.patches] == [123.0, 71.2, 70.4, 30.3, 72.8]  # type: ignore[attr-defined]
    assert "  30.3 ms  (4.1 x)" in texts(full)


def test_rewritten_files_are_shown_as_a_share_of_the_plain_ones_time() -> None:
    figure = FIGURES["rewrite_effect"](RunRecord(healthy_rows() + rewritten_rows()))
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
    assert FIGURES["rewrite_effect"](RunRecord(healthy_rows())) is None
    plain = [row for row in rewritten_rows() if row.case.rewrites == "none"]
    assert len(plain) == 1
    assert FIGURES["rewrite_effect"](RunRecord(plain)) is None


def test_seeded_weights_show_agreement_and_never_accuracy() -> None:
    for name in ("accuracy_vs_size", "accuracy_vs_latency"):
        figure = FIGURES[name](RunRecord(healthy_rows()))
        assert figure is not None
        nano, full = figure.axes
        assert nano.get_ylabel() == "bit accuracy, %"
        assert full.get_ylabel() == "bit agreement with PyTorch, %"
        heights = {float(line.get_ydata()[0]) for line in full.lines}  # type: ignore[index, arg-type]
        assert heights == {100.0, 99.72, 99.9}
    figure = FIGURES["accuracy_by_precision"](RunRecord(healthy_rows()))
    assert figure is not None
    nano, full = figure.axes
    assert "n/a, untrained" in full.get_xlabel()
    assert len(full.lines) == 4  # agreement of four files
    assert len(nano.lines) == 9  # and accuracy of those and PyTorch
    assert any("zoomed" in text for text in texts(figure))


def test_logits_have_a_panel_for_each_variant_and_precision() -> None:
    figure = FIGURES["logits_scatter"](RunRecord(healthy_rows(), bits=BITS))
    assert figure is not None
    assert [axes.get_title() for axes in figure.axes] == [*PRECISIONS, *PRECISIONS]
    assert "seeded (untrained)" in figure.axes[4].get_ylabel()
    points = np.asarray(figure.axes[0].collections[-1].get_offsets())
    own = BITS[(BITS["variant"] == "videoseal_nano") & (BITS["precision"] == "float32")]
    assert sorted(points[:, 0]) == sorted(own["reference_logit"])


def test_the_frontier_leaves_out_what_is_beaten_and_what_is_rejected() -> None:
    def point(label: str, cost: float, percent: float, rejected: bool = False) -> Point:
        return Point(label, cost, percent, rejected)

    best = point("int8", 3, 99.9)
    cheap = point("int4", 2, 98)
    exact = point("float32", 11, 100)
    others = [point("fp16", 6, 99.9), point("int8_static", 3, 99), point("int4_block32", 1, 97, rejected=True)]
    assert frontier([exact, *others, best, cheap, point("PyTorch", 0.5, 100)]) == [cheap, best, exact]
    assert frontier([]) == []


def test_rejected_files_are_crossed_out_and_passed_ones_filled() -> None:
    rows = altered(healthy_rows(), NANO.variant, "int8", "bit_agreement", value=0.9, ci_low=0.89, ci_high=0.91)
    figure = FIGURES["accuracy_vs_size"](RunRecord(rows, judge(load_gates(), rows, [])))
    assert figure is not None
    nano = figure.axes[0]
    lines = {str(line.get_gid()).partition(":")[2]: line for line in nano.lines if line.get_gid()}
    crossed = [line for line in nano.lines if line.get_marker() == "x"]
    assert [(float(line.get_xdata()[0]), float(line.get_ydata()[0])) for line in crossed] == [(3.17, 99.27)]  # type: ignore[index, arg-type]
    assert str(crossed[0].get_gid()).startswith("tip:int8: 3.2 MB, bit_accuracy 99.27 %")
    assert "; rejected; bit_agreement: 0.9 is not > 0.99" in str(crossed[0].get_gid())
    filled = [words for words, line in lines.items() if line.get_markerfacecolor() not in ("none", None)]
    assert any(words.startswith("fp16") and "no gate failed" in words for words in filled)
    (line,) = (line for line in nano.lines if line.get_drawstyle() == "steps-post")
    assert np.asarray(line.get_xdata())[:-1].tolist() == pytest.approx(
        [3.18, 5.72]
    )  # without int8, and without float32


def test_each_timing_is_a_point_with_median_and_percentile_of_its_file() -> None:
    slow = LATENCY.iloc[[0]].assign(latency_ms=1e6, variant=NANO.variant, precision="int8", backend="litert")
    record = RunRecord(healthy_rows(), latency=pd.concat([LATENCY, slow], ignore_index=True))
    figure = FIGURES["latency_distributions"](record)
    assert figure is not None
    nano, full = figure.axes
    assert [label.get_text() for label in full.get_yticklabels()] == ["PyTorch", *PRECISIONS]
    own = LATENCY[(LATENCY["variant"] == "videoseal") & (LATENCY["precision"] == "int8")]["latency_ms"]
    (cloud,) = (line for line in full.lines if line.get_marker() == "o" and "int8: " in str(line.get_gid()))
    assert np.asarray(cloud.get_xdata()).tolist() == own.tolist()
    assert f"int8: median {own.median():.3g} ms; 90th percentile {np.percentile(own, 90):.3g} ms" in {
        "; ".join(tip.split("; ")[:2]) for tip in tips(full)
    }
    assert nano.get_xlim()[1] < 100  # one disturbed round does not hide the others
    assert texts(nano) == ["1 beyond "]
    assert FIGURES["latency_distributions"](RunRecord(healthy_rows())) is None


def test_the_heat_map_of_bits_counts_wrong_ones_against_message_or_reference() -> None:
    nano = BITS[(BITS["variant"] == NANO.variant) & (BITS["precision"] == "int8")].copy()
    nano["logit"] = np.where(nano["message"] > 0, 1.0, -1.0)
    nano.loc[(nano["bit"] == 3) & (nano["sample"] == "photo0.png"), "logit"] *= -1
    nano.loc[(nano["bit"] == 4) & (nano["sample"] == "photo1.png"), "logit"] = math.nan
    full = BITS[(BITS["variant"] == FULL.variant) & (BITS["precision"] == "int8")].copy()
    full["logit"] = full["reference_logit"]  # unlike the message of untrained weights in half of the bits
    figure = FIGURES["bit_positions"](RunRecord(healthy_rows(), bits=pd.concat([nano, full])))
    assert figure is not None
    trained, seeded = (axes for axes in figure.axes if axes.images)
    shares = np.asarray(trained.images[0].get_array())
    assert shares.shape == (1, 32)
    assert shares[0, 3:5].tolist() == [50, 50]
    assert shares.sum() == 100
    assert tips(trained) == ["int8: 3.12 % of the bits wrong; worst: bit 3 in 50.0 % of the images"]
    assert np.asarray(seeded.images[0].get_array()).sum() == 0
    assert tips(seeded) == ["int8: 0.00 % of the bits unlike PyTorch's; no bit is"]


def test_errors_are_counted_by_size_and_exact_ones_too() -> None:
    own = BITS[(BITS["variant"] == NANO.variant) & (BITS["precision"] == "int8")]
    bits = own.assign(reference_logit=own["message"] * 2 - 1.0, logit=own["message"] * 2 - 1.0)
    bits.loc[bits["bit"] < 8, "logit"] += 0.01  # a quarter of 32
    figure = FIGURES["error_histograms"](RunRecord(healthy_rows(), bits=bits))
    assert figure is not None
    reference, errors = (patch.get_data() for patch in figure.axes[0].patches)  # type: ignore[attr-defined]
    assert errors.values[0] == 75
    place = int(np.searchsorted(errors.edges, 0.01, side="right")) - 1
    assert errors.values[place - 1 : place + 2].sum() == 25
    assert reference.values.sum() == pytest.approx(100)


def test_pictures_of_damaged_samples_are_left_out_or_drawn_but_never_fail(tmp_path: Path) -> None:
    bits = NANO_BITS.assign(logit=math.nan)
    latency = NANO_LATENCY.assign(latency_ms=[math.inf if n % 2 else math.nan for n in range(len(NANO_LATENCY))])
    written, problems = write(RunRecord(NANO_ONLY, bits=bits, latency=latency), tmp_path)
    names = {path.stem for path in written}
    assert problems == []
    assert "bit_positions" in names  # every bit is wrong
    assert names.isdisjoint({"logits_scatter", "error_histograms", "latency_distributions"})


def test_missing_metrics_leave_pictures_out_and_remove_old_ones(tmp_path: Path) -> None:
    (tmp_path / "latency_by_precision.png").write_bytes(b"of an earlier rendering")
    rows = [row for row in healthy_rows() if row.metric in {"size_bytes", "nan_count"}]
    written, problems = write(RunRecord(rows), tmp_path)
    assert ([path.name for path in written], problems) == (["size_by_precision.png"], [])
    assert [path.name for path in tmp_path.iterdir()] == ["size_by_precision.png"]
    assert write(RunRecord([]), tmp_path) == ([], [])


def test_values_that_are_not_finite_are_left_out(tmp_path: Path) -> None:
    bad = {"int8": math.nan, "fp16": math.inf}
    rows = [replace(row, value=bad.get(row.case.precision, row.value)) for row in NANO_ONLY]
    bits = NANO_BITS.assign(logit=NANO_BITS["logit"].where(~NANO_BITS["precision"].isin(list(bad)), math.nan))
    written, problems = write(RunRecord(rows, bits=bits), tmp_path)
    assert (len(written), problems) == (8, [])


def test_a_picture_that_cannot_be_drawn_is_named_and_the_rest_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("no ink")

    monkeypatch.setitem(plots.FIGURES, "size_by_precision", broken)
    rows = [row for row in healthy_rows() if row.metric == "latency_ms"]
    written, problems = write(RunRecord(rows), tmp_path)
    assert [path.name for path in written] == ["latency_by_precision.png"]
    assert problems == ["plot size_by_precision could not be drawn: RuntimeError: no ink"]


def test_hostile_names_and_eight_precisions_can_be_drawn(tmp_path: Path) -> None:
    rows = [
        replace(row, case=replace(row.case, variant="$\\frac{$ <b>\n\x1b " * 9, precision=row.case.precision + "$^$"))
        for row in NANO_ONLY
    ]
    bits = NANO_BITS.assign(variant=rows[0].case.variant, precision="$_$")
    written, problems = write(RunRecord(rows, bits=bits), tmp_path)
    assert (len(written), problems) == (8, [])


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
    assert in_order(reversed(known)) == list(known)
    assert in_order(["int2_block16", "bf16", "int4", "int8_gptq"]) == ["bf16", "int8_gptq", "int4", "int2_block16"]
    assert style_of("int8_gptq*") == style_of("int8_gptq")  # a new name has a look
    assert len({style_of(name)[0] for name in known}) == len({style_of(name)[1] for name in known}) == 9
    assert bar_label(torch_of(NANO)) == "PyTorch"
    assert bar_label(replace(NANO, backend="tensorflow")) == "float32 (tensorflow)"


def test_scores_are_drawn_model_by_model_and_features_are_not() -> None:
    rows = [
        (variant, precision, "litert", "none", f"set/{n}", score, 1.0 + n, 1, 0, 0, 1, 1, 1, "256", "none", "upstream")
        for variant, score in (("uvq1p5", 2.0), ("uvq1p5_content", math.nan))
        for precision in ("float32", "int8")
        for n in range(3)
    ]
    figure = score_scatter(RunRecord([], scores=pd.DataFrame(rows, columns=list(SCORES.names))))
    assert figure is not None
    assert [axes.get_title() for axes in figure.axes] == ["float32", "int8"]
    assert figure.axes[0].get_ylabel().startswith("uvq1p5\n")
    assert score_scatter(RunRecord([])) is None
