"""The columns of the faces table as arrays."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from synthetic import joined, video

from lpff_ray.curate.faces import face_arrays, first_seen_numbers, renumbered, unit_length


def test_rows_come_sorted_in_whatever_order_they_are_given() -> None:
    table = joined(video("b", [1, 2], 5), video("a", [1], 5))
    faces, shuffled = face_arrays(table), face_arrays(table.sample(fraction=1, shuffle=True, seed=3))
    assert shuffled.ids.equals(faces.ids)
    for name in ("video", "frame", "embedding", "rotation", "phash", "quality"):
        assert np.array_equal(getattr(faces, name), getattr(shuffled, name))
    assert faces.video.tolist() == [0] * 5 + [1] * 10


def test_what_was_not_measured_has_no_quality() -> None:
    table = video("a", [1], 3).with_columns(iqa=pl.Series([None, float("nan"), 50.0], dtype=pl.Float32))
    faces = face_arrays(table)
    assert faces.quality[:2].tolist() == [0, 0]
    assert faces.quality[2] == pytest.approx(50 * 0.95 * 150 / 256, rel=1e-5)


def test_a_profile_says_less_about_who_it_is() -> None:
    table = video("a", [1], 2, still=True).with_columns(yaw=pl.Series([0.0, 60.0], dtype=pl.Float32))
    clear, turned = face_arrays(table).clarity
    assert turned == pytest.approx(clear / 4, rel=0.05), "the squared cosine"


def test_no_faces_are_arrays_without_rows() -> None:
    faces = face_arrays(video("a", [1], 1).clear())
    assert len(faces.ids) == len(faces.video) == len(faces.embedding) == 0


def test_numbers_follow_the_first_appearance() -> None:
    assert first_seen_numbers(pl.Series(["b", "a", "b", "c"])).tolist() == [0, 1, 0, 2]
    assert renumbered(np.array([7, 3, 7, 9])).tolist() == [0, 1, 0, 2]
    assert np.linalg.norm(unit_length(np.float32([[3, 4], [0, 2]])), axis=1) == pytest.approx([1, 1])
