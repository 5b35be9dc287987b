"""Published metadata in the forms that EFHQ gives it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from lpff_ray.curate.rebuild.metadata import read_metadata, youtube_id
from lpff_ray.errors import UserError

CLIP = "Clip+_-91nXXjrVo+P0+C0+F1537-1825"


def table(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    frame = pl.DataFrame(rows)
    frame.write_parquet(path) if path.suffix == ".parquet" else frame.write_csv(path)
    return path


def row(frameid: int, idx: int = 0, **more: Any) -> dict[str, Any]:
    return {"frameid": frameid, "idx": idx, "x1": 1.0, "y1": 2, "x2": 30, "y2": 40, "iqa": 50.5, **more}


def test_tables_of_both_kinds_are_one(tmp_path: Path) -> None:
    merged = [row(3, video_id=CLIP, softbin="frontal", hardbin="confused", user_id="u")]
    table(tmp_path / "merged.parquet", merged)
    table(tmp_path / "parquet" / f"{CLIP}.parquet", merged)  # the same rows once more
    table(tmp_path / "csv" / "profile_up" / "M2Ohb0FAaJU_1.csv", [row(1), row(2)])
    (tmp_path / "columns.json").write_text("{}")
    found = read_metadata([str(tmp_path)]).faces
    assert found.select("clip", "frameid", "bin", "user_id").rows() == [
        ("M2Ohb0FAaJU_1", 1, "profile_up", None),
        ("M2Ohb0FAaJU_1", 2, "profile_up", None),
        (CLIP, 3, "frontal", "u"),
    ]


def test_boxes_with_widths_become_corners(tmp_path: Path) -> None:
    rows = [row(n, video_id=CLIP) | {"x1": 500.0, "y1": 300, "x2": 90, "y2": 120} for n in (1, 2)]
    found = read_metadata([str(table(tmp_path / "a.parquet", rows))]).faces
    assert found.select("x1", "y1", "x2", "y2").row(0) == (500, 300, 590, 420)


def test_samples_choose_and_order(tmp_path: Path) -> None:
    rows = [row(5, video_id=CLIP), row(5, 1, video_id=CLIP), row(6, video_id=CLIP), row(7, video_id=CLIP)]
    path = table(tmp_path / "vfhq.parquet", rows)
    entries = [("7", 3), ("5", 1), ("99", 0)]  # row 1 is the second face of frame 5
    sample = {
        f"{place:08d}.png": {
            "original_path": f"/data/aligned/{CLIP}/{frame:0>8}_0.png",
            "original_csv": "/elsewhere/vfhq.parquet",
            "row_index": index,
        }
        for place, (frame, index) in enumerate(entries)
    }
    (tmp_path / "metadata.json").write_text(json.dumps(sample))
    found = read_metadata([str(path), str(tmp_path / "metadata.json")]).faces
    assert found.select("frameid", "idx").rows() == [(7, 0), (5, 1), (99, None)]
    assert found["x1"].to_list() == [1.0, 1.0, None]
    alone = read_metadata([str(tmp_path / "metadata.json")]).faces
    assert alone.select("clip", "frameid").rows() == [(CLIP, 7), (CLIP, 5), (CLIP, 99)]


@pytest.mark.parametrize("listed", [f"{CLIP}\n", f"train/{CLIP}.txt\n\n", "_-91nXXjrVo\n"])
def test_lists_keep_their_clips(tmp_path: Path, listed: str) -> None:
    path = table(tmp_path / "all.parquet", [row(1, video_id=CLIP), row(1, video_id="M2Ohb0FAaJU_1")])
    (tmp_path / "ids.txt").write_text(listed)
    assert read_metadata([str(path), str(tmp_path / "ids.txt")]).faces["clip"].to_list() == [CLIP]


def test_annotations_among_the_metadata_are_told_apart(tmp_path: Path) -> None:
    table(tmp_path / "all.csv", [row(1, video_id=CLIP)])
    (tmp_path / f"{CLIP}.txt").write_text("H 1\nW 1\nFPS 1\nCROP 0 0 1 1\n")
    (tmp_path / "celebvhq_info.json").write_text('{"clips": {}}')
    found = read_metadata([str(tmp_path)])
    assert [Path(uri).name for uri in found.annotations] == [f"{CLIP}.txt", "celebvhq_info.json"]


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.csv", "x,y\n1,2\n", "no column 'frameid'"),
        ("a.csv", "frameid,x1\nabc,1\n", "not EFHQ's table"),
        ("a.json", "{", "not readable as JSON"),
        ("a.json", "[]", "neither EFHQ's metadata.json"),
        ("a.json", '{"0.png": {"original_path": "x.png"}}', "does not end with CLIP/FRAME_FACE.png"),
        ("a.parquet", "nonsense", "not readable as a table"),
        ("a.txt", "clip\n", "no table"),
    ],
)
def test_what_can_not_be_read(tmp_path: Path, name: str, text: str, said: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(UserError, match=said):
        read_metadata([str(tmp_path / name)])


def test_youtube_ids() -> None:
    assert youtube_id(CLIP) == "_-91nXXjrVo"
    assert youtube_id("_0tf2n3rlJU_12") == "_0tf2n3rlJU"
