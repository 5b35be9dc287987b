"""Published faces and measured ones, paired by overlap."""

from __future__ import annotations

import polars as pl

from lpff_ray.curate.rebuild.matching import matched

BOX = pl.Array(pl.Float64(), 4)


def test_pairs_by_falling_overlap() -> None:
    published = pl.DataFrame(
        {
            "key": [0, 1, 2, 3, 4, 5],
            "video_id": ["v", "v", "v", "w", "w", None],
            "frame_index": [7, 7, 8, 1, 2, None],
            # 0 overlaps a and b, b better; 1 overlaps b alone, less than 0 does. 2 is elsewhere. 3 and 4 have no box.
            "box": [[0, 0, 10, 10], [4, 0, 14, 10], [90, 90, 99, 99], None, None, None],
            "outcome": [None, None, None, None, None, "no video"],
        },
        schema_overrides={"box": BOX},
    )
    faces = pl.DataFrame(
        {
            "face_id": ["a", "b", "c", "d", "e", "f"],
            "video_id": ["v", "v", "v", "w", "w", "w"],
            "frame_index": [7, 7, 8, 1, 2, 2],
            "bbox": [
                [0, 5, 10, 15],
                [1, 0, 11, 10],
                [0, 0, 9, 9],
                [0, 0, 9, 9],
                [0, 0, 9, 9],
                [20, 0, 29, 9],
            ],
        },
        schema_overrides={"bbox": pl.Array(pl.Float32(), 4)},
    )
    found = matched(published, faces, 0.3)
    assert found["face_id"].to_list() == ["b", None, None, "d", None, None]
    assert found["outcome"].to_list() == [
        "matched",
        "no face there",
        "no face there",
        "matched",
        "several faces, no box",
        "no video",
    ]
    assert found["iou"][0] == 9 / 11
