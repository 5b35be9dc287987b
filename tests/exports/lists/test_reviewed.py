"""Selected faces that reviewers spoke of after they were selected."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from clips import write_clip
from handmade import decided, face, handmade_run
from numbered import SELECTION, Numbered, numbered_run

import lpff_ray
from lpff_ray.errors import UserError
from lpff_ray.exports.job import export
from lpff_ray.exports.lists.reviewed import without_rejected


def test_rejected_faces_are_in_no_export_that_begins_later(tmp_path: Path) -> None:
    run = numbered_run(tmp_path / "run", [write_clip(tmp_path / "a.mp4", 30)], [3, 4, 11])
    before = export(str(run), SELECTION, Numbered(), str(tmp_path / "before"), workers=1)
    assert (before.faces, list(before.notes)) == (3, [])
    gone = lpff_ray.scan(str(run)).collect()["face_id"][1]
    decided(run, {"action": "decide", "faces": [gone], "decision": "reject"})
    after = export(str(run), SELECTION, Numbered(), str(tmp_path / "after"), workers=1)
    assert (after.faces, after.made) == (2, 2)
    assert after.notes == [
        f"1 selected face left out, rejected since; run lpff-ray select {run} --name {SELECTION} again to fill the gaps"
    ]
    records = [
        json.loads(line) for line in (tmp_path / "after" / "PROVENANCE.jsonl").read_text().splitlines()
    ]
    assert gone not in {record["face_id"] for record in records}
    with pytest.raises(UserError, match="holds another export"):  # which still has that face
        export(str(run), SELECTION, Numbered(), str(tmp_path / "before"), workers=1)


def test_what_else_was_decided_since_is_said(tmp_path: Path) -> None:
    out = handmade_run(tmp_path, [face("a", "p", 50), face("b", "q", 55), face("c", "r", 60)])
    chosen = lpff_ray.select(out, "s", "efhq", {"min_iqa_quantile": 0.0}).table
    assert without_rejected(out, chosen, "s")[1] == []
    decided(
        out,
        {"action": "move", "faces": ["a"], "bin": "profile_up"},
        {"action": "merge", "identities": ["p", "q"]},
    )
    kept, notes = without_rejected(out, chosen, "s")
    assert kept.equals(chosen)
    assert notes == [
        f"2 selected faces moved, merged or split since, as selected here; run lpff-ray select {out} --name s again"
    ]
    again = lpff_ray.select(out, "s", "efhq", {"min_iqa_quantile": 0.0}).table
    assert without_rejected(out, again, "s")[1] == []
