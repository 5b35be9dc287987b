"""Makers of odd photos: EXIF that makes no sense, samples of many kinds, animations."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import tifffile
from clips import paint
from PIL import Image

SHORT, RATIONAL, SRATIONAL = 3, 5, 10
ORIENTATION, SOFTWARE, X_RESOLUTION = 0x0112, 0x0131, 0x011A

ODD_EXIF = {
    "software as a rational": (SOFTWARE, RATIONAL, (72, 1)),
    "minus one by zero": (X_RESOLUTION, SRATIONAL, (-1, 0)),
}
"""Tag, type and value of an entry that Pillow reads and can not write again."""


def exif_block(orientation: int, tag: int, kind: int, value: tuple[int, int]) -> bytes:
    """EXIF of two entries: the orientation, and a fraction."""
    entries = struct.pack("<HHIHH", ORIENTATION, SHORT, 1, orientation, 0)
    entries += struct.pack("<HHII", tag, kind, 1, 8 + 2 + 2 * 12 + 4)
    numbers = b"".join(struct.pack("<i", number) for number in value)
    return b"Exif\0\0II*\0" + struct.pack("<IH", 8, 2) + entries + struct.pack("<I", 0) + numbers


def write_odd_exif(path: Path, odd: str, orientation: int = 6) -> Path:
    """A JPEG that shows number 1234, 60 x 40 once it is turned."""
    stored = np.ascontiguousarray(np.rot90(paint(1234, 60, 40))) if orientation == 6 else paint(1234, 60, 40)
    Image.fromarray(stored).save(path, exif=exif_block(orientation, *ODD_EXIF[odd]))
    return path


def write_animation(
    path: Path, frames: int = 10, duration_ms: int | list[int] = 40, **options: object
) -> Path:
    """An animated GIF, APNG, WebP or AVIF, by the name's ending; each frame shows its number."""
    pictures = [Image.fromarray(paint(index, 64, 48)) for index in range(frames)]
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=duration_ms, loop=0, **options)
    return path


def write_tiff(path: Path, levels: np.ndarray, orientation: int = 1, **options: object) -> Path:
    """A TIFF of samples of any type, [h, w] or [h, w, 3]."""
    options.setdefault("photometric", "rgb" if levels.ndim == 3 else "minisblack")
    tifffile.imwrite(path, levels, extratags=[(ORIENTATION, "H", 1, orientation, True)], **options)
    return path


def write_png(path: Path, width: int, height: int, bits: int, colour_type: int, rows: bytes = b"") -> Path:
    """A PNG as its header says; rows: a zero and the samples of each, none for a header alone."""
    header = struct.pack(">IIBBBBB", width, height, bits, colour_type, 0, 0, 0)
    parts = [b"\x89PNG\r\n\x1a\n"]
    for name, body in ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")):
        parts += [struct.pack(">I", len(body)), name, body, struct.pack(">I", zlib.crc32(name + body))]
    path.write_bytes(b"".join(parts))
    return path
