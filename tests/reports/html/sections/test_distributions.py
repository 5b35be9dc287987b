"""Histograms count as NumPy does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from handmade import crowd, handmade_run

from lpff_ray.reports.html.gathered import gathered
from lpff_ray.reports.html.samples import Samples
from lpff_ray.reports.html.sections.distributions import EXTREMES, HISTOGRAMS, distributions
from lpff_ray.tables.read import snapshot


@pytest.mark.parametrize("column", ["iqa", "face_px"])
def test_counts_and_ends(tmp_path: Path, column: str) -> None:
    rows = crowd(200)
    for number, row in enumerate(rows):
        row["face_px"] = float(40 + 3 * number)
    rows[0][column] = None
    rows[1][column] = float("nan")
    out = handmade_run(tmp_path / "out", rows)
    samples = Samples()
    with gathered(out, snapshot(out), ()) as run:
        found = {one["column"]: one for one in distributions(run, samples)}[column]
        records = samples.records(run).faces
    measured = np.array([row[column] for row in rows[2:]])
    histogram = next(one for one in HISTOGRAMS if one.column == column)
    edges = histogram.edges()
    values = found["chart"]["data"]["values"]
    counted = [row["faces"] for row in values if row["set"] == "all faces" and row["faces"] is not None]
    assert counted == np.histogram(measured, edges)[0].tolist()
    kept = sum(row["faces"] or 0 for row in values if row["set"] == "without duplicates")
    assert kept == sum(row["keep"] for row in rows[2:])
    assert found["measured"] == 198
    least, largest = ([records[number][column] for number in end["faces"]] for end in found["ends"])
    assert least == pytest.approx(np.sort(measured)[:EXTREMES], abs=0.1)
    assert largest == pytest.approx(np.sort(measured)[::-1][:EXTREMES], abs=0.1)
