"""Reduced frames, and batches of pictures of one size, for the first pass of detectors."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

PAD_TO = 32  # what CenterFace's and BlazeFace's sides are multiples of; also, few sizes are then run


def reduced(image: NDArray[np.uint8], frame: NDArray[np.uint8], scale: float) -> NDArray[np.uint8]:
    """`frame` at `scale`, without aliasing, made from `image`: the frame itself or an already reduced one.

    Averaging by a whole number comes first because it is fast. Evidence: docs/evidence/speed.md#reducing-frames
    """
    height, width = (max(1, round(side * scale)) for side in frame.shape[:2])
    if (height, width) == image.shape[:2]:
        return image
    step = min(image.shape[0] // height, image.shape[1] // width)
    if step > 1:
        averaged = image[: image.shape[0] // step * step, : image.shape[1] // step * step]
        image = cv2.resize(
            averaged, (image.shape[1] // step, image.shape[0] // step), interpolation=cv2.INTER_AREA
        )
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR)


def padded(images: Sequence[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """Images of one size as a batch [n, h, w, 3], black on the right and below up to multiples of PAD_TO."""
    height, width = (-(-side // PAD_TO) * PAD_TO for side in images[0].shape[:2])
    batch = np.zeros((len(images), height, width, 3), np.uint8)
    for slot, image in zip(batch, images, strict=True):
        slot[: image.shape[0], : image.shape[1]] = image
    return batch
