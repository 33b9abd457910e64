"""Which bits of the message are read wrong, precision by precision."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.patches import Rectangle

from sealbench.reports.render.labels import Model, in_order, picture_text
from sealbench.reports.render.plots.style import Picture, facets
from sealbench.reports.render.plots.values import add_tip, labelled
from sealbench.reports.render.record import RunRecord
from sealbench.reports.run.samples import of_files
from sealbench.reports.schema.records import UNATTACKED

# From nothing to vermilion by opacity, so that "no errors" is the colour of the page, light or dark.
_ERRORS = LinearSegmentedColormap.from_list("errors", [(0.835, 0.369, 0.0, 0.0), (0.835, 0.369, 0.0, 1.0)])
_ROW_INCHES = 0.36
_LEAST_SHARE = 1.0  # percent; where nearly nothing is wrong, nearly nothing is coloured


def bit_positions(record: RunRecord) -> Picture | None:
    """Draw the share of images in which each bit is wrong, for each file (for seeded weights: unlike PyTorch's).

    Args:
        record: Of the run.

    Returns:
        The figure, or None without bits of watermarked images.
    """
    bits = record.bits
    bits = labelled(of_files(bits[bits["message"].notna() & bits["attack"].isin(UNATTACKED)]))
    groups = {model: table for model in record.models if not (table := _wrong_share(bits, model)).empty}
    if not groups:
        return None
    heights = [1.5 + _ROW_INCHES * len(table) for table in groups.values()]
    figure, all_axes = facets(
        list(groups),
        "Which bits are read wrong",
        "% of the images in which a bit is wrong (seeded weights: unlike PyTorch's), by position in the message",
        heights,
        color_bars=True,
    )
    for axes, (model, table), height in zip(all_axes, groups.items(), heights, strict=True):
        bar = _position_panel(figure, axes, table, "unlike PyTorch's" if model.seeded else "wrong")
        figure.add_panel([axes, bar], model, height=height)
    return figure


def _wrong_share(bits: pd.DataFrame, model: Model) -> pd.DataFrame:
    """Percent of images by file (rows, in order) and bit position (columns); a NaN logit is never right."""
    own = bits[(bits["variant"] == model.variant) & (bits["image_size"] == model.image_size)]
    target = own["reference_logit"] > 0 if model.seeded else own["message"] > 0
    wrong = ((own["logit"] > 0) != target) | own["logit"].isna()
    table = (100.0 * wrong).groupby([own["label"], own["bit"]]).mean().unstack()
    return table.reindex(in_order(table.index))


def _position_panel(figure: Picture, axes: Axes, table: pd.DataFrame, word: str) -> Axes:
    """Draw the shares of one model; give the axes of the colour bar."""
    shares = table.to_numpy(float)
    scale = Normalize(0, max(float(np.nanmax(shares)), _LEAST_SHARE))
    first, last = int(table.columns.min()), int(table.columns.max())
    axes.imshow(
        shares,
        cmap=_ERRORS,
        norm=scale,
        aspect="auto",
        interpolation="none",
        extent=(first - 0.5, last + 0.5, len(table) - 0.5, -0.5),
    )
    for place, (label, row) in enumerate(zip(table.index, shares, strict=True)):
        worst = int(np.nanargmax(row))
        frame = Rectangle(
            (first - 0.5, place - 0.5), last - first + 1, 1, facecolor="#FFFFFF00", edgecolor="#E4E4E4", linewidth=1
        )
        add_tip(
            axes.add_patch(frame),
            f"{label}: {np.nanmean(row):.2f} % of the bits {word}",
            f"worst: bit {table.columns[worst]} in {row[worst]:.1f} % of the images" if row[worst] > 0 else "no bit is",
        )
    axes.set_yticks(range(len(table)), [picture_text(label) for label in table.index])
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=False)
    axes.set_xlabel("bit position")
    bar = figure.colorbar(ScalarMappable(scale, _ERRORS), ax=axes, pad=0.02, aspect=12)
    bar.set_label(f"% {word}", fontsize=10)
    bar.outline.set_edgecolor("#E4E4E4")
    return bar.ax
