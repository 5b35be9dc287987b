"""The `iqa` column by the optional model HyperIQA, whose scale EFHQ's threshold of 42 is on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from lpff_ray.geometry.transforms import crop_transform, warp_crop
from lpff_ray.models.optional.hyperiqa import HyperIqa

# Side of the scored square over the longer side of BlazeFace's box: about that of a portrait crop
PORTRAIT = 2.0
WIDTH, HEIGHT = 384, 512  # EFHQ's resize, which squeezes
PATCH = HyperIqa.side
# EFHQ takes the mean over ten random patches; the mean over a grid that covers the picture is the same every time.
CORNERS = [(x, y) for y in (0, 144, 288) for x in (0, 80, 160)]


class HyperIqaScorer:
    """Scores the image quality of faces with HyperIQA."""

    def __init__(self, path: Path, device: str) -> None:
        """Raises UserError if the file can not be used."""
        self._network = HyperIqa(path, device)

    def __call__(self, pictures: Sequence[NDArray[np.uint8]], boxes: NDArray) -> NDArray[np.float32]:
        """Scores [n], 0..100, higher is better, of the faces in boxes [n, 4]; pictures: RGB, one entry per face."""
        scores = []
        for picture, box in zip(pictures, boxes, strict=True):
            patches = self._network(np.stack(_patches(picture, box)))
            scores.append(np.clip(patches.astype(np.float64).mean(), 0.0, 100.0))
        return np.array(scores, np.float32)


def _patches(picture: NDArray[np.uint8], box: NDArray) -> list[NDArray[np.uint8]]:
    side = float(max(box[2] - box[0], box[3] - box[1])) * PORTRAIT
    square = warp_crop(picture, crop_transform((box[:2] + box[2:]) / 2, side, 0.0, HEIGHT), HEIGHT)
    portrait = cv2.resize(square, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
    return [portrait[y : y + PATCH, x : x + PATCH] for x, y in CORNERS]
