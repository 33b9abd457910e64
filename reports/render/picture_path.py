"""What the resize before the model costs, beside what the precision costs: the table of report.html and summary.md."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from sealbench.reports.render.labels import in_order
from sealbench.reports.render.plots.values import labelled
from sealbench.reports.render.record import RunRecord
from sealbench.reports.render.table import Cell, Column, Table, limited, missing_cell, name_cell, number_cell
from sealbench.reports.schema.records import NO_ATTACK
from sealbench.reports.schema.tables import BITS, CONFIDENCE_BIT, PLAIN_SUFFIX
from sealbench.reports.statistics.bits import agreeing_bits
from sealbench.reports.statistics.intervals import clustered_mean_interval

TITLE = "Picture path"
_NOTE = (
    "Bits decided otherwise than by PyTorch with upstream's resize, on the pictures that were measured. The row "
    "upstream is what a file costs by itself, the column PyTorch what a resize costs by itself. A picture that has the "
    "model's size already is the same on every path."
)
_IMAGES = ["variant", "image_size", "dataset", "plain"]


def picture_path_table(record: RunRecord) -> Table:
    """Show how many bits flip by picture path and precision, on watermarked and on plain pictures without attack.

    Args:
        record: Of the run.

    Returns:
        For each model, data set, kind of picture and path a row with a column for each file; no row where only
        upstream's resize was measured.
    """
    bits = record.bits
    bits = bits[(bits["bit"] != CONFIDENCE_BIT) & (bits["attack"] == NO_ATTACK)]
    if bits["preprocess"].nunique() < 2:
        return Table(TITLE, (), ())
    flips = _flips(bits, record.pictures)
    labels = in_order(flips["label"])
    columns = (
        Column("model"),
        Column("images"),
        Column("resize", "how pictures are brought to the model's input"),
        *(Column(label, "bits that differ from PyTorch's with upstream's resize", numeric=True) for label in labels),
        Column("pictures", "independent source pictures", numeric=True),
    )
    body: list[tuple[Cell, ...]] = []
    for (variant, size, dataset, plain), group in flips.groupby(_IMAGES, sort=False):
        for place, (path, rows) in enumerate(group.groupby("preprocess", sort=False)):
            pictures = rows["picture"].nunique()
            body.append(
                (
                    name_cell(f"{variant} {size}"),
                    name_cell(f"{dataset}, {'plain' if plain else 'watermarked'}"),
                    Cell(str(path), place),
                    *(_share(rows[rows["label"] == label]) for label in labels),
                    number_cell(pictures, str(pictures)),
                )
            )
    found = limited(TITLE, columns, body, str(BITS))
    return Table(found.title, found.columns, found.rows, f"{_NOTE} {found.note}".strip()) if body else found


def _flips(bits: pd.DataFrame, pictures: Mapping[str, str]) -> pd.DataFrame:
    """The share of flipped bits of every image, where a data set was measured on several picture paths."""
    logits, reference = (bits[name].to_numpy(np.float64) for name in ("logit", "reference_logit"))
    rows = labelled(bits.assign(flipped=~agreeing_bits(logits, reference), plain=bits["message"].isna()))
    keys = ["variant", "image_size", "plain", "preprocess", "label", "sample"]
    images = rows.groupby(keys, sort=False)["flipped"].agg(["mean", "sum", "size"]).reset_index()
    names = images["sample"].str.removesuffix(PLAIN_SUFFIX)
    images = images.assign(
        dataset=names.str.partition("/")[0],
        picture=[pictures.get(name, name) for name in names],
    )
    paths = images.groupby(["variant", "image_size", "dataset"])["preprocess"].transform("nunique")
    return images[paths > 1]


def _share(images: pd.DataFrame) -> Cell:
    """Percent of the bits of one file, with its interval by pictures."""
    if images.empty:
        return missing_cell(why="not measured")
    percent = 100 * images["sum"].sum() / images["size"].sum()
    tip = f"{images['sum'].sum()} of {images['size'].sum()} bits"
    ends = clustered_mean_interval(100 * images["mean"].to_numpy(), images["picture"].to_list())
    if ends is not None:
        tip += f"; 95 % interval by pictures {ends.low:.2f} to {ends.high:.2f} %"
    return number_cell(percent, f"{percent:.2f} %", tip)
