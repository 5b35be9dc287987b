"""Selections, from the tables of a run to the files beside them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from command import call, complaint
from handmade import dedupe, face, make_run, review

import lpff_ray
from lpff_ray.config import MineConfig
from lpff_ray.curate.select import SelectSummary
from lpff_ray.curate.selection.candidates import GATED, passes
from lpff_ray.errors import UserError
from lpff_ray.tables import schema

OPEN: dict[str, Any] = {"min_iqa_quantile": 0.0}


def crowd(count: int, seed: int = 0, people: int = 6) -> list[dict[str, Any]]:
    random = np.random.default_rng(seed)
    return [
        face(
            f"f{i:04d}",
            f"id-{random.integers(people)}",
            float(random.normal(0, 45)),
            float(random.normal(0, 20)),
            iqa=float(random.uniform(30, 95)),
            det_score=float(random.uniform(0.85, 1)),
            side=float(random.uniform(200, 500)),
            keep=bool(random.random() < 0.8),
        )
        for i in range(count)
    ]


def ids(summary: SelectSummary) -> list[str]:
    return summary.table["face_id"].to_list()


def test_efhq_takes_the_most_turned_of_every_identity_and_bin(tmp_path: Path) -> None:
    out = make_run(
        tmp_path,
        [
            face("less", "a", 50),
            face("most", "a", -80),  # another bin
            face("turned", "a", 70),
            face("pitched", "a", 60, 12),
            face("level", "a", 60, -3, iqa=90),
            face("sharper", "a", 60, -3, iqa=99),
            face("other", "b", 50),
            face("front", "a", 10),
            face("unclear", "a", 55, pose_bin="confused"),
        ],
    )
    done = lpff_ray.select(out, "s", "efhq", {**OPEN, "per_identity_bin": 3})
    assert ids(done) == ["turned", "pitched", "sharper", "other", "most"]
    assert done.table["rank"].to_list() == [0, 1, 2, 3, 4]
    assert done.table.schema == schema.SELECTION
    with_frontal = lpff_ray.select(out, "s", "efhq", {**OPEN, "per_identity_bin": 3, "with_frontal": True})
    assert set(ids(with_frontal)) - set(ids(done)) == {"front"}


def test_the_gates_of_quality_are_those_of_the_rules(tmp_path: Path) -> None:
    out = make_run(
        tmp_path,
        [
            face("good", "a", 50),
            face("small", "b", 50, side=255.9),
            face("unsure", "c", 50, det_score=0.89),
            face("poor", "d", 50, iqa=49.0),
            face("unmeasured", "e", 50, iqa=None),
            face("repeated", "f", 50, keep=False),
        ],
    )
    done = lpff_ray.select(out, "s", "efhq", {"min_iqa": 50})
    assert ids(done) == ["good"]
    assert done.rules["found"]["failing"] == {"min_det_score": 1, "min_area": 1, "min_iqa": 2}
    assert done.rules["found"]["min_iqa"] == 50
    config = tmp_path / "rules.toml"
    config.write_text("[select]\nduplicates = true\n")
    assert set(ids(lpff_ray.select(out, "s", "efhq", {"min_iqa": 50}, config=config))) == {"good", "repeated"}


def test_a_share_of_iqa_is_of_the_faces_that_pass_the_other_gates(tmp_path: Path) -> None:
    good = [face(f"g{i}", "a", 50 + i, iqa=50.0 + i) for i in range(8)]
    small = [face(f"s{i}", "a", 50, iqa=5.0, side=100) for i in range(50)]
    out = make_run(tmp_path / "ours", good + small)
    done = lpff_ray.select(out, "s", "efhq")
    assert done.rules["found"]["min_iqa"] == 52.0
    assert set(ids(done)) == {f"g{i}" for i in range(2, 8)}
    # EFHQ's own threshold, where its own measure is in the table.
    out = make_run(tmp_path / "hyperiqa", [face("low", "a", 50, iqa=41.9), face("high", "a", 50, iqa=42.0)])
    run_file = json.loads(Path(out, "run.json").read_text())
    run_file["config"]["iqa"] = "hyperiqa"
    Path(out, "run.json").write_text(json.dumps(run_file))
    done = lpff_ray.select(out, "s", "efhq")
    assert ids(done) == ["high"]
    assert done.rules["found"]["min_iqa"] == 42


@pytest.mark.parametrize("preset", ["efhq", "lpff", "uniform", "verification"])
def test_the_same_faces_give_the_same_bytes_in_any_order(tmp_path: Path, preset: str) -> None:
    faces = crowd(400)
    shuffled = [faces[i] for i in np.random.default_rng(1).permutation(len(faces))]
    marks = [("f0001", "reject", None), ("f0002", "accept", "profile_left")]
    written = []
    for place, rows, parts_of, said in (("x", faces, 1000, marks), ("y", shuffled, 37, marks[::-1])):
        out = make_run(tmp_path / place, rows, parts_of)
        dedupe(tmp_path / place, rows)
        review(out, said)
        done = lpff_ray.select(out, "s", preset)
        assert len(done.table) > 20
        written.append({file: Path(out, file).read_bytes() for file in done.files})
    assert written[0] == written[1]


@pytest.mark.parametrize("preset", ["efhq", "lpff", "uniform", "verification"])
def test_the_funnel_counts_what_is_left(tmp_path: Path, preset: str) -> None:
    out = make_run(tmp_path, crowd(300))
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


def test_what_reviewers_said_is_honoured(tmp_path: Path) -> None:
    out = make_run(tmp_path, [face("a", "p", 50), face("b", "p", 55), face("c", "p", 5), face("d", "p", 60)])
    review(
        out,
        [
            ("a", "reject", None),
            ("c", "accept", "profile_left"),
            ("b", "accept", None),
            ("gone", "reject", None),
        ],
    )
    done = lpff_ray.select(out, "s", "efhq", OPEN)
    assert ids(done) == ["d", "b", "c"]
    assert set(done.table["bin"]) == {"profile_left"}
    assert done.funnel["faces"].to_list()[:2] == [4, 3]
    assert {key: done.rules["review"][key] for key in ("marks", "rejected", "moved")} == {
        "marks": 4,
        "rejected": 1,
        "moved": 1,
    }
    # A moved face has no angles to be trusted: no cell and no density.
    assert "c" not in ids(lpff_ray.select(out, "s", "uniform", OPEN))
    assert "c" not in ids(lpff_ray.select(out, "s", "lpff", {**OPEN, "max_density": 9.0}))


def test_the_split_is_by_identity_and_outlives_growth(tmp_path: Path) -> None:
    faces = [face(f"f{i}", f"id-{i // 3}", 50 + i % 3) for i in range(900)]
    before = lpff_ray.select(make_run(tmp_path / "small", faces[:450]), "s", "efhq", OPEN).table
    after = lpff_ray.select(make_run(tmp_path / "big", faces), "s", "efhq", OPEN).table
    per_identity = after.group_by("identity_id").agg(pl.col("split").n_unique())
    assert per_identity["split"].max() == 1
    both = before.join(after, on="face_id")
    assert (both["split"] == both["split_right"]).all()
    assert 0.04 < (after["split"] == "test").mean() < 0.2
    other = lpff_ray.select(str(tmp_path / "big"), "s", "efhq", {**OPEN, "seed": 1}).table
    assert not (other["split"] == after["split"]).all()
    none = lpff_ray.select(str(tmp_path / "big"), "s", "efhq", {**OPEN, "test_share": 0}).table
    assert set(none["split"]) == {"train"}


def test_lpff_takes_rare_poses_and_repeats_the_rarest_most(tmp_path: Path) -> None:
    faces = [face(f"yaw{yaw:02d}", "p", yaw) for yaw in range(0, 91, 10)] + [face("down", "p", 0, -30)]
    out = make_run(tmp_path, faces)
    done = lpff_ray.select(out, "s", "lpff", OPEN)
    assert set(ids(done)) == {"yaw40", "yaw50", "yaw60", "yaw70", "yaw80", "yaw90", "down"}
    table = done.table.sort("face_id").filter(pl.col("face_id") != "down")
    assert table["copies"].to_list() == sorted(table["copies"])
    assert (table["copies"].min(), table["copies"].max()) == (1, 6)
    assert table["weight"].is_between(1, 6).all()
    assert table["weight"].to_list() == sorted(table["weight"])
    listed = Path(out, "selections/s.txt").read_text().split()
    assert len(listed) == done.table["copies"].sum()
    assert listed == done.table.select(pl.col("face_id").repeat_by("copies").explode())["face_id"].to_list()
    lpff_ray.select(out, "s", "lpff", {**OPEN, "rebalance": "none"})
    assert not Path(out, "selections/s.txt").exists()


def test_verification_draws_people_who_can_be_compared(tmp_path: Path) -> None:
    faces = [face(f"front{i:03d}", "a", i / 10) for i in range(80)]
    faces += [face(f"side{i:03d}", "a", 50 + i / 10) for i in range(150)]
    faces += [face("alone", "b", 50), face("pair0", "c", 0), face("pair1", "c", 60)]
    faces += [face("fog", "c", 60, pose_bin="confused")]
    out = make_run(tmp_path, faces)
    done = lpff_ray.select(out, "s", "verification")
    counts = dict(
        done.table.group_by("identity_id", "bin").len().select("bin", "len").sort("len").iter_rows()
    )
    assert counts == {"frontal": 50, "profile_left": 100}
    assert done.table["identity_id"].value_counts().sort("identity_id")["count"].to_list() == [150, 2]
    again = lpff_ray.select(out, "s", "verification", {"seed": 5})
    assert set(ids(again)) != set(ids(done))


def test_without_identities_there_is_one_clear_line(tmp_path: Path) -> None:
    out = make_run(tmp_path, [face("a", "p", 50)], deduped=False)
    with pytest.raises(UserError, match="run lpff-ray dedupe"):
        lpff_ray.select(out, "s")
    dedupe(tmp_path, [])
    with pytest.raises(UserError, match=r"1 face without an identity.*run lpff-ray dedupe"):
        lpff_ray.select(out, "s")


@pytest.mark.parametrize("unmeasured", [float("nan"), None])
@pytest.mark.parametrize("gate", GATED)
def test_what_was_not_measured_passes_no_gate(gate: str, unmeasured: float | None) -> None:
    values = pl.DataFrame({GATED[gate]: pl.Series([unmeasured, 0.5], dtype=pl.Float32)})
    assert values.select(passes(gate, 0.5)).to_series().to_list() == [False, True]


def test_faces_without_iqa_are_left_out_and_do_not_move_the_quantile(tmp_path: Path) -> None:
    good = [face(f"g{i}", "a", 50, iqa=50.0 + i) for i in range(4)]
    bad = [face(f"n{i}", "a", 50, iqa=float("nan")) for i in range(6)]
    done = lpff_ray.select(make_run(tmp_path, good + bad), "s", "efhq", {"min_iqa_quantile": 0.5})
    assert set(done.table["face_id"]) <= {"g0", "g1", "g2", "g3"}
    assert done.rules["found"]["min_iqa"] in (51.0, 52.0)
    with pytest.raises(UserError, match=r"10 min_iqa 60; half of them pass --min-iqa 51"):
        lpff_ray.select(make_run(tmp_path / "all", good + bad), "s", "efhq", {"min_iqa": 60})


@pytest.mark.parametrize("preset", ["efhq", "lpff", "uniform", "verification"])
def test_a_selection_of_nothing_is_not_written(tmp_path: Path, preset: str) -> None:
    out = make_run(tmp_path, [face("a", "p", 5)])
    with pytest.raises(UserError, match=r"0 quality, 0 pose"):
        lpff_ray.select(out, "s", preset, {"min_det_score": 1.0})
    assert not Path(out, "selections").exists()


@pytest.mark.parametrize(
    ("preset", "changes", "settings", "said"),
    [
        # Frontal faces pass every gate: what counts is what took the profiles.
        (
            "efhq",
            {"side": 100.0},
            {},
            "of 3 in the poses it asks for fail 3 min_area 65536 (a box of 256 x 256 px)",
        ),
        ("efhq", {"side": 100.0}, {}, "half of them pass --min-area 10000"),
        (
            "lpff",
            {"side": 100.0, "iqa": 30.0},
            {"min_iqa": 50.0},
            "3 min_iqa 50; half of them pass each of --min-area 10000 --min-iqa 30",
        ),
        (
            "uniform",
            {"pose_spread": 41.3},
            {"max_pose_spread": 9.0},
            "half of them pass --max-pose-spread 42",
        ),
        (
            "verification",
            {"det_score": 0.6189},
            {},
            "3 min_det_score 0.8; half of them pass --min-det-score 0.61",
        ),
    ],
)
def test_an_empty_selection_names_the_gate_to_loosen(
    tmp_path: Path, preset: str, changes: dict[str, Any], settings: dict[str, Any], said: str
) -> None:
    profiles = [face(f"p{i}", "a", 60.0, **changes) for i in range(3)]
    frontal = [face(f"f{i}", "b", 0.0) for i in range(5)] if preset in ("efhq", "lpff") else []
    with pytest.raises(UserError) as empty:
        lpff_ray.select(make_run(tmp_path, profiles + frontal), "s", preset, settings)
    assert said in str(empty.value)


@pytest.mark.parametrize(
    ("preset", "said"),
    [("efhq", "--with-frontal"), ("lpff", "--max-density"), ("verification", "min_faces")],
)
def test_an_empty_selection_says_if_the_poses_are_to_blame(tmp_path: Path, preset: str, said: str) -> None:
    out = make_run(tmp_path, [face("f", "a", 0.0)])
    shown = call("select", out, "--preset", preset)
    assert said in complaint(shown)
    assert "How many faces are left" in shown.stdout
    for step in ("not duplicate", "quality", "pose"):
        assert step in shown.stdout


def test_an_empty_selection_of_rejected_faces_blames_no_gate(tmp_path: Path) -> None:
    out = make_run(tmp_path, [face("a", "p", 50)])
    review(out, [("a", "reject", None)])
    with pytest.raises(UserError, match=r"1 faces, 0 not rejected.*; there is no face to choose from$"):
        lpff_ray.select(out, "s")


def test_a_budget_above_the_usable_faces_is_said(tmp_path: Path) -> None:
    out = make_run(tmp_path, crowd(200))
    done = call("select", out, "--preset", "uniform", "--min-iqa", "0")
    usable = len(lpff_ray.selection(out, "uniform"))
    wanted = (
        f"budget 20000 is not below the {usable} usable faces: all taken, nothing flattened; try --budget"
    )
    assert f"{wanted} {usable // 2}\n" in done.stdout
    tight = call("select", out, "--preset", "uniform", "--min-iqa", "0", "--budget", str(usable // 2))
    assert "nothing flattened" not in tight.stdout


def test_disagreement_of_the_estimators_is_a_flag(tmp_path: Path) -> None:
    out = make_run(tmp_path, [face("sure", "a", 50), face("unsure", "b", 50, pose_spread=61.0)])
    done = call("select", out, "--min-iqa", "0", "--max-pose-spread", "60")
    assert lpff_ray.selection(out, "efhq")["face_id"].to_list() == ["sure"]
    assert "1 face of 1 identity; for testing 0 faces of 0 identities" in done.stdout


def test_the_command_line_selects_and_explains(tmp_path: Path) -> None:
    out = make_run(tmp_path, crowd(200))
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


@pytest.mark.parametrize("file", ["parts/v-00000.parquet", "tables/dedupe.parquet"])
@pytest.mark.parametrize("verb", ["select", "dedupe"])
def test_a_damaged_file_is_one_clear_line(tmp_path: Path, verb: str, file: str) -> None:
    out = make_run(tmp_path, [face("a", "p", 50)])
    content = Path(out, file).read_bytes()
    Path(out, file).write_bytes(content[: len(content) // 2])
    said = complaint(call(verb, out))
    assert f"{out}/{file}: not a " in said
    assert "damaged; remove it and run" in said
