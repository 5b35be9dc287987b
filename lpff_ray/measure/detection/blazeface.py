"""The detector BlazeFace: finds faces in whole frames, and gives each a box, six keypoints and a confidence.

Three steps. The first pass runs BlazeFace densely over the frame at a few scales and gives candidates. The second pass
runs BlazeFace again on an upright crop of every candidate, which gives the box and the keypoints. Then dlib's face
detector verifies the doubtful ones; both networks' scores make `det_score`.

BlazeFace is fully convolutional, so it can run on a whole frame of any size, without tiles.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lpff_ray.geometry.head_model import head_model
from lpff_ray.geometry.transforms import apply, crop_transform, invert, iou, scale_of, share_inside, warp_crop
from lpff_ray.measure.detection.detections import Detections, KeypointScheme
from lpff_ray.measure.detection.pictures import padded, reduced
from lpff_ray.models.cards import load_cards
from lpff_ray.models.networks.dlib_mmod import CROP
from lpff_ray.models.runtimes import FaceVerifier, TfliteModel

# Shorter sides of faces that one dense pass finds, in pixels of its input, and the factor between the scales of two
# passes. Evidence: docs/evidence/detection.md#dense-passes
SMALLEST_INPUT_FACE, LARGEST_INPUT_FACE = 22.0, 110.0
SCALE_STEP = 4.0
# Shorter side of a small frame in the finest pass, in pixels of its input, and the factor between the scales of such a
# frame. Evidence: docs/evidence/detection.md#small-frames
SMALLEST_PICTURE = 120.0
SMALL_STEP = 2.0
# Lowest score of a candidate, and the same in frames whose shorter side has at most SMALL_FRAME pixels: these give few
# candidates. Evidence: docs/evidence/detection.md#blazefaces-candidates
CANDIDATE_SCORE = 0.25
SMALL_FRAME, SMALL_FRAME_CANDIDATE_SCORE = 256, 0.15
SAME_FACE_IOU = 0.3  # above this IoU two detections are one face (BlazeFace's own value)
AVERAGED_SHARE = 0.7  # rows below this share of the best score are suppressed, not averaged into the box
# Side of the second pass's crop over the candidate's box, and the lowest score of a face in it.
# Evidence: docs/evidence/detection.md#blazefaces-second-pass
SECOND_PASS_SIDE, SECOND_PASS_SCORE = 2.0, 0.05
INPUT = 128  # side of BlazeFace's own input, pixels
# det_score = sigmoid(SOFTNESS * (LOGIT_WEIGHT * BlazeFace's mean logit + VERIFIER_WEIGHT * dlib's score + BIAS)), where
# dlib's score is clipped to VERIFIER_RANGE. Evidence: docs/evidence/detection.md#blazefaces-confidence
LOGIT_WEIGHT, VERIFIER_WEIGHT, BIAS = 2.03, 3.07, 2.4
SOFTNESS = 0.3
VERIFIER_RANGE = (-2.5, 1.5)
# Side of the box in the two crops that dlib's detector gets, pixels; the higher score counts.
# Evidence: docs/evidence/detection.md#verifier-crops
VERIFIER_SIDES = (65.0, 85.0)
# Mean logits above and below which the verifier is not run, and the score it then counts with above.
# Evidence: docs/evidence/detection.md#without-the-verifier
ACCEPT_LOGIT, REJECT_LOGIT = 1.8, -1.0
VERIFIER_OF_ACCEPTED = 0.9
# Of the inputs of the dense networks that are kept: about 130 bytes a pixel in each thread.
MOST_PIXELS = 3 << 20

RIGHT_EYE, LEFT_EYE, NOSE, MOUTH, RIGHT_EAR, LEFT_EAR = range(6)
"""BlazeFace's keypoints; right and left are the subject's."""


class FaceDetector:
    """BlazeFace. Threads may share one."""

    def __init__(
        self, model_path: Path, verifier_path: Path, device: str, min_face_px: float, min_score: float
    ) -> None:
        """model_path: of BlazeFace; verifier_path: of dlib's face detector. device: "cpu", "cuda" or "cuda:N".

        min_face_px: shorter side of the smallest face returned, pixels. min_score: lowest `det_score` returned.
        Raises UserError if a file can not be used, or the device is absent.
        """
        self.scheme = KeypointScheme("blazeface", head_model().keypoints)
        self.model_path = model_path
        self.verifier = FaceVerifier(verifier_path, device)
        self.device = device
        self.min_face_px = min_face_px
        self.min_score = min_score
        self._second_pass_model = TfliteModel(model_path, device)
        self._lock = threading.Lock()
        self._dense: OrderedDict[tuple[int, int], TfliteModel] = OrderedDict()

    def detect(self, frames: list[NDArray[np.uint8]]) -> list[Detections]:
        """Detect faces in frames uint8 RGB [h, w, 3], all of one size."""
        return [self._accepted(rows) for rows in self.find(frames)] if frames else []

    def find(self, frames: list[NDArray[np.uint8]]) -> list[NDArray[np.float64]]:
        """Rows [k, 17] per frame: box, six keypoints, det_score; of any size and score."""
        found: list[list[NDArray]] = [[] for _ in frames]
        images = frames
        height, width = frames[0].shape[:2]
        threshold = SMALL_FRAME_CANDIDATE_SCORE if min(height, width) <= SMALL_FRAME else CANDIDATE_SCORE
        for scale in pyramid_scales(height, width, self.min_face_px):
            images = [reduced(image, frame, scale) for image, frame in zip(images, frames, strict=True)]
            for found_here, rows in zip(found, self._dense_pass(images, threshold), strict=True):
                rows[:, :16] /= scale
                found_here.append(rows)
        candidates = [weighted_nms(np.concatenate(rows)) for rows in found]
        confirmed = [weighted_nms(rows) for rows in self.second_pass(frames, candidates)]
        self._verify(frames, confirmed)
        return confirmed

    def _dense_pass(self, images: list[NDArray[np.uint8]], threshold: float) -> list[NDArray[np.float64]]:
        """Rows [k, 17] per image, in its pixels. Networks for a few input sizes are kept between calls."""
        batch = padded(images)
        height, width = batch.shape[1:3]
        with self._lock:
            model = self._dense.pop((height, width), None)
            if model is None:
                model = TfliteModel(self.model_path, self.device, input_size=(height, width))
            self._dense[height, width] = model
            while len(self._dense) > 1 and sum(h * w for h, w in self._dense) > MOST_PIXELS:
                self._dense.popitem(last=False)
        return self._candidates(model, batch, threshold)

    def _candidates(self, model: TfliteModel, batch: NDArray, threshold: float) -> list[NDArray[np.float64]]:
        """Rows [k, 17] per image: box, six keypoints (input pixels), score; before non-maximum suppression."""
        regressions, logits = model(batch.astype(np.float32) / 127.5 - 1.0)
        anchors = anchor_centres(*batch.shape[1:3])
        lowest_logit = np.log(threshold / (1 - threshold))
        results = []
        for regression, logit in zip(regressions, logits[..., 0], strict=True):
            kept = np.flatnonzero(logit >= lowest_logit)
            results.append(decode(regression[kept], logit[kept], anchors[kept]))
        return results

    def second_pass(
        self, frames: list[NDArray[np.uint8]], candidates: list[NDArray]
    ) -> list[NDArray[np.float64]]:
        """Run BlazeFace again on every candidate: upright, and as large in the input as the faces of its training.

        Gives rows [k, 17] per frame, one for each candidate: box and keypoints of the second pass, and the mean of both
        passes' scores as logits; a candidate that is not found again keeps its box and gets the score 0.
        Evidence: docs/evidence/detection.md#blazefaces-second-pass
        """
        crops, transforms = [], []
        for frame, rows in zip(frames, candidates, strict=True):
            for row in rows:
                transforms.append(upright_square(row, SECOND_PASS_SIDE, INPUT))
                crops.append(warp_crop(frame, transforms[-1], INPUT))
        if not crops:
            return candidates
        found = self._candidates(self._second_pass_model, np.stack(crops), SECOND_PASS_SCORE)
        of_crop = iter(zip(found, transforms, strict=True))
        return [
            np.array([_confirm(row, *next(of_crop)) for row in rows]).reshape(-1, 17) for rows in candidates
        ]

    def _verify(self, frames: list[NDArray[np.uint8]], candidates: list[NDArray]) -> None:
        """Replace BlazeFace's scores by det_score, in the rows themselves, with dlib's detector as the verifier."""
        crops, doubtful = [], []
        for frame, rows in zip(frames, candidates, strict=True):
            for row in rows:
                logit = _logit(row[16])
                verifier_score = VERIFIER_OF_ACCEPTED if logit > ACCEPT_LOGIT else VERIFIER_RANGE[0]
                row[16] = LOGIT_WEIGHT * logit + VERIFIER_WEIGHT * verifier_score + BIAS
                if REJECT_LOGIT < logit <= ACCEPT_LOGIT:
                    doubtful.append(row)
                    crops += [
                        warp_crop(frame, upright_square(row, factor, CROP), CROP)
                        for factor in (CROP / side for side in VERIFIER_SIDES)
                    ]
        if crops:
            verifier_scores = self.verifier(np.stack(crops)).reshape(-1, len(VERIFIER_SIDES)).max(axis=1)
            for row, verifier_score in zip(doubtful, np.clip(verifier_scores, *VERIFIER_RANGE), strict=True):
                row[16] += VERIFIER_WEIGHT * (verifier_score - VERIFIER_RANGE[0])
        for rows in candidates:
            rows[:, 16] = 1 / (1 + np.exp(-SOFTNESS * rows[:, 16]))

    def _accepted(self, rows: NDArray[np.float64]) -> Detections:
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
    """BlazeFace. Raises UserError if a model's file is missing, or the device absent."""
    cards = load_cards()
    return FaceDetector(
        cards["blazeface-short"].path(), cards["dlib-mmod"].path(), device, min_face_px, min_score
    )


def pyramid_scales(height: int, width: int, min_face_px: float) -> list[float]:
    """Scales of the dense passes, finest first: together they cover faces from `min_face_px` to the whole frame.

    A small frame, which may be a tight crop of one face, gets a finer first pass than `min_face_px` asks for.
    Evidence: docs/evidence/detection.md#small-frames
    """
    shorter = min(height, width)
    scales = [min(1.0, max(SMALLEST_INPUT_FACE / min_face_px, SMALLEST_PICTURE / shorter))]
    while shorter * scales[-1] > LARGEST_INPUT_FACE:
        scales.append(scales[-1] / (SCALE_STEP if shorter * scales[-1] > SMALLEST_PICTURE else SMALL_STEP))
    return scales


def upright_square(row: NDArray, factor: float, size: int) -> NDArray[np.float64]:
    """Transform onto a crop of `size` pixels: the square around a row's box, `factor` times as large, eyes level."""
    right, left = row[4:6], row[6:8]
    centre, side = (row[:2] + row[2:4]) / 2, max(row[2] - row[0], row[3] - row[1])
    return crop_transform(centre, side * factor, float(np.arctan2(*(left - right)[::-1])), size)


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


def weighted_nms(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weighted non-maximum suppression: one row [17] for each face out of many rows [k, 17] around it.

    Rows that overlap become their mean, weighted by score; the best score is kept. A smaller box of a lower score that
    is almost wholly inside a face is dropped: a dense pass may find a face in an eye or mouth.
    Source: Bazarevsky et al., "BlazeFace" (2019), section 4.4.
    """
    rows = rows[np.argsort(-rows[:, 16], kind="stable")]
    merged: list[NDArray] = []
    while len(rows):
        same = iou(rows[0], rows) > SAME_FACE_IOU
        same[0] = True
        agreeing = rows[same & (rows[:, 16] >= AVERAGED_SHARE * rows[0, 16])]
        face = np.average(agreeing, axis=0, weights=agreeing[:, 16] + 1e-9)  # unconfirmed candidates score 0
        face[16] = rows[0, 16]
        if not any(share_inside(face[None], other)[0] > 0.8 for other in merged):
            merged.append(face)
        rows = rows[~same]
    return np.array(merged).reshape(-1, 17)


def _confirm(row: NDArray, found: NDArray, transform: NDArray) -> NDArray[np.float64]:
    """The face that the second pass found in a candidate's crop; the candidate with the score 0 if there is none.

    row: the candidate [17], frame pixels. found: rows [k, 17] in pixels of its crop. transform: frame to crop.
    """
    inner = INPUT / 2 / SECOND_PASS_SIDE
    expected = np.array([INPUT / 2 - inner] * 2 + [INPUT / 2 + inner] * 2)
    found = found[iou(expected, found) > SAME_FACE_IOU]
    if not len(found):
        return np.append(row[:16], 0.0)
    face, back = weighted_nms(found)[0], invert(transform)
    half = (face[2:4] - face[:2]) / 2 * scale_of(back)
    centre = apply(back, (face[:2] + face[2:4]) / 2)
    logit = (_logit(row[16]) + _logit(face[16])) / 2
    keypoints = apply(back, face[4:16].reshape(6, 2)).reshape(-1)
    return np.concatenate([centre - half, centre + half, keypoints, [1 / (1 + np.exp(-logit))]])


def _logit(probability: float) -> float:
    clipped = min(max(probability, 1e-6), 1 - 1e-6)
    return float(np.log(clipped / (1 - clipped)))
