"""The tables of report.html on files, images and metrics."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pandas as pd

from sealbench.reports.gates.judge import Verdict
from sealbench.reports.gates.standings import Standing
from sealbench.reports.render.decision import Row, by_model, is_measured
from sealbench.reports.render.labels import in_order
from sealbench.reports.render.record import RunRecord
from sealbench.reports.render.table import (
    MOST_ROWS_OF_PAGE,
    WORST_FIRST,
    Cell,
    Column,
    Table,
    limited,
    missing_cell,
    name_cell,
    number_cell,
    verdict_cell,
    words_cell,
)
from sealbench.reports.render.tables import (
    case_of,
    counts_text,
    models_task,
    precision_label,
    summary_table,
    with_reasons,
)
from sealbench.reports.run.samples import of_files
from sealbench.reports.schema.formatting import file_label, images_label
from sealbench.reports.schema.metrics import METRICS, SEEDED
from sealbench.reports.schema.records import NO_REWRITES, REFERENCES, UNATTACKED, UPSTREAM, Case, Measurement
from sealbench.reports.schema.tasks import TASKS

_MOST_FLIPS = 8
_WORST_RANK = 3
_IMAGE = ("variant", "precision", "backend", "image_size", "rewrites", "attack", "sample")


def matrix(rows: Sequence[Row], standings: Mapping[Case, Standing]) -> Table:
    """Show the verdict of each model at each precision.

    Args:
        rows: Of the summary frame.
        standings: By case.

    Returns:
        A row for each model, a column for each precision that one of them has.
    """
    labels = in_order(_matrix_label(row) for row in rows if _in_matrix(row, standings))
    body = []
    for model, own in by_model(rows).items():
        cells: dict[str, list[Row]] = {}
        for row in own:
            if _in_matrix(row, standings):
                cells.setdefault(_matrix_label(row), []).append(row)
        body.append((name_cell(model), *(_matrix_cell(cells.get(label, []), standings) for label in labels)))
    return limited("Verdict by model and precision", [Column("model"), *map(Column, labels)], body, "verdicts.csv")


def summary_tables(rows: Sequence[Row], record: RunRecord) -> list[Table]:
    """Show the headlines of each file, a table for each task.

    Args:
        rows: Of the summary frame.
        record: Of the run.

    Returns:
        Only tables that have rows.
    """
    standings = record.standings
    measured: dict[tuple[Case, str, str], Measurement] = {}
    for row in record.measurements:
        if row.attack in UNATTACKED:
            measured.setdefault((row.case, row.metric, row.dataset), row)
    tables = []
    by_task = [(task, own) for own in by_model(rows).values() for task in [models_task(own)]]
    for task in TASKS:
        own = [row for other, of_model in by_task if other is task for row in of_model]
        found = [row for row in own if is_measured(row)]
        if not found:
            continue
        table = summary_table(task.title, task, found[:MOST_ROWS_OF_PAGE], standings, measured)
        more = len(found) - MOST_ROWS_OF_PAGE
        left_out = f"{more} more rows are in summary.csv." if more > 0 else ""
        unmeasured = _unmeasured([row for row in own if not is_measured(row)])
        tables.append(replace(table, note=" ".join(filter(None, [left_out, unmeasured]))))
    return tables


def worst_table(worst: pd.DataFrame, record: RunRecord) -> Table:
    """Show the images that each file reads worst, and which bits flipped.

    Args:
        worst: What `worst_images` gives.
        record: Of the run.
    """
    chosen = of_files(worst[(worst["rank"] <= _WORST_RANK) & (worst["flips"] + worst["wrong_bits"] > 0)])
    chosen = chosen.sort_values(["flips", "wrong_bits"], ascending=False, kind="stable")
    weights = {(model.variant, model.image_size): model.weights for model in reversed(record.models)}
    flipped = _flipped_bits(record.bits)
    columns = (
        Column("model"),
        Column("file"),
        Column("image", "its name in the data set"),
        Column("flips", "bits decided otherwise than by PyTorch", numeric=True),
        Column("negative flips", "bits that PyTorch reads right and the file wrong", numeric=True),
        Column("wrong", "bits unlike the embedded message", numeric=True),
        Column("error", "root mean square error of the logits against PyTorch's", numeric=True),
        Column("flipped bits", "by position in the message"),
    )
    body = []
    for row in chosen.to_dict("records"):
        own = weights.get((row["variant"], row["image_size"]), "")
        label = file_label(row["precision"], row["rewrites"], row["backend"])
        image = images_label(row["sample"], row["attack"])
        bits = flipped.get(tuple(row[name] for name in _IMAGE), [])
        more = len(bits) - _MOST_FLIPS
        model = f"{row['variant']} {row['image_size']}" + (f" ({own})" if own not in {"bundled", ""} else "")
        body.append(
            (
                name_cell(model),
                name_cell(label),
                name_cell(image),
                number_cell(row["flips"], str(row["flips"])),
                *(
                    missing_cell(why="untrained weights") if own == SEEDED else number_cell(row[name], str(row[name]))
                    for name in ("negative_flips", "wrong_bits")
                ),
                number_cell(row["logits_rmse"], f"{row['logits_rmse']:.3g}"),
                Cell(", ".join(map(str, bits[:_MOST_FLIPS])) + (f" and {more} more" if more > 0 else ""), len(bits)),
            )
        )
    return limited("Worst images of each file", columns, body, "samples/worst_images.csv")


def metric_table(measurements: Sequence[Measurement]) -> Table:
    """Define every metric of the run.

    Args:
        measurements: Of the run.
    """
    used = {row.metric for row in measurements}
    body = tuple(
        (
            name_cell(metric.name),
            name_cell(metric.unit),
            Cell("" if metric.better == "neither" else metric.better, metric.better),
            words_cell(metric.description),
        )
        for metric in METRICS.values()
        if metric.name in used
    )
    return Table("What the metrics mean", (Column("metric"), Column("unit"), Column("better"), Column("what")), body)


def _flipped_bits(bits: pd.DataFrame) -> dict[tuple, list[int]]:
    rows = of_files(bits[bits["message"].notna()])
    rows = rows[((rows["logit"] > 0) != (rows["reference_logit"] > 0)) | rows["logit"].isna()]
    found: dict[tuple, list[int]] = {}
    for *image, bit in rows[[*_IMAGE, "bit"]].itertuples(index=False, name=None):
        found.setdefault(tuple(image), []).append(bit)
    return found


def _in_matrix(row: Row, standings: Mapping[Case, Standing]) -> bool:
    """Whether a row is of a file; of another picture path only where a gate judges it: its column would be all n/a."""
    return row["backend"] not in REFERENCES and (row["preprocess"] == UPSTREAM or case_of(row) in standings)


def _matrix_label(row: Row) -> str:
    """The column of a file, whatever its rewrites."""
    return file_label(row["precision"], NO_REWRITES, row["backend"], row["preprocess"])


def _matrix_cell(rows: Sequence[Row], standings: Mapping[Case, Standing]) -> Cell:
    if not rows:
        return Cell("", None, "not in this run")
    own = [standings[case] for row in rows if (case := case_of(row)) in standings]
    if not own:
        return verdict_cell(Verdict.NOT_APPLICABLE, "no gate was asked")
    worst = min(own, key=lambda standing: WORST_FIRST.index(standing.verdict))
    words = [
        f"{precision_label(row)}: {counts_text(standings[case])}" for row in rows if (case := case_of(row)) in standings
    ]
    return verdict_cell(worst.verdict, with_reasons(words, worst))


def _unmeasured(rows: Sequence[Row]) -> str:
    if not rows:
        return ""
    return "Nothing was measured of " + "; ".join(
        f"{model}: {', '.join(precision_label(row) for row in own)}" for model, own in by_model(rows).items()
    )
