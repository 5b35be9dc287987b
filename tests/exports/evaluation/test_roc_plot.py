"""The picture of ROC curves, by its pixels."""

from __future__ import annotations

import io
import sys

import numpy as np
from PIL import Image

from lpff_ray.exports.evaluation.roc import roc
from lpff_ray.exports.evaluation.roc_plot import COLOURS, LEFT, SIDE, TOP, roc_png


def test_the_plot_shows_each_curve_from_its_first_measurable_rate() -> None:
    long, short = (roc(np.linspace(0, 1, n + 10), np.arange(n + 10) >= n) for n in (1000, 10))
    with Image.open(io.BytesIO(roc_png({"long": long, "short": short}, "title"))) as png:
        pixels = np.asarray(png.convert("RGB")).astype(int)
    assert pixels.shape == (640, 640, 3)
    middle = pixels[TOP + 100]  # both rise there, straight up, where one false accept is
    for colour, decades in zip(COLOURS, (0, 2), strict=False):
        columns = np.flatnonzero(np.abs(middle - colour).sum(1) < 60)
        assert abs(columns.mean() - (LEFT + SIDE * decades / 3)) < 2


def test_the_same_bytes_again_and_no_global_figures() -> None:
    curve = roc(np.linspace(0, 1, 30), np.arange(30) >= 20)
    had_pyplot = "matplotlib.pyplot" in sys.modules
    first, second = (roc_png({"f2p": curve}, "title") for _ in range(2))
    assert first == second
    assert had_pyplot or "matplotlib.pyplot" not in sys.modules
    with Image.open(io.BytesIO(first)) as png:
        assert "Software" not in png.info, "matplotlib's version would change the bytes"


def test_no_curve_is_a_picture_too() -> None:
    with Image.open(io.BytesIO(roc_png({}, "nothing to show"))) as png:
        assert png.size == (640, 640)
