"""Sharpness, brightness and hashes on the portrait that ships with scikit-image."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from scipy.ndimage import uniform_filter1d
from skimage.data import astronaut

from lpff_ray.measure import quality
from lpff_ray.measure.geometry import crop_transform, sample

FACE = (np.array([224.0, 125.0]), 130.0)


def chip(photo: np.ndarray, zoom: float = 1.0) -> np.ndarray:
    return sample(
        photo,
        crop_transform(FACE[0] * zoom, FACE[1] * zoom, 0.0, quality.SHARPNESS_SIDE),
        quality.SHARPNESS_SIDE,
    )


def test_sharpness_falls_with_every_step_of_blur() -> None:
    values = [
        quality.sharpness(chip(cv2.GaussianBlur(astronaut(), (0, 0), sigma) if sigma else astronaut()))
        for sigma in (0, 0.7, 1.2, 2, 3, 5, 8)
    ]
    assert values == sorted(values, reverse=True)
    assert values[0] > values[-1] + 0.3


def test_sharpness_hardly_depends_on_the_size_of_the_face() -> None:
    blurred = cv2.GaussianBlur(astronaut(), (0, 0), 2.0)
    sizes = [
        cv2.resize(blurred, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_CUBIC) for zoom in (1.0, 2.0, 4.0)
    ]
    values = [
        quality.sharpness(chip(photo, zoom)) for photo, zoom in zip(sizes, (1.0, 2.0, 4.0), strict=True)
    ]
    assert max(values) - min(values) < 0.03


def test_noise_is_not_sharpness() -> None:
    blurred = cv2.GaussianBlur(astronaut(), (0, 0), 3.0)
    noisy = np.clip(blurred + np.random.default_rng(0).normal(0, 6, blurred.shape), 0, 255).astype(np.uint8)
    assert quality.sharpness(chip(noisy)) < quality.sharpness(chip(astronaut()))


def test_blur_effect_is_the_papers_formula() -> None:
    grey = cv2.cvtColor(chip(astronaut()), cv2.COLOR_RGB2GRAY).astype(np.float32)
    blurred = uniform_filter1d(grey.astype(np.float64), 9, axis=0, mode="nearest")
    original, again = np.abs(np.diff(grey.astype(np.float64), axis=0)), np.abs(np.diff(blurred, axis=0))
    lost = np.maximum(0, original - again)
    assert quality._blur_effect(grey) == pytest.approx(
        (original.sum() - lost.sum()) / original.sum(), abs=1e-5
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
