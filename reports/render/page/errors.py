"""The tables of report.html on where the error of single files comes from."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict

import pandas as pd

from sealbench.reports.render.plots.layer_errors import analysed_files
from sealbench.reports.render.record import RunRecord
from sealbench.reports.render.table import Cell, Column, Table, limited, name_cell, number_cell
from sealbench.reports.render.tables import model_label
from sealbench.reports.run.error_tables import severity
from sealbench.reports.schema.tables import ERROR_TERMS, LAYER_ERRORS

_MOST_LAYERS = 12  # of each file
_HEAD = (Column("model"), Column("file"))


def error_tables(record: RunRecord) -> list[Table]:
    """Show what `sealbench error` found for files of the run.

    Args:
        record: Of the run.

    Returns:
        The steps, and the layers with the largest errors of their own; no table where no file was analysed.
    """
    tables = [_terms(record), _layers(record)]
    return [table for table in tables if table.rows]


def _terms(record: RunRecord) -> Table:
    columns = (
        *_HEAD,
        Column(
            "step",
            "conversion: PyTorch to the float32 file; quantization: to this file, on reference kernels; "
            "kernels: XNNPACK instead of those; threads: as many as in the run",
        ),
        Column("RMS", "root mean square of what the step changes, in logits", numeric=True),
        Column("MAE", "mean absolute change, in logits", numeric=True),
        Column("share %", "of the mean square of the total; the steps add up to 100", numeric=True),
        Column("images", numeric=True),
    )
    body = [
        (
            *head,
            Cell(row["term"], place),
            _number(row["rms"]),
            _number(row["mae"]),
            _number(row["share_pct"], ".2f"),
            number_cell(row["images"], str(row["images"])),
        )
        for head, rows in _files(record, "error_terms")
        for place, row in enumerate(rows.to_dict("records"))
    ]
    return limited("Steps from PyTorch to the file as it is run", columns, body, str(ERROR_TERMS))


def _layers(record: RunRecord) -> Table:
    columns = (
        *_HEAD,
        Column("layer", "its output tensor"),
        Column("operation"),
        Column("stored", "number type of its weights"),
        Column(
            "isolated %", "its error where it is given exactly what it gets in float32, % of its output", numeric=True
        ),
        Column(
            "gain",
            "slope of that output on the float32 one; rounding leaves it at 1, a wrong scale does not",
            numeric=True,
        ),
        Column("accumulated %", "its error where everything before it is quantized too", numeric=True),
    )
    body = []
    for head, rows in _files(record, "layer_errors"):
        worst = sorted(rows.to_dict("records"), key=lambda row: severity(row["isolated_pct"]), reverse=True)
        body += [
            (
                *head,
                name_cell(row["layer"]),
                name_cell(row["operation"]),
                name_cell(row["stored"]),
                _number(row["isolated_pct"]),
                _number(row["gain"], ".4f"),
                _number(row["accumulated_pct"]),
            )
            for row in worst[:_MOST_LAYERS]
        ]
    caption = f"Layers with the largest errors of their own, up to {_MOST_LAYERS} of each file"
    return limited(caption, columns, body, str(LAYER_ERRORS))


def _files(record: RunRecord, table: str) -> Iterator[tuple[Sequence[Cell], pd.DataFrame]]:
    """The rows of each analysed file, and the cells that say whose they are."""
    for model, label, rows in analysed_files(record, table):
        yield (name_cell(model_label(asdict(model))), name_cell(label)), rows


def _number(value: float, form: str = ".3g") -> Cell:
    return number_cell(value, f"{value:{form}}")
