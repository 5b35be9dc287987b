"""LPFF's theta and phi of faces, over the density of a reference: before a selection, and after it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from skimage.measure import find_contours

from lpff_ray.curate.selection.cameras import GAUSSIAN_REFERENCE, cameras_from_angles, reference_cameras
from lpff_ray.curate.selection.kernel_density import Density, kernel_density
from lpff_ray.errors import UserError
from lpff_ray.reports.html import charts
from lpff_ray.reports.html.gathered import Selected

LEVELS = (0.4, 0.1, 0.02)
"""Densities per square radian whose contours are drawn; LPFF takes new faces below the first (preset lpff)."""
COUNTED = 50_000
"""Faces, drawn at random, that shares are counted of."""
ALL_POINTS = 12_000
"""Points in all plots of a page together."""
MOST_POINTS = 2_500
_TITLES = {"before": "Before", "after": "Selected"}
_GRID = np.radians(np.arange(0, 180.1, 0.75))


@dataclass(frozen=True)
class Reference:
    """The cameras that a plot compares with.

    name: as `curate.selection.cameras.reference_cameras` reads it. density: None where it can not be read; wrong: why.
    dataset: what the page's charts call its contours, "" where there are none.
    """

    name: str
    density: Density | None
    contours: list[dict[str, Any]]
    dataset: str = ""
    wrong: str = ""


class References:
    """Reads references, each once. given: the one that the user asked for, "" for each selection's own."""

    def __init__(self, given: str = "") -> None:
        """Raises UserError if the given one can not be read."""
        self._known: dict[str, Reference] = {}
        self._given = given
        if given:
            self._read(given)

    def of(self, rules: dict[str, Any]) -> Reference:
        """The reference that a selection's plot has: the given one, or its own, or the one that ships."""
        name = self._given or rules.get("rules", {}).get("reference") or GAUSSIAN_REFERENCE
        if name not in self._known:
            try:
                self._read(name)
            except UserError as error:  # it was there when the selection was made
                self._known[name] = Reference(name, None, [], wrong=str(error))
        return self._known[name]

    def contours(self) -> dict[str, list[dict[str, Any]]]:
        """The contours of every reference that was read, by the name of its dataset: the page's charts share them."""
        return {one.dataset: one.contours for one in self._known.values() if one.dataset}

    def _read(self, name: str) -> None:
        density = kernel_density(reference_cameras(name))
        dataset = f"reference_{len(self._known)}"
        self._known[name] = Reference(name, density, _contours(density), dataset)


def camera_plots(
    before: pl.LazyFrame, after: Selected | None, reference: Reference, plots: int
) -> dict[str, Any]:
    """Charts of the faces that a selection chose from and of those that it chose; of all faces where there is none.

    before: its faces, with `draw`. plots: how many sets of plots the page has, which share its points.
    """
    most = max(200, min(MOST_POINTS, ALL_POINTS // max(plots, 1)))
    whole = [("before", _drawn(before, COUNTED))]
    if after is not None:
        chosen = after.table.lazy().select("face_id", "copies")
        whole.append(("after", _drawn(before.join(chosen, on="face_id", how="inner"), COUNTED)))
    found = []
    for kind, faces in whole:
        cameras = cameras_from_angles(*(faces[name].to_numpy() for name in ("yaw", "pitch", "roll")))
        density = reference.density.at(cameras) if reference.density is not None and len(cameras) else None
        points = np.degrees(cameras[:most]).round(1).tolist()
        copies = faces["copies"].to_list() if "copies" in faces.columns else [1] * len(faces)
        rows = [
            {"theta": theta, "phi": phi, "copies": times}
            for (theta, phi), times in zip(points, copies, strict=False)
        ]
        found.append(
            {
                "kind": kind,
                "faces": len(faces),
                "shown": len(rows),
                "chart": charts.cameras(_TITLES[kind], rows, reference.dataset, kind),
                "rare": None if density is None else float((density < LEVELS[0]).mean()),
            }
        )
    return {"plots": found, "reference": reference.name, "wrong": reference.wrong, "level": LEVELS[0]}


def _drawn(faces: pl.LazyFrame, most: int) -> pl.DataFrame:
    """At most so many faces, at random, in random order; those without a pose are left out."""
    posed = faces.filter(pl.all_horizontal(pl.col("yaw", "pitch", "roll").is_finite()))
    wanted = ["yaw", "pitch", "roll", *(["copies"] if "copies" in posed.collect_schema() else [])]
    return posed.sort("draw").head(most).select(wanted).collect()


def _contours(density: Density) -> list[dict[str, Any]]:
    """Points along the contours of LEVELS, in degrees."""
    theta, phi = np.meshgrid(_GRID, _GRID, indexing="ij")
    values = density.at(np.column_stack([theta.ravel(), phi.ravel()])).reshape(theta.shape)
    heights = np.log(
        np.maximum(values, 1e-6)
    )  # between two points of the grid a density falls by a share, not a sum
    step = float(np.degrees(_GRID[1] - _GRID[0]))
    rows: list[dict[str, Any]] = []
    lines: list[tuple[float, NDArray]] = [
        (level, line) for level in LEVELS for line in find_contours(heights, np.log(level))
    ]
    for number, (level, line) in enumerate(lines):
        for order, (x, y) in enumerate((np.vstack([line[:-1:2], line[-1:]]) * step).round(2).tolist()):
            rows.append({"theta": x, "phi": y, "order": order, "level": level, "line": number})
    return rows
