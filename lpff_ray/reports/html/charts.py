"""Vega-Lite specifications of a page's charts; the page gives them its colours and widths when it draws them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

Chart = dict[str, Any]
_HEIGHT = 132


def histogram(
    title: str, edges: Sequence[float], counts: Mapping[str, Mapping[int, int]], *, logarithmic: bool = False
) -> Chart:
    """Shares of the faces per bin: the first set as bars, the others as lines over them.

    counts: by set and number of the bin. The page's list of sets says which colour is whose; it sets the parameter
    `chosen` to the name of the one to stand out, "" for all.
    """
    rows: list[dict[str, Any]] = []
    for name, of_set in counts.items():
        total = max(sum(of_set.values()), 1)
        for number, (low, high) in enumerate(pairwise(edges)):
            count = of_set.get(number, 0)
            rows.append({"set": name, "low": low, "high": high, "faces": count, "share": count / total})
        rows.append({"set": name, "low": edges[-1], "high": edges[-1], "faces": None, "share": 0})
    first, *others = counts
    scale = {"type": "log", "base": 2} if logarithmic else {"zero": False, "nice": False}
    x_axis = {"title": None, "grid": False, "format": "~g" if logarithmic else "~r", "tickCount": 6}
    share = {
        "field": "share",
        "type": "quantitative",
        "axis": {"title": None, "format": "~%", "tickCount": 3},
    }
    colour = {
        "field": "set",
        "type": "nominal",
        "scale": {"domain": list(counts)},
        "legend": None,
    }
    x = {"field": "low", "type": "quantitative", "scale": scale | {"domain": [edges[0], edges[-1]]}}
    shown = {"condition": {"test": "!chosen || datum.set === chosen", "value": 1}, "value": 0.12}
    tooltip = [
        {"field": "set", "title": "faces"},
        {"field": "low", "title": "from", "format": "~g"},
        {"field": "high", "title": "to", "format": "~g"},
        {"field": "faces", "title": "number", "format": ","},
        {"field": "share", "title": "share", "format": ".1%"},
    ]
    bars = {
        "transform": [{"filter": {"field": "set", "equal": first}}, {"filter": "datum.faces !== null"}],
        "mark": {"type": "bar", "binSpacing": 0.5},
        "encoding": {
            "x": x | {"bin": "binned", "axis": x_axis},
            "x2": {"field": "high"},
            "y": share,
            "color": colour,
            "opacity": shown,
            "tooltip": tooltip,
        },
    }
    lines = {
        "transform": [{"filter": {"not": {"field": "set", "equal": first}}}],
        "mark": {"type": "line", "interpolate": "step-after", "strokeWidth": 1.6},
        "encoding": {"x": x | {"axis": x_axis}, "y": share, "color": colour, "opacity": shown},
    }
    return {
        "description": f"{title}: shares of the faces",
        "height": _HEIGHT,
        "params": [{"name": "chosen", "value": ""}],
        "data": {"values": rows},
        "layer": [bars, lines] if others else [bars],
    }


def cameras(
    title: str,
    points: Sequence[Mapping[str, Any]],
    contours: str,
    kind: str,
) -> Chart:
    """Camera positions as points over the contours of a reference's density.

    points: theta, phi (degrees), copies. contours: name of the page's data set of them, "" without any: theta, phi,
    order, level, line (its number). kind: of the points, "before" or "after", which decides their colour.
    """
    smallest = 12 if len(points) > 1000 else 26 if len(points) > 100 else 60
    theta = {
        "type": "quantitative",
        "scale": {"domain": [0, 180]},
        "axis": {"title": "theta, degrees", "values": [0, 30, 60, 90, 120, 150, 180]},
    }
    phi = {
        "type": "quantitative",
        "scale": {"domain": [20, 160]},
        "axis": {"title": "phi, degrees", "values": [30, 60, 90, 120, 150]},
    }
    x, y = {"field": "theta"} | theta, {"field": "phi"} | phi
    scatter = {
        "data": {"values": list(points)},
        "mark": {"type": "point", "filled": True, "clip": True, "opacity": 0.5, "style": kind},
        "encoding": {
            "x": x,
            "y": y,
            "size": {
                "field": "copies",
                "type": "quantitative",
                "scale": {"domain": [1, 6], "range": [smallest, 6 * smallest]},
                "legend": None,
            },
            "tooltip": [
                {"field": "theta", "format": ".1f"},
                {"field": "phi", "format": ".1f"},
                {"field": "copies"},
            ],
        },
        "params": [{"name": "view", "select": {"type": "interval"}, "bind": "scales"}],
    }
    lines = {
        "data": {"name": contours},
        "mark": {"type": "line", "clip": True, "style": "contour", "strokeWidth": 1.3},
        "encoding": {
            "x": x,
            "y": y,
            "order": {"field": "order"},
            "detail": {"field": "line"},
            "strokeDash": {
                "field": "level",
                "type": "nominal",
                "sort": "descending",
                "legend": {"title": "reference density", "orient": "bottom"},
            },
        },
    }
    return {"title": title, "height": 260, "layer": [scatter, lines] if contours else [scatter]}
