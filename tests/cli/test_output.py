"""What is printed: one JSON object, or parts for a person."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pytest
from command import call

from lpff_ray.cli.output import Table, plain, report
from lpff_ray.types import VideoStatus


@dataclass
class Pair:
    name: str
    of: tuple[float, ...]


def test_everything_has_a_plain_form() -> None:
    value = {
        "table": pl.DataFrame({"a": [1, 2], "b": [0.5, math.nan]}),
        "pair": Pair("x", (1.0, math.inf)),
        "path": Path("/a/b"),
        VideoStatus.DONE: VideoStatus.NOT_MEDIA,
        "nothing": None,
        1: [True],
    }
    assert json.loads(json.dumps(plain(value))) == {
        "table": [{"a": 1, "b": 0.5}, {"a": 2, "b": None}],
        "pair": {"name": "x", "of": [1.0, None]},
        "path": "/a/b",
        "done": "not_media",
        "nothing": None,
        "1": [True],
    }


def test_a_report_is_one_json_object_or_its_parts(capsys: pytest.CaptureFixture[str]) -> None:
    def parts() -> Iterator[str]:
        yield "a face in [clip].mp4"
        yield "x" * 300

    report(False, {"faces": 1}, parts())
    assert capsys.readouterr().out == f"a face in [clip].mp4\n{'x' * 300}\n", "no markup, nothing broken"
    report(True, {"faces": 1, "name": "Zoë"}, parts())
    shown = capsys.readouterr().out
    assert json.loads(shown) == {"faces": 1, "name": "Zoë"}


HOSTILE = "a\x1b]0;owned\x07\x9b31m\u202egpj.4pm\u2028\r.mp4"


def test_names_can_not_command_the_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / HOSTILE).write_text("x")
    (tmp_path / "line\nbreak.mp4").write_text("x")
    for arguments in (
        (tmp_path,),
        (tmp_path, "--json"),
        (tmp_path / HOSTILE, "-vv"),
        (tmp_path / ("no" + HOSTILE),),
    ):
        done = call("plan", *arguments)
        printed = done.stdout + done.stderr
        assert not set(HOSTILE) - set("a]0;owned31mgpj.4pm.mp4") & set(printed), printed
        assert "\\x1b]0;owned" in printed or "\\u001b]0;owned" in printed
    found = json.loads(call("plan", tmp_path, "--json").stdout)
    assert {Path(one["uri"]).name for one in found["sources"]} == {HOSTILE, "line\nbreak.mp4"}, (
        "JSON has the name"
    )


def test_cells_and_sentences(capsys: pytest.CaptureFixture[str]) -> None:
    table = Table("name")
    table.add_row("a\nb\x1b[2Jc [red]d")
    report(False, {}, [table, "first\nsecond \x1b[2J https://me:pass@host/a.mp4"])
    printed = capsys.readouterr().out
    assert "a\\nb\\x1b[2Jc [red]d" in printed
    assert "first\nsecond \\x1b[2J https://host/a.mp4" in printed
