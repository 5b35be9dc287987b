"""Samples of more than 8 bits show what they show in any viewer, or say why they can not."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from clips import paint
from pictures import write_png, write_tiff
from PIL import Image

from lpff_ray.decode import open_source
from lpff_ray.decode.pictures.levels import eight_bits
from lpff_ray.errors import SegmentError

COLOURS = paint(99, 64, 48)
COLOURS[:8, :, 0] //= 3


def look(path: Path) -> np.ndarray:
    with open_source(str(path), "photo") as source:
        (frame,) = source.frames([0])
    return frame.rgb


@pytest.mark.parametrize(
    ("kind", "full"),
    [
        *(
            ("uint8", 255),
            ("float32", 1),
            ("float64", 1),
            ("float16", 1),
            ("float32", 255),
            ("float32", 65535),
        ),
        *(("uint16", 65535), ("uint16", 4095), ("uint16", 1023), ("int16", 4095), ("int32", 255)),
        *(("int32", 4095), ("uint32", 65535), ("int32", 2**31 - 1)),
    ],
)
@pytest.mark.parametrize("colour", [False, True])
@pytest.mark.parametrize("orientation", [1, 6])
def test_a_tiff_of_any_samples(tmp_path: Path, kind: str, full: int, colour: bool, orientation: int) -> None:
    shown = COLOURS if colour else COLOURS[..., :1].repeat(3, 2)
    levels = (shown if colour else shown[..., 0]) / 255 * full
    levels = (levels if kind.startswith("float") else np.round(levels)).astype(kind)
    stored = np.rot90(levels) if orientation == 6 else levels
    found = look(write_tiff(tmp_path / "a.tif", np.ascontiguousarray(stored), orientation))
    assert found.shape == shown.shape
    assert np.abs(found.astype(int) - shown).max() <= 1


@pytest.mark.parametrize("full", [4095, 65535])
@pytest.mark.parametrize("colour", [False, True])
def test_a_png_of_12_bits_in_16(tmp_path: Path, full: int, colour: bool) -> None:
    shown = COLOURS if colour else COLOURS[..., :1].repeat(3, 2)
    levels = np.round(shown / 255 * full).astype(np.uint16)
    cv2.imwrite(str(tmp_path / "a.png"), levels[..., ::-1] if colour else levels[..., 0])
    assert np.abs(look(tmp_path / "a.png").astype(int) - shown).max() <= 1


def test_a_png_of_gray_and_transparency(tmp_path: Path) -> None:
    levels = np.full((48, 64, 4), 65535, np.uint16)
    levels[..., :3] = np.round(COLOURS[..., :1] / 255 * 4095)
    cv2.imwrite(str(tmp_path / "rgba.png"), levels)
    gray_and_alpha = np.stack([levels[..., 0], levels[..., 3]], 2).astype(">u2")
    rows = b"".join(b"\0" + row.tobytes() for row in gray_and_alpha)
    write_png(tmp_path / "la.png", 64, 48, 16, 4, rows)
    for name in ("rgba.png", "la.png"):
        assert np.abs(look(tmp_path / name).astype(int) - COLOURS[..., :1]).max() <= 1, name


def test_compressed_planar_and_inverted(tmp_path: Path) -> None:
    levels = np.round(COLOURS / 255 * 4095).astype(np.uint16)
    for options in ({"compression": "zlib"}, {"planarconfig": "separate"}):
        stored = np.moveaxis(levels, 2, 0) if "planarconfig" in options else levels
        found = look(write_tiff(tmp_path / "a.tif", stored, photometric="rgb", **options))
        assert np.abs(found.astype(int) - COLOURS).max() <= 1, options


def test_numbers_without_a_scale_are_a_reason(tmp_path: Path) -> None:
    normalised = (COLOURS[..., 0] / 127.5 - 1).astype(np.float32)
    with pytest.raises(SegmentError, match=r"reach from -0.95\d+ to 0.84\d+, .*: save it with 8 or 16 bits"):
        look(write_tiff(tmp_path / "a.tif", normalised))
    with pytest.raises(ValueError, match="reach up to 1e"):
        eight_bits(np.array([1e30, 0.5]))
    assert eight_bits(np.array([[np.nan, np.inf, 0.5, 1.0]])).tolist() == [[0, 0, 128, 255]]
    assert eight_bits(np.array([[True, False]])).tolist() == [[255, 0]]
    assert eight_bits(np.zeros((0, 0), np.uint16)).shape == (0, 0)


def test_a_dark_picture_of_8_bits_stays_dark(tmp_path: Path) -> None:
    dark = COLOURS // 40
    Image.fromarray(dark).save(tmp_path / "dark.png")
    assert np.array_equal(look(tmp_path / "dark.png"), dark)
