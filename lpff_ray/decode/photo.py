"""A photo as a video of one frame at t = 0."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import BinaryIO

import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image, ImageCms, ImageOps

from lpff_ray.decode.frame_source import Frame, FrameSource, FrameTable, check_indices
from lpff_ray.errors import segment_error
from lpff_ray.types import MediaKind, Stage

# 600 MB as RGB. Pillow itself refuses from twice its MAX_IMAGE_PIXELS on, which a program may have changed.
MAX_PIXELS = 200_000_000

# What Pillow raises for a file it does not know, a damaged one, and one that would unpack to an absurd size.
PILLOW_ERRORS = (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError)

_QUARTER_TURNS = {5, 6, 7, 8}  # EXIF orientations that exchange width and height
_PROFILED = {"L", "RGB", "CMYK"}  # Pillow's modes that an ICC profile can speak of


def open_photo(file: str | BinaryIO) -> Image.Image:
    """Read a photo's header. Raises one of PILLOW_ERRORS; ValueError if it is too large."""
    image = Image.open(file)
    if image.width * image.height > MAX_PIXELS:
        size = f"{image.width} x {image.height}"
        image.close()
        raise ValueError(f"{size} pixels are more than {MAX_PIXELS // 10**6} million: make the photo smaller")
    return image


def turned_size(image: Image.Image) -> tuple[int, int]:
    """(width, height) after EXIF orientation."""
    quarter_turn = image.getexif().get(ExifTags.Base.Orientation) in _QUARTER_TURNS
    return (image.height, image.width) if quarter_turn else (image.width, image.height)


def to_rgb(image: Image.Image) -> npt.NDArray[np.uint8]:
    """Decode to sRGB, uint8 [h, w, 3]: EXIF orientation and an embedded ICC profile are applied.

    Without a profile the numbers are taken for sRGB. Transparency is dropped: its colours show.
    """
    image = ImageOps.exif_transpose(image)
    profile = image.info.get("icc_profile")
    if image.mode.startswith("I") or image.mode == "F":
        image = Image.fromarray(_eight_bits(image))
    if profile:
        image = _to_srgb(image, profile)
    return np.array(image.convert("RGB"))


def _eight_bits(image: Image.Image) -> npt.NDArray[np.uint8]:
    levels = np.asarray(image)
    if image.mode == "F":
        return np.clip(levels, 0, 255).astype(np.uint8)
    # 16 bits a pixel, in a 16- or 32-bit integer
    return (np.clip(levels, 0, 65535).astype(np.uint16) >> 8).astype(np.uint8)


def _to_srgb(image: Image.Image, profile: bytes) -> Image.Image:
    """Apply an ICC profile to a picture of 8-bit gray, RGB or CMYK, or of what Pillow makes one of these of."""
    if image.mode not in _PROFILED:
        image = image.convert("L" if image.mode in ("1", "LA", "La") else "RGB")
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if ImageCms.getProfileDescription(source).startswith("sRGB"):
            return image
        converted = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
    except (ImageCms.PyCMSError, OSError):
        return image  # damaged, or of another colour model than the picture: browsers go without it, too
    assert converted is not None  # only a conversion in place returns nothing
    return converted


class PhotoSource(FrameSource):
    """A photo, read with Pillow. Raises SegmentError (stage "open") if it is not a readable photo."""

    name = "photo"
    kinds = frozenset({MediaKind.PHOTO})
    shortfall_is_final = True

    def __init__(self, path: str, threads: int = 1) -> None:
        self._path = path
        try:
            open_photo(path).close()
        except PILLOW_ERRORS as error:
            raise segment_error(Stage.OPEN, error, self.name) from None
        zero = np.zeros(1, np.int64)
        self.table = FrameTable(zero, np.ones(1, bool), zero, zero, Fraction(1, 1000))

    def frames(self, indices: Sequence[int]) -> Iterator[Frame]:
        """See FrameSource.frames."""
        for index in check_indices(indices, 1):
            try:
                with open_photo(self._path) as image:
                    rgb = to_rgb(image)
            except PILLOW_ERRORS as error:
                raise segment_error(Stage.DECODE, error, self.name) from None
            yield Frame(index, 0, rgb)
