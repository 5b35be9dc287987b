"""Poses before and after a selection: as text for a terminal, as a picture beside it."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from rich.table import Table

_LIMITS = {"yaw": 105.0, "pitch": 75.0}
_BAR = 16
_LOOKS: tuple[dict[str, Any], ...] = (
    {"fill": True, "color": "#c8c8c8"},
    {"color": "#1a6fb0", "linewidth": 1.5},
    {"color": "#d9622b"},
)

Stage = tuple[str, pl.DataFrame, pl.Series]


def shares(angles: pl.Series, times: pl.Series, edges: NDArray[np.float64]) -> NDArray[np.float64]:
    """Share of the faces in each step of an angle in degrees, each face counted `times` over; what lies outside of the
    edges counts in the outermost steps."""
    inside = np.clip(angles.to_numpy(), edges[0], np.nextafter(edges[-1], -np.inf))
    counts = np.histogram(inside, edges, weights=times.to_numpy())[0]
    return counts / max(float(counts.sum()), 1.0)


def stages(before: pl.DataFrame, after: pl.DataFrame) -> list[Stage]:
    """Before, selected and, where faces are repeated, rebalanced: name, angles, how often each face counts.

    before: yaw, pitch in degrees. after: these and `copies`.
    """
    found = [("before", before, pl.repeat(1, len(before), eager=True))]
    found.append(("selected", after, pl.repeat(1, len(after), eager=True)))
    if int(after["copies"].sum()) > len(after):
        found.append(("rebalanced", after, after["copies"]))
    return found


def printed(before: pl.DataFrame, after: pl.DataFrame) -> Table:
    """Yaw at every stage in steps of 15 degrees, as shares and bars."""
    edges = np.arange(-_LIMITS["yaw"], _LIMITS["yaw"] + 1, 15.0)
    found = stages(before, after)
    parts = np.array([shares(faces["yaw"], times, edges) for _, faces, times in found])
    longest = float(parts.max()) or 1.0
    headers = [header for name, _, _ in found for header in (name, "")]
    table = Table("yaw", *headers, title="Share of the faces by yaw (> 0: faces image-left)")
    for low, high, row in zip(edges[:-1], edges[1:], parts.T, strict=True):
        cells = [text for part in row for text in (f"{part:6.1%}", "█" * round(_BAR * part / longest))]
        table.add_row(f"{low:4.0f} .. {high:4.0f}", *cells)
    return table


def picture(before: pl.DataFrame, after: pl.DataFrame, title: str) -> bytes:
    """A PNG of yaw and pitch at every stage, as shares per 5 degrees."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4.2), layout="constrained")
    FigureCanvasAgg(figure)
    for axes, (angle, limit) in zip(figure.subplots(1, 2), _LIMITS.items(), strict=True):
        edges = np.arange(-limit, limit + 1, 5.0)
        for (name, faces, times), look in zip(stages(before, after), _LOOKS, strict=False):
            label = f"{name}: {int(times.sum())} {'faces' if name != 'rebalanced' else 'listed'}"
            axes.stairs(100 * shares(faces[angle], times, edges), edges, label=label, **look)
        axes.set_xlabel(f"{angle}, degrees")
        axes.set_ylabel("% per 5 degrees")
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False)
    figure.suptitle(title)
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=100)
    return content.getvalue()
