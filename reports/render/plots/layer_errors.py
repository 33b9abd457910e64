"""The pictures of what `sealbench error` finds: where the error of a file comes from, by step and by layer."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from sealbench.reports.render.labels import Model, in_order, picture_text
from sealbench.reports.render.plots.style import Picture, blank_grid
from sealbench.reports.render.plots.values import add_tip, labelled
from sealbench.reports.render.record import RunRecord

_ISOLATED, _ACCUMULATED, _TOTAL = "#D55E00", "#0072B2", "#555555"
_LEAST = 1e-8  # what is smaller stands at the bottom of a logarithmic axis
_MOST_COLUMNS = 2
_LAYERS_INCHES = 3.6


@dataclass(frozen=True)
class LayerPoint:
    """One layer, in the order of the graph.

    Attributes:
        name: Its name.
        operation: Its kind.
        isolated_pct: Its own error in percent of its output.
        accumulated_pct: All of the error at its output, in percent.
    """

    name: str
    operation: str
    isolated_pct: float
    accumulated_pct: float


def draw_errors(model: Model, file: str, terms: Mapping[str, float], layers: Sequence[LayerPoint]) -> Picture:
    """Draw the error of one file.

    Args:
        model: Whose file it is.
        file: Its label, like "int8*".
        terms: Root mean square of each step in logits, and of all together last.
        layers: At least one; errors that are NaN or infinite are left out of the lines.

    Returns:
        The figure (never registered with pyplot, so there is nothing to close): bars of the steps above, layers below,
        both on logarithmic axes.
    """
    figure, ((top,), (bottom,)) = blank_grid(
        2,
        1,
        f"Where the error of {picture_text(file)} comes from: {model.title}",
        "steps that add up logit by logit; layers compared with the float32 file on the reference kernels",
        (10.5, 7.6),
    )
    _bars(top, terms)
    _lines(bottom, layers)
    figure.legend(*bottom.get_legend_handles_labels(), loc="outside lower center", ncols=2, frameon=False, fontsize=11)
    return figure


def analysed_files(record: RunRecord, table: str) -> Iterator[tuple[Model, str, pd.DataFrame]]:
    """Go through the files that were analysed, model by model and in the order of precisions.

    Args:
        record: Of the run.
        table: `error_terms` or `layer_errors`.

    Yields:
        Whose file it is, its label, and its rows of the table.
    """
    rows = labelled(getattr(record, table))
    if rows.empty:
        return
    for model in record.models:
        own = rows
        for name in ("variant", "weights", "image_size", "mode", "threads"):
            own = own[own[name] == getattr(model, name)]
        for label in in_order(own["label"].unique()):
            yield model, label, own[own["label"] == label]


def layer_errors(record: RunRecord) -> Picture | None:
    """Draw the error by layer of every file that was analysed.

    Args:
        record: Of the run.

    Returns:
        A facet for each file: what each layer adds, and what has come together at its output, on a logarithmic axis.
        None where no file was analysed.
    """
    files = list(analysed_files(record, "layer_errors"))
    if not files:
        return None
    columns = min(len(files), _MOST_COLUMNS)
    lines = -(-len(files) // columns)
    images = ", ".join(map(str, sorted({images for _, _, rows in files for images in rows["images"]})))
    figure, grid = blank_grid(
        lines,
        columns,
        "Error by layer",
        f"layers that multiply by weights, relative to float32 on the reference kernels; {images} images",
        (7.5 * columns, _LAYERS_INCHES * lines),
    )
    flat = [axes for row in grid for axes in row]
    for axes in flat[len(files) :]:
        axes.remove()
    for axes, (model, label, own) in zip(flat, files, strict=False):
        axes.set_title(f"{model.title}: {label}")
        figure.add_panel([axes], model, label, _LAYERS_INCHES)
        names = ["layer", "operation", "isolated_pct", "accumulated_pct"]
        _lines(axes, [LayerPoint(*values) for values in own[names].itertuples(index=False)])
    handles = {label: handle for handle, label in zip(*flat[0].get_legend_handles_labels(), strict=True)}
    figure.legend(handles.values(), handles, loc="outside lower center", ncols=2, frameon=False, fontsize=11)
    return figure


def _bars(axes: Axes, terms: Mapping[str, float]) -> None:
    values = np.array(list(terms.values()))
    shown = np.where(np.isfinite(values), np.maximum(values, _LEAST), _LEAST)
    colors = [_ISOLATED] * (len(terms) - 1) + [_TOTAL]
    axes.barh(range(len(terms)), shown, color=colors, height=0.62)
    axes.set_xscale("log")
    axes.set_xlim(_LEAST, 10 * max(shown.max(), 10 * _LEAST))
    axes.set_yticks(range(len(terms)), [picture_text(name) for name in terms])
    axes.set_ylim(len(terms) - 0.45, -0.55)  # the first on top
    for place, (value, right) in enumerate(zip(values, shown, strict=True)):
        axes.text(right, place, f"  {value:.3g}", va="center", fontsize=11, fontweight="bold", color="#333333")
    axes.set_xlabel("root mean square, logits")
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", length=0)


def _lines(axes: Axes, layers: Sequence[LayerPoint]) -> None:
    places = np.arange(len(layers))
    isolated, accumulated = (
        np.array([value if np.isfinite(value) and value > 0 else np.nan for value in values])
        for values in ([p.isolated_pct for p in layers], [p.accumulated_pct for p in layers])
    )
    axes.plot(places, accumulated, color=_ACCUMULATED, marker=".", label="accumulated: everything before it too")
    for place, (layer, own) in enumerate(zip(layers, isolated, strict=True)):
        # One by one, so that the page can say which layer it is.
        (mark,) = axes.plot([place], [own], color=_ISOLATED, marker="o", markersize=4, linestyle="")
        mark.set_label("isolated: its own" if place == 0 else "")
        add_tip(
            mark,
            layer.name,
            layer.operation,
            f"isolated {layer.isolated_pct:.3g} %",
            f"accumulated {layer.accumulated_pct:.3g} %",
        )
    if np.isfinite([isolated, accumulated]).any():
        axes.set_yscale("log")
    if np.isfinite(isolated).any():
        worst = int(np.nanargmax(isolated))
        name = "/".join(layers[worst].name.split("/")[-3:])  # the last parts identify the layer
        axes.annotate(
            f"{picture_text(name)}: {isolated[worst]:.3g} %",
            (worst, float(isolated[worst])),
            textcoords="offset points",
            xytext=(-8, 4) if worst > len(layers) / 2 else (8, 4),
            ha="right" if worst > len(layers) / 2 else "left",
            fontsize=10,
            color=_ISOLATED,
        )
    axes.set_xlabel("layers that multiply by weights, in the order of the graph")
    axes.set_ylabel("error, % of the output")
