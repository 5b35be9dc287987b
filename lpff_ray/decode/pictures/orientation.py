"""How a photo lies in its file, by EXIF, and how it is shown."""

from __future__ import annotations

import logging

from PIL import ExifTags, Image

_TRANSPOSED = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_QUARTER_TURNS = {5, 6, 7, 8}  # EXIF orientations that exchange width and height

log = logging.getLogger(__name__)


def orientation_of(image: Image.Image) -> int:
    """The EXIF orientation, 1..8, that is still to be applied to what Pillow decodes; 1 where none can be read.

    EXIF that makes no sense costs its orientation, not the photo: viewers show such files.
    """
    if image.format == "TIFF":
        return 1  # Pillow turns these itself, and states the size that they have then
    try:
        return int(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # whatever Pillow's parser meets in a damaged file
        log.debug("EXIF without an orientation that can be read", exc_info=True)
        return 1


def turned_size(image: Image.Image) -> tuple[int, int]:
    """(width, height) after EXIF orientation."""
    if orientation_of(image) in _QUARTER_TURNS:
        return image.height, image.width
    return image.width, image.height


def turned(image: Image.Image, orientation: int) -> Image.Image:
    """The picture upright; itself where nothing is to be done."""
    return image.transpose(_TRANSPOSED[orientation]) if orientation in _TRANSPOSED else image
