"""The default face detector: CenterFace, run twice.

The first pass runs it over the whole frame, reduced, and gives candidates. The second pass runs it again on a crop of
every candidate, where the face has one size however large it is in the frame: it gives box, points and score, which
therefore hardly depend on how the candidate was found.

CenterFace is fully convolutional, so it can run on a whole frame of any size, without tiles. Boxes are WIDER FACE's:
from the forehead, at the hair, to the chin, and as wide as the face is seen.
Source: Xu et al., "CenterFace: Joint Face Detection and Alignment Using Face as Point" (2019), arXiv:1911.03599.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lpff_ray.geometry.transforms import apply, crop_transform, invert, iou, share_inside, warp_crop
from lpff_ray.measure.detection.detections import Detections, KeypointScheme
from lpff_ray.measure.detection.inner_boxes import inner_boxes, longer_side
from lpff_ray.measure.detection.pictures import padded, reduced
from lpff_ray.models.cards import load_cards
from lpff_ray.models.fully_convolutional import FullyConvolutional

STRIDE = 4  # input pixels per cell of the outputs
# The first pass sees a face of REFERENCE_FACE pixels (face_px) at SMALLEST_INPUT_FACE pixels, a small frame at
# SMALLEST_PICTURE pixels (shorter side), and the whole frame again, COARSER times as small, while it is larger than
# LARGEST_INPUT_FACE. Evidence: docs/evidence/detection.md#sizes-in-the-first-pass
REFERENCE_FACE, SMALLEST_INPUT_FACE = 64.0, 22.0
SMALLEST_PICTURE = 160.0
LARGEST_INPUT_FACE, COARSER = 400.0, 4.0
# Lowest score of a candidate, and of a face in the second pass. Evidence: docs/evidence/detection.md#candidates
CANDIDATE_SCORE, SECOND_PASS_SCORE = 0.1, 0.03
SAME_FACE_IOU = 0.3  # above this IoU two detections are one face (CenterFace's own value)
PART_OF_FACE = (
    0.8  # a box with more of its area than this inside one with a better score is a part of that face
)
# The second pass's crop: its side over the candidate's longer one, and pixels. A doubtful face, whose score is between
# the two, is looked at again, in crops of so many pixels, mirrored or not.
# Evidence: docs/evidence/detection.md#second-pass
SECOND_PASS_SIDE, SECOND_PASS_INPUT = 2.0, 128
DOUBTFUL, DOUBTFUL_LOOKS = (0.1, 0.65), ((128, True), (192, False), (192, True))
# Cells with this share of the best one's score, and this IoU with its box, are averaged: it steadies boxes by 40%.
# Evidence: docs/evidence/detection.md#steady-boxes
AVERAGED = (0.3, 0.5)
# det_score = sigmoid(SOFTNESS * (WEIGHT * mean logit of a face's looks + BIAS)).
# Evidence: docs/evidence/detection.md#confidence
WEIGHT, BIAS = 4.5, 4.8
SOFTNESS = 0.5
# face_px, which PoseNet measures later, over the box's longer side: the median, and the most.
# Evidence: docs/evidence/detection.md#inner-boxes
SIZE_SHARE, MOST_SIZE_SHARE = 0.86, 1.05
# The same of a candidate's box, whose size is less sure: 1.35 times the median.
LARGEST_SIZE_SHARE = 1.16
SCHEME = KeypointScheme(
    estimator="centerface",
    model=np.array(
        [
            [-3.207, -1.838, -6.205],
            [3.207, -1.838, -6.205],
            [0.0, 1.802, -8.743],
            [-2.65, 5.025, -6.264],
            [2.65, 5.025, -6.264],
        ]
    ),
    sees_profiles=True,
)
"""Eyes, nose tip and mouth corners, the subject's right first, where CenterFace puts them on the head: made by
training/fit_keypoints.py. Evidence: docs/evidence/pose.md#keypoints-of-the-detector"""


@dataclass(frozen=True)
class Pass:
    """One first pass, over the frame at `scale`; its faces of `below` pixels and more are not taken."""

    scale: float
    below: float = float("inf")


class CenterFaceDetector:
    """The default detector. Threads may share one."""

    def __init__(self, model_path: Path, device: str, min_face_px: float, min_score: float) -> None:
        """device: "cpu", "cuda" or "cuda:N". min_face_px: smaller faces need not be found, pixels.

        min_score: lowest `det_score` returned. Raises UserError if the file can not be used, or the device is absent.
        """
        self.scheme = SCHEME
        self._network = FullyConvolutional(model_path, device)
        self.min_face_px = min_face_px
        self.min_score = min_score

    def detect(self, frames: list[NDArray[np.uint8]]) -> list[Detections]:
        """Detect faces in frames uint8 RGB [h, w, 3], all of one size."""
        return [self._accepted(rows) for rows in self.find(frames)] if frames else []

    def find(self, frames: list[NDArray[np.uint8]]) -> list[NDArray[np.float64]]:
        """Rows [k, 15] per frame: box, five points, det_score; of any score."""
        height, width = frames[0].shape[:2]
        found: list[list[NDArray]] = [[] for _ in frames]
        limits: list[list[NDArray]] = [[] for _ in frames]
        images = frames
        for one in first_passes(height, width, self.min_face_px):
            # Each from the one before, which is faster; passes for smaller faces must not change the others' pictures.
            images = [reduced(image, frame, one.scale) for image, frame in zip(images, frames, strict=True)]
            for number, rows in enumerate(self._rows(padded(images), CANDIDATE_SCORE)):
                rows[:, :14] /= one.scale
                rows = non_maximum_suppression(rows)
                found[number].append(rows)
                limits[number].append(np.full(len(rows), one.below))
            if one.below < np.inf:
                images = frames
        candidates = [np.concatenate(rows) for rows in found]
        confirmed = self._second_pass(frames, candidates)
        return [
            non_maximum_suppression(rows[SIZE_SHARE * longer_side(rows) < np.concatenate(below)])
            for rows, below in zip(confirmed, limits, strict=True)
        ]

    def _rows(self, batch: NDArray[np.uint8], threshold: float) -> list[NDArray[np.float64]]:
        """Rows [k, 15] per picture of a batch, in its pixels, before non-maximum suppression."""
        heat, size, offset, points = self._network(batch)
        return [decode(*outputs, threshold) for outputs in zip(heat, size, offset, points, strict=True)]

    def _second_pass(
        self, frames: list[NDArray[np.uint8]], candidates: list[NDArray]
    ) -> list[NDArray[np.float64]]:
        """Rows [k, 15] per frame, one for each candidate; det_score is 0 where there is no face again.

        Candidates that are far too small are not looked at: in a crowd they are most of the work.
        """
        frame_of = np.repeat(np.arange(len(frames)), [len(rows) for rows in candidates])
        rows = np.concatenate(candidates)
        large = np.flatnonzero(LARGEST_SIZE_SHARE * longer_side(rows) >= self.min_face_px)
        found = rows.copy()
        found[:, 14] = 0.0
        found[large] = self._look(frames, frame_of[large], rows[large], SECOND_PASS_INPUT)
        score = found[:, 14]
        logits = _logit(score)
        doubtful = np.flatnonzero((score > DOUBTFUL[0]) & (score < DOUBTFUL[1]))
        looks = [logits[doubtful]]
        for size, mirrored in DOUBTFUL_LOOKS:
            again = self._look(frames, frame_of[doubtful], rows[doubtful], size, mirrored)
            looks.append(_logit(again[:, 14]))
        logits[doubtful] = np.mean(looks, axis=0)
        confidence = 1 / (1 + np.exp(-SOFTNESS * (WEIGHT * logits + BIAS)))
        found[:, 14] = np.where(score > 0, confidence, 0)
        return np.split(found, np.cumsum([len(rows) for rows in candidates])[:-1])

    def _look(
        self,
        frames: list[NDArray[np.uint8]],
        frame_of: NDArray,
        rows: NDArray,
        size: int,
        mirrored: bool = False,
    ) -> NDArray[np.float64]:
        """For each row [15] the face in the middle of its crop of `size` pixels; the row with score 0 if there is none.

        frame_of: index of each row's frame. mirrored: of faces seen in the mirror only the score is right.
        """
        found = rows.copy()
        found[:, 14] = 0.0
        if not len(rows):
            return found
        middle, sides = (rows[:, :2] + rows[:, 2:4]) / 2, longer_side(rows)
        transforms = [
            crop_transform(centre, side * SECOND_PASS_SIDE, 0.0, size)
            for centre, side in zip(middle, sides, strict=True)
        ]
        crops = np.stack(
            [warp_crop(frames[f], one, size) for f, one in zip(frame_of, transforms, strict=True)]
        )
        inner = size / 2 / SECOND_PASS_SIDE
        expected = np.array([size / 2 - inner] * 2 + [size / 2 + inner] * 2)
        crops = np.ascontiguousarray(crops[:, :, ::-1]) if mirrored else crops
        for number, there in enumerate(self._rows(crops, SECOND_PASS_SCORE)):
            there = there[iou(expected, there) > SAME_FACE_IOU]
            if len(there):
                best = mean_row(there)
                found[number, :14] = apply(invert(transforms[number]), best[:14].reshape(7, 2)).reshape(-1)
                found[number, 14] = best[14]
        return found

    def _accepted(self, rows: NDArray[np.float64]) -> Detections:
        large = MOST_SIZE_SHARE * longer_side(rows) >= self.min_face_px
        kept = large & (rows[:, 14] >= self.min_score)
        ordered = rows[kept][np.lexsort((rows[kept, 1], rows[kept, 0]))].astype(np.float32)
        return Detections(
            boxes=ordered[:, :4],
            inner_boxes=inner_boxes(ordered[:, :4]),
            scores=ordered[:, 14],
            keypoints=ordered[:, 4:14].reshape(-1, 5, 2),
            rejected=int((~kept).sum()),
        )


def load_centerface(device: str, min_face_px: float, min_score: float) -> CenterFaceDetector:
    """The default detector. Raises UserError if the model's file is missing, or the device absent."""
    return CenterFaceDetector(load_cards()["centerface"].path(), device, min_face_px, min_score)


def first_passes(height: int, width: int, min_face_px: float) -> list[Pass]:
    """The first passes over a frame, finest first.

    Those that find faces of REFERENCE_FACE pixels and more are the same for every `min_face_px`; smaller ones ask for
    finer passes, whose larger faces are not taken. So `min_face_px` never changes which larger faces are found.
    """
    shorter = min(height, width)
    scale = min(1.0, max(SMALLEST_INPUT_FACE / REFERENCE_FACE, SMALLEST_PICTURE / shorter))
    passes = [Pass(scale)]
    face = SMALLEST_INPUT_FACE / scale
    while face > min_face_px and passes[0].scale < 1:
        passes.insert(0, Pass(min(1.0, passes[0].scale * 2), below=face))
        face /= 2
    while shorter * passes[-1].scale > LARGEST_INPUT_FACE:
        passes.append(Pass(passes[-1].scale / COARSER))
    return passes


def decode(
    heat: NDArray, size: NDArray, offset: NDArray, points: NDArray, threshold: float
) -> NDArray[np.float64]:
    """Raw outputs of one picture, [1, h, w], [2, h, w], [2, h, w] and [10, h, w] -> rows [k, 15] from `threshold` on.

    A row is box, five points (eyes, nose tip, mouth corners; the subject's right first) in input pixels, and score.
    """
    y, x = np.nonzero(heat[0] >= threshold)
    rows = np.empty((len(y), 15))
    height, width = np.exp(size[:, y, x].astype(np.float64)) * STRIDE
    centre_y, centre_x = (np.stack([y, x]) + offset[:, y, x] + 0.5) * STRIDE
    left, top = centre_x - width / 2, centre_y - height / 2
    rows[:, :4] = np.stack([left, top, left + width, top + height], 1)
    shares = points[:, y, x].reshape(5, 2, -1)  # of the box, y first
    rows[:, 4:14:2] = (shares[:, 1] * width + left).T
    rows[:, 5:14:2] = (shares[:, 0] * height + top).T
    rows[:, 14] = heat[0, y, x]
    return rows


def non_maximum_suppression(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """The best row [15] of each face out of rows [k, 15], best first."""
    rows = rows[np.argsort(-rows[:, 14], kind="stable")]
    kept: list[NDArray] = []
    while len(rows):
        best, rows = rows[0], rows[1:]
        kept.append(best)
        rows = rows[(iou(best, rows) <= SAME_FACE_IOU) & (share_inside(rows, best) <= PART_OF_FACE)]
    return np.array(kept).reshape(-1, 15)


def mean_row(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """The best row [15] of rows [k, 15] with the mean box and points, weighted by score, of those like it."""
    best = rows[np.argmax(rows[:, 14])]
    alike = rows[(rows[:, 14] >= AVERAGED[0] * best[14]) & (iou(best, rows) > AVERAGED[1])]
    return np.append(np.average(alike[:, :14], axis=0, weights=alike[:, 14]), best[14])


def _logit(probability: NDArray) -> NDArray[np.float64]:
    clipped = np.clip(probability, 0.01, 0.99)
    return np.log(clipped / (1 - clipped))
