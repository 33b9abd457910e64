"""The pictures of a run by name: each is composed once from the record, then written as PNG and shown by the page."""

from collections.abc import Callable, Mapping
from pathlib import Path

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
from sealbench.reports.render.plots.style import PNG_DPI, Picture, png
from sealbench.reports.render.plots.trade_off import accuracy_vs_latency, accuracy_vs_size
from sealbench.reports.render.record import RunRecord

Draw = Callable[[RunRecord], Picture | None]

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


def compose(record: RunRecord, figures: Mapping[str, Draw] = FIGURES) -> tuple[dict[str, Picture], list[str]]:
    """Compose every picture that the record has the data for, once for all files that show it.

    Args:
        record: Of the run.
        figures: By name how each is drawn.

    Returns:
        The pictures by name, and a sentence for each that could not be drawn.
    """
    pictures: dict[str, Picture] = {}
    problems: list[str] = []
    for name, draw in figures.items():
        try:
            picture = draw(record)
        except Exception as error:  # the verdicts stand without a picture, and the page names the one that failed
            problems.append(_problem(name, error))
        else:
            if picture is not None:
                pictures[name] = picture
    return pictures, problems


def write_plots(pictures: Mapping[str, Picture], folder: Path) -> tuple[list[Path], list[str]]:
    """Write pictures as PNG files, and remove those of an earlier rendering that are not among them.

    Args:
        pictures: What `compose` gives.
        folder: Where the files go; must exist.

    Returns:
        The files written, and a sentence for each picture that could not be drawn.

    Raises:
        ReportError: A file cannot be written.
    """
    for name in FIGURES.keys() - pictures.keys():
        remove(folder / f"{name}.png")  # it would show another record
    written: list[Path] = []
    problems: list[str] = []
    for name, picture in pictures.items():
        path = folder / f"{name}.png"
        try:
            content = png(picture, PNG_DPI)
        except Exception as error:  # such as a text that cannot be laid out: the others are still written
            problems.append(_problem(name, error))
            remove(path)
        else:
            written.append(write_atomically(path, content))
    return written, problems


def _problem(name: str, error: Exception) -> str:
    return f"plot {name} could not be drawn: {type(error).__name__}: {error}"
