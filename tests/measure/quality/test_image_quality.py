"""Sharpness, image quality, brightness and hashes on the portrait that ships with scikit-image."""

from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np
import pytest
from scipy.ndimage import uniform_filter1d
from skimage.data import astronaut

from lpff_ray.geometry.transforms import crop_transform, warp_crop
from lpff_ray.measure.quality import appearance as quality
from lpff_ray.measure.quality import image_quality as iqa

BOX = np.array([159.0, 60.0, 289.0, 190.0])


def measured(photo: np.ndarray, zoom: float = 1.0) -> iqa.Quality:
    return iqa.quality(photo, BOX * zoom)


def chip(photo: np.ndarray) -> np.ndarray:
    return warp_crop(photo, crop_transform((BOX[:2] + BOX[2:]) / 2, 130.0, 0.0, 112), 112)


def blurred(sigma: float) -> np.ndarray:
    return cv2.GaussianBlur(astronaut(), (0, 0), sigma) if sigma else astronaut()


def moved(length: int) -> np.ndarray:
    return cv2.blur(astronaut(), (length, 1)) if length else astronaut()


def noisy(sigma: float) -> np.ndarray:
    noise = np.random.default_rng(0).normal(0, sigma, astronaut().shape)
    return np.clip(astronaut() + noise, 0, 255).astype(np.uint8)


def coded(setting: int) -> np.ndarray:
    _, data = cv2.imencode(".jpg", astronaut(), [cv2.IMWRITE_JPEG_QUALITY, setting])
    return cv2.imdecode(data, cv2.IMREAD_COLOR)


def scaled(factor: float) -> np.ndarray:
    small = cv2.resize(astronaut(), None, fx=1 / factor, fy=1 / factor, interpolation=cv2.INTER_AREA)
    return cv2.resize(small, astronaut().shape[1::-1], interpolation=cv2.INTER_CUBIC)


@pytest.mark.parametrize(
    ("spoil", "amounts"),
    [
        (blurred, (0, 1.2, 2, 3, 5)),
        (moved, (0, 5, 9, 13, 19)),
        (noisy, (0, 8, 16, 32, 64)),
        (coded, (98, 50, 25, 12, 5)),
        (scaled, (1, 2, 3, 4.5, 7)),
    ],
)
def test_quality_falls_with_every_step_of_every_fault(spoil, amounts: tuple[float, ...]) -> None:
    values = [measured(spoil(amount)).iqa for amount in amounts]
    assert values == sorted(values, reverse=True)
    assert values[0] - values[-1] > 25
    assert 0 <= values[-1] < values[0] <= 100


def test_sharpness_falls_with_every_step_of_blur() -> None:
    for spoil, amounts in ((blurred, (0, 1.2, 2, 3, 5, 8)), (moved, (0, 5, 9, 13, 19))):
        values = [measured(spoil(amount)).sharpness for amount in amounts]
        assert values == sorted(values, reverse=True)
        assert values[0] > values[-1] + 0.3


def test_sharpness_hardly_depends_on_the_size_of_the_face() -> None:
    values = []
    for zoom in (1.0, 2.0, 4.0):
        photo = cv2.resize(blurred(2.0), None, fx=zoom, fy=zoom, interpolation=cv2.INTER_CUBIC)
        values.append(measured(photo, zoom).sharpness)
    assert max(values) - min(values) < 0.03


def test_noise_is_not_sharpness() -> None:
    clean = measured(astronaut()).sharpness
    assert max(measured(noisy(sigma)).sharpness for sigma in (4, 8, 16, 32, 64)) < clean + 0.03
    soft = cv2.GaussianBlur(astronaut(), (0, 0), 3.0)
    grainy = np.clip(soft + np.random.default_rng(0).normal(0, 6, soft.shape), 0, 255).astype(np.uint8)
    assert measured(grainy).sharpness < measured(soft).sharpness + 0.1 < clean


def test_halving_the_frame_hardly_changes_a_large_face() -> None:
    large = cv2.resize(astronaut(), None, fx=4, fy=4, interpolation=cv2.INTER_CUBIC)
    half = cv2.resize(large, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    assert measured(large, 4.0).iqa == pytest.approx(measured(half, 2.0).iqa, abs=5)


def test_small_faces_are_worse() -> None:
    values = []
    for zoom in (1.0, 0.6, 0.35, 0.2):
        photo = cv2.resize(astronaut(), None, fx=zoom, fy=zoom, interpolation=cv2.INTER_AREA)
        values.append(measured(photo, zoom).iqa)
    assert values == sorted(values, reverse=True)
    assert values[0] > values[-1] + 20


def test_a_face_cut_by_the_frame_is_worse_and_one_outside_is_nothing() -> None:
    whole = measured(astronaut()).iqa
    cuts = [
        iqa.quality(np.ascontiguousarray(astronaut()[:, left:]), BOX - np.array([left, 0, left, 0])).iqa
        for left in (159, 185, 205)
    ]
    assert whole > cuts[0] > cuts[1] > cuts[2]
    assert iqa.quality(astronaut(), BOX + 1000) == iqa.Quality(0.0, 0.0)
    assert iqa.quality(astronaut(), BOX - 1000) == iqa.Quality(0.0, 0.0)


def test_share_outside_is_counted_over_the_wider_square() -> None:
    frame = np.zeros((100, 100, 3), np.uint8)
    assert iqa.outside(frame, np.array([20, 20, 60, 60.0])) == 0
    assert iqa.outside(frame, np.array([-20, 30, 20, 70.0])) == pytest.approx(0.5)


@pytest.mark.parametrize("shade", [0, 128, 255])
def test_an_empty_picture_gets_figures_in_range(shade: int) -> None:
    for side in (3.0, 40.0, 400.0):
        found = iqa.quality(np.full((480, 480, 3), shade, np.uint8), np.array([30, 30, 30 + side, 30 + side]))
        assert 0 <= found.iqa <= 100
        assert 0 <= found.sharpness <= 1


def test_blur_effect_is_the_papers_formula() -> None:
    grey = cv2.cvtColor(chip(astronaut()), cv2.COLOR_RGB2GRAY).astype(np.float32)
    again = uniform_filter1d(grey.astype(np.float64), 9, axis=0, mode="nearest")
    before, after = np.abs(np.diff(grey.astype(np.float64), axis=0)), np.abs(np.diff(again, axis=0))
    lost = np.maximum(0, before - after)
    assert iqa._blur_effect(grey, 0) == pytest.approx((before.sum() - lost.sum()) / before.sum(), abs=1e-5)
    assert iqa._blur_effect(np.ascontiguousarray(grey.T), 1) == pytest.approx(
        iqa._blur_effect(grey, 0), abs=1e-5
    )


def test_brightness_is_efhqs_formula_on_the_box_inside_the_frame() -> None:
    frame = np.zeros((50, 50, 3), np.uint8)
    frame[:, :, 0] = 200
    assert quality.brightness(frame, np.array([10, 10, 30, 30.0])) == pytest.approx(
        np.sqrt(0.299) * 200, rel=1e-5
    )
    frame[:] = (10, 20, 30)
    expected = np.sqrt(0.299 * 100 + 0.587 * 400 + 0.114 * 900)
    assert quality.brightness(frame, np.array([-40, -40, 20, 20.0])) == pytest.approx(expected, rel=1e-5)
    assert quality.brightness(frame, np.array([60, 60, 90, 90.0])) == pytest.approx(expected, rel=1e-5)


def test_hashes_of_one_picture_are_near_and_of_two_far() -> None:
    photo = astronaut()
    same = [quality.perceptual_hash(chip(p)) for p in (photo, cv2.GaussianBlur(photo, (0, 0), 1.0))]
    other = quality.perceptual_hash(np.ascontiguousarray(chip(photo)[::-1]))
    assert bin(same[0] ^ same[1]).count("1") <= 6
    assert bin(same[0] ^ other).count("1") >= 16


def test_under_exposure_banding_and_flat_areas_lower_iqa() -> None:
    """The network took bands for detail: with 16 levels of grey a face had four points more."""
    photo = astronaut()
    best = measured(photo).iqa
    dark = [255 * ((photo / 255.0) ** 2.2 / 2**stops) ** (1 / 2.2) for stops in (2, 3, 4, 5)]
    banded = [np.floor(photo / 256.0 * levels) * (255 / (levels - 1)) for levels in (64, 32, 16, 8)]
    for faults in (dark, banded):
        falling = [best, *(measured(np.round(one).astype(np.uint8)).iqa for one in faults)]
        assert all(b < a - 2 for a, b in pairwise(falling[1:]) if b > 0), falling
        assert falling[3] < best - 20
    drawing = np.full_like(photo, 120)
    cv2.ellipse(drawing, (225, 120), (36, 44), 0, 0, 360, (220, 170, 150), -1)
    for x in (210, 240):
        cv2.circle(drawing, (x, 110), 6, (250, 250, 250), -1)
    assert iqa.exposure_cost(drawing[70:170, 175:275]) >= 60


def test_a_dark_skin_is_no_fault() -> None:
    """Of skin that is half as bright, highlights and whites of the eyes are still bright."""
    photo = astronaut()[70:170, 175:275]
    skin = (photo * 0.45).astype(np.uint8)
    skin[30:34, 30:60] = 190  # highlights: 1.2% of the square, and as much in the eyes
    skin[40:44, 30:60] = 210
    assert iqa.exposure_cost(skin) < 8
