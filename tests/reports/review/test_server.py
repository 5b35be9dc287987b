"""What the server answers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from handmade import decided, face, handmade_run
from serving import asked, message, served, with_thumbnails

import lpff_ray
from lpff_ray.errors import UserError
from lpff_ray.reports.review.server import ReviewServer

NAMES = [f"v:{number}:0" for number in range(6)]


@pytest.fixture
def out(tmp_path: Path) -> str:
    votes = [{"estimator": "e", "yaw": float("nan"), "pitch": 1.0, "roll": 0.0}]
    rows = [
        face(name, f"id-{'ab'[number % 2]}", 60 if number < 3 else 0, segment_id="v-00000", pose_votes=votes)
        for number, name in enumerate(NAMES)
    ]
    run = handmade_run(tmp_path, rows)
    with_thumbnails(run, NAMES[:5])
    lpff_ray.select(run, "some", "efhq", {"min_iqa_quantile": 0.0})
    return run


@pytest.fixture
def server(out: str) -> Iterator[ReviewServer]:
    with served(out) as running:
        yield running


def test_all_faces_come_as_columns(server: ReviewServer) -> None:
    head, columns = message(server, "/api/faces")
    assert (head["faces"], head["reviewer"], head["selections"], head["pictures"]) == (
        6,
        "Ann",
        ["some"],
        True,
    )
    assert {len(column) for column in columns.values()} == {6}
    assert columns["yaw"].tolist() == [60, 60, 60, 0, 0, 0]
    assert columns["decision"].tolist() == [0] * 6


def test_an_action_answers_with_what_it_changed(server: ReviewServer) -> None:
    version = message(server, "/api/faces")[0]["version"]
    head, columns = message(server, "/api/decide", {"rows": [1, 4], "decision": "reject", "version": version})
    assert head["undo"] == "2 faces rejected"
    assert (columns["rows"].tolist(), columns["decision"].tolist()) == ([1, 4], [2, 2])
    _, columns = message(server, "/api/decide", {"rows": [0], "decision": "accept", "version": version})
    assert columns["rows"].tolist() == list(range(6))  # the page had missed something
    head, columns = message(server, "/api/merge", {"rows": [0, 1], "version": head["version"] + 1})
    assert set(columns["rows"]) == {1, 3, 5}
    head, columns = message(server, "/api/split", {"rows": [3], "version": head["version"]})
    assert head["new_persons"]
    assert columns["person"].tolist() == [2]
    moves = [{"rows": [0], "bin": "profile_up"}, {"rows": [1], "bin": "frontal"}]
    head, columns = message(server, "/api/move_all", {"moves": moves, "version": head["version"]})
    assert columns["rows"].tolist() == [0, 1]
    for path, rows in (("undo", [0, 1]), ("redo", [0, 1]), ("undo", [0, 1]), ("undo", [3])):
        head, columns = message(server, f"/api/{path}", {"version": head["version"]})
        assert columns["rows"].tolist() == rows


def test_what_others_decide_comes_when_it_is_asked_for(server: ReviewServer, out: str) -> None:
    version = message(server, "/api/faces")[0]["version"]
    assert len(message(server, f"/api/changes?version={version}")[1]["rows"]) == 0
    decided(out, {"action": "decide", "faces": [NAMES[2]], "decision": "reject", "reviewer": "Ben"})
    head, columns = message(server, f"/api/changes?version={version}")
    assert head["version"] != version
    assert columns["decision"].tolist() == [0, 0, 2, 0, 0, 0]


def test_thumbnails_come_together(server: ReviewServer) -> None:
    _, columns = message(server, "/api/thumbnails", {"rows": [5, 0, 3]})
    assert columns["rows"].tolist() == [5, 0, 3]
    assert columns["sizes"][0] == 0
    first = columns["bytes"][: columns["sizes"][1]].tobytes()
    assert first.startswith(b"\xff\xd8")
    assert len(columns["bytes"]) == columns["sizes"].sum()


def test_one_face_a_selection_and_suggestions(server: ReviewServer) -> None:
    found = json.loads(asked(server, "/api/face?row=2")[2])
    assert (found["face_id"], found["pose_votes"][0]["yaw"], found["said"]) == (NAMES[2], None, {})
    assert set(message(server, "/api/selection?name=some")[1]["rows"].tolist()) == {0, 1, 2}
    answer = json.loads(asked(server, "/api/suggest", {"rows": [0, 1]})[2])
    assert answer == {"suggestions": [], "tied": 0}


@pytest.mark.parametrize(
    ("path", "body", "status", "told"),
    [
        ("/api/decide", {"rows": [99], "decision": "reject"}, 409, "no such face"),
        ("/api/decide", {"rows": [True], "decision": "reject"}, 409, "rows: a list of numbers"),
        ("/api/decide", {"rows": "0"}, 409, "rows: a list of numbers"),
        ("/api/move", {"rows": [0], "bin": "<script>"}, 409, "is none of"),
        ("/api/move_all", {"moves": [1]}, 409, "moves: a list"),
        ("/api/undo", {}, 409, "nothing to undo"),
        ("/api/decide", b"{", 400, ""),
        ("/api/decide", b"[]", 400, ""),
        ("/api/thumbnails", {"rows": [-1]}, 409, "no such face"),
        ("/api/face?row=x", None, 409, "no such face"),
        ("/api/selection?name=../run", None, 409, "selection name"),
        ("/nowhere", None, 404, ""),
    ],
)
def test_what_is_wrong_is_told_in_a_line(
    server: ReviewServer, path: str, body: object, status: int, told: str
) -> None:
    got, headers, content = asked(server, path, body)
    assert (got, headers.get_content_type()) == (status, "application/json")  # type: ignore[attr-defined]
    assert told in json.loads(content)["error"]
    assert server.session.last() is None


def test_a_bug_is_told_and_logged(
    server: ReviewServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(type(server.session), "undo", lambda self: np.zeros(1)[2])
    status, _, content = asked(server, "/api/undo", {})
    assert (status, "nothing was kept" in json.loads(content)["error"]) == (500, True)
    assert "IndexError" in caplog.text


def test_an_address_that_is_taken_is_said(server: ReviewServer) -> None:
    with pytest.raises(UserError, match=rf"port {server.port}: Address already in use.*--port"):
        ReviewServer(server.session, server.pictures, port=server.port)
