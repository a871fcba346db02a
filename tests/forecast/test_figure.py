"""What is on the drawing of a forecast: strips of what was seen, a bar a step, and a row a future."""

import numpy as np
import pytest

from foretell.errors import ForetellError
from foretell.forecast.draw import BARS, COLUMNS, Strip, forecast_figure

CHANCES = [("stir", 0.2), ("pour", 0.7), ("heat", 0.1)]


def strip(title, grey=100, frames=8):
    return Strip(title, np.full((frames, 3, 16, 16), grey, np.uint8))


def pictures(figure):
    return [axes.images[0].get_array() for axes in figure.axes if axes.images]


def charts(figure):
    return [axes for axes in figure.axes if axes.patches and not axes.images]


def words(figure):
    texts = [*figure.texts, *(text for axes in figure.axes for text in axes.texts)]
    return [text.get_text() for text in texts]


def test_everything_is_on_it():
    futures = [[strip(f"future {k} {h}", 200 + k) for h in range(2)] for k in range(3)]
    figure = forecast_figure(
        [strip("first", 10), strip("second", 20)], [CHANCES] * 2, futures, strip("goal", 30), "said"
    )
    greys = [int(picture.flat[0]) for picture in pictures(figure)]
    assert greys == [10, 20, 30, 200, 200, 201, 201, 202, 202]
    assert all(picture.shape == (16, 4 * 16, 3) for picture in pictures(figure))
    assert len(charts(figure)) == 2
    assert {"first", "second", "goal", "future 2 1", "seen: 2 clips, and the goal", "step +2", "said"} <= set(
        words(figure)
    )


def test_bars_are_sorted_and_as_long_as_their_probability():
    [chart] = charts(forecast_figure([strip("one")], [[*CHANCES, *(("rare", 0.0) for _ in range(9))]]))
    assert [round(bar.get_width(), 2) for bar in chart.patches] == [0.7, 0.2, 0.1, 0.0, 0.0][:BARS]
    assert [text.get_text() for text in chart.texts][:4] == ["pour", "0.70", "stir", "0.20"]


def test_far_futures_are_cut_and_it_says_so():
    many = COLUMNS + 3
    figure = forecast_figure([strip("one")] * 7, [CHANCES] * many, [[strip("x")] * many])
    assert len(charts(figure)) == COLUMNS
    assert f"what comes next (the first {COLUMNS} of {many})" in words(figure)
    assert len(pictures(figure)) == 7 + COLUMNS
    boxes = [axes.get_position() for axes in figure.axes]
    assert all(box.x0 >= -1e-6 and box.x1 <= 1 + 1e-6 and box.y0 >= -1e-6 and box.y1 <= 1 + 1e-6 for box in boxes)


def test_a_clip_without_pixels_keeps_its_title():
    figure = forecast_figure([strip("one")], [CHANCES], [[Strip("a label alone", None)]])
    assert len(pictures(figure)) == 1
    assert "a label alone" in words(figure)


def test_nothing_to_draw_is_refused():
    with pytest.raises(ForetellError, match="found 0 and 1"):
        forecast_figure([], [CHANCES])
    with pytest.raises(ForetellError, match="found 1 and 0"):
        forecast_figure([strip("one")], [])
    with pytest.raises(ForetellError, match="a future has 1 clips, and the forecast 2 steps"):
        forecast_figure([strip("one")], [CHANCES] * 2, [[strip("x")]])
