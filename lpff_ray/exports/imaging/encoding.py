"""Pictures as the bytes of PNG and JPEG files: the same pixels give the same bytes."""

from __future__ import annotations

from pathlib import PurePosixPath

import cv2
import numpy as np
from numpy.typing import NDArray

# Lossless in any way. Measured on crops of real videos, one thread, of 512 pixels and of LPFF's 2400: to look for runs
# only (Z_RLE) takes 11 ms and 202 kB, 159 ms and 1814 kB; zlib's own search at level 1 takes 12 ms and 237 kB, 166 ms
# and 2323 kB; at level 3 17 ms and 219 kB, 229 ms and 2072 kB. Filtered photos repeat little but zeros. The level does
# nothing for Z_RLE, but without one OpenCV takes one row filter for all of the picture: 7 ms and 264 kB.
PNG_LEVEL = 3
# All of the colour, since crops are scaled again in training. 3 ms and 61 kB on the same crops.
JPEG_QUALITY = 95

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


def encode(pixels: NDArray[np.uint8], name: str) -> bytes:
    """Encode uint8 [h, w, 3] RGB or [h, w] gray as the ending of `name` says: .png or .jpg (quality 95, 4:4:4).

    sRGB, without a profile, as the datasets' own pictures are. Raises ValueError for another ending.
    """
    ending = PurePosixPath(name).suffix
    if ending not in _SETTINGS:
        raise ValueError(f"{name}: pictures end with {' or '.join(_SETTINGS)}")
    ordered = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR) if pixels.ndim == 3 else pixels
    done, content = cv2.imencode(ending, ordered, _SETTINGS[ending])
    assert done, name
    return content.tobytes()
