"""Every step of the funnel says what it lost and why."""

from __future__ import annotations

from pathlib import Path

from made_up_run import SELECTION, made_up_run

import lpff_ray
from lpff_ray.reports.html.gathered import Selected, gathered
from lpff_ray.reports.html.sections.funnel import funnel
from lpff_ray.tables.read import snapshot
from lpff_ray.tables.status import status_of


def test_losses_add_up(tmp_path: Path) -> None:
    out = made_up_run(tmp_path / "run", pictures=False)
    chosen = Selected(SELECTION, lpff_ray.selection(out, SELECTION), lpff_ray.selection_rules(out, SELECTION))
    files = snapshot(out)
    with gathered(out, files, (chosen,)) as run:
        sources, frames, faces = funnel(run, status_of(files))
    assert [group["title"] for group in (sources, frames, faces)] == ["Sources", "Frames", "Faces"]
    listed, mined = sources["steps"]
    assert (listed["count"], mined["count"]) == (2, 1)
    assert mined["losses"] == [{"count": 1, "why": "every segment failed: see Failures"}]
    detections, found, kept, selected = faces["steps"]
    assert detections["count"] == found["count"] == 60
    assert [loss["count"] for loss in kept["losses"]] == [6, 6]
    assert kept["count"] == 48
    assert selected["name"] == f"selected: {SELECTION}"
    assert 60 - sum(loss["count"] for loss in selected["losses"]) == selected["count"]
    assert [step["share"] for step in faces["steps"]][:3] == [1, 1, 0.8]
