"""What every face detector returns, and the interface that the measurer expects of one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Detections:
    """Faces of one frame, left to right.

    boxes: float32 [n, 4], x0, y0, x1, y1 in frame pixels
    scores: float32 [n], 0..1
    keypoints: float32 [n, 6, 2], frame pixels, in BlazeFace's order: right eye, left eye, nose tip, mouth, right ear,
        left ear, right and left being the subject's
    rejected: how many faces were found but are too small or score too low
    """

    boxes: NDArray[np.float32]
    scores: NDArray[np.float32]
    keypoints: NDArray[np.float32]
    rejected: int = 0


class Detector(Protocol):
    """Finds faces in whole frames. Made with a device, the smallest face in pixels, and the lowest score."""

    def detect(self, frames: list[NDArray[np.uint8]]) -> list[Detections]:
        """Detect faces in frames uint8 RGB [h, w, 3], all of one size. Threads may share a detector."""
        ...
