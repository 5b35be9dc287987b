"""The rows of the tables that `dedupe` writes."""

from __future__ import annotations

import polars as pl
import pytest
from synthetic import joined, video

from lpff_ray.curate.config import DedupeConfig
from lpff_ray.curate.dedupe import dedupe_faces
from lpff_ray.curate.dedupe_tables import with_uris
from lpff_ray.tables import schema


def test_marks_say_what_repeats_what() -> None:
    table = joined(video("a", [1], quality=60.0), video("b", [1], quality=80.0), video("c", [2], still=True))
    found = dedupe_faces(table, DedupeConfig(duplicate_bits=20).resolved("dlib-resnet"), "dlib-resnet")
    marks = found.marks
    assert marks.schema == schema.DEDUPE
    assert marks["face_id"].to_list() == table["face_id"].to_list()
    kept = marks.filter("keep")
    assert kept.select(pl.col("duplicate_of", "similarity", "rule").is_null().all()).row(0) == (True,) * 3
    repeats = marks.filter(~pl.col("keep"))
    assert set(repeats["duplicate_of"]) <= set(kept["face_id"])
    assert (repeats["similarity"] > 0.97).all()
    worse = marks.filter(pl.col("face_id").str.starts_with("a:"))
    assert not worse["keep"].any(), "the same frames in better quality are kept"
    assert set(worse["rule"]) == {"other_video"}
    assert kept.filter(pl.col("face_id").str.starts_with("c:")).height == 1
    identities = found.identities
    assert identities.schema == schema.IDENTITIES
    assert identities.select("faces", "tracks", "videos").rows() == [(80, 2, 2), (40, 1, 1)]
    assert identities["best_face_id"][0].startswith("b:")
    assert identities["spread"][0] == pytest.approx(0, abs=0.01)
    assert identities["yaw_min"][0] == pytest.approx(table.filter(pl.col("video_id") == "a")["yaw"].min())


def test_near_duplicate_clips_get_the_uris_of_both() -> None:
    pair = {
        "video_id": "z",
        "duplicate_of": "a",
        "offset_s": 0.0,
        "overlap_s": 2.0,
        "faces": 9,
        "agreement": 1.0,
    }
    uris = pl.DataFrame({"video_id": ["a", "z"], "uri": ["/a.mp4", "/z.mp4"]})
    table = with_uris(schema.frame([pair], schema.VIDEO_DUPLICATES), uris)
    assert table.schema == schema.VIDEO_DUPLICATES
    assert table.select("uri", "duplicate_of_uri").row(0) == ("/z.mp4", "/a.mp4")
