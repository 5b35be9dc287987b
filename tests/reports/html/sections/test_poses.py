"""Cells of azimuth by elevation hold the faces that look there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from handmade import face, handmade_run

from lpff_ray.reports.html.gathered import Gathered, gathered
from lpff_ray.reports.html.samples import Samples
from lpff_ray.reports.html.sections.poses import EACH, pose_map
from lpff_ray.tables.read import snapshot

WHERE = {
    "front": (0.0, 0.0),
    "left": (88.0, 0.0),
    "far": (170.0, 0.0),
    "up": (0.0, 40.0),
    "edge": (-7.6, 7.4),
}


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Gathered]:
    rows = [face(name, "p", azimuth=at[0], elevation=at[1]) for name, at in WHERE.items()]
    rows += [
        face(f"many{number:02d}", "p", azimuth=1.0, elevation=1.0, iqa=float(number)) for number in range(50)
    ]
    rows.append(face("none", "p") | {"yaw": None, "pitch": None, "roll": None})
    out = handmade_run(tmp_path / "out", rows, deduped=False)
    with gathered(out, snapshot(out), ()) as found:
        yield found


def test_faces_are_in_their_cells(run: Gathered) -> None:
    samples = Samples()
    found = pose_map(run, samples)
    (layer,) = found["layers"]
    cells = {(column, row): (count, faces) for column, row, count, faces in layer["cells"]}
    assert {at: count for at, (count, _) in cells.items()} == {
        (0, 0): 51,
        (6, 0): 1,
        (7, 0): 1,
        (0, 3): 1,
        (-1, 0): 1,
    }
    assert layer["faces"] == 55
    assert found["unplaced"] == 1
    assert found["columns"] == [7, 6, 5, 4, 3, 2, 1, 0, -1], "image-left is on the left"
    assert found["rows"] == [3, 2, 1, 0], "up is above"
    records = samples.records(run).faces
    shown = cells[0, 0][1]
    assert len(shown) == len(set(shown)) == EACH
    assert records[shown[0]]["id"] == "front", "the best comes first"


def test_angles_that_older_runs_lack_are_computed(tmp_path: Path) -> None:
    out = handmade_run(tmp_path / "out", [face("a", "p", yaw=60.0)], deduped=False)
    with gathered(out, snapshot(out), ()) as run:
        (layer,) = pose_map(run, Samples())["layers"]
    assert layer["cells"][0][:3] == [4, 0, 1]
