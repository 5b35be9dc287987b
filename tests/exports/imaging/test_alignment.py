"""Crops where FFHQ's script puts them, with the pixels that it gives."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import scipy.ndimage
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from skimage.data import astronaut

from lpff_ray.exports.imaging.alignment import _blurred, ffhq_crop, ffhq_quad, quad_transform
from lpff_ray.geometry.transforms import apply

EYES = np.array([[205.0, 110.0], [242.0, 112.0]])  # of the astronaut, in photo pixels
MOUTH = np.array([[210.0, 150.0], [240.0, 150.0]])


def plainly(frame: NDArray[np.uint8], quad: NDArray, size: int) -> NDArray[np.uint8]:
    """FFHQ's recipe step by step with Pillow and SciPy, resampling at four times the size."""
    picture, quad, side = Image.fromarray(frame), quad.copy(), float(np.hypot(*(quad[3] - quad[0])))
    shrink = int(side / size * 0.5)
    if shrink > 1:
        smaller = (round(picture.width / shrink), round(picture.height / shrink))
        picture, quad, side = picture.resize(smaller, Image.Resampling.LANCZOS), quad / shrink, side / shrink
    border = max(round(side * 0.1), 3)
    lower, upper = np.floor(quad.min(0)).astype(int), np.ceil(quad.max(0)).astype(int)
    x0, y0 = np.maximum(lower - border, 0)
    x1, y1 = np.minimum(upper + border, picture.size)
    picture, quad = picture.crop((x0, y0, x1, y1)), quad - [x0, y0]
    lower, upper = np.floor(quad.min(0)).astype(int), np.ceil(quad.max(0)).astype(int)
    before, after = np.maximum(border - lower, 0), np.maximum(upper - picture.size + border, 0)
    if max(*before, *after) > border - 4:
        before, after = (np.maximum(pad, round(side * 0.3)) for pad in (before, after))
        pixels = np.pad(
            np.float32(picture), ((before[1], after[1]), (before[0], after[0]), (0, 0)), "reflect"
        )
        y, x = np.indices(pixels.shape[:2])
        height, width = pixels.shape[:2]
        depth_x = np.minimum(x / before[0], (width - 1 - x) / after[0])
        depth_y = np.minimum(y / before[1], (height - 1 - y) / after[1])
        mask = 1 - np.minimum(depth_x, depth_y)[..., None]
        sigma = side * 0.02
        blurred = scipy.ndimage.gaussian_filter(pixels, [sigma, sigma, 0])
        pixels += (blurred - pixels) * np.clip(mask * 3 + 1, 0, 1)
        pixels += (np.median(pixels, axis=(0, 1)) - pixels) * np.clip(mask, 0, 1)
        picture, quad = Image.fromarray(np.uint8(np.clip(np.rint(pixels), 0, 255))), quad + before
    big = picture.transform((4 * size,) * 2, Image.Transform.QUAD, quad.flatten(), Image.Resampling.BILINEAR)
    return np.asarray(big.resize((size, size), Image.Resampling.LANCZOS))


def test_known_points_give_a_known_quad() -> None:
    quad = ffhq_quad(*np.array([[40, 50], [60, 50], [42, 72], [58, 72]]))
    # Half a side is 2.0 x 20 (1.8 x 22 is less); the centre lies a tenth of 22 below the eyes.
    assert quad == pytest.approx(np.array([[10, 12.2], [10, 92.2], [90, 92.2], [90, 12.2]]))
    tall = ffhq_quad(*np.array([[40, 50], [60, 50], [42, 80], [58, 80]]))
    assert np.hypot(*(tall[3] - tall[0])) == pytest.approx(2 * 1.8 * 30)


@given(st.floats(-3.1, 3.1), st.floats(0.1, 10), st.floats(-500, 500), st.floats(-500, 500))
def test_the_quad_turns_grows_and_moves_with_the_face(angle: float, scale: float, x: float, y: float) -> None:
    linear = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    moved = [linear @ point + [x, y] for point in (*EYES, *MOUTH)]
    assert ffhq_quad(*moved) == pytest.approx(ffhq_quad(*EYES, *MOUTH) @ linear.T + [x, y], abs=1e-6)


@pytest.mark.parametrize("scale", [1.0, 1.8])
def test_the_transform_takes_the_quad_to_the_crop(scale: float) -> None:
    quad = ffhq_quad(*EYES, *MOUTH, scale=scale)
    corners = np.array([[0, 0], [0, 512], [512, 512], [512, 0]])
    assert apply(quad_transform(quad, 512), quad) == pytest.approx(corners, abs=1e-9)
    assert np.hypot(*(quad[3] - quad[0])) == pytest.approx(scale * 2 * 2.0 * np.hypot(37, 2))


def test_a_quad_on_whole_pixels_gives_exactly_those_pixels() -> None:
    frame = np.random.default_rng(0).integers(0, 256, (120, 160, 3), np.uint8)
    quad = np.array([[30, 20], [30, 84], [94, 84], [94, 20]], np.float64)
    assert np.array_equal(ffhq_crop(frame, quad, 64), frame[20:84, 30:94])
    turned = quad[[3, 0, 1, 2]]  # a quarter turn: the frame's upper right corner comes upper left
    assert np.array_equal(ffhq_crop(frame, turned, 64), np.rot90(frame[20:84, 30:94]))


@pytest.mark.parametrize(
    ("zoom", "size"), [(0.5, 128), (1, 128), (1.5, 128), (3, 128), (5, 128)], ids=lambda value: str(value)
)
@pytest.mark.parametrize("shift", [(0, 0), (-205, -60)], ids=["inside", "at the edge"])
def test_pixels_are_those_of_ffhqs_recipe(zoom: float, size: int, shift: tuple[int, int]) -> None:
    photo = cv2.resize(astronaut(), None, fx=zoom, fy=zoom, interpolation=cv2.INTER_CUBIC)
    quad = ffhq_quad(*((np.concatenate([EYES, MOUTH]) + shift) * zoom))
    off = ffhq_crop(photo, quad, size).astype(float) - plainly(photo, quad, size)
    assert 10 * np.log10(255**2 / (off**2).mean()) > (46 if zoom < 1 else 47)
    assert np.abs(off).max() <= (13 if zoom < 1 else 5)


@pytest.mark.parametrize("sigma", [1.0, 2.9, 3.1, 7.0, 14.0])
@given(st.lists(st.integers(0, 200), min_size=4, max_size=4))
@settings(max_examples=20)
def test_a_part_of_the_blur_is_the_same_as_of_all_of_it(sigma: float, borders: list[int]) -> None:
    photo = np.ascontiguousarray(astronaut()[:203, 150:351])
    rows, columns = (slice(min(pair), max(pair) + 1) for pair in (borders[:2], borders[2:]))
    whole = _blurred(photo, slice(0, 203), slice(0, 201), sigma)
    np.testing.assert_allclose(_blurred(photo, rows, columns, sigma), whole[rows, columns], atol=1e-3)


def test_without_padding_what_is_outside_is_black() -> None:
    frame = np.full((64, 64, 3), 200, np.uint8)
    quad = np.array([[-32, 0], [-32, 64], [32, 64], [32, 0]], np.float64)
    bare = ffhq_crop(frame, quad, 64, padding=False)
    assert not bare[:, :31].any()
    assert (bare[:, 33:] == 200).all()
    assert (ffhq_crop(frame, quad, 64) >= 199).all(), "mirrored, blurred and faded, gray stays gray"
    far = ffhq_crop(frame, quad + 1000, 64)
    assert far.shape == (64, 64, 3), "a square that misses the frame is no reason to stop"
