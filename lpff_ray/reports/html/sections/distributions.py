"""Histograms of what was measured, of every set of faces, and the faces at both ends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import polars as pl

from lpff_ray.reports.html import charts
from lpff_ray.reports.html.gathered import Gathered
from lpff_ray.reports.html.samples import Samples
from lpff_ray.reports.html.sections.layers import layers

EXTREMES = 8
"""Faces shown from each end."""


@dataclass(frozen=True)
class Histogram:
    """A column, its bins (what lies outside counts in the outermost), and what to say of it.

    exponential: bins are of the logarithm to base 2. ends: what its least and largest values are called, "" where the
    faces at its ends are of no interest.
    """

    column: str
    title: str
    low: float
    high: float
    step: float
    about: str
    exponential: bool = False
    ends: tuple[str, str] | None = None

    def bins(self) -> pl.Expr:
        """The number of the bin of each face, from 0; null where nothing was measured."""
        value = pl.col(self.column).cast(pl.Float64).fill_nan(None)
        scaled = value.clip(lower_bound=1.0).log(2) if self.exponential else value
        last = round((self.high - self.low) / self.step) - 1
        return ((scaled - self.low) / self.step).floor().clip(0, last).cast(pl.Int32).alias(self.column)

    def edges(self) -> list[float]:
        """The bins' edges in the column's unit."""
        count = round((self.high - self.low) / self.step)
        edges = [self.low + number * self.step for number in range(count + 1)]
        return [round(2**edge if self.exponential else edge, 4) for edge in edges]


HISTOGRAMS = (
    Histogram("azimuth", "Azimuth, degrees", -105, 105, 5, "where the nose points; > 0: to image-left"),
    Histogram("elevation", "Elevation, degrees", -75, 75, 5, "where the nose points; > 0: up"),
    Histogram("tilt", "Tilt, degrees", -60, 60, 5, "how the head leans; > 0: clockwise"),
    Histogram("face_px", "Size, pixels", 5, 11, 0.25, "from brows to chin", True, ("smallest", "largest")),
    Histogram("det_score", "Detection score", 0.5, 1, 0.02, "the detector's confidence", ends=("lowest", "highest")),
    Histogram("sharpness", "Sharpness", 0, 1, 0.04, "0 blurred, 1 sharp", ends=("most blurred", "sharpest")),
    Histogram("iqa", "Image quality", 0, 100, 4, "iqa, higher is better", ends=("lowest", "highest")),
    Histogram("brightness", "Brightness", 0, 260, 10, "as perceived, 0 to 255", ends=("darkest", "brightest")),
)  # fmt: skip


def distributions(run: Gathered, samples: Samples) -> list[dict[str, Any]]:
    """For each measurement: title, about, chart, and the faces at both ends."""
    counted = {layer.name: _counts(layer.faces) for layer in layers(run)}
    found = []
    for histogram in HISTOGRAMS:
        by_layer = {name: counts.get(histogram.column, {}) for name, counts in counted.items()}
        ends = []
        if histogram.ends is not None:
            for name, largest in zip(histogram.ends, (False, True), strict=True):
                ends.append({"name": name, "faces": samples.add(_end(run, histogram.column, largest))})
        found.append(
            {
                "column": histogram.column,
                "title": histogram.title,
                "about": histogram.about,
                "measured": sum(by_layer["all faces"].values()),
                "chart": charts.histogram(
                    histogram.title, histogram.edges(), by_layer, logarithmic=histogram.exponential
                ),
                "ends": ends,
            }
        )
    return found


def _counts(faces: pl.LazyFrame) -> dict[str, dict[int, int]]:
    """By column and number of bin: how many faces."""
    binned = faces.select(histogram.bins() for histogram in HISTOGRAMS)
    table = binned.unpivot(variable_name="column", value_name="bin").drop_nulls()
    counts: dict[str, dict[int, int]] = {}
    for column, number, faces_there in table.group_by("column", "bin").len().collect().iter_rows():
        counts.setdefault(column, {})[number] = faces_there
    return counts


def _end(run: Gathered, column: str, largest: bool) -> list[str]:
    measured = run.faces.select("face_id", pl.col(column).fill_nan(None)).drop_nulls()
    ordered = measured.sort([column, "face_id"], descending=[largest, False]).head(EXTREMES)
    return ordered.collect()["face_id"].to_list()
