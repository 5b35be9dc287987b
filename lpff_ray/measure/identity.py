"""The aligned face chip and its identity embedding."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lpff_ray.measure.detect import LEFT_EYE, MOUTH, RIGHT_EYE
from lpff_ray.measure.geometry import sample, similarity_from_points

CHIP = 150
# Where the eyes and the mouth go in the chip, as shares of its side. Measured on 10 people x 10 photos of LFW:
# AUC 0.9997 with this alignment against 0.9980 with dlib's own five-point chip.
CHIP_POINTS = np.array([[0.315, 0.36], [0.685, 0.36], [0.5, 0.72]])


def chip_transform(keypoints: NDArray) -> NDArray[np.float64]:
    """Transform from frame pixels to the chip, from BlazeFace's keypoints [6, 2]."""
    return similarity_from_points(keypoints[[RIGHT_EYE, LEFT_EYE, MOUTH]], CHIP_POINTS * CHIP)


def aligned_chip(frame: NDArray[np.uint8], keypoints: NDArray) -> NDArray[np.uint8]:
    """Upright chip uint8 RGB [150, 150, 3] of a face in `frame`, as the embedding wants it."""
    return sample(frame, chip_transform(keypoints), CHIP)
