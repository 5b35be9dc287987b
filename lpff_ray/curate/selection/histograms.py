"""Poses before and after a selection: as shares, and as a picture beside it."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

_LIMITS = {"yaw": 105.0, "pitch": 75.0}
_LINE_STYLES: tuple[dict[str, Any], ...] = (
    {"fill": True, "color": "#c8c8c8"},
    {"color": "#1a6fb0", "linewidth": 1.5},
    {"color": "#d9622b"},
)

SelectionStage = tuple[str, pl.DataFrame, pl.Series]


def angle_shares(angles: pl.Series, times: pl.Series, edges: NDArray[np.float64]) -> NDArray[np.float64]:
    """Share of the faces in each step of an angle in degrees, each face counted `times` over; what lies outside of the
    edges counts in the outermost steps."""
    inside = np.clip(angles.to_numpy(), edges[0], np.nextafter(edges[-1], -np.inf))
    counts = np.histogram(inside, edges, weights=times.to_numpy())[0]
    return counts / max(float(counts.sum()), 1.0)


def selection_stages(before: pl.DataFrame, after: pl.DataFrame) -> list[SelectionStage]:
    """Before, selected and, where faces are repeated, rebalanced: name, angles, how often each face counts.

    before: yaw, pitch in degrees. after: these and `copies`.
    """
    found = [("before", before, pl.repeat(1, len(before), eager=True))]
    found.append(("selected", after, pl.repeat(1, len(after), eager=True)))
    if int(after["copies"].sum()) > len(after):
        found.append(("rebalanced", after, after["copies"]))
    return found


def yaw_shares(
    before: pl.DataFrame, after: pl.DataFrame
) -> tuple[NDArray[np.float64], dict[str, NDArray[np.float64]]]:
    """Edges of steps of 15 degrees, float64 [steps + 1]; by stage the share of the faces in each, float64 [steps]."""
    edges = np.arange(-_LIMITS["yaw"], _LIMITS["yaw"] + 1, 15.0)
    return edges, {
        name: angle_shares(faces["yaw"], times, edges)
        for name, faces, times in selection_stages(before, after)
    }


def pose_histograms(before: pl.DataFrame, after: pl.DataFrame, title: str) -> bytes:
    """A PNG of yaw and pitch at every stage, as shares per 5 degrees."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4.2), layout="constrained")
    FigureCanvasAgg(figure)
    for axes, (angle, limit) in zip(figure.subplots(1, 2), _LIMITS.items(), strict=True):
        edges = np.arange(-limit, limit + 1, 5.0)
        for (name, faces, times), style in zip(selection_stages(before, after), _LINE_STYLES, strict=False):
            label = f"{name}: {int(times.sum())} {'faces' if name != 'rebalanced' else 'listed'}"
            axes.stairs(100 * angle_shares(faces[angle], times, edges), edges, label=label, **style)
        axes.set_xlabel(f"{angle}, degrees")
        axes.set_ylabel("% per 5 degrees")
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False)
    figure.suptitle(title)
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=100)
    return content.getvalue()
