"""The pictures of report.html: one panel for each model, so that a phone shows them one below the other."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from markupsafe import Markup

from sealbench.reports.render.page.svg import inline_svg, show_alone, swatch, take_legend
from sealbench.reports.render.plots.style import Picture
from sealbench.reports.render.tables import model_label

_PANEL_INCHES = 5.4
_SMALL_INCHES = 2.7
_LEGEND_INCHES = 0.5  # of a panel's height, where the picture has a legend
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


def picture_sections(pictures: Mapping[str, Picture], limit_bytes: int) -> list[Section]:
    """Show composed pictures panel by panel.

    Args:
        pictures: What `compose` gives, by name; afterwards each of them shows its last panel alone.
        limit_bytes: How much all of them together may take; those that come later are left out, which is said.

    Returns:
        A section for each picture of the page, in the page's order.
    """
    sections = []
    for name in _PICTURES:
        if name in pictures:
            section = _section(name, pictures[name], limit_bytes)
            limit_bytes -= section.size_bytes
            sections.append(section)
    return sections


def _section(name: str, picture: Picture, limit_bytes: int) -> Section:
    section = Section(name, picture.title, picture.subtitle, small=name in _SMALL)
    prefix = name.replace("_", "-")
    try:
        for place, (words, handle) in enumerate(take_legend(picture)):
            section.legend[words] = swatch(handle, f"{prefix}-key-{place}")
        room = _LEGEND_INCHES if section.legend else 0.0
        for number, panel in enumerate(picture.panels):
            owner = model_label(asdict(panel.model))
            group = section.groups.setdefault(owner if panel.file else "", [])
            size = (_SMALL_INCHES, _SMALL_INCHES) if section.small else (_PANEL_INCHES, panel.height - room)
            show_alone(picture, panel, size)
            svg = inline_svg(picture, f"{prefix}-{number}", f"{section.title}: {owner} {panel.file}")
            if section.size_bytes + len(svg.encode()) <= limit_bytes:
                group.append(Panel(panel.file or owner, svg))
            else:
                section.left_out = f"The page would be too large with all of them: plots/{name}.png has the rest."
    except Exception as error:  # the verdicts stand without a picture, and the page names the one that failed
        section.left_out = f"It could not be drawn: {type(error).__name__}: {error}"
    return section
