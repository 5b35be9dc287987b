"""Transforms and the pixels they fetch."""

from __future__ import annotations

import numpy as np
import pytest

from lpff_ray.geometry import transforms as geometry


def test_crop_transform_puts_the_centre_in_the_middle_and_levels_the_angle() -> None:
    matrix = geometry.crop_transform(np.array([30.0, 40.0]), 20.0, np.radians(30), 100)
    assert geometry.apply(matrix, np.array([30.0, 40.0])) == pytest.approx([50, 50])
    along = np.array([30 + np.cos(np.radians(30)), 40 + np.sin(np.radians(30))])
    assert geometry.apply(matrix, along) == pytest.approx([55, 50])
    assert geometry.scale_of(matrix) == pytest.approx(5.0)


def test_invert_undoes() -> None:
    matrix = geometry.crop_transform(np.array([3.0, -4.0]), 7.0, 1.1, 64)
    points = np.random.default_rng(0).normal(size=(9, 2)) * 50
    assert geometry.apply(geometry.invert(matrix), geometry.apply(matrix, points)) == pytest.approx(points)


def test_similarity_is_recovered_exactly_from_moved_points() -> None:
    source = np.array([[0.0, 0.0], [4.0, 1.0], [2.0, 5.0]])
    true = geometry.crop_transform(np.array([1.0, 2.0]), 3.0, -0.7, 10)
    found = geometry.similarity_from_points(source, geometry.apply(true, source))
    assert found == pytest.approx(true)


def test_warp_crop_fetches_the_exact_pixels_when_nothing_is_scaled() -> None:
    frame = np.random.default_rng(1).integers(0, 256, (40, 60, 3), np.uint8)
    crop = geometry.warp_crop(frame, geometry.crop_transform(np.array([25.0, 20.0]), 10, 0.0, 10), 10)
    assert np.array_equal(crop, frame[15:25, 20:30])


def test_warp_crop_averages_when_it_shrinks_and_is_black_outside() -> None:
    frame = np.zeros((80, 80, 3), np.uint8)
    frame[::2] = 255  # lines of one pixel: a crop that skips pixels would see all or nothing
    crop = geometry.warp_crop(frame, geometry.crop_transform(np.array([40.0, 40.0]), 64, 0.0, 16), 16)
    assert crop.mean() == pytest.approx(127.5, abs=2)
    outside = geometry.warp_crop(frame, geometry.crop_transform(np.array([500.0, 40.0]), 64, 0.0, 16), 16)
    assert outside.max() == 0


def test_warp_crop_reads_frames_wider_than_opencv_warps() -> None:
    """OpenCV refuses 32,767 pixels and more: one panorama ended a whole run."""
    frame = np.zeros((40, 40_000, 3), np.uint8)
    frame[10:20, 35_000:35_010] = np.random.default_rng(2).integers(0, 256, (10, 10, 3), np.uint8)
    crop = geometry.warp_crop(frame, geometry.crop_transform(np.array([35_005.0, 15.0]), 10, 0.0, 10), 10)
    assert np.array_equal(crop, frame[10:20, 35_000:35_010])
