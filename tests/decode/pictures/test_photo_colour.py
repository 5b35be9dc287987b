"""Photos with an ICC profile become sRGB, by the formulas of their colour spaces."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from lpff_ray.decode import open_source

pytestmark = pytest.mark.timeout(30)

# Columns red, green, blue in XYZ adapted to D50, as their published profiles have them.
SRGB = np.array([[0.43607, 0.38515, 0.14307], [0.22249, 0.71687, 0.06061], [0.01392, 0.09708, 0.71410]])
ADOBE = np.array([[0.60974, 0.20528, 0.14919], [0.31111, 0.62567, 0.06322], [0.01947, 0.06087, 0.74457]])
P3 = np.array([[0.51512, 0.29198, 0.15710], [0.24120, 0.69225, 0.06657], [-0.00105, 0.04189, 0.78407]])
D50 = (0.9642, 1.0, 0.8249)


def profile(matrix: np.ndarray | None, gamma: float) -> bytes:
    """A version 2 display profile (ICC.1:2001-04): three primaries, or gray if None, and a power curve."""

    def xyz(values: np.ndarray | tuple[float, ...]) -> bytes:
        return b"XYZ \0\0\0\0" + b"".join(struct.pack(">i", round(value * 65536)) for value in values)

    curve = b"curv\0\0\0\0" + struct.pack(">IHxx", 1, round(gamma * 256))
    name = b"test\0"
    text = b"desc\0\0\0\0" + struct.pack(">I", len(name)) + name + bytes(80)
    tags = {b"desc": text, b"wtpt": xyz(D50)}
    if matrix is None:
        tags[b"kTRC"] = curve
    else:
        tags |= {
            letter + b"XYZ": xyz(column) for letter, column in zip((b"r", b"g", b"b"), matrix.T, strict=True)
        }
        tags |= dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve)
    place, table, body = 128 + 4 + 12 * len(tags), b"", b""
    for tag, content in tags.items():
        content += bytes(-len(content) % 4)
        table += tag + struct.pack(">II", place + len(body), len(content))
        body += content
    header = (
        struct.pack(">I4xI", place + len(body), 0x02100000)
        + b"mntr"
        + (b"GRAY" if matrix is None else b"RGB ")
    )
    header += b"XYZ " + bytes(12) + b"acsp" + bytes(28) + xyz(D50)[8:]
    return header.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + body


def to_srgb(levels: np.ndarray, matrix: np.ndarray, gamma: float) -> np.ndarray:
    """What uint8 [..., 3] in the space of a profile is in sRGB (IEC 61966-2-1), not rounded."""
    linear = (levels / 255) ** gamma @ matrix.T @ np.linalg.inv(SRGB).T
    linear = np.clip(linear, 0, 1)
    return 255 * np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


def look(path: Path) -> np.ndarray:
    with open_source(str(path), "photo") as source:
        return next(iter(source.frames([0]))).rgb


@pytest.fixture
def colours() -> np.ndarray:
    return np.random.default_rng(0).integers(20, 236, (12, 16, 3), np.uint8)


@pytest.mark.parametrize(("matrix", "gamma"), [(ADOBE, 2.19921875), (P3, 2.19921875), (P3, 1.80078125)])
@pytest.mark.parametrize("ending", ["png", "tif", "webp"])
def test_a_profile_is_applied(
    tmp_path: Path, colours: np.ndarray, matrix: np.ndarray, gamma: float, ending: str
) -> None:
    path = tmp_path / f"photo.{ending}"
    Image.fromarray(colours).save(path, icc_profile=profile(matrix, gamma), lossless=True)
    expected = to_srgb(colours, matrix, gamma)
    assert np.abs(look(path) - expected).max() <= 2
    assert np.abs(colours - expected).max() > 15, "the profile must make a difference"


def test_it_goes_with_transparency_and_orientation(tmp_path: Path, colours: np.ndarray) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    image = Image.fromarray(colours)
    image.putalpha(128)
    image.save(tmp_path / "photo.png", icc_profile=profile(P3, 2.2), exif=exif)
    expected = np.rot90(to_srgb(colours, P3, 563 / 256), -1)
    assert np.abs(look(tmp_path / "photo.png") - expected).max() <= 2


@pytest.mark.parametrize("mode", ["L", "LA", "I;16"])
def test_a_gray_profile_is_applied(tmp_path: Path, mode: str) -> None:
    levels = np.arange(256, dtype=np.uint8).reshape(16, 16)
    image = Image.fromarray(levels.astype(np.uint16) * 257 if mode == "I;16" else levels)
    if mode == "LA":
        image.putalpha(200)
    image.save(tmp_path / "photo.png", icc_profile=profile(None, 1.80078125))
    expected = to_srgb(np.repeat(levels[..., None], 3, 2), SRGB, 1.80078125)
    assert np.abs(look(tmp_path / "photo.png") - expected).max() <= 2
    assert np.abs(levels[..., None] - expected).max() > 15


def test_srgb_stays_as_it_is(tmp_path: Path, colours: np.ndarray) -> None:
    same = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    Image.fromarray(colours).save(tmp_path / "photo.png", icc_profile=same)
    assert np.array_equal(look(tmp_path / "photo.png"), colours)


def test_a_profile_that_can_not_be_used_is_left_out(tmp_path: Path, colours: np.ndarray) -> None:
    Image.fromarray(colours).save(tmp_path / "damaged.png", icc_profile=b"no profile at all")
    assert np.array_equal(look(tmp_path / "damaged.png"), colours)
    Image.fromarray(colours[..., 0]).save(tmp_path / "gray.png", icc_profile=profile(P3, 2.2))
    assert np.array_equal(look(tmp_path / "gray.png")[..., 1], colours[..., 0])
    Image.fromarray(colours).convert("CMYK").save(tmp_path / "photo.tif", icc_profile=profile(P3, 2.2))
    assert np.abs(look(tmp_path / "photo.tif").astype(int) - colours).max() <= 1
