"""Nobody uses the review page but whoever has its address."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
from handmade import face, handmade_run
from serving import asked, served

from lpff_ray.reports.review.server import ReviewServer

REJECT = {"rows": [0], "decision": "reject"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ReviewServer]:
    out = handmade_run(tmp_path_factory.mktemp("run"), [face("a", "p"), face("b", "q")])
    with served(out) as running:
        yield running


def test_the_address_gives_a_cookie_and_the_cookie_lets_in(server: ReviewServer) -> None:
    status, headers, content = asked(server, f"/?token={server.access.token}", headers={"Cookie": ""})
    assert (status, content[:15]) == (200, b"<!doctype html>")
    cookie = headers["Set-Cookie"]
    assert all(
        part in cookie for part in (server.access.token, "HttpOnly", "SameSite=Strict", str(server.port))
    )
    for path in ("/", "/page/main.js", "/api/faces"):
        assert asked(server, path)[0] == 200


@pytest.mark.parametrize(
    "path", ["/", "/page/main.js", "/api/faces", "/api/face?row=0", "/nowhere", "/?token=", "/?token=é"]
)
def test_without_a_token_there_is_nothing(server: ReviewServer, path: str) -> None:
    for cookie in ("", f"{server.access.cookie}=wrong", f"other={server.access.token}"):
        status, _, content = asked(server, path.replace("é", "%C3%A9"), headers={"Cookie": cookie})
        assert status == 403
        assert b"Open the address that lpff-ray review printed" in content


def test_a_token_opens_the_page_and_nothing_else(server: ReviewServer) -> None:
    token = server.access.token
    assert asked(server, f"/api/faces?token={token}", headers={"Cookie": ""})[0] == 403
    assert asked(server, f"/api/decide?token={token}", REJECT, headers={"Cookie": ""})[0] == 403


@pytest.mark.parametrize(
    ("host", "known"),
    [
        ("127.0.0.1", True),
        ("localhost", True),
        ("LOCALHOST:1", True),
        ("[::1]:80", True),
        (socket.gethostname(), True),
        ("evil.example", False),
        ("127.0.0.1.evil.example", False),
        ("", False),
    ],
)
def test_a_name_that_is_made_to_lead_here_is_refused(server: ReviewServer, host: str, known: bool) -> None:
    """DNS rebinding: the browser of a visitor of evil.example believes that it lies on this machine."""
    assert (asked(server, "/api/faces", headers={"Host": host or " "})[0] == 200) is known


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": ""},
        {"Origin": "http://127.0.0.1:1"},  # another server of this machine: to cookies the same site
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_another_page_can_not_decide(server: ReviewServer, headers: dict[str, str]) -> None:
    assert asked(server, "/api/decide", REJECT, headers=headers)[0] == 403
    assert server.session.shown.decision.tolist() == [0, 0]


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])
def test_what_a_form_can_send_is_not_read(server: ReviewServer, kind: str) -> None:
    assert asked(server, "/api/decide", REJECT, headers={"Content-Type": kind})[0] == 415


@pytest.mark.parametrize("path", ["/", "/page/style.css", "/api/faces", "/page/nothing.js"])
def test_every_answer_forbids_what_the_page_does_not_need(server: ReviewServer, path: str) -> None:
    for headers in (None, {"Cookie": ""}):
        found = asked(server, path, headers=headers)[1]
        assert found["Content-Security-Policy"].startswith(
            "default-src 'none'; script-src 'self'; style-src 'self';"
        )
        assert "unsafe" not in found["Content-Security-Policy"]
        assert found["X-Content-Type-Options"] == "nosniff"
        assert found["Cache-Control"] == "no-store"
        assert "Access-Control-Allow-Origin" not in found


@pytest.mark.parametrize(
    "path", ["/page/../server.py", "/page/..%2Fserver.py", "/page/%2e%2e/session.py", "/page/__init__.py"]
)
def test_no_other_file_is_served(server: ReviewServer, path: str) -> None:
    assert asked(server, path)[0] == 404
