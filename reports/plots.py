"""The pictures of a run, by name: each takes the record, and gives a figure, or None when its data was not measured."""

from collections.abc import Callable, Mapping
from pathlib import Path

from matplotlib.figure import Figure

from reports.bar_plots import accuracy_by_precision, latency_by_precision, rewrite_effect, size_by_precision
from reports.bit_positions import bit_positions
from reports.error_plot import layer_errors
from reports.files import remove, write_atomically
from reports.latency_plots import latency_distributions
from reports.logit_plots import error_histograms, logits_scatter
from reports.plot_style import PNG_DPI, png
from reports.quality_plots import score_scatter
from reports.robustness import robustness
from reports.run_record import RunRecord
from reports.trade_off_plots import accuracy_vs_latency, accuracy_vs_size

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
