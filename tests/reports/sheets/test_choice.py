"""Which faces a sheet shows: conditions, orders, groups."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from handmade import face, handmade_run, marks_of
from runs import write_marks

import lpff_ray
from lpff_ray.errors import UserError
from lpff_ray.reports.sheets.choice import Choice, chosen_faces, grouped, spread, with_columns_of
from lpff_ray.storage.folder import Folder
from lpff_ray.tables.review.actions import Action
from lpff_ray.tables.review.log import ReviewLog


def person(name: str, angles: list[float], **others: Any) -> list[dict[str, Any]]:
    return [
        face(f"{name}{number}", name, angle, azimuth=angle, elevation=0.0, uri=f"/clips/{name}.mp4", **others)
        for number, angle in enumerate(angles)
    ]


FACES = [
    *person("ann", [0.0, -70.0, 65.0], pose_spread=3.0),
    *person("bob", [10.0, 50.0], pose_spread=8.0, iqa=60.0),
]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> str:
    out = handmade_run(tmp_path_factory.mktemp("run"), FACES)
    marks = [{"keep": True, **row} for row in marks_of(FACES)]
    for row in marks:
        if row["face_id"] == "ann2":
            row |= {"keep": False, "duplicate_of": "ann0", "similarity": 0.95}
        if row["face_id"] == "bob1":
            row |= {"keep": False, "duplicate_of": "bob0", "similarity": 0.9}
    write_marks(Folder(out), marks)
    return out


def ids(table: pl.DataFrame) -> list[str]:
    return table["face_id"].to_list()


def test_conditions_are_those_of_sql_on_any_column(run: str) -> None:
    assert ids(chosen_faces(run, Choice(where="abs(yaw) > 60"))) == ["ann1", "ann2"]
    assert ids(chosen_faces(run, Choice(where="identity_id = 'bob' and not keep"))) == ["bob1"]
    assert ids(chosen_faces(run, Choice(where="det_score > 2"))) == []


@pytest.mark.parametrize(
    ("choice", "complaint"),
    [
        (Choice(where="yaw >"), "write it as in SQL"),
        (Choice(where="yaws > 3"), "there is no column 'yaws'; there are face_id"),
        (Choice(where="yaw + 3"), "is a Float32, no condition"),
        (Choice(where="uri > 3"), "--where 'uri > 3'"),
        (Choice(where="(select 1) > 0"), "--where"),
        (Choice(top="nothing"), "there is no column 'nothing'"),
        (Choice(bottom="bbox"), "holds lists"),
        (Choice(top="iqa", by="bin"), "--by and --top exclude each other"),
        (Choice(duplicates=True, random=3), "--duplicates and --random exclude each other"),
        (Choice(selection="none"), "no selection 'none'"),
    ],
)
def test_what_can_not_be_shown_is_said_in_a_line(run: str, choice: Choice, complaint: str) -> None:
    with pytest.raises(UserError, match=complaint) as error:
        chosen_faces(run, choice)
    assert "\n" not in str(error.value)


def test_orders(run: str) -> None:
    assert ids(chosen_faces(run, Choice(top="yaw"))) == ["ann2", "bob1", "bob0", "ann0", "ann1"]
    assert ids(chosen_faces(run, Choice(bottom="yaw")))[0] == "ann1"
    assert ids(chosen_faces(run, Choice(worst="disagreement")))[:2] == ["bob0", "bob1"]
    assert ids(chosen_faces(run, Choice(worst="quality")))[:2] == ["bob0", "bob1"]
    drawn = [ids(chosen_faces(run, Choice(random=3, seed=seed))) for seed in (0, 0, 1, 2, 3)]
    assert drawn[0] == drawn[1]
    assert len({tuple(names) for names in drawn}) > 1
    assert all(len(set(names)) == 3 for names in drawn)


def test_duplicates_stand_beside_the_face_that_they_repeat_least_alike_first(run: str) -> None:
    assert ids(chosen_faces(run, Choice(duplicates=True))) == ["bob0", "bob1", "ann0", "ann2"]
    assert ids(chosen_faces(run, Choice(duplicates=True, where="yaw > 60"))) == ["ann0", "ann2"]


def test_people_are_shown_from_left_to_right_profile_most_faces_first(run: str) -> None:
    groups = grouped(chosen_faces(run, Choice(by="identity")), "identity", 8)
    assert [group.title for group in groups] == ["ann: 3 faces", "bob: 2 faces"]
    assert [ids(group.faces) for group in groups] == [["ann2", "ann0", "ann1"], ["bob1", "bob0"]]
    few = grouped(chosen_faces(run, Choice(by="identity")), "identity", 2)
    assert few[0].title == "ann: 3 faces, 2 shown"
    assert ids(few[0].faces) == ["ann2", "ann1"], "both profiles"


def test_bins_and_videos(run: str) -> None:
    faces = chosen_faces(run, Choice())
    titles = [group.title for group in grouped(faces, "bin", 8)]
    assert titles == ["frontal: 2 faces", "profile_left: 2 faces", "profile_right: 1 face"]
    assert [group.title for group in grouped(faces, "video", 1)] == ["ann.mp4: 5 faces, 1 shown"]


def test_a_run_without_identities_shows_all_that_needs_none(tmp_path: Path) -> None:
    out = handmade_run(tmp_path / "run", FACES, deduped=False)
    assert len(chosen_faces(out, Choice(by="bin"))) == 5
    for choice in (Choice(by="identity"), Choice(duplicates=True)):
        with pytest.raises(UserError, match="run lpff-ray dedupe"):
            chosen_faces(out, choice)


@pytest.mark.parametrize("count", [1, 3, 7])
def test_a_spread_reaches_both_ends_and_no_face_twice(count: int) -> None:
    values = np.array([90.0, 2.0, 1.0, 0.0, 0.0, -1.0, -2.0, -80.0])
    chosen = spread(values, count)
    assert len(set(chosen.tolist())) == count
    assert (np.diff(chosen) > 0).all()
    assert chosen[0] == 0
    if count > 1:
        assert chosen[-1] == 7
    assert spread(values, 20).tolist() == list(range(8))


def test_columns_that_a_table_lacks_are_added_in_its_order(run: str) -> None:
    table = pl.DataFrame({"face_id": ["bob1", "ann0"], "mine": [1, 2]})
    found = with_columns_of(run, table, ("yaw", "iqa"))
    assert found.select("mine", "yaw", "iqa").rows() == [(1, 50.0, 60.0), (2, 0.0, 80.0)]
    with pytest.raises(UserError, match="has no face 'eve'"):
        with_columns_of(run, pl.DataFrame({"face_id": ["eve"]}), ("yaw",))
    assert lpff_ray.scan(run).collect().height == 5


def test_values_that_are_no_number_are_neither_largest_nor_smallest(tmp_path: Path) -> None:
    faces = [face(f"f{number}", "ann", iqa=value) for number, value in enumerate([50.0, float("nan"), 90.0])]
    out = handmade_run(tmp_path / "run", [*faces, face("f3", "ann", iqa=None)])
    assert ids(chosen_faces(out, Choice(top="iqa"))) == ["f2", "f0"]
    assert ids(chosen_faces(out, Choice(bottom="iqa"))) == ["f0", "f2"]


def test_a_run_of_an_older_release_is_ordered_by_yaw(tmp_path: Path) -> None:
    out = handmade_run(tmp_path / "run", [face(f"f{yaw}", "ann", float(yaw)) for yaw in (0, -80, 80)])
    (group,) = grouped(chosen_faces(out, Choice(by="identity")), "identity", 3)
    assert ids(group.faces) == ["f80", "f0", "f-80"]
    with pytest.raises(UserError, match="grouped by identity, bin, video, not by 'colour'"):
        grouped(group.faces, "colour", 3)


def test_people_are_grouped_as_reviewers_left_them(tmp_path: Path) -> None:
    out = handmade_run(tmp_path, FACES)
    write_marks(Folder(out), [{"keep": True, **row} for row in marks_of(FACES)])
    log = ReviewLog(Folder(out), "r")
    merge = {
        "id": "0",
        "action": "merge",
        "identities": ["ann", "bob"],
        "time": "2026-01-31T08:30:00.000000Z",
    }
    log.add(Action(reviewer="r", **merge))
    log.close()
    groups = grouped(chosen_faces(out, Choice(by="identity")), "identity", 9)
    assert [len(group.faces) for group in groups] == [5]
