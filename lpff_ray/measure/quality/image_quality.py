"""Image quality (`iqa`) and sharpness of a face: statistics of natural scenes, and a small network that reads them.

A sharp, clean photo has well-known statistics: locally normalised brightness (MSCN coefficients) follows a bell curve,
neighbouring coefficients are weakly alike, and the energy of fine bands falls slowly. Blur, noise, compression and
enlargement each change them in their own way. The features are those of Mittal et al., "No-Reference Image Quality
Assessment in the Spatial Domain" (BRISQUE, 2012), as moments instead of fitted curves, with Crete et al., "The Blur
Effect" (2007), an estimate of noise, the grid of 8-pixel blocks, gradients, and clipping. A perceptron with two hidden
layers turns them into both figures. Its model card is image_quality.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

WEIGHTS = Path(__file__).with_suffix(".npz")
SHOWN = 160  # pixels: larger faces are reduced to this size, smaller ones left as they are
MARGIN = 1.1  # side of the measured square over the box's: blur shows at hair and jaw, not in the background
OUT_MARGIN = 1.2  # side of the square that should lie in the frame
LEAST = 16  # pixels; thinner remains of a face at the frame's edge are enlarged to this
WINDOW = ((7, 7), 7 / 6)  # BRISQUE's
GRID_FADES = (160.0, 320.0)  # pixels of the box over which the weight of 8-pixel blocks falls to 0
OUTSIDE_COST = 150.0  # points for all of the square being outside the frame
# What the network does not see, as rules: points for each level by which the brightest skin is too dark; and points
# that are taken off between two shares of grey levels that nothing has (banding), and of pixels that are like both
# neighbours (flat renders, drawings). Evidence: docs/evidence/quality.md#exposure-banding-and-flat-areas
DARK_LEVEL, DARK_COST = 100.0, 0.6
BANDING, BANDING_COST = (0.5, 0.97), 60.0
FLATNESS, FLAT_COST = (0.7, 0.95), 60.0
ROWS = 160  # rows of a face that the shares are counted in
# Strength of the grid of 8-pixel blocks above which it counts in large faces too.
# Evidence: docs/evidence/quality.md#grid-of-blocks
COARSE_GRID = 2.5
NEIGHBOURS = ((0, 1), (1, 0), (1, 1), (1, -1))
TINY = 1e-3


@dataclass(frozen=True)
class Quality:
    """iqa: 0 .. 100, higher is better; sharpness: 0 (blurred) .. 1 (sharp)."""

    iqa: float
    sharpness: float


def quality(frame: NDArray[np.uint8], box: NDArray) -> Quality:
    """Quality of the face in `box` (x0, y0, x1, y1 pixels) of a frame uint8 RGB [h, w, 3].

    A face wholly outside the frame gets 0 and 0.
    """
    found = features(frame, box)
    if found is None:
        return Quality(0.0, 0.0)
    iqa, sharp = _network()(found)
    cost = OUTSIDE_COST * outside(frame, box) + exposure_cost(_region(frame, box))
    return Quality(float(max(iqa * 100 - cost, 0.0)), float(sharp))


def exposure_cost(region: NDArray[np.uint8]) -> float:
    """Points that `iqa` loses for what is too dark, banded or flat in a face's region uint8 RGB [h, w, 3].

    The brightest 2% of a face are highlights and whites of the eyes: dark in the shade, and not on dark skin.
    """
    green = cv2.extractChannel(region, 1)
    step = max(1, len(green) // ROWS)
    rows, below = green[:-1:step], green[1::step]
    levels = cv2.calcHist([np.ascontiguousarray(rows)], [0], None, [256], [0, 256]).ravel()
    total = np.cumsum(levels) / max(levels.sum(), 1)
    low, high = np.searchsorted(total, (0.02, 0.98))
    empty = float((levels[low : high + 1] == 0).mean())
    flat = float(((rows[:, 1:] == rows[:, :-1]) & (rows[:, 1:] == below[: len(rows), 1:])).mean())
    return float(
        DARK_COST * max(DARK_LEVEL - high, 0)
        + np.interp(empty, BANDING, (0, BANDING_COST))
        + np.interp(flat, FLATNESS, (0, FLAT_COST))
    )


def outside(frame: NDArray[np.uint8], box: NDArray) -> float:
    """Share 0 .. 1 of the square around `box`, `OUT_MARGIN` times as large, that the frame does not show."""
    low, high = _square(box, OUT_MARGIN)
    limit = np.array(frame.shape[1::-1], np.float64)
    inside = np.maximum(np.minimum(high, limit) - np.maximum(low, 0), 0)
    return float(1 - np.prod(inside) / max(np.prod(high - low), TINY))


def features(frame: NDArray[np.uint8], box: NDArray) -> NDArray[np.float32] | None:
    """The input of the network, float32 [n]; None if no pixel of the face is in the frame."""
    region = _region(frame, box)
    if min(region.shape[:2]) < 2:
        return None
    low, high = _square(box, MARGIN)
    side = float(high[0] - low[0]) / MARGIN
    grey = _shown(region, min(SHOWN / side, 1.0))
    small = float(np.clip((GRID_FADES[1] - side) / (GRID_FADES[1] - GRID_FADES[0]), 0, 1))
    blocks = _blocks(region)
    coarse = max(blocks - COARSE_GRID, 0.0)
    values = [np.log2(min(side, SHOWN) / SHOWN), small * blocks, (1 - small) * coarse, *_exposure(grey)]
    image = grey.astype(np.float32)
    for _ in range(2):
        values += [_blur_effect(image, 0), _blur_effect(image, 1)]
        values += _normalised(image)
        values += _gradients(image)
        image = cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    values += _gradients(image)
    return np.array(values, np.float32)


def _region(frame: NDArray[np.uint8], box: NDArray) -> NDArray[np.uint8]:
    """The part of a frame that the square around a box shows, `MARGIN` times as large; a view."""
    low, high = _square(box, MARGIN)
    limit = frame.shape[1::-1]
    x0, y0 = (int(np.clip(np.floor(v), 0, most)) for v, most in zip(low, limit, strict=True))
    x1, y1 = (int(np.clip(np.ceil(v), 0, most)) for v, most in zip(high, limit, strict=True))
    return frame[y0:y1, x0:x1]


def _square(box: NDArray, share: float) -> tuple[NDArray, NDArray]:
    corners = np.asarray(box, np.float64).reshape(2, 2)
    centre, half = corners.mean(0), float((corners[1] - corners[0]).max()) * share / 2
    return centre - half, centre + half


def _shown(region: NDArray[np.uint8], scale: float) -> NDArray[np.uint8]:
    """The region in grey at `scale` <= 1. Averaging by a whole number first costs less."""
    height, width = region.shape[:2]
    step = int(1 / scale)
    if step > 1 and min(height, width) >= step:
        whole = region[: height // step * step, : width // step * step]
        region = cv2.resize(whole, (width // step, height // step), interpolation=cv2.INTER_AREA)
    grey = cv2.cvtColor(region, cv2.COLOR_RGB2GRAY)
    size = (max(round(width * scale), LEAST), max(round(height * scale), LEAST))
    return grey if size == grey.shape[::-1] else cv2.resize(grey, size, interpolation=cv2.INTER_AREA)


def _blocks(region: NDArray[np.uint8]) -> float:
    """How much steeper the picture is across one of 8 columns or rows (log, 0 .. ), wherever the grid begins."""
    if min(region.shape[:2]) < 34:
        return 0.0
    green = cv2.extractChannel(region, 1)
    excess = 0.0
    for axis in (0, 1):
        step = cv2.absdiff(*_neighbours(green, axis))
        middle, before, after = (
            (step[1:-1], step[:-2], step[2:]) if axis == 0 else (step[:, 1:-1], step[:, :-2], step[:, 2:])
        )
        # Against both neighbours: edges of the face are wide, edges of blocks one pixel.
        beyond = cv2.min(cv2.subtract(middle, cv2.max(before, after)), 16)
        lines = cv2.reduce(beyond, 1 - axis, cv2.REDUCE_AVG, dtype=cv2.CV_32F).ravel()
        folded = lines[: len(lines) // 8 * 8].reshape(-1, 8).mean(0)
        best = float(folded.max())
        excess += float(np.log((best + 0.2) / ((float(folded.sum()) - best) / 7 + 0.2)))
    return excess


def _exposure(grey: NDArray[np.uint8]) -> list[float]:
    """Shares of black and of white, and the range of the rest. Not the mean: a dark skin is no fault."""
    histogram = cv2.calcHist([grey], [0], None, [64], [0, 256]).ravel() / grey.size
    total = np.cumsum(histogram)
    low, high = np.searchsorted(total, (0.02, 0.98))
    return [float(histogram[:2].sum()), float(histogram[62:].sum()), float(np.log2(high - low + 1))]


def _blur_effect(image: NDArray[np.float32], axis: int, window: int = 9) -> float:
    """Crete's metric along an axis: share of the neighbour differences that outlives blurring."""
    blurred = cv2.blur(image, (1, window) if axis == 0 else (window, 1), borderType=cv2.BORDER_REPLICATE)
    before, after = (cv2.absdiff(*_neighbours(picture, axis)) for picture in (image, blurred))
    total = cv2.norm(before, cv2.NORM_L1)
    return 1.0 if total < TINY else cv2.norm(cv2.min(before, after), cv2.NORM_L1) / total


def _neighbours(image: NDArray, axis: int) -> tuple[NDArray, NDArray]:
    return (image[1:], image[:-1]) if axis == 0 else (image[:, 1:], image[:, :-1])


def _normalised(image: NDArray[np.float32]) -> list[float]:
    """Moments of the MSCN coefficients and of products of neighbours, and the local contrast behind them."""
    mean = cv2.GaussianBlur(image, *WINDOW)
    fine = image - mean
    contrast = cv2.sqrt(cv2.max(cv2.GaussianBlur(image * image, *WINDOW) - mean * mean, 0))
    scaled = fine / (contrast + 1)
    ordered = np.sort(contrast[::3, ::3], axis=None)
    quantiles = ordered[[len(ordered) // 20, len(ordered) // 4, len(ordered) // 2, len(ordered) * 9 // 10]]
    size = image.size
    power = cv2.norm(scaled, cv2.NORM_L2SQR) / size + TINY
    square = scaled * scaled
    values = [
        *np.log2(quantiles + 0.3),
        _log_ratio(cv2.norm(fine, cv2.NORM_L2) / np.sqrt(size), cv2.norm(fine, cv2.NORM_L1) / size),
        float(np.log2(power)),
        float(np.log2(cv2.norm(scaled, cv2.NORM_L1) / size / np.sqrt(power) + TINY)),
        float(np.log2(cv2.norm(square, cv2.NORM_L2SQR) / size / power**2 + TINY)),
    ]
    for down, right in NEIGHBOURS:
        a = scaled[down:, max(right, 0) : scaled.shape[1] + min(right, 0)]
        b = scaled[: scaled.shape[0] - down, max(-right, 0) : scaled.shape[1] - max(right, 0)]
        product = cv2.multiply(a, b)
        values += [
            cv2.mean(product)[0] / power,
            float(np.log2(cv2.norm(product, cv2.NORM_L1) / product.size / power + TINY)),
        ]
    return values


def _gradients(image: NDArray[np.float32]) -> list[float]:
    """Energy of the slope and of the curvature along the strongest direction and across it (log2, floored)."""
    values = []
    for order in (1, 2):
        dx, dy = image[1:-1], image[:, 1:-1]
        for _ in range(order):
            dx, dy = cv2.subtract(dx[:, 1:], dx[:, :-1]), cv2.subtract(dy[1:], dy[:-1])
        if order == 1:
            dx, dy = dx[:, :-1], dy[:-1]
        size = dx.size
        xx, yy = cv2.norm(dx, cv2.NORM_L2SQR) / size, cv2.norm(dy, cv2.NORM_L2SQR) / size
        xy = float(np.vdot(dx, dy)) / size
        middle, apart = (xx + yy) / 2, float(np.hypot((xx - yy) / 2, xy))
        values += [float(np.log2(middle + apart + 0.1)), float(np.log2(max(middle - apart, 0) + 0.1))]
        values.append(_log_ratio(np.sqrt(xx), cv2.norm(dx, cv2.NORM_L1) / size))
    return values


def _log_ratio(upper: float, lower: float) -> float:
    return float(np.log2((upper + TINY) / (lower + TINY)))


class QualityNetwork:
    """Two hidden layers and two answers in 0..1; `weights`: mean, scale, and w0 b0 .. w2 b2."""

    def __init__(self, weights: dict[str, NDArray[np.float32]]) -> None:
        self.weights = weights

    def __call__(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Answers [..., 2] to features [..., n]: iqa / 100 and sharpness."""
        w = self.weights
        x = np.clip((features - w["mean"]) * w["scale"], -4, 4)
        x = np.tanh(x @ w["w0"] + w["b0"])
        x = np.tanh(x @ w["w1"] + w["b1"])
        return 1 / (1 + np.exp(-(x @ w["w2"] + w["b2"])))


@lru_cache(maxsize=1)
def _network() -> QualityNetwork:
    with np.load(WEIGHTS, allow_pickle=False) as stored:
        return QualityNetwork({name: stored[name] for name in stored.files})
