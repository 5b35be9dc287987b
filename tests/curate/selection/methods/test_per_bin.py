"""The most turned faces of every identity and bin."""

from __future__ import annotations

from pathlib import Path

from handmade import GATES_OPEN, face, handmade_run, ids, review

import lpff_ray
from lpff_ray.tables import schema


def test_efhq_takes_the_most_turned_of_every_identity_and_bin(tmp_path: Path) -> None:
    out = handmade_run(
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
    done = lpff_ray.select(out, "s", "efhq", {**GATES_OPEN, "per_identity_bin": 3})
    assert ids(done) == ["turned", "pitched", "sharper", "other", "most"]
    assert done.table["rank"].to_list() == [0, 1, 2, 3, 4]
    assert done.table.schema == schema.SELECTION
    with_frontal = lpff_ray.select(
        out, "s", "efhq", {**GATES_OPEN, "per_identity_bin": 3, "with_frontal": True}
    )
    assert set(ids(with_frontal)) - set(ids(done)) == {"front"}


def test_a_bin_without_a_sign_has_no_cap_of_its_own(tmp_path: Path) -> None:
    """EFHQ's tables hold no profile_horizontal or profile_vertical: its review proposes the sign of most votes."""
    unsigned = {"pose_bin": "profile_horizontal", "pose_bin_strict": "confused"}
    out = handmade_run(
        tmp_path,
        [
            face("left", "a", 60),
            face("to left", "a", 70, **unsigned, pose_bin_fine="left_60_70"),
            face("to right", "a", -70, **unsigned, pose_bin_fine="right_60_70"),
            face("up", "a", 5, 40, pose_bin="profile_vertical", pose_bin_fine="up_40_50"),
        ],
    )
    done = lpff_ray.select(out, "s", "efhq", {**GATES_OPEN, "per_identity_bin": 1})
    assert dict(done.table.select("face_id", "bin").iter_rows()) == {
        "to left": "profile_left",
        "to right": "profile_right",
        "up": "profile_up",
    }
    # A person who says left of it moves nothing; one who says right does.
    review(out, [("to left", "accept", "profile_left"), ("up", "accept", "profile_down")])
    reviewed = lpff_ray.select(out, "s", "efhq", {**GATES_OPEN, "per_identity_bin": 1})
    assert reviewed.rules["review"]["moved"] == 1
    assert ids(reviewed) == ["up", "to left", "to right"]
