"""Brightness and the perceptual hash of a face; its sharpness and quality are in `image_quality.py`."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

HASHED = 32  # side of the picture that is hashed, pixels


def brightness(frame: NDArray[np.uint8], box: NDArray) -> float:
    """Perceived brightness 0..255 of the part of `box` (x0, y0, x1, y1 pixels) that lies in the frame, RGB [h, w, 3].

    sqrt(0.299 R^2 + 0.587 G^2 + 0.114 B^2) of the mean colour, as EFHQ's `1_attributes_extraction/brightness.py`.
    """
    height, width = frame.shape[:2]
    x0, y0 = (int(min(max(v, 0), limit - 1)) for v, limit in zip(box[:2], (width, height), strict=True))
    x1, y1 = int(min(max(box[2], x0 + 1), width)), int(min(max(box[3], y0 + 1), height))
    step = max(1, (x1 - x0) // 64)
    red, green, blue = frame[y0:y1:step, x0:x1:step].reshape(-1, 3).mean(0)
    return float(np.sqrt(0.299 * red**2 + 0.587 * green**2 + 0.114 * blue**2))


def perceptual_hash(chip: NDArray[np.uint8]) -> int:
    """64-bit DCT hash of an aligned chip uint8 RGB; similar pictures differ in few bits.

    The bits of OpenCV's `img_hash.pHash`, which only builds with the contrib modules have.
    """
    grey = cv2.cvtColor(chip, cv2.COLOR_RGB2GRAY)
    small = cv2.resize(grey, (HASHED, HASHED), interpolation=cv2.INTER_LINEAR_EXACT).astype(np.float32)
    low = np.ascontiguousarray(cv2.dct(small)[:8, :8])
    low[0, 0] = 0
    bits = (low > cv2.mean(low)[0]).reshape(8, 8)
    return int.from_bytes(np.packbits(bits, axis=1, bitorder="little").tobytes(), "big")
