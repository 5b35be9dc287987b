"""A reviewer's session: actions that stay, undo, and what others do meanwhile."""

from __future__ import annotations

from pathlib import Path

import pytest
from handmade import face, handmade_run, review

import lpff_ray
from lpff_ray.errors import UserError
from lpff_ray.reports.review.catalogue import NO_BIN, NOTHING, read_catalogue
from lpff_ray.reports.review.session import Session
from lpff_ray.tables.review.actions import POSE_BINS


@pytest.fixture
def out(tmp_path: Path) -> str:
    return handmade_run(
        tmp_path, [face(f"{person}{number}", f"id-{person}") for person in "pq" for number in range(3)]
    )


def session(out: str, reviewer: str = "Ann") -> Session:
    return Session(read_catalogue(out), reviewer)


def decisions(out: str) -> dict[str, tuple]:
    state = lpff_ray.review_state(out)
    return {row[0]: row[1:] for row in state.select("face_id", "decision", "bin", "identity_id").iter_rows()}


def test_what_is_shown_is_what_is_kept(out: str) -> None:
    ann = session(out)
    ann.decide([0, 1], "reject")
    ann.move([1], "profile_up")
    shown = ann.decide([4], "accept")
    assert shown.decision.tolist() == [2, 2, 0, 0, 1, 0]
    assert shown.moved.tolist() == [NO_BIN, POSE_BINS.index("profile_up"), *[NO_BIN] * 4]
    assert decisions(out) == {
        "p0": ("reject", None, None),
        "p1": ("reject", "profile_up", None),
        "q1": ("accept", None, None),
    }
    ann.decide([0], None), ann.move([1], None)
    assert decisions(out) == {"p1": ("reject", None, None), "q1": ("accept", None, None)}
    assert ann.summary()["undo"] == "1 face moved back"
    actions, files = ann.close()
    assert (actions, len(files)) == (5, 1)


def test_undo_goes_back_through_earlier_sessions_and_never_through_others(out: str) -> None:
    first = session(out)
    first.decide([0], "reject"), first.move([0], "frontal")
    first.close()
    other = session(out, "Ben")
    other.decide([5], "reject")
    again = session(out)
    assert again.shown.decision.tolist() == [2, 0, 0, 0, 0, 2]
    again.undo()
    assert decisions(out) == {"p0": ("reject", None, None), "q2": ("reject", None, None)}
    again.undo()
    assert decisions(out) == {"q2": ("reject", None, None)}
    with pytest.raises(UserError, match="nothing to undo"):
        again.undo()
    again.redo()
    assert decisions(out) == {"p0": ("reject", None, None), "q2": ("reject", None, None)}
    again.redo()
    assert decisions(out)["p0"] == ("reject", "frontal", None)
    with pytest.raises(UserError, match="nothing to repeat"):
        again.redo()
    again.undo(), again.decide([1], "accept")
    with pytest.raises(UserError, match="nothing to repeat"):
        again.redo()


def test_two_reviewers_at_once_see_each_other(out: str) -> None:
    ann, ben = session(out), session(out, "Ben")
    ann.decide([0], "reject"), ben.decide([0], "accept"), ben.move([1], "profile_left")
    version = ann.shown.version
    assert ann.refresh().decision.tolist() == ben.shown.decision.tolist() == [1, 0, 0, 0, 0, 0]
    assert ann.shown.version != version
    assert ann.refresh().version == ann.shown.version  # nothing new
    assert ann.summary()["reviewers"] == ["Ann", "Ben"]
    ann.decide([0], "reject")
    assert decisions(out)["p0"] == ("reject", None, None)
    assert len(list(Path(out, "review").iterdir())) == 2


def test_people_are_merged_and_split(out: str) -> None:
    ann = session(out)
    assert [ann.persons[number] for number in ann.merge([1, 4]).person] == ["id-p"] * 6
    shown = ann.split([0, 5])
    new = ann.persons[shown.person[0]]
    assert new not in ("id-p", "id-q")
    assert [ann.persons[number] for number in shown.person] == [new, "id-p", "id-p", "id-p", "id-p", new]
    assert ann.summary()["new_persons"] == [new]
    assert session(out).shown.person.tolist() == shown.person.tolist()
    with pytest.raises(UserError, match="of one person already"):
        ann.merge([1, 2])
    ann.undo(), ann.undo()
    assert decisions(out) == {}


def test_who_is_not_known_can_not_be_merged(tmp_path: Path) -> None:
    ann = session(handmade_run(tmp_path, [face("a", "p"), face("b", "q")], deduped=False))
    assert (ann.shown.person == NOTHING).all()
    for act in (ann.merge, ann.split):
        with pytest.raises(UserError, match="lpff-ray dedupe"):
            act([0, 1])


def test_what_is_set_at_once_is_undone_at_once(out: str) -> None:
    ann = session(out)
    ann.move_all([([0, 1], "profile_left"), ([2], "profile_up"), ([3], "profile_left")])
    assert ann.summary()["undo"] == "4 faces set as suggested"
    assert len(decisions(out)) == 4
    assert (ann.undo().moved == NO_BIN).all()
    assert len(decisions(out)) == 0
    assert (ann.redo().moved != NO_BIN).sum() == 4


def test_marks_by_hand_are_shown_until_something_else_is_said(out: str) -> None:
    review(out, [("p0", "reject", "left_30_40"), ("gone", "reject", None)])
    ann = session(out)
    assert (ann.shown.decision[0], POSE_BINS[ann.shown.moved[0]]) == (2, "profile_left")
    ann.decide([0], "accept")
    assert decisions(out)["p0"] == ("accept", "left_30_40", None)
    ann.undo()
    assert decisions(out)["p0"] == ("reject", "left_30_40", None)


@pytest.mark.parametrize(
    ("act", "complaint"),
    [
        (lambda one: one.decide([6], "reject"), "no such face"),
        (lambda one: one.decide([-1], "reject"), "no such face"),
        (lambda one: one.decide([], "reject"), "no face is selected"),
        (lambda one: one.decide([0], "Reject"), "'Reject' is none of accept, reject"),
        (lambda one: one.move([0], "left"), "'left' is none of frontal, profile_left"),
        (lambda one: one.move_all([([0], "frontal"), ([1], "nowhere")]), "'nowhere' is none of"),
    ],
)
def test_what_can_not_be_done_is_not_kept(out: str, act: object, complaint: str) -> None:
    ann = session(out)
    with pytest.raises(UserError, match=complaint):
        act(ann)  # type: ignore[operator]
    assert not Path(out, "review").exists()


def test_what_can_not_be_written_does_not_count(out: str, monkeypatch: pytest.MonkeyPatch) -> None:
    ann = session(out)
    ann.decide([0], "reject")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("lpff_ray.tables.review.log.os.fsync", full)
        with pytest.raises(UserError, match="No space left"):
            ann.decide([1], "reject")
    assert ann.shown.decision.tolist() == [2, 0, 0, 0, 0, 0]
    ann.decide([2], "reject")
    assert set(decisions(out)) == {"p0", "p2"}
