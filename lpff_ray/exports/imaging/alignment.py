"""Where a training set's crop is in a frame, and the crop itself, as FFHQ's.

Frame coordinates are pixels with centres at integers + 0.5, as everywhere here: a frame spans [0, width] x [0, height],
and a crop [0, size] x [0, size]. (FFHQ's own script has centres at integers and adds the half pixel at the end.)
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

# NVlabs/ffhq-dataset, download_ffhq.py, recreate_aligned_images: the side of the crop in units of the distance between
# the eyes and of that from eyes to mouth (halves of it: 2.0 and 1.8), and how far its centre is below the eyes.
EYE_TO_EYE, EYE_TO_MOUTH, BELOW_EYES = 2.0, 1.8, 0.1
# Ibid.: how far padding, its blur and its minimum reach, as shares of the crop's side in frame pixels.
BORDER, PADDING, BLUR = 0.1, 0.3, 0.02
# Pixels: the least border, and how near an edge the crop may come without padding.
BORDER_LEAST, BORDER_SPARE = 3, 4
BLUR_SIGMA = 1.5  # pixels: what is blurred twice as much and more is halved first
LANCZOS = 3  # lobes of Lanczos' filter on either side, as Pillow's


def ffhq_quad(
    eye_image_left: NDArray,
    eye_image_right: NDArray,
    mouth_image_left: NDArray,
    mouth_image_right: NDArray,
    scale: float = 1.0,
) -> NDArray[np.float64]:
    """FFHQ's crop, a square in the frame that is upright for the face [4, 2]: top left, bottom left, bottom right,
    top right, in frame pixels.

    Eyes are the centres between their corners, and mouth points the corners of the lips [2]. scale: of the crop's
    side; LPFF's `realign2400` is FFHQ's crop at 1.8 (`my_realign.py`).
    """
    left, right = np.asarray(eye_image_left, np.float64), np.asarray(eye_image_right, np.float64)
    eyes = (left + right) / 2
    across = right - left
    down = (np.asarray(mouth_image_left, np.float64) + mouth_image_right) / 2 - eyes
    x = across + np.array([down[1], -down[0]])  # the mean of two estimates of the face's horizontal
    x /= max(float(np.hypot(*x)), 1e-9)
    x *= scale * max(np.hypot(*across) * EYE_TO_EYE, np.hypot(*down) * EYE_TO_MOUTH)
    y = np.array([-x[1], x[0]])
    centre = eyes + BELOW_EYES * down
    return np.stack([centre - x - y, centre - x + y, centre + x + y, centre + x - y])


def face_quad(keypoints: NDArray) -> NDArray[np.float64]:
    """FFHQ's crop [4, 2], see `ffhq_quad`, of the table's keypoints [5, 2], which hold at profile too."""
    return ffhq_quad(keypoints[0], keypoints[1], keypoints[3], keypoints[4])


def quad_transform(quad: NDArray, size: int) -> NDArray[np.float64]:
    """Transform [2, 3] from frame pixels to pixels of the crop that `quad` [4, 2] becomes."""
    top_left, bottom_left, _, top_right = np.asarray(quad, np.float64)
    from_crop = np.column_stack([(top_right - top_left) / size, (bottom_left - top_left) / size])
    linear = np.linalg.inv(from_crop)
    return np.column_stack([linear, -linear @ top_left])


def mirrored_transform(transform: NDArray, size: int) -> NDArray[np.float64]:
    """Transform [2, 3] from frame pixels to the mirror image of a crop of `size` pixels, of that to the crop."""
    mirrored = np.array(transform, np.float64)
    mirrored[0] = [0, 0, size] - mirrored[0]
    return mirrored


def ffhq_crop(frame: NDArray[np.uint8], quad: NDArray, size: int, padding: bool = True) -> NDArray[np.uint8]:
    """The image of `quad` [4, 2] as FFHQ's script makes it: RGB uint8 [size, size, 3].

    frame: RGB uint8 [h, w, 3]. Where the square leaves the frame, the frame is mirrored and fades into a blur and its
    median colour. padding: False leaves black there.

    Source: NVlabs/ffhq-dataset, download_ffhq.py: shrink, crop, pad, transform. It resamples at 4096 pixels and brings
    that down by Lanczos' filter; here the intermediate image is only as big as the quad's own pixels ask for.
    """
    quad = np.asarray(quad, np.float64)
    side = float(np.hypot(*(quad[3] - quad[0])))
    shrink = max(int(side / size / 2), 1)
    region, corner = _around(frame, quad, shrink, max(round(side / shrink * BORDER), BORDER_LEAST) * shrink)
    if shrink > 1:
        region = np.asarray(Image.fromarray(region).reduce(shrink))
    quad, side = (quad - corner) / shrink, side / shrink
    if padding:
        region, quad = _padded(region, quad, side)
    # Where the crop enlarges the frame there is next to nothing to filter. Evidence: docs/evidence/exports.md#ffhq-crop
    return _resampled(region, quad, size, 1 if side <= size else 2 if side <= 2 * size else 4)


def _around(
    frame: NDArray[np.uint8], quad: NDArray, grid: int, border: int
) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """The part of the frame around the quad, at least a pixel, and its top left corner, a multiple of `grid`."""
    height, width = frame.shape[:2]
    x0, y0 = np.clip(np.floor(quad.min(0)).astype(int) - border, 0, [width - 1, height - 1]) // grid * grid
    x1, y1 = np.clip(np.ceil(quad.max(0)).astype(int) + border, [x0 + 1, y0 + 1], [width, height])
    return np.ascontiguousarray(frame[y0:y1, x0:x1]), np.array([x0, y0], np.float64)


def _padded(
    region: NDArray[np.uint8], quad: NDArray, side: float
) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """The region mirrored at its edges, blurred and faded there, and the quad in it; the same if it holds the quad."""
    height, width = region.shape[:2]
    border = max(round(side * BORDER), BORDER_LEAST)
    left, top = np.maximum(border - np.floor(quad.min(0)).astype(int), 0)
    right, bottom = np.maximum(np.ceil(quad.max(0)).astype(int) + border - [width, height], 0)
    if max(left, top, right, bottom) <= border - BORDER_SPARE:
        return region, quad
    left, top, right, bottom = (max(int(pad), round(side * PADDING)) for pad in (left, top, right, bottom))
    height, width = height + top + bottom, width + left + right
    image = cv2.copyMakeBorder(region, top, bottom, left, right, cv2.BORDER_REFLECT_101)
    quad = quad + np.array([left, top])
    median = _median(image[::4, ::4])
    x, y = np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)
    depth_x = np.minimum(x / left, (width - 1 - x) / right)
    depth_y = np.minimum(y / top, (height - 1 - y) / bottom)
    faded = []
    for rows, columns in _shallow(quad, depth_x, depth_y):
        # 1 at the outer edge, 0 where the frame begins
        outside = 1 - np.minimum(depth_y[rows, None], depth_x[columns])
        strip = image[rows, columns].astype(np.float32)
        strip = _mixed(strip, _blurred(image, rows, columns, side * BLUR), outside * 3 + 1)
        if outside.max() > 0:
            strip = _mixed(strip, np.full_like(strip, median), outside)
        faded.append((rows, columns, cv2.convertScaleAbs(strip)))  # it rounds; nothing is negative
    for rows, columns, strip in faded:  # not before: every blur is of the image as it was
        image[rows, columns] = strip
    return image, quad


def _mixed(one: NDArray[np.float32], other: NDArray[np.float32], share: NDArray) -> NDArray[np.float32]:
    """Two images [h, w, 3], mixed: `share` [h, w] of the other; it is clipped to 0..1."""
    share = np.clip(share, 0, 1)
    return cv2.blendLinear(one, other, 1 - share, share)  # faster than NumPy


def _shallow(quad: NDArray, depth_x: NDArray, depth_y: NDArray) -> Iterator[tuple[slice, slice]]:
    """Rows and columns of the parts of the quad's bounding box that are less than 4/3 deep, where something fades.

    Parts do not overlap. Usually they are a narrow strip, so that this saves most of the work.
    """
    x0, y0 = np.maximum(np.floor(quad.min(0)).astype(int) - 2, 0).tolist()
    x1, y1 = np.minimum(np.ceil(quad.max(0)).astype(int) + 2, [len(depth_x), len(depth_y)]).tolist()
    left, right = _deep(depth_x, x0, x1)
    top, bottom = _deep(depth_y, y0, y1)
    boxes = ((y0, top, x0, x1), (bottom, y1, x0, x1), (top, bottom, x0, left), (top, bottom, right, x1))
    for first_row, end_row, first_column, end_column in boxes:
        if first_row < end_row and first_column < end_column:
            yield slice(first_row, end_row), slice(first_column, end_column)


def _deep(depth: NDArray, start: int, stop: int) -> tuple[int, int]:
    """The stretch of start..stop that is 4/3 deep or more; an empty one at `stop` if none is."""
    deep = start + np.flatnonzero(depth[start:stop] >= 4 / 3)
    return (int(deep[0]), int(deep[-1]) + 1) if len(deep) else (stop, stop)


def _median(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The median colour [3] of an image [h, w, 3]."""
    # By histograms: np.median sorts.
    half = image[..., 0].size / 2
    counts = [np.cumsum(np.bincount(image[..., channel].ravel(), minlength=256)) for channel in range(3)]
    middle = [(np.searchsorted(count, half) + np.searchsorted(count, half, "right")) / 2 for count in counts]
    return np.array(middle, np.float32)


def _blurred(image: NDArray[np.uint8], rows: slice, columns: slice, sigma: float) -> NDArray[np.float32]:
    """Those rows and columns of a Gaussian blur of the image, made on one that is halved until little is lost.

    Averaging and interpolation count towards the blur.
    """
    step = 2 ** max(int(np.log2(sigma / BLUR_SIGMA)), 0)
    reach = int(np.ceil(4 * sigma)) + 2 * step  # OpenCV's kernel for float32 ends there
    y0, x0 = (max(part.start - reach, 0) // step * step for part in (rows, columns))
    around = image[y0 : rows.stop + reach, x0 : columns.stop + reach]
    height, width = around.shape[:2]
    small = cv2.copyMakeBorder(around, 0, -height % step, 0, -width % step, cv2.BORDER_REFLECT_101)
    tall = small.shape[0]
    while small.shape[0] * step > tall:  # by exact halves, for which OpenCV is fastest
        small = cv2.resize(small, (small.shape[1] // 2, small.shape[0] // 2), interpolation=cv2.INTER_AREA)
        small = small.astype(np.float32, copy=False)  # rounding again and again would brighten it
    # Variances add up: a box of `step` pixels has step^2 / 12, the triangle of linear interpolation step^2 / 6.
    rest = sigma / step if step == 1 else np.sqrt((sigma / step) ** 2 - 0.25)
    small = cv2.GaussianBlur(
        small.astype(np.float32, copy=False), (0, 0), rest, borderType=cv2.BORDER_REFLECT
    )
    # Interpolation needs a small pixel more on either side, and no more than that.
    first_y, first_x = (
        max((part.start - start) // step - 1, 0) for part, start in ((rows, y0), (columns, x0))
    )
    small = small[first_y : (rows.stop - 1 - y0) // step + 2, first_x : (columns.stop - 1 - x0) // step + 2]
    size = (small.shape[1] * step, small.shape[0] * step)
    y, x = rows.start - y0 - first_y * step, columns.start - x0 - first_x * step
    blurred = cv2.resize(small, size, interpolation=cv2.INTER_LINEAR) if step > 1 else small
    return blurred[y : y + rows.stop - rows.start, x : x + columns.stop - columns.start]


def _resampled(region: NDArray[np.uint8], quad: NDArray, size: int, finer: int) -> NDArray[np.uint8]:
    """The quad's image, interpolated at `finer` (1, 2, 4) times the size and brought down by Lanczos' filter."""
    matrix = quad_transform(quad, size * finer)
    matrix[:, 2] += matrix[:, :2] @ [0.5, 0.5] - 0.5  # OpenCV has pixel centres at whole numbers
    if finer == 1:
        return cv2.warpAffine(region, matrix, (size, size), flags=cv2.INTER_LINEAR)
    # Every finer-th column is an image of its own, then so is every finer-th row: the filter is computed at the pixels
    # that stay, and nowhere else: faster than Pillow's resize, and within a level of it.
    phases, edge = _lanczos(finer)
    unit, outside = np.ones(1, np.float32), cv2.BORDER_CONSTANT
    tall = np.zeros((size * finer, size, 3), np.float32)
    for phase, (taps, anchor) in enumerate(phases):
        shifted = matrix - [[0, 0, phase], [0, 0, 0]]
        shifted[0] /= finer
        columns = cv2.warpAffine(region, shifted, (size, size * finer), flags=cv2.INTER_LINEAR)
        tall += cv2.sepFilter2D(columns, cv2.CV_32F, taps, unit, anchor=(anchor, 0), borderType=outside)
    crop = np.zeros((size, size, 3), np.float32)
    for phase, (taps, anchor) in enumerate(phases):
        crop += cv2.filter2D(tall[phase::finer], -1, taps, anchor=(0, anchor), borderType=outside)
    crop[:LANCZOS] /= edge[:, None, None]
    crop[-LANCZOS:] /= edge[::-1, None, None]
    crop[:, :LANCZOS] /= edge[:, None]
    crop[:, -LANCZOS:] /= edge[::-1, None]
    return cv2.add(crop, 0.0, dtype=cv2.CV_8U)  # rounds and clips


@cache
def _lanczos(finer: int) -> tuple[list[tuple[NDArray[np.float32], int]], NDArray[np.float32]]:
    """Lanczos' filter that makes one pixel of `finer`, its taps split by the phase of the pixels that they fall on.

    For each phase 0 .. finer - 1 the taps [n, 1], and which of them falls on the pixel's own position among those of
    the phase; and what is left of the filter at the first pixels [LANCZOS], where part of it is outside of the image.
    """
    # The first tap's position, counted from the first of the pixels that make one.
    first = finer // 2 - LANCZOS * finer
    positions = (np.arange(first, first + 2 * LANCZOS * finer) - (finer - 1) / 2) / finer
    taps = np.sinc(positions) * np.sinc(positions / LANCZOS)
    taps = (taps / taps.sum()).astype(np.float32)
    starts = [(phase - first) % finer for phase in range(finer)]
    phases = [
        (taps[start::finer, None].copy(), (phase - first - start) // finer)
        for phase, start in enumerate(starts)
    ]
    edge = [taps[max(-first - finer * pixel, 0) :].sum() for pixel in range(LANCZOS)]
    return phases, np.array(edge, np.float32)
