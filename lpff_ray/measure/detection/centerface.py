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

from lpff_ray.geometry.transforms import apply, crop_transform, invert, iou, warp_crop
from lpff_ray.measure.detection.centerface_rows import (
    SAME_FACE_IOU,
    decode,
    is_upright,
    mean_row,
    non_maximum_suppression,
)
from lpff_ray.measure.detection.detections import Detections, KeypointScheme
from lpff_ray.measure.detection.inner_boxes import inner_boxes, longer_side
from lpff_ray.measure.detection.pictures import padded, reduced
from lpff_ray.models.cards import load_cards
from lpff_ray.models.fully_convolutional import FullyConvolutional
from lpff_ray.models.precision import Precision, chosen_precision

# The first pass sees a face of REFERENCE_FACE pixels (face_px) at SMALLEST_INPUT_FACE pixels, a small frame at
# SMALLEST_PICTURE pixels (shorter side), and the whole frame again, COARSER times as small, while it is larger than
# LARGEST_INPUT_FACE. Evidence: docs/evidence/detection.md#sizes-in-the-first-pass
REFERENCE_FACE, SMALLEST_INPUT_FACE = 64.0, 22.0
SMALLEST_PICTURE = 160.0
LARGEST_INPUT_FACE, COARSER = 400.0, 4.0
# Lowest score of a candidate, and of a face in the second pass. Evidence: docs/evidence/detection.md#candidates
CANDIDATE_SCORE, SECOND_PASS_SCORE = 0.1, 0.03
# The second pass's crop: its side over the candidate's longer one, and pixels. A doubtful face, whose score is between
# the two, is looked at again, in crops of so many pixels, mirrored or not.
# Evidence: docs/evidence/detection.md#second-pass
SECOND_PASS_SIDE, SECOND_PASS_INPUT = 2.0, 128
DOUBTFUL, DOUBTFUL_LOOKS = (0.1, 0.65), ((128, True), (192, False), (192, True))
# A face is looked at turned by quarters too if it scores less than UPRIGHT, or if its own points say that it leans by
# more than 45 degrees. It is turned if it then scores TURNED and more, TURNED_GAIN more than as it is, or just more if
# its points say so in both looks. Evidence: docs/evidence/detection.md#turned-faces
UPRIGHT, TURNED, TURNED_GAIN = 0.8, 0.6, 0.15
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
        # Boxes and points come from one look in float32, whatever precision the run has: it would move them more than
        # candidates, and looks that only score. Evidence: docs/evidence/speed.md#precision
        self._scoring = FullyConvolutional(model_path, device)
        exact = device != "cpu" or chosen_precision() is Precision.EXACT
        self._measuring = self._scoring if exact else FullyConvolutional(model_path, device, Precision.EXACT)
        self.min_face_px = min_face_px
        self.min_score = min_score

    def detect(self, frames: list[NDArray[np.uint8]]) -> list[Detections]:
        """Detect faces in frames uint8 RGB [h, w, 3], all of one size."""
        return [self._accepted(rows) for rows in self.find(frames)] if frames else []

    def find(self, frames: list[NDArray[np.uint8]]) -> list[NDArray[np.float64]]:
        """Rows [k, 16] per frame: box, five points, det_score, quarter turns to be upright; of any score."""
        height, width = frames[0].shape[:2]
        found: list[list[NDArray]] = [[] for _ in frames]
        limits: list[list[NDArray]] = [[] for _ in frames]
        images = frames
        for one in first_passes(height, width, self.min_face_px):
            # Each from the one before, which is faster; passes for smaller faces must not change the others' pictures.
            images = [reduced(image, frame, one.scale) for image, frame in zip(images, frames, strict=True)]
            for number, rows in enumerate(self._candidates(images)):
                rows[:, :14] /= one.scale
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

    def _candidates(self, images: list[NDArray[np.uint8]]) -> list[NDArray[np.float64]]:
        """Rows [k, 15] per picture, in its pixels. A picture equal to the one before, as slides are, costs nothing."""
        new = [
            number == 0 or not np.array_equal(image, images[number - 1])
            for number, image in enumerate(images)
        ]
        batch = padded([image for image, is_new in zip(images, new, strict=True) if is_new])
        rows = [non_maximum_suppression(one) for one in _rows(self._scoring, batch, CANDIDATE_SCORE)]
        return [rows[index].copy() for index in np.cumsum(new) - 1]

    def _second_pass(
        self, frames: list[NDArray[np.uint8]], candidates: list[NDArray]
    ) -> list[NDArray[np.float64]]:
        """Rows [k, 16] per frame, one for each candidate; the last column: its quarter turns to be upright.

        det_score is 0 where there is no face again.

        Candidates that are far too small are not looked at: in a crowd they are most of the work.
        """
        frame_of = np.repeat(np.arange(len(frames)), [len(rows) for rows in candidates])
        rows = np.concatenate(candidates)
        large = np.flatnonzero(LARGEST_SIZE_SHARE * longer_side(rows) >= self.min_face_px)
        found, turns = rows.copy(), np.zeros(len(rows), np.int64)
        found[:, 14] = 0.0
        found[large], turns[large] = self._upright(frames, frame_of[large], rows[large])
        score = found[:, 14]
        logits = _logit(score)
        doubtful = np.flatnonzero((score > DOUBTFUL[0]) & (score < DOUBTFUL[1]) & self._is_large(found))
        looks = [logits[doubtful]]
        for size, mirrored in DOUBTFUL_LOOKS:
            again = self._look(
                self._scoring, frames, frame_of[doubtful], rows[doubtful], size, turns[doubtful], mirrored
            )
            looks.append(_logit(again[:, 14]))
        logits[doubtful] = np.mean(looks, axis=0)
        confidence = 1 / (1 + np.exp(-SOFTNESS * (WEIGHT * logits + BIAS)))
        found[:, 14] = np.where(score > 0, confidence, 0)
        return np.split(np.column_stack([found, turns]), np.cumsum([len(rows) for rows in candidates])[:-1])

    def _upright(
        self, frames: list[NDArray[np.uint8]], frame_of: NDArray, rows: NDArray
    ) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """The faces of the second pass [k, 15], as `_look` gives them, and their quarter turns to be upright [k].

        CenterFace also finds a face that lies on its side or stands on its head, but scores it lower, its points wrong.
        """
        turns = np.zeros(len(rows), np.int64)
        found = self._look(self._measuring, frames, frame_of, rows, SECOND_PASS_INPUT, turns)
        leaning = ~is_upright(found, turns)
        # What is too small now that it has been looked at is none of the faces that are asked for.
        possible = self._is_large(found) | (found[:, 14] == 0)
        unsure = np.flatnonzero(((found[:, 14] < UPRIGHT) | leaning) & possible)
        gain = np.where(leaning[unsure], 0.0, TURNED_GAIN)
        limits = np.maximum(found[unsure, 14] + gain, TURNED)
        for turn in (1, 2, 3):
            turned = np.full(len(unsure), turn)
            again = self._look(
                self._scoring, frames, frame_of[unsure], rows[unsure], SECOND_PASS_INPUT, turned
            )
            better = (again[:, 14] >= limits) & is_upright(again, turned)
            limits[better] = again[better, 14]
            turns[unsure[better]] = turn
        is_turned = np.flatnonzero(turns)
        found[is_turned] = self._look(
            self._measuring, frames, frame_of[is_turned], rows[is_turned], SECOND_PASS_INPUT, turns[is_turned]
        )
        return found, turns

    def _look(
        self,
        network: FullyConvolutional,
        frames: list[NDArray[np.uint8]],
        frame_of: NDArray,
        rows: NDArray,
        size: int,
        turns: NDArray[np.int64],
        mirrored: bool = False,
    ) -> NDArray[np.float64]:
        """For each row [15] the face in the middle of its crop of `size` pixels; the row with score 0 if there is none.

        frame_of: index of each row's frame. turns: quarter turns anticlockwise by which each crop is turned. mirrored:
        of faces seen in the mirror only the score is right.
        """
        found = rows.copy()
        found[:, 14] = 0.0
        if not len(rows):
            return found
        middle, sides = (rows[:, :2] + rows[:, 2:4]) / 2, longer_side(rows)
        transforms = [
            crop_transform(centre, side * SECOND_PASS_SIDE, turn * np.pi / 2, size)
            for centre, side, turn in zip(middle, sides, turns, strict=True)
        ]
        crops = np.stack(
            [warp_crop(frames[f], one, size) for f, one in zip(frame_of, transforms, strict=True)]
        )
        inner = size / 2 / SECOND_PASS_SIDE
        expected = np.array([size / 2 - inner] * 2 + [size / 2 + inner] * 2)
        crops = np.ascontiguousarray(crops[:, :, ::-1]) if mirrored else crops
        for number, there in enumerate(_rows(network, crops, SECOND_PASS_SCORE)):
            there = there[iou(expected, there) > SAME_FACE_IOU]
            if len(there):
                best = mean_row(there)
                points = apply(invert(transforms[number]), best[:14].reshape(7, 2))
                points[:2] = points[:2].min(0), points[:2].max(0)  # of a turned box other corners are first
                found[number, :14], found[number, 14] = points.reshape(-1), best[14]
        return found

    def _is_large(self, rows: NDArray[np.float64]) -> NDArray[np.bool_]:
        return np.asarray(MOST_SIZE_SHARE * longer_side(rows) >= self.min_face_px)

    def _accepted(self, rows: NDArray[np.float64]) -> Detections:
        kept = self._is_large(rows) & (rows[:, 14] >= self.min_score)
        ordered = rows[kept][np.lexsort((rows[kept, 1], rows[kept, 0]))].astype(np.float32)
        turns = ordered[:, 15].astype(np.int64)
        return Detections(
            boxes=ordered[:, :4],
            inner_boxes=inner_boxes(ordered[:, :4], turns),
            scores=ordered[:, 14],
            keypoints=ordered[:, 4:14].reshape(-1, 5, 2),
            rejected=int((~kept).sum()),
            turns=turns,
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


def _rows(
    network: FullyConvolutional, batch: NDArray[np.uint8], threshold: float
) -> list[NDArray[np.float64]]:
    """Rows [k, 15] per picture of a batch, in its pixels, before non-maximum suppression."""
    heat, size, offset, points = network(batch)
    return [decode(*outputs, threshold) for outputs in zip(heat, size, offset, points, strict=True)]


def _logit(probability: NDArray) -> NDArray[np.float64]:
    clipped = np.clip(probability, 0.01, 0.99)
    return np.log(clipped / (1 - clipped))
