"""Photos of every make become uint8 RGB, upright."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from clips import paint, read_index
from PIL import Image

from lpff_ray.decode import open_source
from lpff_ray.errors import SegmentError

pytestmark = pytest.mark.timeout(30)

# What a camera did to the picture before storing it, by the EXIF orientation it then wrote down.
STORED = {
    1: lambda image: image,
    2: np.fliplr,
    3: lambda image: np.rot90(image, 2),
    4: np.flipud,
    5: lambda image: image.swapaxes(0, 1),
    6: lambda image: np.rot90(image, 1),
    7: lambda image: np.rot90(image, 2).swapaxes(0, 1),
    8: lambda image: np.rot90(image, -1),
}


def look(path: Path) -> np.ndarray:
    with open_source(str(path), "photo") as source:
        assert source.name == "photo"
        assert source.table.pts_ns.tolist() == [0]
        (frame,) = source.frames([0])
    assert (frame.index, frame.pts_ns) == (0, 0)
    assert frame.rgb.dtype == np.uint8
    assert frame.rgb.flags.c_contiguous
    assert frame.rgb.shape[2] == 3
    return frame.rgb


@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize("ending", ["jpg", "png", "webp"])
def test_exif_orientation(tmp_path: Path, orientation: int, ending: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = np.ascontiguousarray(STORED[orientation](paint(1234, 60, 40)))
    path = tmp_path / f"photo.{ending}"
    Image.fromarray(stored).save(path, exif=exif)
    rgb = look(path)
    assert rgb.shape == (40, 60, 3)
    assert read_index(rgb) == 1234


@pytest.mark.parametrize(
    ("mode", "ending"),
    [
        *(("L", "jpg"), ("CMYK", "jpg"), ("RGB", "bmp"), ("RGB", "tif"), ("CMYK", "tif")),
        *(("L", "png"), ("LA", "png"), ("P", "png"), ("RGBA", "png"), ("1", "png"), ("RGBA", "webp")),
    ],
)
def test_colour_modes(tmp_path: Path, mode: str, ending: str) -> None:
    path = tmp_path / f"photo.{ending}"
    image = Image.fromarray(paint(777, 64, 48)).convert(mode)
    if mode.endswith("A"):
        image.putalpha(128)
    image.save(path)
    with Image.open(path) as image:
        assert image.mode == mode or (mode, ending) == ("P", "png")
    assert read_index(look(path)) == 777


def test_transparent_palette(tmp_path: Path) -> None:
    path = tmp_path / "photo.png"
    Image.fromarray(paint(777, 64, 48)).convert("P").save(path, transparency=0)
    assert read_index(look(path)) == 777


def test_sixteen_bits(tmp_path: Path) -> None:
    path = tmp_path / "photo.png"
    gray = paint(99, 64, 48)[:, :, 0].astype(np.uint16) * 257
    Image.fromarray(gray).save(path)
    assert np.array_equal(look(path), paint(99, 64, 48))


def test_truncated_photo(tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    texture = np.random.default_rng(0).integers(0, 255, (200, 200, 3), np.uint8)
    Image.fromarray(texture).save(path)
    path.write_bytes(path.read_bytes()[:5000])
    with open_source(str(path), "photo") as source, pytest.raises(SegmentError, match="truncated") as error:
        list(source.frames([0]))
    assert error.value.failure.stage == "decode"
    assert error.value.failure.decoder == "photo"


def test_not_a_photo(tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    path.write_text("hello")
    with pytest.raises(SegmentError) as error:
        open_source(str(path), "photo")
    assert error.value.failure.stage == "open"
