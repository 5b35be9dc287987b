"""Selections by what the manifest says of a face's source."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

import lpff_ray
from lpff_ray.curate.selection.rules import load_rules
from lpff_ray.curate.selection.source_filter import wanted_sources, without_refused
from lpff_ray.errors import UserError

COLUMNS: list[str | None] = [
    '{"licence": "CC0", "age": "31", "iqa": "good"}',
    '{"licence": "CC BY 2.0", "age": "29"}',
    None,
]


@pytest.fixture
def planned(monkeypatch: pytest.MonkeyPatch) -> None:
    """A plan of three videos; the second one was also seen under another name, without columns."""
    plan = pl.DataFrame(
        {
            "video_id": ["a", "b", "c", "b"],
            "status": ["planned", "planned", "planned", "duplicate"],
            "manifest": [*COLUMNS, None],
        }
    )
    module = "lpff_ray.curate.selection.source_filter"
    monkeypatch.setattr(f"{module}.read_plan", lambda folder: plan)
    monkeypatch.setattr(f"{module}.open_run_folder", lambda out: None)


FACES = pl.DataFrame(
    {"face_id": ["1", "2", "3", "4"], "video_id": ["a", "b", "c", "a"], "iqa": [1.0, 2, 3, 4]}
)


def chosen(**settings: Any) -> list[str]:
    steps = wanted_sources("run", FACES, load_rules("efhq", settings))
    for step in steps.values():
        assert step.columns == FACES.columns
    return list(steps.values())[-1]["face_id"].to_list() if steps else FACES["face_id"].to_list()


@pytest.mark.parametrize(
    ("settings", "left"),
    [
        ({}, ["1", "2", "3", "4"]),
        ({"require": ["licence"]}, ["1", "2", "4"]),
        ({"where": "licence LIKE 'CC BY%'"}, ["2"]),
        ({"where": "age > 30"}, ["1", "4"]),
        ({"where": "licence IS NULL OR age < 30"}, ["2", "3"]),
        ({"require": ["age"], "where": "manifest_iqa = 'good' AND iqa > 2"}, ["4"]),
    ],
)
def test_faces_of_sources(planned: None, settings: dict[str, Any], left: list[str]) -> None:
    assert chosen(**settings) == left


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"require": ["author"]}, "no source has that column; the manifest's: age, manifest_iqa, licence"),
        ({"where": "author = 'x'"}, "write it as in SQL"),
        ({"where": "licence ="}, "write it as in SQL"),
        ({"where": "age"}, "write it as in SQL"),
    ],
)
def test_what_can_not_be_asked(planned: None, settings: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=said):
        chosen(**settings)


def test_a_run_without_columns(tmp_path: Path, demo_run: Path) -> None:
    assert "manifest" not in lpff_ray.videos(str(demo_run)).columns
    with pytest.raises(UserError, match="no source has that column; the manifest's: none"):
        wanted_sources(str(demo_run), FACES, load_rules("efhq", {"require": ["licence"]}))


def test_sources_that_were_refused_since_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    module = "lpff_ray.curate.selection.source_filter"
    plan = pl.DataFrame(
        {"video_id": ["a", "b", "b", "c"], "status": ["refused", "refused", "planned", "planned"]}
    )
    monkeypatch.setattr(f"{module}.read_plan", lambda folder: plan)
    monkeypatch.setattr(f"{module}.open_run_folder", lambda out: None)
    left = without_refused("run", FACES)
    assert left is not None
    assert left["video_id"].to_list() == ["b", "c"]
    assert without_refused("run", left) is None
