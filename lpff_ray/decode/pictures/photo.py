"""A photo as a video of one frame at t = 0."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageCms

from lpff_ray.decode.frame_source import Frame, FrameSource, FrameTable, check_indices
from lpff_ray.decode.pictures.levels import deep_levels, eight_bits
from lpff_ray.decode.pictures.opening import open_photo, pixel_limit
from lpff_ray.decode.pictures.orientation import orientation_of, turned
from lpff_ray.errors import UserError, segment_error
from lpff_ray.types import MediaKind, Stage

_PROFILED = {"L", "RGB", "CMYK"}  # Pillow's modes that an ICC profile can speak of


def to_rgb(image: Image.Image) -> npt.NDArray[np.uint8]:
    """Decode to sRGB, uint8 [h, w, 3]: EXIF orientation and an embedded ICC profile are applied.

    Without a profile the numbers are taken for sRGB. Transparency is dropped: its colours show. More than 8 bits a
    sample become 8, see `eight_bits`. Raises whatever Pillow does for a damaged photo, ValueError for numbers that make
    no picture.
    """
    with pixel_limit(), _unmapped(image) as path:
        profile = image.info.get("icc_profile")
        deep = deep_levels(image, path)  # before Pillow loads the picture, as it does to look for EXIF
        orientation = orientation_of(image)
        if deep is not None:
            levels, stored = deep
            image, orientation = Image.fromarray(eight_bits(levels)), stored or orientation
        image = turned(image, orientation)
        if profile:
            image = _to_srgb(image, profile)
        return np.array(image.convert("RGB"))


@contextmanager
def _unmapped(image: Image.Image) -> Iterator[str]:
    """The path of a picture's file, which Pillow does not know meanwhile; "" if it has none.

    Pillow maps bare samples into memory by the file's name, and takes those of a TIFF that it turns by a quarter for
    rows of the width that they have afterwards.
    """
    path = getattr(image, "filename", "")
    if not path or not isinstance(path, str):
        yield ""
        return
    image.filename = ""  # type: ignore[attr-defined]
    try:
        yield path
    finally:
        image.filename = path  # type: ignore[attr-defined]


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
        except UserError:
            raise
        except Exception as error:
            raise segment_error(Stage.OPEN, error, self.name) from error
        zero = np.zeros(1, np.int64)
        self.table = FrameTable(zero, np.ones(1, bool), zero, zero, Fraction(1, 1000))

    def frames(self, indices: Sequence[int]) -> Iterator[Frame]:
        """See FrameSource.frames."""
        for index in check_indices(indices, 1):
            try:
                with open_photo(self._path) as image:
                    rgb = to_rgb(image)
            except UserError:
                raise
            except Exception as error:
                raise segment_error(Stage.DECODE, error, self.name) from error
            yield Frame(index, 0, rgb)
