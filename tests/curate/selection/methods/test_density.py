"""Rare poses, and how often the rarest are repeated."""

from __future__ import annotations

from pathlib import Path

import polars as pl
from handmade import GATES_OPEN, face, handmade_run, ids

import lpff_ray


def test_lpff_takes_rare_poses_and_repeats_the_rarest_most(tmp_path: Path) -> None:
    faces = [face(f"yaw{yaw:02d}", "p", yaw) for yaw in range(0, 91, 10)]
    faces += [face("down", "p", 0, -30), face("up", "p", 0, 15), face("little", "p", 0, -15)]
    out = handmade_run(tmp_path, faces)
    done = lpff_ray.select(out, "s", "lpff", GATES_OPEN)
    assert set(ids(done)) == {"yaw40", "yaw50", "yaw60", "yaw70", "yaw80", "yaw90", "down", "up"}, (
        "FFHQ looks down a little"
    )
    table = done.table.sort("face_id").filter(pl.col("face_id").str.starts_with("yaw"))
    assert table["copies"].to_list() == sorted(table["copies"])
    assert (table["copies"].min(), table["copies"].max()) == (1, 6)
    assert table["weight"].is_between(1, 6).all()
    assert table["weight"].to_list() == sorted(table["weight"])
    listed = Path(out, "selections/s.txt").read_text().split()
    assert len(listed) == done.table["copies"].sum()
    assert listed == done.table.select(pl.col("face_id").repeat_by("copies").explode())["face_id"].to_list()
    lpff_ray.select(out, "s", "lpff", {**GATES_OPEN, "rebalance": "none"})
    assert not Path(out, "selections/s.txt").exists()


def test_a_run_as_reference_counts_its_mirror_images_too(tmp_path: Path) -> None:
    """A run holds no mirror images, but both it and the new faces are trained on with theirs."""
    old = [face(f"o{i}", "o", 40 + i % 5, i % 7 - 3) for i in range(200)]
    reference = handmade_run(tmp_path / "old", old)
    out = handmade_run(
        tmp_path / "new", [face("left", "p", 42), face("right", "p", -42), face("rare", "p", 80)]
    )
    chosen = {**GATES_OPEN, "reference": reference}
    assert ids(lpff_ray.select(out, "s", "lpff", chosen)) == ["rare"]
    alone = lpff_ray.select(out, "t", "lpff", {**chosen, "mirrored": False})
    assert set(ids(alone)) == {"rare", "right"}
    assert lpff_ray.selection_rules(out, "s")["found"]["reference"]["cameras"] == 400
