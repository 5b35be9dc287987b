"""Aligned chips: the small upright crops of a face that identity embeddings are computed from."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lpff_ray.geometry.transforms import apply, similarity_from_points, warp_crop

CHIP = 150  # side of the chip, pixels
# Position of the eyes and the middle of the mouth in the chip, as shares of its side.
# Evidence: docs/evidence/identity.md#alignment
CHIP_POINTS = np.array([[0.315, 0.36], [0.685, 0.36], [0.5, 0.72]])
# Position of the nose tip in the chip of a frontal face, as shares of its side, and how far the chip follows a nose tip
# that is elsewhere, in x and y: it keeps a turned face in the chip. Evidence: docs/evidence/identity.md#turned-faces
NOSE_POSITION, NOSE_FOLLOW = np.array([0.5, 0.577]), np.array([0.5, 0.6])


def chip_transform(five: NDArray) -> NDArray[np.float64]:
    """Transform from frame pixels to the chip.

    five: eyes, nose tip, mouth corners [5, 2] in frame pixels, the subject's right first. They come from the fused pose
    (`measure.pose.fused`), which is right at profile too, where a detector's points of eyes and mouth are not.
    """
    transform = similarity_from_points(np.stack([five[0], five[1], five[3:].mean(0)]), CHIP_POINTS * CHIP)
    transform[:, 2] -= NOSE_FOLLOW * (apply(transform, five[2]) - NOSE_POSITION * CHIP)
    return transform


def aligned_chip(frame: NDArray[np.uint8], five: NDArray) -> NDArray[np.uint8]:
    """Upright chip uint8 RGB [150, 150, 3] of a face in `frame`, as the embedding wants it; see `chip_transform`."""
    return warp_crop(frame, chip_transform(five), CHIP)


# Position of eyes, nose tip and mouth corners in ArcFace's chip of 112 pixels: insightface's `arcface_dst`.
ARCFACE_POINTS = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]]
)
ARCFACE_CHIP = 112  # pixels


def arcface_chip(frame: NDArray[np.uint8], five: NDArray) -> NDArray[np.uint8]:
    """Upright chip uint8 RGB [112, 112, 3].

    five: eyes, nose tip, mouth corners [5, 2] in frame pixels, the subject's right first.
    """
    return warp_crop(frame, similarity_from_points(five, ARCFACE_POINTS), ARCFACE_CHIP)
