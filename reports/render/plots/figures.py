"""The pictures of a run, by name: each takes the record, and gives a figure, or None when its data was not measured."""

from collections.abc import Callable, Mapping
from pathlib import Path

from matplotlib.figure import Figure

from sealbench.reports.files import remove, write_atomically
from sealbench.reports.render.plots.bars import (
    accuracy_by_precision,
    latency_by_precision,
    rewrite_effect,
    size_by_precision,
)
from sealbench.reports.render.plots.bit_positions import bit_positions
from sealbench.reports.render.plots.latency import latency_distributions
from sealbench.reports.render.plots.layer_errors import layer_errors
from sealbench.reports.render.plots.logits import error_histograms, logits_scatter
from sealbench.reports.render.plots.quality import score_scatter
from sealbench.reports.render.plots.robustness import robustness
from sealbench.reports.render.plots.style import PNG_DPI, png
from sealbench.reports.render.plots.trade_off import accuracy_vs_latency, accuracy_vs_size
from sealbench.reports.render.record import RunRecord

Draw = Callable[[RunRecord], Figure | None]

FIGURES: dict[str, Draw] = {
    draw.__name__: draw
    for draw in (
        accuracy_vs_size,
        accuracy_vs_latency,
        size_by_precision,
        latency_by_precision,
        latency_distributions,
        rewrite_effect,
        accuracy_by_precision,
        logits_scatter,
        error_histograms,
        bit_positions,
        robustness,
        score_scatter,
        layer_errors,
    )
}


def write_plots(record: RunRecord, folder: Path, figures: Mapping[str, Draw]) -> tuple[list[Path], list[str]]:
    """Draw every picture that the record has the data for.

    Args:
        record: Of the run.
        folder: Where the PNG files go; must exist.
        figures: By name how each is drawn, e.g. FIGURES.

    Returns:
        The files written, and a sentence for each picture that could not be drawn.

    Raises:
        ReportError: A file cannot be written.
    """
    written: list[Path] = []
    problems: list[str] = []
    for name, draw in figures.items():
        path = folder / f"{name}.png"
        picture = None
        try:
            figure = draw(record)
            picture = None if figure is None else png(figure, PNG_DPI)
        except Exception as error:  # the verdicts stand without a picture, and the page names the one that failed
            problems.append(f"plot {name} could not be drawn: {type(error).__name__}: {error}")
        if picture is None:
            remove(path)  # an older picture would show another record
        else:
            written.append(write_atomically(path, picture))
    return written, problems
