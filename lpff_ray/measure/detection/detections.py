"""What every face detector returns, and the interface that the measurer expects of one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from lpff_ray.geometry.head_model import head_model


@dataclass(frozen=True)
class KeypointScheme:
    """The keypoints that a detector gives, and where they are on the head: a pose estimator is made of them.

    estimator: its name in `pose_votes`. model: float64 [k, 3], head frame, centimetres (`geometry.head_model`).
    sees_profiles: whether its keypoints are right at profile, so that its vote `frontal` counts there.
    """

    estimator: str
    model: NDArray[np.float64]
    sees_profiles: bool = False


def five_points(estimator: str) -> KeypointScheme:
    """The scheme of detectors that give eyes, nose tip and mouth corners, the subject's right first."""
    return KeypointScheme(estimator, head_model().five_points())


@dataclass(frozen=True)
class Detections:
    """Faces of one frame, left to right.

    boxes: float32 [n, 4], x0, y0, x1, y1 in frame pixels, of the whole face
    scores: float32 [n], 0..1
    keypoints: float32 [n, k, 2], frame pixels, in the order of the detector's scheme, right and left the subject's
    rejected: how many faces were found but are too small or score too low
    inner_boxes: float32 [n, 4], about the square from brows to chin, from ear to ear: PoseNet's first crop is made
        around it. None: the boxes are such squares
    turns: int64 [n], quarter turns anticlockwise (as `numpy.rot90`) after which a face is upright. None: no detector's
        word on that, all count as upright
    """

    boxes: NDArray[np.float32]
    scores: NDArray[np.float32]
    keypoints: NDArray[np.float32]
    rejected: int = 0
    inner_boxes: NDArray[np.float32] | None = None
    turns: NDArray[np.int64] | None = None


class Detector(Protocol):
    """Finds faces in whole frames. Made with a device, the smallest face in pixels, and the lowest score."""

    scheme: KeypointScheme

    def detect(self, frames: list[NDArray[np.uint8]]) -> list[Detections]:
        """Detect faces in frames uint8 RGB [h, w, 3], all of one size. Threads may share a detector."""
        ...
