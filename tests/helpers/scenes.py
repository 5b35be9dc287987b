"""Grey frames with the portrait that ships with scikit-image, at any size and place, as detectors' boxes measure it."""

from __future__ import annotations

import cv2
import numpy as np
from skimage.data import astronaut

HEAD = np.array([180.0, 60.0, 269.0, 178.0])  # the portrait's face, hair to chin, in its 512 pixels
INNER_WIDTH, INNER_MIDDLE = 105.0, (224.0, 125.0)  # of the square from brows to chin, as BlazeFace's box
FRAME = (720, 1280)


def scene_by_head(longer: float, x: float, y: float, size: tuple[int, int] = FRAME) -> np.ndarray:
    """The face, hair to chin, is `longer` pixels high with its centre at (x, y)."""
    return _scene(longer / (HEAD[3] - HEAD[1]), (HEAD[:2] + HEAD[2:]) / 2, x, y, size)


def scene_by_inner_box(face_px: float, x: float, y: float, size: tuple[int, int] = FRAME) -> np.ndarray:
    """The square from brows to chin is `face_px` pixels wide with its centre at (x, y)."""
    return _scene(face_px / INNER_WIDTH, np.array(INNER_MIDDLE), x, y, size)


def _scene(scale: float, middle: np.ndarray, x: float, y: float, size: tuple[int, int]) -> np.ndarray:
    matrix = np.array([[scale, 0, x - middle[0] * scale], [0, scale, y - middle[1] * scale]])
    return cv2.warpAffine(astronaut(), matrix, size[::-1], flags=cv2.INTER_AREA, borderValue=(128, 128, 128))
