"""Where a training set's crops lie in a frame, and the crops themselves: FFHQ's and ArcFace's.

Frame coordinates are pixels with centres at integers + 0.5, as everywhere here: a frame spans [0, width] x [0, height],
and a crop [0, size] x [0, size]. (FFHQ's own script has centres at integers and adds the half pixel at the end.)
"""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lpff_ray.measure.geometry import sample, similarity_from_points

# NVlabs/ffhq-dataset, download_ffhq.py, recreate_aligned_images: the side of the crop in units of the distance between
# the eyes and of that from eyes to mouth (halves of it: 2.0 and 1.8), and how far its centre lies below the eyes.
EYE_TO_EYE, EYE_TO_MOUTH, BELOW_EYES = 2.0, 1.8, 0.1
# Ibid.: how far padding, its blur and its minimum reach, as shares of the crop's side in frame pixels.
BORDER, PADDING, BLUR = 0.1, 0.3, 0.02
BORDER_LEAST, BORDER_SPARE = (
    3,
    4,
)  # pixels: the least border, and how near an edge the crop may come without padding
BLUR_SIGMA = (
    4.0  # a blur of more pixels than this is made on a picture that is averaged down to it: 20 times faster
)


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
    x = across + np.array([down[1], -down[0]])  # the mean of two guesses at the face's horizontal
    x /= max(float(np.hypot(*x)), 1e-9)
    x *= scale * max(np.hypot(*across) * EYE_TO_EYE, np.hypot(*down) * EYE_TO_MOUTH)
    y = np.array([-x[1], x[0]])
    centre = eyes + BELOW_EYES * down
    return np.stack([centre - x - y, centre - x + y, centre + x + y, centre + x - y])


def quad_transform(quad: NDArray, size: int) -> NDArray[np.float64]:
    """Transform [2, 3] from frame pixels to pixels of the crop that `quad` [4, 2] becomes."""
    top_left, bottom_left, _, top_right = np.asarray(quad, np.float64)
    from_crop = np.column_stack([(top_right - top_left) / size, (bottom_left - top_left) / size])
    linear = np.linalg.inv(from_crop)
    return np.column_stack([linear, -linear @ top_left])


def ffhq_crop(frame: NDArray[np.uint8], quad: NDArray, size: int, padding: bool = True) -> NDArray[np.uint8]:
    """The picture of `quad` [4, 2] as FFHQ's script makes it: RGB uint8 [size, size, 3].

    frame: RGB uint8 [h, w, 3]. Where the square leaves the frame, the frame is mirrored and fades into a blur and its
    median colour. padding: False leaves black there.

    Source: NVlabs/ffhq-dataset, download_ffhq.py: shrink, crop, pad, transform. It resamples at 4096 pixels and brings
    that down by Lanczos' filter; here the intermediate picture is only as big as the quad's own pixels ask for.
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
    # Where the crop enlarges the frame there is next to nothing to filter: 13 levels off FFHQ's script on the hardest
    # edges then, 5 otherwise, and over whole crops of real frames 50 dB and more.
    return _resampled(region, quad, size, 1 if side <= size else 2 if side <= 2 * size else 4)


def arcface_crop(frame: NDArray[np.uint8], five: NDArray, size: int = 112) -> NDArray[np.uint8]:
    """Upright crop RGB uint8 [size, size, 3] as insightface aligns faces for ArcFace; outside the frame is black.

    five: eyes, nose tip, mouth corners [5, 2] in frame pixels, image-left first (the table's `keypoints`).
    """
    from lpff_ray.measure.identity import ARCFACE_CHIP, ARCFACE_POINTS  # it needs torch, which takes seconds

    return sample(frame, similarity_from_points(five, ARCFACE_POINTS * (size / ARCFACE_CHIP)), size)


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
    picture = cv2.copyMakeBorder(region, top, bottom, left, right, cv2.BORDER_REFLECT_101)
    quad = quad + np.array([left, top])
    median = np.median(picture[::4, ::4], axis=(0, 1)).astype(np.float32)
    height, width = picture.shape[:2]
    x, y = np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)
    depth_x = np.minimum(x / left, (width - 1 - x) / right)
    depth_y = np.minimum(y / top, (height - 1 - y) / bottom)
    faded = picture.copy()
    for rows, columns in _shallow(quad, depth_x, depth_y):
        # 1 at the outer edge, 0 where the frame begins
        outside = 1 - np.minimum(depth_y[rows, None], depth_x[columns])[..., None]
        strip = picture[rows, columns].astype(np.float32)
        strip += (_blurred_part(picture, rows, columns, side * BLUR) - strip) * np.clip(outside * 3 + 1, 0, 1)
        strip += (median - strip) * np.clip(outside, 0, 1)
        faded[rows, columns] = np.clip(np.rint(strip), 0, 255)
    return faded, quad


def _shallow(quad: NDArray, depth_x: NDArray, depth_y: NDArray) -> Iterator[tuple[slice, slice]]:
    """Rows and columns of the parts of the quad's bounding box that are less than 4/3 deep, where something fades.

    Parts do not overlap. Usually they are a narrow strip: to fade all of the padded picture takes six times as long.
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


def _blurred_part(
    picture: NDArray[np.uint8], rows: slice, columns: slice, sigma: float
) -> NDArray[np.float32]:
    """A part of the blurred picture, at the cost of the part."""
    margin = int(4 * sigma) + 1
    y0, x0 = max(rows.start - margin, 0), max(columns.start - margin, 0)
    part = picture[y0 : rows.stop + margin, x0 : columns.stop + margin].astype(np.float32)
    return _blurred(part, sigma)[rows.start - y0 : rows.stop - y0, columns.start - x0 : columns.stop - x0]


def _blurred(picture: NDArray[np.float32], sigma: float) -> NDArray[np.float32]:
    """A Gaussian blur; a wide one on a smaller picture, whose own averaging and interpolation count towards it."""
    step = int(sigma / BLUR_SIGMA)
    if step < 2:
        return cv2.GaussianBlur(picture, (0, 0), sigma, borderType=cv2.BORDER_REFLECT)
    height, width = picture.shape[:2]
    small = cv2.resize(picture, (-(-width // step), -(-height // step)), interpolation=cv2.INTER_AREA)
    # Variances add up: a box of `step` pixels has step^2 / 12, the triangle of linear interpolation step^2 / 6.
    small = cv2.GaussianBlur(
        small, (0, 0), np.sqrt((sigma / step) ** 2 - 0.25), borderType=cv2.BORDER_REFLECT
    )
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)


def _resampled(region: NDArray[np.uint8], quad: NDArray, size: int, finer: int) -> NDArray[np.uint8]:
    """The quad's picture, interpolated at `finer` times the size and brought down by Lanczos' filter."""
    matrix = quad_transform(quad, size * finer)
    matrix[:, 2] += matrix[:, :2] @ [0.5, 0.5] - 0.5  # OpenCV puts pixel centres at whole numbers
    picture = cv2.warpAffine(region, matrix, (size * finer,) * 2, flags=cv2.INTER_LINEAR)
    if finer == 1:
        return picture
    return np.asarray(Image.fromarray(picture).resize((size, size), Image.Resampling.LANCZOS))
