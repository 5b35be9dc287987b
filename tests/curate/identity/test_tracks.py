"""What tracks look like, and who was seen together."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from synthetic import joined, later, person, video

from lpff_ray.curate.faces import face_arrays
from lpff_ray.curate.identity.tracks import Tracks, whole_tracks
from lpff_ray.measure.identity.embeddings import DLIB


def tracks(table: pl.DataFrame) -> Tracks:
    return whole_tracks(face_arrays(table), DLIB.distances.stitch)


def test_seen_together_is_seen_in_one_frame() -> None:
    table = joined(video("a", [1, 2, 3], 10), video("b", [1], 10))
    found = tracks(table)
    assert found.apart.tolist() == [[0, 1], [0, 2], [1, 2]]


def test_a_track_is_as_far_away_as_its_faces_are() -> None:
    """Means of unit length come closer as more faces average their noise away: one threshold did not fit both."""
    table = joined(video("a", [1], 12, seed=1), video("b", [2], 12, seed=2))
    found, faces = tracks(table), face_arrays(table).embedding
    first, second = (faces[found.of_face == track] for track in (0, 1))
    pairs = ((first[:, None] - second[None]) ** 2).sum(2)
    assert 2 - 2 * found.embedding[0] @ found.embedding[1] == pytest.approx(pairs.mean(), rel=0.02)
    assert np.linalg.norm(found.embedding[0]) < 1
    assert found.video.tolist() == [0, 1]


def test_clear_faces_say_who_it_is() -> None:
    table = joined(video("a", [1], 4, still=True), later(video("a", [2], 4, still=True), 0.8))
    one_track = table.with_columns(pl.lit("t").alias("track_id"), pl.lit("s").alias("segment_id"))
    # The first four faces look into the camera, the others are profiles of somebody else (a tracker's mistake).
    turned = one_track.with_columns(
        pl.when(pl.int_range(pl.len()) < 4).then(0.0).otherwise(88.0).alias("yaw")
    )
    found = tracks(turned)
    assert len(found.names) == 1
    start = face_arrays(table).embedding[0]
    assert found.embedding[0] @ start > 0.98
    assert found.embedding[0] @ person(2) < 0.3
    assert found.clarity[0] == pytest.approx(0.8 * 0.95, abs=0.02)
