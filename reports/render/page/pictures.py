"""The pictures of report.html: one panel for each model, so that a phone shows them one below the other."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import pandas as pd
from markupsafe import Markup
from matplotlib.artist import Artist
from matplotlib.figure import Figure

from sealbench.reports.render.page.svg import inline_svg, swatch, take_head, take_legend
from sealbench.reports.render.plots.figures import FIGURES
from sealbench.reports.render.plots.logits import watermarked_pairs
from sealbench.reports.render.plots.style import in_order
from sealbench.reports.render.plots.values import labelled
from sealbench.reports.render.record import RunRecord
from sealbench.reports.render.tables import model_label

_PANEL_INCHES = 5.4
_SMALL_PANEL_INCHES = 2.7
# In this order on the page, the most telling first. The others are in plots/: the tables say their numbers.
_PICTURES = (
    "accuracy_vs_size",
    "accuracy_vs_latency",
    "latency_distributions",
    "rewrite_effect",
    "score_scatter",
    "logits_scatter",
    "error_histograms",
    "bit_positions",
    "robustness",
    "layer_errors",
)
# A glance is enough for these, so their panels are small.
_SMALL = ("logits_scatter", "score_scatter")
Split = Callable[[RunRecord], Iterator[tuple[RunRecord, str]]]


@dataclass(frozen=True)
class Panel:
    """A picture of one model, or of one of its files.

    Attributes:
        caption: Whose it is.
        svg: The picture.
    """

    caption: str
    svg: Markup


@dataclass
class Section:
    """Pictures of one kind, filled while they are drawn.

    Attributes:
        name: Of the kind, as in plots/.
        title: Its heading.
        subtitle: What the reader must know to read it.
        small: Whether the panels are small ones.
        groups: Panels by heading: one group without a heading, or for panels of single files one for each model.
        legend: What colours and markers mean.
        left_out: Why pictures are missing; "" where none are.
    """

    name: str
    title: str
    subtitle: str = ""
    small: bool = False
    groups: dict[str, list[Panel]] = field(default_factory=dict)
    legend: dict[str, Markup] = field(default_factory=dict)
    left_out: str = ""

    @property
    def size_bytes(self) -> int:
        """How much of the page it takes."""
        panels = [panel.svg for group in self.groups.values() for panel in group]
        return sum(len(svg.encode()) for svg in (*panels, *self.legend.values()))


def picture_sections(record: RunRecord, limit_bytes: int) -> list[Section]:
    """Draw what the record has the data for.

    Args:
        record: Of the run.
        limit_bytes: How much all pictures together may take; those that come later are left out, which is said.

    Returns:
        Only kinds of which there is a picture, or was to be one.
    """
    sections = []
    of_models = [(model_label(asdict(model)), record.of(model)) for model in record.models]
    for name in _PICTURES:
        section = _section(name, of_models, limit_bytes)
        limit_bytes -= section.size_bytes
        if section.groups or section.left_out:
            sections.append(section)
    return sections


def _section(name: str, of_models: Sequence[tuple[str, RunRecord]], limit_bytes: int) -> Section:
    split = _SPLITS.get(name)
    section = Section(name, name.replace("_", " ").capitalize(), small=name in _SMALL)
    handles: dict[str, Artist] = {}
    for number, (owner, record) in enumerate(of_models):
        try:
            for part, file in (split or _whole)(record):
                figure = FIGURES[name](part)
                if figure is None:
                    continue
                section.title, section.subtitle = take_head(figure)
                handles |= take_legend(figure)
                group = section.groups.setdefault(owner if split else "", [])
                place = f"{name.replace('_', '-')}-{number}-{len(group)}"
                svg = _panel(figure, place, f"{section.title}: {owner} {file}", section.small)
                if section.size_bytes + len(svg.encode()) <= limit_bytes:
                    group.append(Panel(file or owner, svg))
                else:
                    section.left_out = f"The page would be too large with all of them: plots/{name}.png has the rest."
        except Exception as error:  # the verdicts stand without a picture, and the page names the one that failed
            section.left_out = f"{owner} could not be drawn: {type(error).__name__}: {error}"
    section.legend = {
        key: swatch(handles[key], f"{name.replace('_', '-')}-key-{place}") for place, key in enumerate(handles)
    }
    return section


def _panel(figure: Figure, name: str, words: str, small: bool) -> Markup:
    figure.set_figwidth(_SMALL_PANEL_INCHES if small else _PANEL_INCHES)
    if small:
        figure.set_figheight(_SMALL_PANEL_INCHES)
    for axes in figure.axes:
        axes.set_title("")  # the page says it as text
        if small:
            axes.set_ylabel(axes.get_ylabel().rpartition("\n")[2])
    return inline_svg(figure, name, words)


def _whole(record: RunRecord) -> Iterator[tuple[RunRecord, str]]:
    yield record, ""


def _by_file(table: str, rows_of: Callable[[RunRecord], pd.DataFrame]) -> Split:
    """Parts of a record with the rows of one file each, by the column `label`."""

    def split(record: RunRecord) -> Iterator[tuple[RunRecord, str]]:
        rows = rows_of(record)
        for label in in_order(rows["label"].unique()):
            part: dict[str, Any] = {table: rows[rows["label"] == label]}
            yield replace(record, **part), label

    return split


_SPLITS: dict[str, Split] = {
    "logits_scatter": _by_file("bits", lambda record: watermarked_pairs(record.bits)),
    "score_scatter": _by_file("scores", lambda record: labelled(record.scores[record.scores["backend"] != "torch"])),
    "layer_errors": _by_file("layer_errors", lambda record: labelled(record.layer_errors)),
}
