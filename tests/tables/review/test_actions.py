"""One action, as a line of a log."""

from __future__ import annotations

import pytest

from lpff_ray.errors import UserError
from lpff_ray.tables.review.actions import Action, checked_reviewer, parsed

TIME = "2026-01-31T08:30:00.000000Z"


def test_a_line_says_what_its_action_says() -> None:
    action = Action(
        id="a", time=TIME, reviewer="Zoë ☃", action="move", faces=("v:1:0", "v:2:0"), bin="profile_up"
    )
    assert action.line().endswith(b"}\n")
    assert action.line().count(b"\n") == 1
    assert parsed(action.line()) == action


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"action": "decide"}, "needs faces"),
        ({"action": "decide", "faces": ["f"], "decision": "Reject"}, "decision"),
        ({"action": "move", "faces": ["f"], "bin": "left"}, "bin"),
        ({"action": "merge", "identities": ["a", "a"]}, "two identities"),
        ({"action": "split", "faces": ["f"]}, "identity"),
        ({"action": "undo"}, "undoes"),
        ({"action": "forget"}, "action"),
        ({"action": "decide", "faces": ["f"], "time": "today"}, "time"),
    ],
)
def test_what_is_no_action_is_said(fields: dict, reason: str) -> None:
    import json

    line = json.dumps({"id": "a", "time": TIME, "reviewer": "r", **fields}).encode()
    with pytest.raises(ValueError, match=reason):
        parsed(line)


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "x" * 65])
def test_a_reviewer_has_a_name(name: str) -> None:
    with pytest.raises(UserError, match="--reviewer"):
        checked_reviewer(name)


def test_blanks_around_a_name_go() -> None:
    assert checked_reviewer(" Ann B ") == "Ann B"
