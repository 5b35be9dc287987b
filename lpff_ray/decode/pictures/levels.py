"""Pictures of more than 8 bits a sample (integers, fractions) as the 8 bits that everything after decoding works on."""

from __future__ import annotations

import logging
from typing import Any, BinaryIO

import cv2
import numpy as np
import numpy.typing as npt
import tifffile
from PIL import Image

BITS = (8, 10, 12, 14, 16, 24, 31, 32)
"""Bits of a sample that cameras and scanners write, often into a wider integer without a word about it."""

log = logging.getLogger(__name__)
# What it has to say of damaged files reaches whoever handles logs, not a terminal by default.
logging.getLogger("tifffile").addHandler(logging.NullHandler())
_ROWS = 64  # looked at at once: the largest photos would take gigabytes as floating-point numbers
_BITS_PER_SAMPLE = 258  # the tag of TIFF


def eight_bits(levels: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """Integers or fractions of any shape and size as uint8.

    The largest value tells the scale, for files do not: fractions reach from 0 to 1; whole numbers, and fractions above
    1, are as wide as the narrowest of BITS that holds them, so that 12 bits in a 16-bit file are not black. Raises
    ValueError where numbers below 0 leave no scale to tell.
    """
    if levels.dtype == np.uint8:
        return levels
    if levels.dtype == np.bool_:
        return levels.astype(np.uint8) * np.uint8(255)
    fractional = np.issubdtype(levels.dtype, np.floating)
    largest = least = 0.0
    for at in range(0, len(levels), _ROWS):
        part = _finite(levels[at : at + _ROWS], fractional)
        largest, least = max(largest, float(part.max(initial=0))), min(least, float(part.min(initial=0)))
    if least < -0.01 * largest:
        raise ValueError(
            f"its numbers reach from {least:g} to {largest:g}, which tells no scale: save it with 8 or 16 bits"
        )
    if fractional and largest <= 1:
        factor, rounding = 255.0, 0.5
    else:
        bits = next((bits for bits in BITS if largest < 1 << bits), None)
        if bits is None:
            raise ValueError(f"its numbers reach up to {largest:g}: save it with 8 or 16 bits")
        factor, rounding = 2.0 ** (8 - bits), 0.0
    shown = np.empty(levels.shape, np.uint8)
    for at in range(0, len(levels), _ROWS):
        part = _finite(levels[at : at + _ROWS], fractional)
        shown[at : at + _ROWS] = np.clip(part, 0, None) * np.float64(factor) + rounding
    return shown


def _finite(part: npt.NDArray[Any], fractional: bool) -> npt.NDArray[Any]:
    return np.nan_to_num(part, nan=0.0, posinf=0.0, neginf=0.0) if fractional else part


def deep_levels(image: Image.Image, path: str) -> tuple[npt.NDArray[Any], int] | None:
    """The samples of a picture of more than 8 bits, as stored; None for one that Pillow reads as it is.

    image: opened, not loaded yet. path: of its file, "" if it has none. Samples: [h, w] or [h, w, 3], neither turned
    nor scaled. The number is their orientation, 0 for the one that Pillow says. (Pillow keeps 8 bits of colours.)
    """
    if path:
        if image.format == "TIFF" and max(image.tag_v2.get(_BITS_PER_SAMPLE) or (8,)) > 8:  # type: ignore[attr-defined]
            try:
                return tiff_levels(path)
            except (
                ValueError
            ):  # a compression that tifffile has no decoder for; or damaged, which Pillow will say
                log.debug("%s: not read by tifffile", path, exc_info=True)
        single = image.format == "PNG" and getattr(image, "n_frames", 1) == 1
        tiles = getattr(image, "tile", None) if single else None
        raw = tiles[0][3] if tiles else ""
        if isinstance(raw, str) and raw.endswith(";16B") and image.mode in ("RGB", "RGBA", "LA"):
            found = cv2.imread(path, cv2.IMREAD_UNCHANGED)
            if found is not None and found.ndim == 3 and found.shape[2] >= 3:
                return np.asarray(found[:, :, 2::-1]), 0
    if image.mode.startswith("I") or image.mode == "F":
        return np.asarray(image), 0
    return None


def tiff_levels(file: str | BinaryIO) -> tuple[npt.NDArray[Any], int]:
    """The samples of a TIFF's first page, [h, w] or [h, w, 3], as stored, and its orientation.

    Raises ValueError if they can not be read.
    """
    try:
        with tifffile.TiffFile(file) as opened:
            page = opened.pages[0]
            assert isinstance(page, tifffile.TiffPage)
            levels = np.asarray(page.asarray())
            if page.axes.startswith("S"):
                levels = np.moveaxis(levels, 0, -1)
            orientation = int(page.tags.valueof("Orientation", 1))
            inverted = page.photometric == tifffile.PHOTOMETRIC.MINISWHITE
    except Exception as error:  # damaged files make tifffile raise whatever its parsing meets
        raise ValueError(str(error).split("\n")[0] or type(error).__name__) from error
    if levels.ndim == 3:
        levels = levels[:, :, :3] if levels.shape[2] >= 3 else levels[:, :, 0]
    if levels.ndim != 2 and levels.shape[2:] != (3,):
        raise ValueError(f"a picture of {levels.ndim} dimensions")
    return (levels.max() - levels if inverted else levels), orientation
