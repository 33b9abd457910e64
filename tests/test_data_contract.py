"""docs/data-contract.md says what the code does: every file, every column, every metric."""

import importlib
import json
import pkgutil
import re
from pathlib import Path

import pytest

from sealbench import reports
from sealbench.bench.session.environment import describe_environment
from sealbench.reports.errors import ReportError
from sealbench.reports.gates.judge import EXIT_FAIL, EXIT_INCONCLUSIVE, EXIT_NOTHING_MEASURED, EXIT_PASS, load_gates
from sealbench.reports.render.metric_table import END, main, metric_table, write_table
from sealbench.reports.render.plots.figures import FIGURES
from sealbench.reports.render.run import render
from sealbench.reports.render.tables import VERDICT_COLUMNS
from sealbench.reports.run.directory import COMPARED, PLOTS, RENDERED, RunDirectory
from sealbench.reports.run.reader import ENVIRONMENT, GATES
from sealbench.reports.schema.metrics import METRICS
from sealbench.reports.schema.records import CASE_COLUMNS
from sealbench.reports.schema.tables import (
    BITS,
    DURATIONS,
    ERROR_TERMS,
    LATENCY,
    LAYER_ERRORS,
    OUTPUTS,
    PLAN,
    RESULTS,
    SCORES,
    WORST_IMAGES,
)
from tests.documents import ROOT
from tests.reports.synthetic import RUN_ID, bit_rows, healthy_rows, plan_of

PAGE = ROOT / "docs" / "data-contract.md"
TEXT = PAGE.read_text(encoding="utf-8")
COLUMNS = {
    RESULTS: RESULTS.names,
    PLAN: PLAN.names,
    "verdicts.csv": VERDICT_COLUMNS,
    "summary.csv": (*CASE_COLUMNS, "dataset", "verdict"),
    BITS: BITS.names,
    SCORES: SCORES.names,
    OUTPUTS: OUTPUTS.names,
    LATENCY: LATENCY.names,
    DURATIONS: DURATIONS.names,
    ERROR_TERMS: ERROR_TERMS.names,
    LAYER_ERRORS: LAYER_ERRORS.names,
    WORST_IMAGES: WORST_IMAGES.names,
}


def section(heading: str) -> str:
    """What stands under a heading of the page."""
    _, found, rest = TEXT.partition(f"\n## {heading}\n")
    assert found, f"docs/data-contract.md has no heading {heading}"
    return rest.partition("\n## ")[0]


def first_cells(text: str) -> tuple[str, ...]:
    """The first cells of a table's rows, where they are code."""
    return tuple(re.findall(r"^\| `([^`]+)` \|", text, re.MULTILINE))


def test_columns() -> None:
    assert {file: first_cells(section(f"`{file}`")) for file in COLUMNS} == COLUMNS


def test_no_table_is_left_out() -> None:
    """Whatever the code calls columns is said somewhere on the page, also of tables that this test does not know."""
    for info in pkgutil.walk_packages(reports.__path__, "sealbench.reports."):
        if info.name == "sealbench.bench.commands.report":
            continue
        for name, value in vars(importlib.import_module(info.name)).items():
            if name.endswith("_COLUMNS") and not name.startswith("_") and isinstance(value, tuple):
                missing = [column for column in value if f"`{column}`" not in TEXT]
                assert not missing, f"{info.name}.{name}: {', '.join(missing)} is not in docs/data-contract.md"


def test_no_file_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert {f"plots/{name}.png" for name in FIGURES} == set(PLOTS)
    for name in FIGURES:  # what each would be called is known: drawing them takes most of a run's end
        monkeypatch.setitem(FIGURES, name, lambda record: None)
    run = RunDirectory.open(RUN_ID, run_dir=tmp_path)
    run.write_plan(plan_of(healthy_rows()))
    run.write_environment({})
    run.keep_gates(ROOT / "reports" / "gates" / "gates.toml")
    run.append(healthy_rows())
    run.append_rows(BITS, bit_rows(images=1))
    run.finish()
    render(tmp_path, load_gates())
    left = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert set(RENDERED) - {*PLOTS, *COMPARED} < left
    known = {*COLUMNS, ENVIRONMENT, GATES, *RENDERED, *PLOTS}
    assert not [name for name in left | known if f"`{name}`" not in TEXT]


def test_environment() -> None:
    example = json.loads((ROOT / "docs" / "results" / "rewrites" / "environment.json").read_text(encoding="utf-8"))
    keys = first_cells(section("`environment.json`"))
    assert len(keys) == len(set(keys))
    assert set(keys) == set(example) | set(describe_environment())


def test_exit_codes() -> None:
    found = re.findall(r"^\| ([\d to]+) \|", section("Exit codes"), re.MULTILINE)
    ours = {EXIT_PASS, EXIT_FAIL, EXIT_INCONCLUSIVE, EXIT_NOTHING_MEASURED}
    assert {int(code) for code in found if "to" not in code} == ours


def test_metrics() -> None:
    assert first_cells(section("The metrics")) == tuple(METRICS)
    assert metric_table() in TEXT, "run: python -m sealbench.reports.render.metric_table docs/data-contract.md"
    assert "no gate |" not in metric_table(), "a metric has neither a gate nor a reason in reports/gates/exemptions.py"


def test_the_table_can_be_written_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "page.md"
    page.write_text(TEXT.replace(metric_table(), "| old |\n"), encoding="utf-8")
    assert main([str(page)]) == 0
    assert page.read_text(encoding="utf-8") == TEXT
    assert main([]) == 0
    assert capsys.readouterr().out == metric_table()


def test_a_page_without_a_place_for_the_table_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "page.md"
    page.write_text("# Nothing\n", encoding="utf-8")
    with pytest.raises(ReportError, match=END):
        write_table(page)
    assert main([str(tmp_path / "none.md")]) == 2
    assert "cannot read" in capsys.readouterr().err
    assert page.read_text(encoding="utf-8") == "# Nothing\n"
