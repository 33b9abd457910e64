"""An analysis of a file stands with its run, once, and only with the run that measured the file."""

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest

from sealbench.reports.errors import ReportError
from sealbench.reports.gates.judge import load_gates
from sealbench.reports.render.page.errors import error_tables
from sealbench.reports.render.record import RunRecord, load_record
from sealbench.reports.render.run import render
from sealbench.reports.run.error_tables import check_holds
from sealbench.reports.run.reader import ENVIRONMENT
from sealbench.reports.run.samples import load_samples
from sealbench.reports.schema.tables import ERROR_TERMS, LAYER_ERRORS
from tests.reports.runs import ANALYSED, keep_analysis, save_run
from tests.reports.synthetic import healthy_rows

FINGERPRINT = "0123456789abcdef"


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return save_run(tmp_path / "run", samples=False)


def record_of(run: Path) -> RunRecord:
    record, problems = load_record(run, healthy_rows(), ())
    assert problems == []
    return record


def test_an_analysis_replaces_an_earlier_one_of_the_same_file(run: Path) -> None:
    other = replace(ANALYSED, precision="int8_weight_only")
    keep_analysis(run)
    keep_analysis(run, other, worst=0.1)
    keep_analysis(run, worst=3.25)
    layers = load_samples(run, LAYER_ERRORS)
    assert dict(layers.groupby("precision")["isolated_pct"].max()) == {"int8": 3.25, "int8_weight_only": 0.9}
    assert len(layers) == 10
    assert list(load_samples(run, ERROR_TERMS)["precision"]) == ["int8_weight_only"] * 5 + ["int8"] * 5


def test_tables_name_the_worst_layers_first_and_a_nan_before_them(run: Path) -> None:
    assert error_tables(record_of(run)) == []
    keep_analysis(run, worst=math.nan)
    terms, layers = error_tables(record_of(run))
    assert [row[2].text for row in terms.rows] == ["conversion", "quantization", "kernels", "threads", "total"]
    assert [row[3].text for row in terms.rows][:2] == ["1e-06", "0.21"]
    assert [row[2].text for row in layers.rows] == [f"stages/{number}/conv" for number in (2, 4, 3, 1, 0)]
    assert [row[5].text for row in layers.rows][:2] == ["nan", "0.9"]
    assert {row[1].text for row in layers.rows} == {"int8"}


@pytest.mark.long
def test_the_page_and_the_plots_have_it_only_where_a_file_was_analysed(run: Path) -> None:
    page = render(run, ()).page
    assert 'id="layer_errors"' not in page.read_text(encoding="utf-8")
    assert not (run / "plots/layer_errors.png").exists()
    keep_analysis(run, rename=lambda name: name + "<b>$x$")
    rendered = render(run, load_gates())
    text = page.read_text(encoding="utf-8")
    assert rendered.notes == ()
    assert 'id="layer_errors"' in text
    assert 'id="errors"' in text
    assert "stages/2/conv&lt;b&gt;$x$; CONV_2D 4x4; isolated 9.5 %; accumulated 3 %" in text
    assert "<b>" not in text
    assert f">{ERROR_TERMS}</a>" in text
    assert f">{LAYER_ERRORS}</a>" in text
    assert (run / "plots/layer_errors.png").read_bytes().startswith(b"\x89PNG")


def test_a_damaged_table_is_named_and_left_out(run: Path) -> None:
    keep_analysis(run)
    path = run / LAYER_ERRORS
    path.write_text(path.read_text(encoding="utf-8").replace("9.5", "much"), encoding="utf-8")
    record, (problem,) = load_record(run, healthy_rows(), ())
    assert "layer_errors.csv, column isolated_pct" in problem
    assert record.layer_errors.empty
    assert len(record.error_terms) == 5


def test_only_the_run_that_measured_the_file_takes_it(run: Path, tmp_path: Path) -> None:
    def keep(weights: object) -> None:
        (run / ENVIRONMENT).write_text(json.dumps({"weights": weights}), encoding="utf-8")

    keep({ANALYSED.variant: {"kind": "bundled", "fingerprint": FINGERPRINT}})
    check_holds(run, ANALYSED, FINGERPRINT)
    with pytest.raises(ReportError, match="no run directory"):
        check_holds(tmp_path, ANALYSED, FINGERPRINT)
    with pytest.raises(ReportError, match=r"did not measure videoseal_nano bundled int4 .* it holds .* int8 256"):
        check_holds(run, replace(ANALYSED, precision="int4"), FINGERPRINT)
    with pytest.raises(ReportError, match=f"fingerprint {FINGERPRINT}, found ffff"):
        check_holds(run, ANALYSED, "ffff")
    keep(["nothing"])
    with pytest.raises(ReportError, match="expected the fingerprint of the weights of videoseal_nano"):
        check_holds(run, ANALYSED, FINGERPRINT)
