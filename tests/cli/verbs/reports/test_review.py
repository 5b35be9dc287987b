"""`lpff-ray review`."""

from __future__ import annotations

import json
import re
import signal
import urllib.request
from pathlib import Path

import pytest
from command import call, complaint, start
from handmade import face, handmade_run


@pytest.fixture
def out(tmp_path: Path) -> str:
    return handmade_run(tmp_path / "run", [face("a", "p"), face("b", "q")])


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_one_line_says_where_and_an_interrupt_ends_it(out: str, ending: signal.Signals) -> None:
    process = start("review", out, "--reviewer", "Ann", "--port", "0")
    assert process.stdout is not None
    line = process.stdout.readline()
    address = re.fullmatch(
        r"reviewing 2 faces at (http://127\.0\.0\.1:\d+/\?token=[\w-]{40,}) \(Ctrl-C ends\)\n", line
    )
    assert address, (line, process.stderr and process.stderr.read())
    with urllib.request.urlopen(address[1], timeout=20) as response:
        assert response.status == 200
    process.send_signal(ending)
    rest, errors = process.communicate(timeout=30)
    assert (process.returncode, rest, errors) == (0, "0 actions kept\n", "")


def test_json_is_one_object_as_soon_as_the_page_is_there(out: str) -> None:
    process = start("review", out, "--reviewer", "Ann", "--json")
    assert process.stdout is not None
    found = json.loads(process.stdout.readline())
    assert (found["faces"], found["reviewer"]) == (2, "Ann")
    with urllib.request.urlopen(found["url"], timeout=20) as response:
        assert response.status == 200
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=30) == ("", "0 actions kept\n")


def test_what_is_wrong_is_one_line(tmp_path: Path, out: str) -> None:
    assert "no run here" in complaint(call("review", tmp_path))
    assert "--reviewer" in complaint(call("review", out, "--reviewer", " "))
    assert "give another --host" in complaint(call("review", out, "--host", "203.0.113.7"))
    Path(out, "tables", "review.parquet").write_bytes(b"PAR1 torn")
    assert "tables/review.parquet: not a table" in complaint(call("review", out))
