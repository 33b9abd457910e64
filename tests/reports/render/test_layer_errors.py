"""The picture of an error analysis is drawn of whatever was measured."""

import math

import numpy as np
import pytest

from sealbench.reports.render.labels import Model
from sealbench.reports.render.plots.layer_errors import LayerPoint, draw_errors
from sealbench.reports.render.plots.style import png

MODEL = Model("videoseal_nano", "bundled", "256", "simple", 2)
TERMS = {"conversion": 6e-6, "quantization": 0.05, "kernels": 0.01, "threads": 0.0, "total": 0.045}
LAYERS = [LayerPoint(f"net/block/{place}", "CONV_2D 1x1", 0.5 + place, 1.0 + place) for place in range(5)]


def test_every_step_and_layer_is_drawn_and_the_worst_named() -> None:
    figure = draw_errors(MODEL, "int8*", TERMS, LAYERS)
    top, bottom = figure.axes
    assert [label.get_text() for label in top.get_yticklabels()] == list(TERMS)
    assert [text.get_text().strip() for text in top.texts] == ["6e-06", "0.05", "0.01", "0", "0.045"]
    accumulated, *isolated = bottom.lines
    assert np.asarray(accumulated.get_ydata()).tolist() == [1, 2, 3, 4, 5]
    assert [np.asarray(mark.get_ydata()).item() for mark in isolated] == [0.5, 1.5, 2.5, 3.5, 4.5]
    assert "net/block/4; CONV_2D 1x1; isolated 4.5 %; accumulated 5 %" in str(isolated[-1].get_gid())
    assert [text.get_text() for text in bottom.texts] == ["net/block/4: 4.5 %"]
    assert "int8*" in figure.texts[0].get_text()


@pytest.mark.parametrize("value", [0.0, math.nan, math.inf])
def test_what_has_no_place_on_a_logarithmic_axis_is_still_a_picture(value: float) -> None:
    terms = dict.fromkeys(TERMS, value)
    layers = [LayerPoint("only", "CONV_2D 1x1", value, value)]
    assert png(draw_errors(MODEL, "float32", terms, layers)).startswith(b"\x89PNG")


def test_the_same_numbers_give_the_same_bytes() -> None:
    assert png(draw_errors(MODEL, "int8", TERMS, LAYERS)) == png(draw_errors(MODEL, "int8", TERMS, LAYERS))
