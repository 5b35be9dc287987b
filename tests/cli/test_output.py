"""What is printed: one JSON object, or parts for a person."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pytest

from lpff_ray.cli.output import plain, report
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
