"""A photo's file opened with Pillow, whatever its format: which formats, how large, and what Pillow alone refuses."""

from __future__ import annotations

import importlib
import io
import os
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import BinaryIO

from PIL import Image

from lpff_ray.decode.formats import TIFF_MAGIC
from lpff_ray.decode.pictures.levels import eight_bits, tiff_levels
from lpff_ray.decode.pictures.orientation import turned
from lpff_ray.errors import UserError

MAX_MEGAPIXELS, MEGAPIXELS_VARIABLE = 256, "LPFF_RAY_MAX_MEGAPIXELS"
"""Millions of pixels of one picture at most, unless the variable says otherwise: phones make 200; decoded, as RGB, the
limit takes 768 MB."""

FORMATS = ["JPEG", "PNG", "WEBP", "GIF", "BMP", "DIB", "TIFF", "AVIF", "JPEG2000", "PPM", "TGA", "QOI"]
"""Of Pillow's formats, the pictures. Others run programs (EPS), or hold what is no picture to look for faces in."""

_HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx"}
_AVIF_BRANDS = {b"avif", b"avis"}
NO_HEIC = "HEIC photos need a package: pip install 'lpff-ray[heic]', or convert them to JPEG"


def most_pixels() -> int:
    """Pixels of one picture at most. Raises UserError if the variable holds no number."""
    text = os.environ.get(MEGAPIXELS_VARIABLE, "")
    try:
        return round(float(text or MAX_MEGAPIXELS) * 1e6)
    except (ValueError, OverflowError):
        raise UserError(f"{MEGAPIXELS_VARIABLE}={text}: not a number of megapixels") from None


def _too_many(pixels: int) -> ValueError:
    return ValueError(
        f"{pixels / 1e6:.4g} million pixels are more than {most_pixels() / 1e6:g} million: make the photo smaller, "
        f"or set {MEGAPIXELS_VARIABLE} if the memory is there"
    )


class _PixelLimit:
    """While any thread is in it, Pillow's limit on pixels is ours. Raises ValueError where it is passed twice over.

    Pillow's is one number of the whole program, which is its user's: it is back when the last thread has left. Pillow
    minds it wherever a size is read: in headers, and in the frames of a GIF, which may be larger than the picture.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._users: int | None = None

    @contextmanager
    def __call__(self) -> Iterator[None]:
        most = most_pixels()
        with self._lock:
            if not self._inside:
                self._users = Image.MAX_IMAGE_PIXELS
            self._inside += 1
            Image.MAX_IMAGE_PIXELS = most  # Pillow warns from there on, and refuses from twice that
        try:
            yield
        except Image.DecompressionBombError as error:
            pixels = re.search(r"\d+", str(error))
            raise _too_many(int(pixels[0]) if pixels else 2 * most) from error
        finally:
            with self._lock:
                self._inside -= 1
                if not self._inside:
                    Image.MAX_IMAGE_PIXELS = self._users


pixel_limit = _PixelLimit()


def open_photo(file: str | BinaryIO) -> Image.Image:
    """Read a photo's header. Raises whatever Pillow does for a damaged one; ValueError if it is too large."""
    with pixel_limit():
        image = _opened(file)
    if image.width * image.height > most_pixels():
        image.close()
        raise _too_many(image.width * image.height)
    return image


def _opened(file: str | BinaryIO) -> Image.Image:
    head = _start_of(file, 512)
    brands = _brands(head)
    if brands & _HEIC_BRANDS and not brands & _AVIF_BRANDS:
        return _heic(file)
    if brands & _AVIF_BRANDS and "AVIF" not in _known_formats():
        raise ValueError("AVIF photos need Pillow 11.3 or newer: pip install -U pillow")
    try:
        return Image.open(file, formats=_known_formats())
    except Image.UnidentifiedImageError:
        if head[:4] in TIFF_MAGIC:
            return _tiff(file)
        raise
    except Exception:
        if brands & _AVIF_BRANDS:
            # Pillow writes the EXIF of such a file anew, to note the container's own rotation in it, and can not write
            # all that it reads. An item of a type that no reader knows is left alone; the rotation stays.
            return Image.open(io.BytesIO(_start_of(file).replace(b"Exif", b"none")), formats=["AVIF"])
        raise


@lru_cache(maxsize=1)
def _known_formats() -> list[str]:
    """Those of FORMATS that this build of Pillow reads; it has no word for others than a KeyError."""
    Image.init()
    return [name for name in FORMATS if name in Image.OPEN]


def _heic(file: str | BinaryIO) -> Image.Image:
    try:
        importlib.import_module("pillow_heif").register_heif_opener(thumbnails=False)
    except ImportError:
        raise ValueError(NO_HEIC) from None
    return Image.open(file, formats=["HEIF"])


def _tiff(file: str | BinaryIO) -> Image.Image:
    """A TIFF of samples that Pillow has no mode for: colours of 32 bits, doubles."""
    levels, orientation = tiff_levels(io.BytesIO(_start_of(file)))
    image = turned(Image.fromarray(eight_bits(levels)), orientation)
    image.format = "TIFF"
    return image


def _start_of(file: str | BinaryIO, size: int = -1) -> bytes:
    """The first bytes of a path or binary file, all of them by default; the file is at its start afterwards."""
    if isinstance(file, str):
        with open(file, "rb") as opened:
            return opened.read(size)
    file.seek(0)
    content = file.read(size)
    file.seek(0)
    return content


def _brands(head: bytes) -> set[bytes]:
    """What a file of the ISO base media format says that it is (ISO 14496-12, section 4.3); empty for any other."""
    if head[4:8] != b"ftyp":
        return set()
    box = head[: int.from_bytes(head[:4], "big")]
    return {box[at : at + 4] for at in (8, *range(16, len(box), 4))}
