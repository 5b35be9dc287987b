"""All marks folded into one state."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from handmade import face, handmade_run, review

import lpff_ray
from lpff_ray.errors import UserError
from lpff_ray.storage.folder import Folder
from lpff_ray.tables import schema
from lpff_ray.tables.review.actions import Action
from lpff_ray.tables.review.log import ReviewLog
from lpff_ray.tables.review.state import folded


def actions(*given: dict) -> list[Action]:
    """Actions a second apart, with ids 0, 1, ..."""
    return [
        Action(
            **{"id": str(number), "time": f"2026-01-31T08:30:{number:02d}.000000Z", "reviewer": "r", **fields}
        )
        for number, fields in enumerate(given)
    ]


def reject(*faces: str, **fields: object) -> dict:
    return {"action": "decide", "faces": faces, "decision": "reject", **fields}


def move(bin: str | None, *faces: str) -> dict:
    return {"action": "move", "faces": faces, "bin": bin}


def undo(number: int) -> dict:
    return {"action": "undo", "undoes": str(number)}


def merge(*identities: str) -> dict:
    return {"action": "merge", "identities": identities}


def split(identity: str, *faces: str) -> dict:
    return {"action": "split", "faces": faces, "identity": identity}


def said(*given: dict) -> dict[str, tuple[str | None, str | None]]:
    return {name: (mark.decision, mark.bin) for name, mark in folded(actions(*given)).marks.items()}


def test_the_last_decision_and_the_last_bin_count_each_by_itself() -> None:
    assert said(
        reject("a", "b"), move("profile_up", "a"), {"action": "decide", "faces": ["a"], "decision": "accept"}
    ) == {
        "a": ("accept", "profile_up"),
        "b": ("reject", None),
    }
    assert said(reject("a"), {"action": "decide", "faces": ["a"]}) == {"a": (None, None)}
    assert said(move("frontal", "a"), move(None, "a")) == {"a": (None, None)}


def test_what_was_undone_never_was_and_an_undo_can_be_undone() -> None:
    assert said(reject("a"), move("frontal", "a"), undo(1)) == {"a": ("reject", None)}
    assert said(reject("a"), undo(0)) == {}
    assert said(reject("a"), undo(0), undo(1)) == {"a": ("reject", None)}
    assert said(reject("a"), reject("b"), undo(0)) == {"b": ("reject", None)}


def test_merges_and_splits_in_any_order_give_the_same_people() -> None:
    given = actions(
        merge("id-b", "id-a"), split("id-n", "f1", "f2"), merge("id-b", "id-c"), merge("id-n", "id-z")
    )
    for seed in range(10):
        random.Random(seed).shuffle(given)
        state = folded(given)
        assert [state.identity("f9", name) for name in ("id-a", "id-b", "id-c", "id-d", None)] == [
            *("id-a", "id-a", "id-a", "id-d", None)
        ]
        assert {state.identity(name, "id-a") for name in ("f1", "f2")} == {"id-n"}
        assert state.identity("f9", "id-z") == "id-n"


def test_a_merge_that_was_undone_leaves_what_was_merged_besides() -> None:
    state = folded(actions(merge("id-a", "id-b"), merge("id-b", "id-c"), undo(0)))
    assert [state.identity("f", name) for name in ("id-a", "id-b", "id-c")] == ["id-a", "id-b", "id-b"]


@pytest.fixture
def out(tmp_path: Path) -> str:
    return handmade_run(tmp_path, [face("a", "id-a"), face("b", "id-b"), face("c", "id-b")])


def test_without_reviewers_the_state_is_empty(out: str) -> None:
    found = lpff_ray.review_state(out)
    assert found.is_empty()
    assert found.schema == schema.REVIEW


def test_several_writers_and_the_table_by_hand_are_one_state(out: str) -> None:
    review(out, [("a", "reject", "profile_up"), ("b", "accept", None)])
    first, second = (ReviewLog(Folder(out), name) for name in ("Ann", "Ben"))
    one, two, three = actions(
        reject("b", reviewer="Ann"),
        merge("id-a", "id-b"),
        {"action": "decide", "faces": ["b"], "decision": "accept", "reviewer": "Ben"},
    )
    second.add(three), first.add(one), first.add(two)
    found = lpff_ray.review_state(out)
    assert found.select("face_id", "decision", "bin", "identity_id", "reviewer").rows() == [
        ("a", "reject", "profile_up", None, None),
        ("b", "accept", None, "id-a", "Ben"),
        ("c", None, None, "id-a", None),
    ]
    assert found["time"].to_list() == [None, three.time, None]


def test_what_is_no_run_has_no_state(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no run here"):
        lpff_ray.review_state(str(tmp_path))
