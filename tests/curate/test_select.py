"""Selections, from the tables of a run to the files beside them."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from command import call, complaint
from handmade import GATES_OPEN, crowd, dedupe, face, handmade_run, review

import lpff_ray
from lpff_ray.config import MineConfig


@pytest.mark.parametrize("preset", ["efhq", "efhq-paper", "lpff", "uniform", "verification"])
def test_the_same_faces_give_the_same_bytes_in_any_order(tmp_path: Path, preset: str) -> None:
    faces = crowd(400)
    shuffled = [faces[i] for i in np.random.default_rng(1).permutation(len(faces))]
    marks = [("f0001", "reject", None), ("f0002", "accept", "profile_left")]
    written = []
    for folder, rows, parts_of, given in (("x", faces, 1000, marks), ("y", shuffled, 37, marks[::-1])):
        out = handmade_run(tmp_path / folder, rows, parts_of)
        dedupe(tmp_path / folder, rows)
        review(out, given)
        done = lpff_ray.select(out, "s", preset)
        assert len(done.table) > 20
        written.append({file: Path(out, file).read_bytes() for file in done.files})
    assert written[0] == written[1]


@pytest.mark.parametrize("preset", ["efhq", "lpff", "uniform", "verification"])
def test_the_funnel_counts_what_is_left(tmp_path: Path, preset: str) -> None:
    out = handmade_run(tmp_path, crowd(300))
    done = lpff_ray.select(out, "s", preset)
    funnel = done.funnel
    steps = ["faces", "not rejected", "not duplicate", "quality", "pose", "caps", "selected"]
    assert funnel["step"].to_list() == steps
    counts = funnel.drop("step").to_numpy()
    assert (np.diff(counts, axis=0) <= 0).all()
    assert (counts[:, 0] == counts[:, 1:].sum(1)).all()
    assert counts[0, 0] == 300
    assert counts[-1, 0] == len(done.table) > 0
    assert lpff_ray.selection(out, "s").equals(done.table)
    rules = lpff_ray.selection_rules(out, "s")
    assert rules["funnel"] == funnel.to_dicts()
    assert rules["preset"] == preset
    assert rules["config_hash"] == MineConfig().hash()


def test_the_split_is_by_identity_and_outlives_growth(tmp_path: Path) -> None:
    faces = [face(f"f{i}", f"id-{i // 3}", 50 + i % 3) for i in range(900)]
    before = lpff_ray.select(handmade_run(tmp_path / "small", faces[:450]), "s", "efhq", GATES_OPEN).table
    after = lpff_ray.select(handmade_run(tmp_path / "big", faces), "s", "efhq", GATES_OPEN).table
    per_identity = after.group_by("identity_id").agg(pl.col("split").n_unique())
    assert per_identity["split"].max() == 1
    both = before.join(after, on="face_id")
    assert (both["split"] == both["split_right"]).all()
    assert 0.04 < (after["split"] == "test").mean() < 0.2
    other = lpff_ray.select(str(tmp_path / "big"), "s", "efhq", {**GATES_OPEN, "seed": 1}).table
    assert not (other["split"] == after["split"]).all()
    none = lpff_ray.select(str(tmp_path / "big"), "s", "efhq", {**GATES_OPEN, "test_share": 0}).table
    assert set(none["split"]) == {"train"}


def test_the_command_line_selects_and_explains(tmp_path: Path) -> None:
    out = handmade_run(tmp_path, crowd(200))
    done = call("select", out, "--preset", "uniform", "--budget", "20", "--name", "flat")
    assert done.returncode == 0, done.stderr
    assert "20 faces of" in done.stdout
    for step in ("not duplicate", "quality", "pose", "caps", "selected"):
        assert step in done.stdout
    assert len(lpff_ray.selection(out, "flat")) == 20
    assert Path(out, "selections/flat.png").read_bytes().startswith(b"\x89PNG")
    assert "preset efhq has no such setting" in complaint(call("select", out, "--budget", "20"))
    for name in ("a/b", ""):
        assert "letters, digits" in complaint(call("select", out, "--name", name))
    assert "no run here" in complaint(call("select", tmp_path / "none"))


def test_a_mined_and_deduped_clip_can_be_selected_from(demo_run: Path, tmp_path: Path) -> None:
    out = str(shutil.copytree(demo_run, tmp_path / "run"))
    lpff_ray.dedupe(out)
    done = lpff_ray.select(out, "demo", "efhq", {"with_frontal": True, "min_area": 0, "min_det_score": 0})
    kept = lpff_ray.dedupe_marks(out).filter("keep")
    assert 0 < len(done.table) <= len(kept)
    assert done.table["face_id"].is_in(kept["face_id"].to_list()).all()
    assert done.rules["dedupe"]["settings"]


@pytest.mark.parametrize("verb", ["select", "dedupe"])
def test_a_damaged_part_is_left_out_and_named(tmp_path: Path, verb: str) -> None:
    out = handmade_run(tmp_path, [face("a", "p", 50)])
    Path(out, "parts/v-00000.parquet").write_bytes(b"PAR1 torn")
    done = call(verb, out)
    assert "parts/v-00000.parquet: damaged, or not a part of lpff_ray; left out" in done.stderr
    assert "Traceback" not in done.stderr
    assert done.returncode == (2 if verb == "select" else 0)


@pytest.mark.parametrize("verb", ["select", "dedupe"])
def test_a_damaged_file_is_one_clear_line(tmp_path: Path, verb: str) -> None:
    file = "tables/dedupe.parquet"
    out = handmade_run(tmp_path, [face("a", "p", 50)])
    content = Path(out, file).read_bytes()
    Path(out, file).write_bytes(content[: len(content) // 2])
    message = complaint(call(verb, out))
    assert f"{out}/{file}: not a " in message
    assert "damaged; remove it and run" in message
