"""The same clip under another name."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from synthetic import joined, video

from lpff_ray.curate.config import DedupeConfig
from lpff_ray.curate.dedupe import dedupe_faces
from lpff_ray.curate.duplicates import clips

CONFIG = DedupeConfig(duplicate_bits=20).resolved("dlib-resnet")


def found(*videos: pl.DataFrame) -> list[tuple[str, str, float, float, int]]:
    table = dedupe_faces(joined(*videos), CONFIG, "dlib-resnet").video_duplicates
    assert (table["agreement"] >= CONFIG.clip_agreement).all()
    return table.select("video_id", "duplicate_of", "offset_s", "overlap_s", "faces").rows()


def renamed(table: pl.DataFrame, name: str, first: int = 0, last: int = 10_000) -> pl.DataFrame:
    """Looked-at frames first .. last - 1 of a video as a video of their own, a little noisier and worse."""
    kept = table.filter((pl.col("frame_index") >= first * 5) & (pl.col("frame_index") < last * 5))
    start = first * 5
    noise = np.random.default_rng(5).normal(size=(len(kept), 128)) * 0.004
    embedding = kept["embedding"].to_numpy() + noise
    embedding /= np.linalg.norm(embedding, axis=1, keepdims=True)
    position = pl.col("face_id").str.split(":").list.get(2)
    return kept.with_columns(
        pl.format("{}:{}:{}", pl.lit(name), pl.col("frame_index") - start, position).alias("face_id"),
        pl.col("frame_index") - start,
        pl.col("pts_ns") - start * 40_000_000,
        pl.lit(name).alias("video_id"),
        pl.col("track_id").str.replace("^[a-z]+", name),
        pl.col("segment_id").str.replace("^[a-z]+", name),
        pl.col("iqa") - 20,
        pl.Series("embedding", embedding, dtype=kept.schema["embedding"]),
        pl.col("phash") ^ np.uint64(0b1001),
    )


def test_a_worse_copy_repeats_the_better_clip() -> None:
    clip = video("m", [1], 60)
    for name in ("a", "z"):  # before and behind it in the table
        assert found(clip, renamed(clip, name)) == [(name, "m", 0.0, 11.8, 60)]


def test_a_trimmed_copy_lies_at_its_offset() -> None:
    clip = video("m", [1, 2], 60)
    assert found(clip, renamed(clip, "z", 20, 50)) == [("z", "m", 4.0, 5.8, 60)]


def test_a_clip_made_of_parts_of_two_repeats_both() -> None:
    one, two = video("m", [1], 60), video("n", [2], 60)
    second = renamed(two, "z", 10, 40).with_columns(
        pl.col("frame_index") + 150,
        pl.col("pts_ns") + 6_000_000_000,
        pl.format("z:{}:1", pl.col("frame_index") + 150).alias("face_id"),
        pl.lit("z-00000:1").alias("track_id"),
    )
    mixed = joined(renamed(one, "z", 0, 30), second)
    assert found(one, two, mixed) == [("z", "m", 0.0, 5.8, 30), ("z", "n", -4.0, 5.8, 30)]


def test_two_takes_of_one_person_do_not_repeat_each_other() -> None:
    assert found(video("m", [1], 60, seed=1), video("n", [1], 60, seed=2)) == []


def test_a_few_faces_in_common_do_not_make_a_copy() -> None:
    clip = video("m", [1], 60)
    assert found(clip, renamed(clip, "z", 0, 4)) == []
    photo = video("p", [1], 1)
    assert found(photo, renamed(photo, "q")) == []


@pytest.mark.parametrize("crowd", [1, 8])
def test_many_copies_are_all_reported(crowd: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clips, "_CROWD", crowd)
    clip = video("m", [1], 40)
    pairs = found(clip, *(renamed(clip, name) for name in "wxyz"))
    assert {copy for copy, *_ in pairs} == set("wxyz")
    assert [pair[1] for pair in pairs].count("m") == 4
    assert len(pairs) == (4 if crowd == 1 else 10), "beyond a crowd each is compared with the best only"
