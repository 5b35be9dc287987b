"""`lpff-ray report`, as a person runs it."""

from __future__ import annotations

import json
import webbrowser
from pathlib import Path

import pytest
from command import call, complaint


def test_report(out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr(webbrowser, "open", opened.append)
    page = tmp_path / "page.html"
    done = call("report", out, "--to", page, "--open")
    assert done.returncode == 0, done.stderr
    assert f"{page}: " in done.stdout
    assert "of 10 faces; 10 of them one by one, 10 with a picture" in done.stdout
    assert opened == [page.as_uri()]
    assert "<!doctype html>" in page.read_text("utf-8")


def test_report_as_json_beside_the_run(out: Path) -> None:
    found = json.loads(call("report", out, "--json").stdout)
    page = Path(out, "report.html")
    assert found["path"] == str(page)
    assert found["size_bytes"] == page.stat().st_size < 15e6
    page.unlink()  # the run is shared


def test_what_is_not_there_is_one_line(out: Path, tmp_path: Path) -> None:
    assert "no run here" in complaint(call("report", tmp_path))
    assert "no selection 'x'" in complaint(call("report", out, "--selection", "x"))
    assert "--to" in complaint(call("report", out, "--to", tmp_path))
    assert "--open" in complaint(call("report", out, "--to", "memory://page.html", "--open"))
