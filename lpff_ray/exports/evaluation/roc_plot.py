"""ROC curves as an image: the false accept rate on a logarithmic axis, as verification is shown."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from lpff_ray.exports.evaluation.roc import Roc

SIZE, LEFT, TOP, SIDE = 640, 80, 40, 520
"""Pixels: of the image, left of and above the square in which the curves are, and of that square's side."""
DPI = 100
COLOURS = ((31, 119, 180), (214, 96, 20), (44, 140, 60), (148, 60, 160), (120, 120, 120))
FAINT = "#dedede"


def roc_png(curves: Mapping[str, Roc], title: str) -> bytes:
    """A PNG of curves by name, 640 x 640 pixels; the same curves give the same bytes.

    The axis reaches down to the smallest rate that the list with most negatives can show, one false accept; each curve
    begins at its own.
    """
    from matplotlib.backends.backend_agg import (
        FigureCanvasAgg,  # seconds; and no pyplot, whose figures are global
    )
    from matplotlib.figure import Figure

    decades = max([1, *(math.ceil(math.log10(curve.negatives) - 1e-9) for curve in curves.values())])
    figure = Figure(figsize=(SIZE / DPI, SIZE / DPI), dpi=DPI)
    FigureCanvasAgg(figure)
    axes = figure.add_axes((LEFT / SIZE, 1 - (TOP + SIDE) / SIZE, SIDE / SIZE, SIDE / SIZE))
    axes.set(xscale="log", xlim=(10.0**-decades, 1.0), ylim=(0.0, 1.0), title=title)
    axes.set(xlabel="false accept rate", ylabel="true accept rate")
    axes.minorticks_off()
    axes.grid(color=FAINT)
    axes.set_axisbelow(True)
    chance = np.geomspace(10.0**-decades, 1.0, 500)
    axes.plot(chance, chance, color=FAINT, linewidth=1.5)
    for number, (name, curve) in enumerate(curves.items()):
        label = f"{name}  AUC {curve.auc():.4f}  n = {curve.positives} + {curve.negatives}"
        colour = [level / 255 for level in COLOURS[number % len(COLOURS)]]
        rates = np.maximum(curve.far, 1 / curve.negatives)  # zero is not on a logarithmic axis
        # Whole and above the frame: the longest list's curve rises on the axis itself.
        look: dict[str, Any] = {
            "drawstyle": "steps-post",
            "color": colour,
            "linewidth": 2,
            "clip_on": False,
            "zorder": 3,
        }
        axes.plot(rates, curve.tar, label=label, **look)
    if curves:
        axes.legend(loc="lower right", frameon=False)
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=DPI, metadata={"Software": None})
    return content.getvalue()
