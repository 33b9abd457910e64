"""A figure as SVG that stands in a page: its words as text, its colours as the page's, what marks say as tooltips."""

import colorsys
import io
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator

import matplotlib as mpl
from markupsafe import Markup
from matplotlib.artist import Artist
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.gridspec import GridSpec

from sealbench.reports.render.plots.style import PALETTE, Panel, Picture
from sealbench.reports.render.plots.values import TIP
from sealbench.reports.schema.formatting import plain_text

# What the pictures draw with, and the page's variable for it (templates/report.css has both themes).
_VARIABLES = {
    "#000000": "ink",
    "#333333": "ink",
    "#444444": "ink",
    "#777777": "muted",
    "#e4e4e4": "line",
    "#ffffff": "page",
} | {color.lower(): f"c-{color[1:].lower()}" for color in PALETTE}
_DARK_PAGE_LIGHTNESS = 0.58  # at least, so that a colour stands out from a dark page
_IMAGE_DPI = 100  # of what is drawn as pixels
_SHORT = re.compile(r"(-?\d+\.\d{2})\d+")
_FAMILY = re.compile(r"font-family: [^;]*;? ?")
_REFERENCE = re.compile(r"#([\w.:-]+)")


def palette_css() -> str:
    """Define the colours of precisions for a page.

    Returns:
        CSS with a variable for each colour of PALETTE, lighter where the reader prefers a dark page.
    """
    light = "".join(f"--{_VARIABLES[color.lower()]}: {color}; " for color in PALETTE)
    dark = "".join(f"--{_VARIABLES[color.lower()]}: {_lighter(color)}; " for color in PALETTE)
    return f":root {{ {light}}}\n@media screen and (prefers-color-scheme: dark) {{ :root {{ {dark}}} }}\n"


def _lighter(color: str) -> str:
    hue, lightness, saturation = colorsys.rgb_to_hls(*to_rgb(color))
    return to_hex(colorsys.hls_to_rgb(hue, max(lightness, _DARK_PAGE_LIGHTNESS), saturation))


def take_legend(picture: Figure) -> list[tuple[str, Artist]]:
    """Take the legend below a picture out of it, for a page that has one for many panels.

    Args:
        picture: Any; it has no legend afterwards.

    Returns:
        The words of each entry and what it shows.
    """
    entries = [
        (text.get_text().replace(r"\$", "$"), handle)
        for legend in picture.legends
        for text, handle in zip(legend.get_texts(), legend.legend_handles, strict=True)
        if handle is not None
    ]
    for legend in list(picture.legends):
        legend.remove()
    return entries


def show_alone(picture: Picture, panel: Panel, size: tuple[float, float]) -> None:
    """Let a picture without legend show one of its panels and nothing else: title and captions are the page's.

    Args:
        picture: Any; it can be called again with another panel.
        panel: One of its panels.
        size: Width and height of all that is drawn, in inches; where both are the same, the panel is a small one.
    """
    for text in picture.texts:
        text.set_visible(False)
    for axes in picture.axes:
        axes.set_visible(axes in panel.axes)
        axes.set_in_layout(axes in panel.axes)
    axes = panel.axes[0]
    axes.set_subplotspec(GridSpec(1, 1, figure=picture)[0])
    axes.set_title("")
    if size[0] == size[1]:
        axes.set_ylabel(axes.get_ylabel().rpartition("\n")[2])
    picture.set_size_inches(*size)
    layout = picture.get_layout_engine()
    assert layout is not None
    layout.set(rect=(0, 0, 1, 1))  # type: ignore[call-arg]


def swatch(handle: Artist, name: str) -> Markup:
    """Draw one entry of a legend.

    Args:
        handle: What `take_legend` gives.
        name: As in `inline_svg`.

    Returns:
        A small svg element without words.
    """
    figure = Figure(figsize=(0.34, 0.2))
    figure.legend([handle], [""], loc="center", frameon=False, handletextpad=0, borderpad=0, borderaxespad=0)
    return inline_svg(figure, name, "")


def inline_svg(figure: Figure, name: str, words: str) -> Markup:
    """Write a figure as an element of a page.

    Args:
        figure: Any.
        name: What the ids in it begin with; unlike those of other pictures of the page. Letters, digits, "-".
        words: What the picture shows, for those who do not see it.

    Returns:
        An svg element that scales with its box; artists with a tip have the class "mark" and a title.
    """
    buffer = io.StringIO()
    for patch in (figure.patch, *(axes.patch for axes in figure.axes)):
        patch.set(facecolor="none", edgecolor="none")
    figure.set_dpi(_IMAGE_DPI)
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": name, "svg.image_inline": True}):
        # Not by `savefig`, which draws a figure with a layout twice, the first time for the layout alone.
        FigureCanvasSVG(figure).print_svg(buffer, metadata={"Date": None, "Creator": None})
    root = ET.fromstring(buffer.getvalue())  # noqa: S314  (our own output, written a line above)
    for parent in root.iter():
        parent.tag = parent.tag.rpartition("}")[2]
    for element in root.iter():
        element.text, element.tail = _unless_blank(element.text), _unless_blank(element.tail)
    for parent in list(root.iter()):
        for child in [child for child in parent if child.tag in {"metadata", "style"}]:
            parent.remove(child)
    referenced = {target for _, _, value in _attributes(root) for target in _REFERENCE.findall(value)}
    for element, key, value in list(_attributes(root)):
        _translate(element, key, value, name, referenced)
    root.attrib = {"viewBox": root.attrib["viewBox"], "role": "img", "aria-label": plain_text(words)}
    return Markup(ET.tostring(root, encoding="unicode"))  # noqa: S704  (the serializer escapes every name in it)


def _attributes(root: ET.Element) -> Iterator[tuple[ET.Element, str, str]]:
    for element in root.iter():
        for key, value in element.attrib.items():
            yield element, key, value


def _translate(element: ET.Element, key: str, value: str, name: str, referenced: set[str]) -> None:
    plain_key = key.rpartition("}")[2]
    if plain_key == "id":
        del element.attrib[key]
        if value.startswith(TIP):
            element.set("class", "mark")
            title = ET.Element("title")
            title.text = value.removeprefix(TIP)
            element.insert(0, title)
        elif value in referenced:
            element.set("id", f"{name}-{value}")
    elif plain_key == "href":
        del element.attrib[key]
        element.set("href", value if value.startswith("data:") else f"#{name}-{value[1:]}")
    elif plain_key == "clip-path":
        element.set(key, value.replace("url(#", f"url(#{name}-"))
    elif plain_key == "style":
        element.set(key, _themed(value))
    elif plain_key in {"d", "x", "y"}:
        element.set(key, _SHORT.sub(r"\1", value).replace("\n", ""))


def _unless_blank(text: str | None) -> str | None:
    return text if text and text.strip() else None


def _themed(style: str) -> str:
    style = _FAMILY.sub("", style)  # the page's own, which is narrower than the one that the layout was made with
    for color, variable in _VARIABLES.items():
        style = style.replace(color, f"var(--{variable})")
    return style
