"""EFHQ's degradations of verification crops."""

from __future__ import annotations

import numpy as np
from skimage.data import astronaut

from lpff_ray.exports.imaging.degradation import degraded

CROP = np.ascontiguousarray(astronaut()[60:172, 170:282])


def test_they_are_the_same_for_a_seed_and_a_face_and_others_for_others() -> None:
    one = degraded(CROP, "v:1:0", 0)
    assert np.array_equal(one, degraded(CROP.copy(), "v:1:0", 0))
    others = [degraded(CROP, f"v:{number}:0", seed) for number in range(1, 9) for seed in (0, 1)]
    assert len({picture.tobytes() for picture in others}) > 8


def test_half_of_the_crops_each_are_scaled_down_and_made_brighter_or_darker() -> None:
    pictures = [degraded(CROP, f"v:{number}:0", 0).astype(float) for number in range(200)]
    # Of a picture scaled down by three and more most pixels equal their neighbours.
    blocky = [np.mean(np.abs(np.diff(picture, axis=1)).mean((0, 2)) < 2.0) > 0.5 for picture in pictures]
    assert 0.35 < np.mean(blocky) < 0.65
    changed = np.array([abs(picture.mean() - CROP.mean()) > 1.5 for picture in pictures])
    assert 0.3 < changed.mean() < 0.6
    assert max(abs(picture.mean() - CROP.mean()) for picture in pictures) < 0.41 * 255
