"""Why a selection is empty, in one line that helps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from command import call, complaint
from handmade import face, handmade_run, review

import lpff_ray
from lpff_ray.errors import UserError


@pytest.mark.parametrize("preset", ["efhq", "efhq-paper", "lpff", "uniform", "verification"])
def test_a_selection_of_nothing_is_not_written(tmp_path: Path, preset: str) -> None:
    out = handmade_run(tmp_path, [face("a", "p", 5)])
    with pytest.raises(UserError, match=r"0 quality, 0 pose"):
        lpff_ray.select(out, "s", preset, {"min_det_score": 1.0})
    assert not Path(out, "selections").exists()


@pytest.mark.parametrize(
    ("preset", "changes", "settings", "message"),
    [
        # Frontal faces pass every gate: what counts is what took the profiles.
        (
            "efhq",
            {"side": 60.0},
            {},
            "of 3 in the poses it asks for fail 3 min_area 6400 (a box of 80 x 80 px)",
        ),
        ("efhq", {"side": 60.0}, {}, "half of them pass --min-area 3600"),
        (
            "lpff",
            {"side": 60.0, "iqa": 30.0},
            {"min_iqa": 50.0},
            "3 min_iqa 50; half of them pass each of --min-area 3600 --min-iqa 30",
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
    tmp_path: Path, preset: str, changes: dict[str, Any], settings: dict[str, Any], message: str
) -> None:
    profiles = [face(f"p{i}", "a", 60.0, **changes) for i in range(3)]
    frontal = [face(f"f{i}", "b", 0.0) for i in range(5)] if preset in ("efhq", "lpff") else []
    with pytest.raises(UserError) as empty:
        lpff_ray.select(handmade_run(tmp_path, profiles + frontal), "s", preset, settings)
    assert message in str(empty.value)


@pytest.mark.parametrize(
    ("preset", "message"),
    [("efhq", "--with-frontal"), ("lpff", "--max-density"), ("verification", "min_faces")],
)
def test_an_empty_selection_says_if_the_poses_are_to_blame(tmp_path: Path, preset: str, message: str) -> None:
    out = handmade_run(tmp_path, [face("f", "a", 0.0)])
    shown = call("select", out, "--preset", preset)
    assert message in complaint(shown)
    assert "How many faces are left" in shown.stdout
    for step in ("not duplicate", "quality", "pose"):
        assert step in shown.stdout


def test_an_empty_selection_of_rejected_faces_blames_no_gate(tmp_path: Path) -> None:
    out = handmade_run(tmp_path, [face("a", "p", 50)])
    review(out, [("a", "reject", None)])
    with pytest.raises(UserError, match=r"1 faces, 0 not rejected.*; there is no face to choose from$"):
        lpff_ray.select(out, "s")
