"""The most turned faces of every identity and bin."""

from __future__ import annotations

from pathlib import Path

import pytest
from command import call
from handmade import GATES_OPEN, crowd, face, handmade_run, ids, review

import lpff_ray
from lpff_ray.config import MineConfig
from lpff_ray.models import store
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


TWO_CLIPS = [
    face(
        f"{video}{track}{place}", "a", 60 + place, video_id=video, track_id=f"{video}{track}", keep=place == 0
    )
    for video in ("v-1", "v-2", "w")
    for track in "xy"
    for place in range(4)
]


@pytest.mark.parametrize(
    ("per", "chosen"),
    [
        ("identity", 2),
        ("video", 4),  # v-1 and v-2 are clips of one file
        ("clip", 6),
        ("track", 12),
    ],
)
def test_the_cap_counts_what_it_is_told_to(tmp_path: Path, per: str, chosen: int) -> None:
    out = handmade_run(tmp_path, TWO_CLIPS)
    settings = {**GATES_OPEN, "per": per, "per_identity_bin": 2, "duplicates": True}
    done = lpff_ray.select(out, "s", "efhq", settings)
    assert len(done.table) == chosen
    assert {int(name[-1]) for name in ids(done)} == ({2, 3} if per == "track" else {3}), (
        "the most turned of each"
    )
    assert f"number 1 of its {per} in profile_left" in done.table["reason"][0]


def efhqs_sampling(faces: list[dict[str, object]]) -> set[str]:
    """EFHQ's `cli_sample_gan.py`, command `vfhq`, restated: per clip and bin sorted, 42 and more, the first ten."""
    groups: dict[tuple[object, object], list[dict[str, object]]] = {}
    for row in faces:
        groups.setdefault((row["video_id"], row["pose_bin"]), []).append(row)
    kept = set()
    for rows in groups.values():
        rows.sort(key=lambda row: (-abs(row["yaw"]), -abs(row["pitch"]), -row["iqa"]))  # type: ignore[operator, arg-type]
        kept |= {str(row["face_id"]) for row in [row for row in rows if row["iqa"] >= 42][:10]}  # type: ignore[operator]
    return kept


@pytest.mark.parametrize("with_frontal", [True, False])
def test_efhq_paper_is_efhqs_sampling_to_the_letter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, with_frontal: bool
) -> None:
    monkeypatch.setattr(store, "chosen", lambda names: [])  # no file of HyperIQA is needed
    faces = [
        {**row, "video_id": f"v{place % 3}", "pose_bin": row["pose_bin"]}
        for place, row in enumerate(crowd(600))
    ]
    faces = [row for row in faces if row["pose_bin"] != "confused"]
    out = handmade_run(tmp_path, faces, config=MineConfig(iqa="hyperiqa"))
    done = lpff_ray.select(out, "s", "efhq-paper", {"with_frontal": with_frontal})
    wanted = efhqs_sampling([row for row in faces if with_frontal or row["pose_bin"] != "frontal"])
    assert set(ids(done)) == wanted
    assert len(wanted) > 50
    # Today's preset has fewer: one person in several clips counts once, and repetitions go.
    assert len(lpff_ray.select(out, "t", "efhq", {"with_frontal": with_frontal}).table) != len(wanted)


def test_efhq_paper_says_where_42_means_nothing(tmp_path: Path) -> None:
    out = handmade_run(tmp_path, crowd(200))
    done = call("select", out, "--preset", "efhq-paper")
    assert "no gate on iqa: min_hyperiqa is for runs mined with --iqa hyperiqa" in done.stdout.replace(
        "\n", " "
    )


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
