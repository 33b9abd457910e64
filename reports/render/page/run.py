"""report.html: the run on one page that needs nothing else, neither a network nor the folder it came from."""

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from markupsafe import Markup

from sealbench.reports.gates.judge import Gate, GateResult, Verdict
from sealbench.reports.render.decision import overall, recommend
from sealbench.reports.render.gates import gate_table, verdict_table
from sealbench.reports.render.page.errors import error_tables
from sealbench.reports.render.page.files import embedded_files
from sealbench.reports.render.page.pictures import picture_sections
from sealbench.reports.render.page.svg import palette_css
from sealbench.reports.render.page.tables import matrix, metric_table, summary_tables, worst_table
from sealbench.reports.render.page.templates import page, source
from sealbench.reports.render.plots.style import Picture
from sealbench.reports.render.record import RunRecord
from sealbench.reports.render.table import Table, verdict_cell
from sealbench.reports.run.reader import ENVIRONMENT
from sealbench.reports.run.worst_images import worst_images
from sealbench.reports.schema.formatting import random_note, rewrites_note
from sealbench.reports.schema.metrics import SEEDED

PAGE = "report.html"
LIMIT_BYTES = 5_000_000
"""A page must go through mail and open on a phone."""
_PICTURE_BYTES = 3_000_000


def page_html(
    run_dir: Path,
    record: RunRecord,
    frame: pd.DataFrame,
    gates: Sequence[Gate],
    pictures: Mapping[str, Picture],
    paths: Table,
    notes: Sequence[str] = (),
) -> str:
    """Write the page of a run.

    Args:
        run_dir: A run's folder; what was written into it is embedded.
        record: Of the run.
        frame: What `summary_frame` gives.
        gates: What was asked.
        pictures: What `compose` gives; they are used up.
        paths: What `picture_path_table` gives.
        notes: What the reader must know about the run itself, e.g. that it died half way.

    Returns:
        HTML below LIMIT_BYTES in which every name is escaped; it loads nothing, and only its own script may run.
    """
    rows: list[dict] = frame.to_dict("records")
    results = record.results
    verdict, sentence = overall(results, len(record.measurements))
    script = source("report.js")
    content: dict[str, Any] = {
        "style": Markup(palette_css() + source("report.css")),  # noqa: S704  (ours)
        "script": Markup(script),  # noqa: S704  (ours)
        "script_hash": base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        "run_id": record.measurements[0].run_id if record.measurements else run_dir.name,
        "verdict": verdict_cell(verdict),
        "sentence": sentence,
        "recommendations": recommend(rows, record.standings),
        "notes": notes,
        "seeded": any(row["weights"] == SEEDED for row in rows),
        "random": random_note(rows),
        "rewrites": rewrites_note(row["rewrites"] for row in rows),
        "matrix": matrix(rows, record.standings),
        "summaries": summary_tables(rows, record),
        "paths": paths,
        "pictures": picture_sections(pictures, _PICTURE_BYTES),
        "errors": error_tables(record),
        "worst": worst_table(worst_images(record.bits), record),
        "bad": verdict_table("Failed and inconclusive gates", _of(results, Verdict.FAIL, Verdict.INCONCLUSIVE)),
        "gates": gate_table(gates, results),
        "every": verdict_table("Every verdict", results),
        "verdicts_count": len(results),
        "metrics": metric_table(record.measurements),
        "environment": _environment(run_dir / ENVIRONMENT),
    }
    files = embedded_files(run_dir, 0)
    bare = page("report.html.j2", {**content, "files": files})
    files = embedded_files(run_dir, LIMIT_BYTES - len(bare.encode()) - 1000 * len(files))
    return page("report.html.j2", {**content, "files": files})


def _of(results: Sequence[GateResult], *verdicts: Verdict) -> list[GateResult]:
    return [result for result in results if result.verdict in verdicts]


def _environment(path: Path) -> list[tuple[str, list[tuple[str, str]]]]:
    """Facts about where the run was made, by group; single ones in the first group, which has no name."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    if not isinstance(found, dict):
        return []
    single = [(key, str(value)) for key, value in found.items() if not isinstance(value, dict)]
    groups = [
        (key, [(name, _words(value)) for name, value in table.items()])
        for key, table in found.items()
        if isinstance(table, dict) and table
    ]
    return [("", single), *groups]


def _words(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {inner}" for key, inner in value.items())
    return str(value)
