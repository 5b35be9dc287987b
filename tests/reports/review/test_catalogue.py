"""The faces as the page has them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from handmade import face, handmade_run, marks_of
from runs import make_run

import lpff_ray
from lpff_ray.errors import UserError
from lpff_ray.reports.review.catalogue import NO_BIN, NOTHING, bin_numbers, read_catalogue
from lpff_ray.tables.review.actions import POSE_BINS


def unit(angle: float) -> list[float]:
    return [float(np.cos(angle)), float(np.sin(angle))] + [0.0] * 126


VOTES = [
    {"estimator": str(i), "yaw": yaw, "pitch": -3.0, "roll": 0.0} for i, yaw in enumerate((20.0, 30.0, -1.0))
]


@pytest.fixture
def out(tmp_path: Path) -> str:
    rows = [
        face("v:0:0", "p", 60, embedding=unit(0.0), uri="/clips/a b.mp4", pts_ns=10**9, pose_votes=VOTES),
        face("v:1:0", "q", 5, embedding=unit(0.3), keep=False),
        face("v:2:0", "p", -70, embedding=unit(0.2)),
        face("v:3:0", "q", 0, pose_bin="confused", iqa=None),
    ]
    return handmade_run(tmp_path, rows)


def test_every_face_is_a_row_in_the_order_of_the_tables(out: str) -> None:
    catalogue = read_catalogue(out)
    c = catalogue.columns
    assert catalogue.face_ids == lpff_ray.scan(out).collect()["face_id"].to_list()
    assert [POSE_BINS[number] for number in c["bin"][:3]] == ["profile_left", "frontal", "profile_right"]
    assert bin_numbers(pl.Series(["confused", None, "left_30_40"])).tolist() == [c["bin"][3], NO_BIN, NO_BIN]
    assert [catalogue.identities[number] for number in c["identity"]] == ["p", "q", "p", "q"]
    assert c["kept"].tolist() == [1, 0, 1, 1]
    assert np.isnan(c["iqa"][3])
    assert c["seconds"][0] == 1.0
    assert catalogue.videos == [{"id": "v", "name": "a b.mp4", "uri": "/clips/a b.mp4"}]
    assert {name: int(counts[0]) for name, counts in catalogue.votes.items()} == {
        "left": 2,
        "right": 1,
        "up": 0,
        "down": 3,
    }
    assert np.allclose(c["likeness"], [np.cos(0.1), 1.0, np.cos(0.1), np.nan], equal_nan=True, atol=1e-6)


def test_before_dedupe_nobody_is_known(tmp_path: Path) -> None:
    out = handmade_run(tmp_path, [face("a", "p", track_id="v-00000:0"), face("b", "q")], deduped=False)
    catalogue = read_catalogue(out)
    assert catalogue.identities == []
    assert (catalogue.columns["identity"] == NOTHING).all()
    assert catalogue.tracks == ["v-00000:0"]
    assert catalogue.columns["kept"].tolist() == [1, 1]


def test_faces_of_a_selection_by_rank(out: str) -> None:
    lpff_ray.select(out, "some", "efhq", {"min_iqa_quantile": 0.0})
    catalogue = read_catalogue(out)
    ranked = lpff_ray.selection(out, "some")["face_id"].to_list()
    assert [catalogue.face_ids[row] for row in catalogue.selection_rows("some")] == ranked
    assert catalogue.selections == ["some"]
    with pytest.raises(UserError, match="no selection 'other'"):
        catalogue.selection_rows("other")


def test_what_is_only_looked_up(out: str) -> None:
    found = read_catalogue(out).face(0)
    assert (found["face_id"], found["uri"], len(found["pose_votes"])) == ("v:0:0", "/clips/a b.mp4", 3)


def test_a_run_without_faces_is_said(tmp_path: Path) -> None:
    make_run(tmp_path, {}, marks=marks_of([]))
    with pytest.raises(UserError, match="no face has been mined yet"):
        read_catalogue(str(tmp_path))
