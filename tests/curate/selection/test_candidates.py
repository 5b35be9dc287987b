"""The faces that a selection chooses from."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from handmade import GATES_OPEN, decided, dedupe, face, handmade_run, ids, review
from runs import write_marks

import lpff_ray
from lpff_ray.errors import UserError
from lpff_ray.exports.formats.verification import Verification
from lpff_ray.exports.lists.pairs import pair_list
from lpff_ray.storage.folder import Folder


def test_what_reviewers_said_is_honoured(tmp_path: Path) -> None:
    out = handmade_run(
        tmp_path, [face("a", "p", 50), face("b", "p", 55), face("c", "p", 5), face("d", "p", 60)]
    )
    review(
        out,
        [
            ("a", "reject", None),
            ("c", "accept", "profile_left"),
            ("b", "accept", None),
            ("gone", "reject", None),
        ],
    )
    done = lpff_ray.select(out, "s", "efhq", GATES_OPEN)
    assert ids(done) == ["d", "b", "c"]
    assert set(done.table["bin"]) == {"profile_left"}
    assert done.funnel["faces"].to_list()[:2] == [4, 3]
    assert {key: done.rules["review"][key] for key in ("marks", "rejected", "moved")} == {
        "marks": 4,
        "rejected": 1,
        "moved": 1,
    }
    # A moved face has no angles to be trusted: no cell and no density.
    assert "c" not in ids(lpff_ray.select(out, "s", "uniform", GATES_OPEN))
    assert "c" not in ids(lpff_ray.select(out, "s", "lpff", {**GATES_OPEN, "max_density": 9.0}))


def test_without_identities_there_is_one_clear_line(tmp_path: Path) -> None:
    out = handmade_run(tmp_path, [face("a", "p", 50)], deduped=False)
    with pytest.raises(UserError, match="run lpff-ray dedupe"):
        lpff_ray.select(out, "s")
    dedupe(tmp_path, [])
    with pytest.raises(UserError, match=r"1 face without an identity.*run lpff-ray dedupe"):
        lpff_ray.select(out, "s")


def test_decisions_of_the_page_are_honoured_as_the_table_by_hand_is(tmp_path: Path) -> None:
    out = handmade_run(
        tmp_path, [face("a", "p", 50), face("b", "p", 55), face("c", "p", 5), face("d", "p", 60)]
    )
    review(out, [("d", "reject", None)])
    decided(
        out,
        {"action": "decide", "faces": ["a", "gone"], "decision": "reject"},
        {"action": "move", "faces": ["c"], "bin": "profile_left"},
        {"action": "decide", "faces": ["b"], "decision": "reject"},
        {"action": "undo", "undoes": "a2"},
        {"action": "decide", "faces": ["d"], "decision": "accept"},
    )
    done = lpff_ray.select(out, "s", "efhq", GATES_OPEN)
    assert ids(done) == ["d", "b", "c"]
    counts = {"marks": 4, "rejected": 1, "moved": 1, "regrouped": 0, "unknown": 1}
    assert {name: done.rules["review"][name] for name in counts} == counts


def test_merged_people_share_a_cap_and_a_split_and_those_split_off_have_their_own(tmp_path: Path) -> None:
    faces = [
        face(f"{person}{number}", f"id-{person}", 50 + number) for person in "pqr" for number in range(4)
    ]
    out = handmade_run(tmp_path, faces)
    rules = {**GATES_OPEN, "per_identity_bin": 3, "test_share": 0.5}
    assert len(ids(lpff_ray.select(out, "s", "efhq", rules))) == 9
    decided(
        out,
        {"action": "merge", "identities": ["id-q", "id-p"]},
        {"action": "split", "faces": ["r0", "r1"], "identity": "id-new"},
    )
    done = lpff_ray.select(out, "s", "efhq", rules)
    people = dict(done.table.select("face_id", "identity_id").iter_rows())
    assert {name for name in people if name[0] in "pq"} == {
        "p3",
        "q3",
        "p2",
    }  # of both together, the most turned
    assert {people[name] for name in ("p3", "q3", "p2")} == {"id-p"}
    assert {name: people[name] for name in people if name[0] == "r"} == {
        **dict.fromkeys(("r0", "r1"), "id-new"),
        **dict.fromkeys(("r2", "r3"), "id-r"),
    }
    assert done.rules["review"]["regrouped"] == 6
    assert done.table.group_by("identity_id").agg(pl.col("split").n_unique())["split"].to_list() == [1, 1, 1]


def test_a_duplicate_that_is_split_off_is_none(tmp_path: Path) -> None:
    out = handmade_run(
        tmp_path, [face("a", "p", 50), face("b", "p", 51, keep=False), face("c", "p", 52, keep=False)]
    )
    marks = [
        {
            "face_id": name,
            "identity_id": "p",
            "keep": name == "a",
            "duplicate_of": None if name == "a" else "a",
        }
        for name in "abc"
    ]
    write_marks(Folder(out), marks)
    decided(out, {"action": "split", "faces": ["c"], "identity": "q"})
    assert ids(lpff_ray.select(out, "s", "efhq", GATES_OPEN)) == ["a", "c"]


def test_a_bin_that_says_what_was_measured_moves_nothing_and_fine_bins_stay(tmp_path: Path) -> None:
    fine = {"pose_bin_fine": "left_50_60"}
    out = handmade_run(
        tmp_path, [face("a", "p", 52, **fine), face("b", "p", 53, **fine), face("c", "p", 54, **fine)]
    )
    review(out, [("a", "accept", "profile_left"), ("b", "accept", "profile_up"), ("c", "accept", "up_30_40")])
    by_fine = lpff_ray.select(out, "s", "efhq", {**GATES_OPEN, "bins": "pose_bin_fine"})
    assert dict(by_fine.table.select("face_id", "bin").iter_rows()) == {
        "a": "left_50_60",
        "b": "profile_up",
        "c": "up_30_40",
    }
    assert by_fine.rules["review"]["moved"] == 2
    coarse = lpff_ray.select(out, "s", "efhq", GATES_OPEN)
    assert dict(coarse.table.select("face_id", "bin").iter_rows()) == {
        "a": "profile_left",
        "b": "profile_up",
        "c": "profile_up",
    }


def test_pairs_for_verification_are_of_the_people_whom_reviewers_see(tmp_path: Path) -> None:
    names = [f"{person}{number}" for person in "pqr" for number in range(4)]
    faces = [
        {
            **face(f"v:{place}:0", f"id-{name[0]}"),
            "pts_ns": place * 10**10,
            "uri": "v.mp4",
            "keypoints": [[0.0, 0.0]] * 5,
        }
        for place, name in enumerate(names)
    ]
    out = handmade_run(tmp_path, faces)

    def pairs() -> list[tuple[str, str, bool]]:
        chosen = lpff_ray.select(out, "s", "verification", {**GATES_OPEN, "test_share": 0.0}).table
        rows = Verification().rows(out, chosen)
        names_of = dict(zip(rows["path"], rows["face_id"], strict=True))
        lines = pair_list(rows, ("frontal", "frontal"), 1000, 1.0, 0)
        return [(names_of[one], names_of[other], same) for one, other, same in lines]

    def person(face_id: str) -> str:
        return names[int(face_id.split(":")[1])][0]

    assert all((person(one) == person(other)) is same for one, other, same in pairs())
    decided(
        out,
        {"action": "merge", "identities": ["id-p", "id-q"]},
        {"action": "split", "faces": ["v:8:0", "v:9:0"], "identity": "id-s"},
    )
    reviewed = {**dict.fromkeys("pq", "p"), "r": "r"}
    seen = {name: reviewed[person(name)] for name in (f"v:{place}:0" for place in range(12))}
    seen |= dict.fromkeys(("v:8:0", "v:9:0"), "s")
    found = pairs()
    assert all((seen[one] == seen[other]) is same for one, other, same in found)
    assert any(same and person(one) != person(other) for one, other, same in found)
    assert any(not same and person(one) == person(other) for one, other, same in found)
