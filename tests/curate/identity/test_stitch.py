"""Tracks over the borders of segments."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from synthetic import joined, later, video

from lpff_ray.curate.faces import face_arrays
from lpff_ray.curate.identity.tracks import Tracks, whole_tracks
from lpff_ray.measure.identity.embeddings import DLIB


def tracks(table: pl.DataFrame) -> Tracks:
    return whole_tracks(face_arrays(table), DLIB.distances.stitch)


def lengths(table: pl.DataFrame) -> list[int]:
    """Faces of every track, in the order of their first faces."""
    return np.bincount(tracks(table).of_face).tolist()


def test_pieces_over_many_borders_are_one_track() -> None:
    table = joined(video("a", [1, 2], 40, segment_frames=9), video("b", [1], 40, segment_frames=7))
    found = tracks(table)
    assert np.bincount(found.of_face).tolist() == [40, 40, 40]
    assert found.names.to_list() == ["a-00000:0", "a-00000:1", "b-00000:0"]
    assert found.pieces == 5 + 5 + 6


@pytest.mark.parametrize(
    ("gap_s", "every", "tracks"), [(0.2, 5, 1), (0.9, 5, 1), (1.1, 5, 2), (2.0, 50, 1), (4.0, 50, 2)]
)
def test_a_face_may_be_unseen_as_long_as_in_the_tracker(gap_s: float, every: int, tracks: int) -> None:
    first = video("a", [1], 10, every=every, still=True)
    again = later(video("a", [1], 10, every=every, still=True), 9 * every / 25 + gap_s)
    assert len(lengths(joined(first, again))) == tracks


def test_a_shot_boundary_on_a_border_does_not_make_two_people_one() -> None:
    first, after = video("a", [1], 10, still=True), later(video("a", [2], 10, still=True), 2.0)
    assert lengths(joined(first, after)) == [10, 10]


def test_one_who_is_elsewhere_is_another_track() -> None:
    first = video("a", [1], 10, still=True)
    moved = pl.Series(np.float32([900, 100, 1050, 250])[None].repeat(10, axis=0), dtype=first.schema["bbox"])
    assert lengths(joined(first, later(first, 2.0).with_columns(bbox=moved))) == [10, 10]


def test_nothing_is_joined_within_a_segment_or_over_another_video() -> None:
    first = video("a", [1], 10, still=True)
    after = later(first, 2.0).with_columns(pl.lit("a-00000").alias("segment_id"))
    assert lengths(joined(first, after)) == [10, 10], "the tracker saw both, and had its reasons"
    assert lengths(joined(first, video("b", [1], 10, still=True))) == [10, 10]


def test_two_alike_people_side_by_side_are_not_mixed_up() -> None:
    table = joined(video("a", [1, 1], 20, segment_frames=10, still=True))
    found = tracks(table)
    positions = [int(face[-1]) for face in table["face_id"]]
    assert (found.of_face == np.array(positions)).all()
