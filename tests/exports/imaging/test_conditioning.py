"""The drawing of 68 points."""

from __future__ import annotations

import cv2
import numpy as np

from lpff_ray.exports.imaging.conditioning import REGIONS, draw_points
from lpff_ray.geometry.head_model import head_model
from lpff_ray.measure.pose.landmarks import SCHEME_68


def test_drawing_is_anti_aliased_and_as_wide_for_any_size() -> None:
    points = 30 * head_model().mesh[SCHEME_68]  # pixels to the centimetre
    small, large = (
        draw_points(points * size / 512 * 0.8 + [size / 2, size * 0.6, 0], size) for size in (256, 512)
    )
    assert len(np.unique(large)) > 60, "edges are graded"
    reduced = cv2.resize(large, (256, 256), interpolation=cv2.INTER_AREA)
    assert np.abs(reduced.astype(int) - small).mean() < 1.5
    assert {point for region in REGIONS for point in region.points} == set(range(68))


def test_what_is_nearer_is_drawn_over_what_is_further_away() -> None:
    jaw, brow = REGIONS[0], REGIONS[3]
    points = np.full((68, 3), 50.0)
    points[list(jaw.points)] = np.linspace([100, 500, 0], [900, 500, 0], len(jaw.points))
    for depth, seen in ((-5.0, brow), (5.0, jaw)):
        points[list(brow.points)] = np.linspace([505, 100, depth], [505, 900, depth], len(brow.points))
        assert tuple(draw_points(points, 1024)[500, 505]) == seen.colour
