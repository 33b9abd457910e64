"""The picture's bars are the times, added up by kind."""

import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.patches import Rectangle

from sealbench.reports.render.labels import Model
from sealbench.reports.render.plots.profile import Bar, Part, draw_profile
from sealbench.reports.render.plots.style import png

MODEL = Model("videoseal", "seeded", "256", "simple", 2)
PLAIN = Bar(
    100.0, [Part("DEPTHWISE_CONV_2D", 30.0, False), Part("FULLY_CONNECTED", 50.0, False), Part("Add", 2.0, False)]
)
INT8 = Bar(
    35.0,
    [
        Part("DEPTHWISE_CONV_2D", 12.0, True),
        Part("DEPTHWISE_CONV_2D", 6.0, True),
        Part("FULLY_CONNECTED", 15.0, False),
    ],
)


def patches(axes: Axes) -> list[tuple[int, float, float, str, bool]]:
    """Row, left end, width, colour and whether hatched, of each part."""
    found = []
    for part in axes.patches:
        assert isinstance(part, Rectangle)
        row = round(part.get_y() + part.get_height() / 2)
        color = to_hex(part.get_facecolor())
        found.append((row, part.get_x(), part.get_width(), color, bool(part.get_hatch())))
    return found


def test_parts_lie_end_to_end_and_keep_their_colour() -> None:
    figure = draw_profile(MODEL, {"float32": PLAIN, "int8\nsplit_depthwise": INT8})
    (axes,) = figure.axes
    blue, vermilion, green = "#0072b2", "#d55e00", "#009e73"
    assert patches(axes) == [
        (0, 0.0, 50.0, blue, False),
        (0, 50.0, 30.0, vermilion, False),
        (0, 80.0, 2.0, green, False),
        (1, 0.0, 15.0, blue, False),
        (1, 15.0, 18.0, vermilion, True),
    ]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["float32", "int8\nsplit_depthwise"]
    # The mark of the whole run is where it was measured, whatever the parts come to.
    assert [mark.get_segments()[0][0][0] for mark in axes.collections] == [100.0, 35.0]  # type: ignore[attr-defined]
    texts = [text.get_text() for text in axes.texts]
    assert "18.0" in texts
    assert "  100.0 ms" in texts
    assert "2.0" not in texts  # no room
    assert "videoseal, 256 - seeded (untrained)" in figure.texts[0].get_text()
    assert "2 threads" in figure.texts[1].get_text()


def test_small_kinds_are_one_part() -> None:
    parts = [Part(f"kind {number}", 10.0 - number, False) for number in range(9)]
    (axes,) = draw_profile(MODEL, {"float32": Bar(60.0, parts)}).axes
    widths = [patch[2] for patch in patches(axes)]
    assert widths == [10, 9, 8, 7, 6, 5, 4, 3 + 2]
    assert patches(axes)[-1][3] == "#9a9a9a"


@pytest.mark.parametrize("name", ["$\\frac{$", "<b>&", "x" * 300])
def test_hostile_names_can_be_drawn(name: str) -> None:
    hostile = Model(name, "file", "256", "simple", 1)
    first = png(draw_profile(hostile, {name: Bar(3.0, [Part(name, 2.0, True)])}))
    assert first.startswith(b"\x89PNG")
    assert first == png(draw_profile(hostile, {name: Bar(3.0, [Part(name, 2.0, True)])}))
