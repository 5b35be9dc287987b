"""Images as the bytes of PNG and JPEG files: the same pixels give the same bytes."""

from __future__ import annotations

from pathlib import PurePosixPath

import cv2
import numpy as np
from numpy.typing import NDArray

PNG_LEVEL = (
    3  # lossless; with Z_RLE any level will do, but it must be set. Evidence: docs/evidence/exports.md#png
)
JPEG_QUALITY = 95  # without chroma subsampling, since crops are scaled again in training

_SETTINGS = {
    ".png": [
        *(cv2.IMWRITE_PNG_COMPRESSION, PNG_LEVEL),
        *(cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE),
    ],
    ".jpg": [
        *(cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY),
        *(cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444),
    ],
}


def encode_image(pixels: NDArray[np.uint8], name: str) -> bytes:
    """Encode uint8 [h, w, 3] RGB or [h, w] gray as the ending of `name` says: .png or .jpg (quality 95, 4:4:4).

    sRGB, without a profile, as the data sets' own images are. Raises ValueError for another ending.
    """
    ending = PurePosixPath(name).suffix
    if ending not in _SETTINGS:
        raise ValueError(f"{name}: pictures end with {' or '.join(_SETTINGS)}")
    ordered = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR) if pixels.ndim == 3 else pixels
    done, content = cv2.imencode(ending, ordered, _SETTINGS[ending])
    assert done, name
    return content.tobytes()
