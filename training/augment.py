"""Augmentation for PoseNet's training: random changes of a face's crop, such as detectors, cameras and codecs make."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from lpff_ray.geometry.transforms import apply, crop_transform, scale_of, warp_crop
from lpff_ray.models.networks.posenet import CROP_FACTOR, INPUT

MIRROR = np.diag([-1.0, 1.0, 1.0])
# Displacement of detectors' boxes: mostly small, but a sixth of their side where hair hides half of a face. Standard
# deviations of the shift (sides of the box) and of the logarithm of the size, small and large, and the share of the
# large ones.
BOX_SHIFT, BOX_SCALE = (0.04, 0.12), (0.07, 0.12)
BOX_DISPLACED = 0.25


def augmented(
    crop: NDArray[np.uint8],
    inside: NDArray,
    rotation: NDArray,
    position: NDArray,
    stored_factor: float,
    patch: NDArray[np.uint8],
    rng: np.random.Generator,
) -> tuple[NDArray[np.uint8], NDArray[np.float64], NDArray[np.float64]]:
    """A random picture RGB [INPUT, INPUT, 3], its rotation [3, 3] and position [3] as `PoseNet` gives them.

    crop, inside: as in `pose_data.Face`. position: as in `teachers.DdfaPosition`. patch: any other crop of the same
    size, for backgrounds and occlusion.
    """
    size = crop.shape[0]
    crop = _surrounded(crop, inside, patch, rng)
    angle = np.radians(rng.normal(0, 14)) if rng.random() < 0.7 else 0.0
    displaced = int(rng.random() < BOX_DISPLACED)
    side = size / stored_factor * CROP_FACTOR * np.exp(rng.normal(0, BOX_SCALE[displaced]))
    centre = size / 2 + rng.normal(0, BOX_SHIFT[displaced], 2) * size / stored_factor
    transform = crop_transform(centre, side, angle, INPUT)
    image = warp_crop(crop, transform, INPUT)
    x, y = apply(transform, position[None, :2])[0] / INPUT - 0.5
    size = np.log(10 * position[2] * scale_of(transform) / INPUT)
    cos, sin = np.cos(angle), np.sin(angle)
    rotation = np.array([[cos, sin, 0], [-sin, cos, 0], [0, 0, 1]]) @ rotation
    if rng.random() < 0.5:
        image, rotation, x = np.ascontiguousarray(image[:, ::-1]), MIRROR @ rotation @ MIRROR, -x
    if rng.random() < 0.3:
        _occlude(image, patch, rng)
    return _degraded(_recoloured(image, rng), rng), rotation, np.array([x, y, size])


def _surrounded(crop: NDArray, inside: NDArray, patch: NDArray, rng: np.random.Generator) -> NDArray:
    """The crop with what lies outside its photo left black, continued from the edge, or filled from another photo."""
    size = crop.shape[0]
    x0, y0 = np.ceil(inside[:2]).astype(int)
    x1, y1 = np.floor(inside[2:]).astype(int)
    choice = rng.random()
    if (x0 <= 0 and y0 <= 0 and x1 >= size and y1 >= size) or choice < 0.25:
        return crop
    x0, y0, x1, y1 = max(x0, 0) + 1, max(y0, 0) + 1, min(x1, size) - 1, min(y1, size) - 1
    if choice < 0.75:
        kind = cv2.BORDER_REFLECT_101 if choice < 0.5 else cv2.BORDER_REPLICATE
        return cv2.copyMakeBorder(crop[y0:y1, x0:x1], y0, size - y1, x0, size - x1, kind)
    filled = patch.copy()
    filled[y0:y1, x0:x1] = crop[y0:y1, x0:x1]
    return filled


def _occlude(image: NDArray, patch: NDArray, rng: np.random.Generator) -> None:
    """Cover up to a third of the width and height of `image` itself."""
    w, h = rng.integers(6, INPUT // 2, 2)
    x, y = rng.integers(-w // 2, INPUT - w // 2), rng.integers(-h // 2, INPUT - h // 2)
    target = image[max(y, 0) : y + h, max(x, 0) : x + w]
    if rng.random() < 0.5:
        target[:] = rng.integers(0, 256, 3)
    else:
        target[:] = patch[: target.shape[0], : target.shape[1]]


def _recoloured(image: NDArray, rng: np.random.Generator) -> NDArray:
    if rng.random() < 0.15:
        image = np.repeat(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2)
    ramp = np.linspace(0, 1, 256)[:, None] ** np.exp(rng.normal(0, 0.25))
    gains = np.exp(rng.normal(0, 0.15) + rng.normal(0, 0.06, 3))
    ramp = (ramp - 0.5) * np.exp(rng.normal(0, 0.2)) + 0.5
    table = np.clip(255 * ramp * gains, 0, 255).astype(np.uint8)
    return cv2.LUT(image, table[None])


def _degraded(image: NDArray, rng: np.random.Generator) -> NDArray:
    kind = rng.random()
    if kind < 0.2:
        image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.4, 2.0))
    elif kind < 0.45:
        small = int(rng.uniform(20, 70))
        image = cv2.resize(image, (small, small), interpolation=cv2.INTER_AREA)
        image = cv2.resize(image, (INPUT, INPUT), interpolation=cv2.INTER_LINEAR)
    if rng.random() < 0.25:
        noise = rng.standard_normal(image.shape, np.float32) * rng.uniform(2, 14)
        image = np.clip(image + noise, 0, 255).astype(np.uint8)
    if rng.random() < 0.25:
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.uniform(15, 80))]
        image = cv2.imdecode(cv2.imencode(".jpg", image, quality)[1], cv2.IMREAD_COLOR)
    return image
