"""Gates of quality, alone and within a selection."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from command import call
from handmade import GATES_OPEN, face, handmade_run, ids
from repository import REPOSITORY

import lpff_ray
from lpff_ray.config import MineConfig
from lpff_ray.curate.selection.empty import explain_empty
from lpff_ray.curate.selection.gates import GATED, passes_gate, passing_faces
from lpff_ray.errors import UserError
from lpff_ray.models import store

EFHQS_AREA = 60000


def test_the_gates_of_quality_are_those_of_the_rules(tmp_path: Path) -> None:
    out = handmade_run(
        tmp_path,
        [
            face("good", "a", 50),
            face("small", "b", 50, side=79.9),
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


def test_a_share_of_iqa_is_of_the_faces_that_pass_the_other_gates(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = [face(f"g{i}", "a", 50 + i, iqa=50.0 + i) for i in range(8)]
    small = [face(f"s{i}", "a", 50, iqa=5.0, side=70) for i in range(50)]
    out = handmade_run(tmp_path / "ours", good + small)
    done = lpff_ray.select(out, "s", "efhq")
    assert done.rules["found"]["min_iqa"] == {"profile_left": 52.0}
    assert set(ids(done)) == {f"g{i}" for i in range(2, 8)}
    # EFHQ's own threshold, where its own measure is in the table.
    faces = [face("low", "a", 50, iqa=41.9), face("high", "a", 50, iqa=42.0)]
    monkeypatch.setattr(store, "chosen", lambda names: [])  # no file of the model is needed
    out = handmade_run(tmp_path / "hyperiqa", faces, config=MineConfig(iqa="hyperiqa"))
    done = lpff_ray.select(out, "s", "efhq")
    assert ids(done) == ["high"]
    assert done.rules["found"]["min_iqa"] == 42


def test_a_share_of_iqa_is_of_every_bin_by_itself(tmp_path: Path) -> None:
    """Of a run of mostly frontal faces, all 21 profiles were below the quantile of all faces."""
    frontal = [face(f"f{i}", "a", 0, iqa=80.0 + i) for i in range(12)]
    profiles = [face(f"p{i}", "a", 60, iqa=30.0 + i) for i in range(4)]
    out = handmade_run(tmp_path, frontal + profiles)
    done = lpff_ray.select(out, "s", "efhq")
    assert set(ids(done)) == {"p1", "p2", "p3"}
    assert done.rules["found"]["min_iqa"] == {"frontal": 83.0, "profile_left": 31.0}
    why = explain_empty(pl.DataFrame({"bin": ["left"], "iqa": [3.0]}), {"min_iqa": {"left": 5.0}}, "")
    assert "fail 1 min_iqa of their bins; half of them pass --min-iqa-quantile 0" in why


@pytest.mark.parametrize(
    ("limits", "left"),
    [
        ({"min_yaw": 50}, {"left", "right"}),
        ({"max_yaw": 50}, {"up", "front"}),
        ({"min_azimuth": 60.5}, {"right"}),
        ({"max_azimuth": 30}, {"up", "front"}),
        ({"min_elevation": 10}, {"up"}),
        ({"max_elevation": 10, "max_tilt": 5}, {"left", "front"}),
    ],
)
def test_limits_of_pose(tmp_path: Path, limits: dict[str, float], left: set[str]) -> None:
    """Sides alike, up and down not; a run of an older release has no column for direction."""
    faces = [
        face("front", "a", 0),
        face("left", "b", 60),
        face("right", "c", -70, roll=20),
        face("up", "d", 0, pitch=40),
    ]
    out = handmade_run(tmp_path, faces)
    settings = {"min_iqa": 0, "with_frontal": True, **limits}
    assert set(ids(lpff_ray.select(out, "s", "efhq", settings))) == left


@pytest.mark.parametrize("unmeasured", [float("nan"), None])
@pytest.mark.parametrize("gate", GATED)
def test_what_was_not_measured_passes_no_gate(gate: str, unmeasured: float | None) -> None:
    values = pl.DataFrame({GATED[gate]: pl.Series([unmeasured, 0.5], dtype=pl.Float32)})
    assert values.select(passes_gate(gate, 0.5)).to_series().to_list() == [False, True]


def test_faces_without_iqa_are_left_out_and_do_not_move_the_quantile(tmp_path: Path) -> None:
    good = [face(f"g{i}", "a", 50, iqa=50.0 + i) for i in range(4)]
    bad = [face(f"n{i}", "a", 50, iqa=float("nan")) for i in range(6)]
    done = lpff_ray.select(handmade_run(tmp_path, good + bad), "s", "efhq", {"min_iqa_quantile": 0.5})
    assert set(done.table["face_id"]) <= {"g0", "g1", "g2", "g3"}
    assert done.rules["found"]["min_iqa"]["profile_left"] in (51.0, 52.0)
    with pytest.raises(UserError, match=r"10 min_iqa 60; half of them pass --min-iqa 51"):
        lpff_ray.select(handmade_run(tmp_path / "all", good + bad), "s", "efhq", {"min_iqa": 60})


def test_disagreement_of_the_estimators_is_a_flag(tmp_path: Path) -> None:
    out = handmade_run(tmp_path, [face("sure", "a", 50), face("unsure", "b", 50, pose_spread=61.0)])
    done = call("select", out, "--min-iqa", "0", "--max-pose-spread", "60")
    assert lpff_ray.selection(out, "efhq")["face_id"].to_list() == ["sure"]
    assert "1 face of 1 identity; for testing 0 faces of 0 identities" in done.stdout


def test_without_any_gate_every_face_passes(tmp_path: Path) -> None:
    faces = pl.DataFrame({"iqa": [None, 3.0]})
    assert passing_faces(faces, {}).equals(faces)
    open_gates = {"min_iqa": 0.0, "min_area": 0.0, "min_det_score": 0.0}
    out = handmade_run(tmp_path, [face("a", "p", 50, side=1.0, det_score=0.0, iqa=0.0)])
    assert ids(lpff_ray.select(out, "s", "efhq", open_gates)) == ["a"]


def test_efhqs_least_face_in_our_boxes(tmp_path: Path) -> None:
    """256 x 256 of RetinaFace's box, 1.09 times ours: a face whose box here is 250 pixels square is EFHQ's."""
    out = handmade_run(tmp_path, [face("kept", "a", 60, side=250), face("small", "a", -60, side=240)])
    assert pytest.approx(256 * 256, rel=0.005) == EFHQS_AREA * 1.09
    for document in ("docs/selection.md", "lpff_ray/curate/selection/presets/efhq.toml"):
        assert f"--min-area {EFHQS_AREA}" in (REPOSITORY / document).read_text("utf-8")
    assert ids(lpff_ray.select(out, "s", "efhq", {**GATES_OPEN, "min_area": EFHQS_AREA})) == ["kept"]
