"""The style of every picture: one colour and marker for a precision, and a grid with a facet for each model."""

import io
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.image import imsave
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D

from sealbench.reports.render.labels import WEIGHT_ONLY, Model, picture_text, precision_of
from sealbench.reports.schema.formatting import PYTORCH

# Okabe and Ito's colours, which people with any colour vision distinguish; the markers repeat the distinction. The name
# of a precision is a number type and a suffix. A number type has a style for files that compute with it and one for
# those that only store weights in it; every other name takes one of the rest, always the same.
_PYTORCH_STYLE = ("#555555", "X")
_STYLES = {
    ("float32", ""): ("#0072B2", "o"),
    ("fp16", ""): ("#56B4E9", "s"),
    ("int8", ""): ("#D55E00", "D"),
    ("int8", WEIGHT_ONLY): ("#E69F00", "^"),
    ("int4", ""): ("#009E73", "P"),
    ("int4", WEIGHT_ONLY): ("#7A4FA3", "<"),
}
_OTHER_STYLES = (
    ("#8C564B", "*"),
    ("#17808F", "p"),
    ("#6B7A12", "h"),
    ("#B8A800", ">"),
    ("#4657C4", "H"),
    ("#CC79A7", "v"),
    ("#3D8F3D", "1"),
)
PALETTE = tuple(color for color, _ in (_PYTORCH_STYLE, *_STYLES.values(), *_OTHER_STYLES))
"""Every colour that `style_of` may give."""
_RC: dict[Any, Any] = {
    "font.size": 11,
    "axes.titlesize": 12,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#E4E4E4",
    "grid.linewidth": 0.8,
    "figure.titlesize": 15,
    "figure.titleweight": "bold",
    "legend.frameon": False,
}
PNG_DPI = 130
_MOST_COLUMNS = 2
_LEGEND_ENTRY_INCHES = 2.4


@dataclass(frozen=True, eq=False)
class Panel:
    """The part of a picture that belongs to one model, or to one of its files.

    Attributes:
        axes: What is drawn; a colour bar follows the axes that it explains.
        model: Whose it is.
        file: Label of the file, or "" where the panel shows all files of the model.
        height: In inches, without a title.
    """

    axes: tuple[Axes, ...]
    model: Model
    file: str
    height: float


class Picture(Figure):
    """A figure under a title, whose panels a page can show one by one.

    It is never registered with pyplot, so there is nothing to close.

    Attributes:
        title: What is measured.
        subtitle: What the reader must know to read it, or "".
        panels: In the order of the record; none where the picture is only shown as a whole.
    """

    title: str = ""
    subtitle: str = ""
    panels: tuple[Panel, ...] = ()

    def add_panel(self, axes: Sequence[Axes], model: Model, file: str = "", height: float = 3.2) -> None:
        """Add a panel.

        Args:
            axes: What is drawn; a colour bar follows the axes that it explains.
            model: Whose it is.
            file: Label of the file, or "".
            height: In inches, without a title.
        """
        self.panels = (*self.panels, Panel(tuple(axes), model, file, height))


def style_of(label: str) -> tuple[str, str]:
    """Choose colour and marker by the name alone, so that a precision has the same style in every picture of every run.

    Args:
        label: What `bar_label` gives.

    Returns:
        The colour as "#RRGGBB" and Matplotlib's marker.
    """
    name = precision_of(label)
    if name == PYTORCH:
        return _PYTORCH_STYLE
    number, _, suffix = name.partition("_")
    return (
        _STYLES.get((number, suffix)) or _OTHER_STYLES[zlib.crc32(name.encode(errors="replace")) % len(_OTHER_STYLES)]
    )


def facets(
    models: Sequence[Model],
    title: str,
    subtitle: str,
    heights: Sequence[float],
    *,
    width: float = 6.2,
    color_bars: bool = False,
) -> tuple[Picture, list[Axes]]:
    """Begin a picture with one facet for each model.

    Args:
        models: What to show, at least one.
        title: The picture's title, with what is measured.
        subtitle: What the reader must know to read it.
        heights: What each facet needs, in inches; all get the largest.
        width: Of one facet, in inches.
        color_bars: Whether the caller adds a colour bar to each facet, and then its panels.

    Returns:
        The picture, whose panels are the facets, and an axes for each model.
    """
    columns = min(len(models), _MOST_COLUMNS)
    rows = -(-len(models) // columns)
    picture, grid = blank_grid(rows, columns, title, subtitle, (width * columns, max(heights) * rows))
    flat = [axes for line in grid for axes in line]
    for axes in flat[len(models) :]:
        axes.remove()
    for axes, model, height in zip(flat, models, heights, strict=False):
        axes.set_title(model.title)
        if not color_bars:
            picture.add_panel([axes], model, height=height)
    return picture, flat[: len(models)]


def blank_grid(
    rows: int, columns: int, title: str, subtitle: str, size: tuple[float, float]
) -> tuple[Picture, list[list[Axes]]]:
    """Begin a picture of rows times columns axes under a title.

    Args:
        rows: At least 1.
        columns: At least 1.
        title: The picture's title.
        subtitle: A line below it, or "".
        size: Width and height of all axes together, in inches.

    Returns:
        The picture and its axes by row.
    """
    with mpl.rc_context(_RC):
        width = max(size[0], 7.5)  # room for the title
        head = 0.55 + (0.3 if subtitle else 0.0)
        total = size[1] + head
        below_title = (0, 0, 1, 1 - head / total)
        layout = ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.1, wspace=0.03, hspace=0.06, rect=below_title)
        figure = Picture(figsize=(width, total), layout=layout)
        figure.title, figure.subtitle = title, subtitle
        left = 0.12 / width
        figure.text(left, 1 - 0.12 / total, title, fontsize=15, fontweight="bold", va="top")
        if subtitle:
            figure.text(left, 1 - 0.5 / total, subtitle, fontsize=11, color="#444444", va="top")
        grid = [
            [figure.add_subplot(rows, columns, row * columns + column + 1) for column in range(columns)]
            for row in range(rows)
        ]
    return figure, grid


def png(figure: Figure, dpi: int = PNG_DPI) -> bytes:
    """Render a figure. No time stamp and no version inside: the same numbers give the same bytes.

    Args:
        figure: Any.
        dpi: Pixels to the inch.

    Returns:
        The content of a PNG file.
    """
    figure.set_dpi(dpi)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()  # once: `savefig` draws a figure with a layout twice, the first time for the layout alone
    buffer = io.BytesIO()
    imsave(buffer, canvas.buffer_rgba(), format="png", origin="upper", dpi=dpi, metadata={"Software": None})  # type: ignore[dict-item]
    return buffer.getvalue()


def legend_below(figure: Figure, labels: Sequence[str], extra: Sequence[Line2D] = ()) -> None:
    """Explain colours and markers once, below all facets.

    Args:
        figure: The picture.
        labels: The precisions shown.
        extra: Further entries, after the precisions.
    """
    handles = [
        Line2D(
            [],
            [],
            linestyle="",
            color=color,
            marker=marker,
            markersize=9,
            markerfacecolor="none",
            markeredgewidth=2,
            label=picture_text(label),
        )
        for label in labels
        for color, marker in [style_of(label)]
    ]
    figure.legend(
        handles=[*handles, *extra],
        loc="outside lower center",
        ncols=min(int(figure.get_figwidth() / _LEGEND_ENTRY_INCHES), len(handles) + len(extra)),
        frameon=False,
        fontsize=11,
    )
