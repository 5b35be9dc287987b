"""Faces of people who can be compared with themselves."""

from __future__ import annotations

from pathlib import Path

from handmade import face, handmade_run, ids

import lpff_ray


def test_verification_draws_people_who_can_be_compared(tmp_path: Path) -> None:
    faces = [face(f"front{i:03d}", "a", i / 10) for i in range(80)]
    faces += [face(f"side{i:03d}", "a", 50 + i / 10) for i in range(150)]
    faces += [face("alone", "b", 50), face("pair0", "c", 0), face("pair1", "c", 60)]
    faces += [face("fog", "c", 60, pose_bin="confused")]
    out = handmade_run(tmp_path, faces)
    done = lpff_ray.select(out, "s", "verification")
    counts = dict(
        done.table.group_by("identity_id", "bin").len().select("bin", "len").sort("len").iter_rows()
    )
    assert counts == {"frontal": 50, "profile_left": 100}
    assert done.table["identity_id"].value_counts().sort("identity_id")["count"].to_list() == [150, 2]
    again = lpff_ray.select(out, "s", "verification", {"seed": 5})
    assert set(ids(again)) != set(ids(done))
