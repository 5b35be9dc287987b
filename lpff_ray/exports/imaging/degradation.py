"""EFHQ's degradations of its verification crops, the same every time.

Source: EFHQ, `3_align_sample/cli_face_verification.py`: albumentations' RandomBrightnessContrast, Downscale and
ImageCompression with the defaults of its release 1.3, each with probability 0.5.
"""

from __future__ import annotations

import hashlib

import cv2
import numpy as np
from numpy.typing import NDArray

PROBABILITY = 0.5
LIMIT = 0.2  # of brightness and contrast, either way
DOWNSCALE = (0.25, 0.35)  # by nearest neighbours, down and up
JPEG_QUALITY = (99, 100)


def degraded(crop: NDArray[np.uint8], face_id: str, seed: int) -> NDArray[np.uint8]:
    """The crop [s, s, 3] RGB with EFHQ's random degradations; what is drawn depends on seed and face_id alone."""
    digest = hashlib.sha256(f"{seed}:{face_id}".encode()).digest()
    rng = np.random.default_rng(int.from_bytes(digest[:8], "big"))
    chances = rng.random(3) < PROBABILITY
    contrast, brightness = rng.uniform(-LIMIT, LIMIT, 2)
    scale, quality = rng.uniform(*DOWNSCALE), int(rng.integers(JPEG_QUALITY[0], JPEG_QUALITY[1] + 1))
    if chances[0]:
        crop = np.clip(crop * (1.0 + contrast) + 255.0 * brightness, 0, 255).astype(np.uint8)
    if chances[1]:
        height, width = crop.shape[:2]
        small = cv2.resize(crop, (int(width * scale), int(height * scale)), interpolation=cv2.INTER_NEAREST)
        crop = np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_NEAREST), np.uint8)
    if chances[2]:
        _, packed = cv2.imencode(".jpg", crop[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
        crop = np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR)[..., ::-1], np.uint8)
    return np.ascontiguousarray(crop)
