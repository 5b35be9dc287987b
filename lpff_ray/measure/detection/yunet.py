"""Face detection with the optional model YuNet: YuNet finds the faces, BlazeFace gives their boxes and keypoints.

All that comes after detection was made for BlazeFace's boxes and six keypoints. So each of YuNet's faces goes through
the second pass of the default detector (see `blazeface`). Where BlazeFace finds no face there, YuNet's box and points
are used, converted to BlazeFace's. `det_score` is YuNet's: sqrt(face x object probability), on a scale of its own.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from lpff_ray.geometry.head_model import head_model
from lpff_ray.measure.detection.blazeface import FaceDetector, weighted_nms
from lpff_ray.measure.detection.inner_boxes import inner_boxes
from lpff_ray.measure.pose.fits import fit_keypoints
from lpff_ray.models.cards import load_cards
from lpff_ray.models.optional.yunet import SIDE, YuNet
from lpff_ray.models.store import plugin, plugin_files

SMALLEST_INPUT_FACE = 12.0  # input pixels; YuNet was trained on faces from 10 pixels up
TILE_OVERLAP = 0.25  # of a tile's side, so that a face of up to 160 input pixels is whole in one of them
CANDIDATE_SCORE = 0.3
FOUR = (0, 1, 2, 3)  # the keypoints that YuNet's points give: eyes, nose tip, mouth


class YuNetDetector(FaceDetector):
    """The YuNet detector. Threads may share one."""

    def __init__(
        self, yunet: Path, blazeface: Path, verifier: Path, device: str, min_face_px: float, min_score: float
    ) -> None:
        """Raises UserError if a model's file can not be used or the device is absent."""
        super().__init__(blazeface, verifier, device, min_face_px, min_score)
        self._yunet = YuNet(yunet, device)

    def find(self, frames: list[NDArray[np.uint8]]) -> list[NDArray[np.float64]]:
        """Rows [k, 17] per frame: box, six keypoints, det_score; of any size and score."""
        candidates = [weighted_nms(self._candidates_of(frame)) for frame in frames]
        confirmed = self.second_pass(frames, candidates)
        return [
            weighted_nms(
                np.array([_measured(*pair) for pair in zip(rows, again, strict=True)]).reshape(-1, 17)
            )
            for rows, again in zip(candidates, confirmed, strict=True)
        ]

    def _candidates_of(self, frame: NDArray[np.uint8]) -> NDArray[np.float64]:
        found = []
        height, width = frame.shape[:2]
        for scale, x, y in views(height, width, self.min_face_px):
            picture = _view(frame, scale, x, y)
            rows = self._yunet(picture[None], CANDIDATE_SCORE)[0]
            rows[:, :14] = rows[:, :14] / scale + np.tile([x, y], 7)
            found.append(rows)
        return as_blazeface(np.concatenate(found))


def load_yunet(device: str, min_face_px: float, min_score: float) -> YuNetDetector:
    """YuNet of the model store. Raises UserError if a model's file is missing, wrong or unusable."""
    cards = load_cards()
    return YuNetDetector(
        plugin_files(plugin("yunet"))[0],
        cards["blazeface-short"].path(),
        cards["dlib-mmod"].path(),
        device,
        min_face_px,
        min_score,
    )


def views(height: int, width: int, min_face_px: float) -> list[tuple[float, float, float]]:
    """Scale and top left corner (frame pixels) of every picture of a frame that YuNet is run on.

    First the whole frame; if the smallest faces would be too small in it, overlapping tiles at a scale where they are
    not.
    """
    whole = min(1.0, SIDE / max(height, width))
    fine = min(1.0, SMALLEST_INPUT_FACE / min_face_px)
    pictures = [(whole, 0.0, 0.0)]
    if fine > whole:
        tile = SIDE / fine
        for y in _starts(height, tile):
            pictures += [(fine, x, y) for x in _starts(width, tile)]
    return pictures


def as_blazeface(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """YuNet's rows [k, 15] as BlazeFace would give them [k, 17]: its box, its six keypoints, the score.

    The ears are those of the head model, fitted to the other points.
    """
    out = np.empty((len(rows), 17))
    if not len(rows):
        return out
    points = rows[:, 4:14].reshape(-1, 5, 2)
    four = np.concatenate([points[:, :3], points[:, 3:].mean(1, keepdims=True)], axis=1)
    fit = fit_keypoints(four, head_model().keypoints[list(FOUR)])
    posed = (fit.rotation @ head_model().keypoints[4:].T).transpose(0, 2, 1)[..., :2]
    ears = posed * fit.scale[:, None, None] + fit.centre[:, None]
    out[:, :4] = inner_boxes(rows[:, :4])
    out[:, 4:16] = np.concatenate([four, ears], axis=1).reshape(-1, 12)
    out[:, 16] = rows[:, 14]
    return out


def _measured(row: NDArray, confirmed: NDArray) -> NDArray[np.float64]:
    """A row [17] of the second pass where it found the face (its score is above 0), else YuNet's; YuNet's score."""
    return np.append(confirmed[:16] if confirmed[16] > 0 else row[:16], row[16])


def _starts(length: int, tile: float) -> list[float]:
    """Where overlapping tiles begin along a side of a frame."""
    if length <= tile:
        return [0.0]
    count = int(np.ceil((length - tile * TILE_OVERLAP) / (tile * (1 - TILE_OVERLAP))))
    return np.linspace(0.0, length - tile, count).round().tolist()


def _view(frame: NDArray[np.uint8], scale: float, x: float, y: float) -> NDArray[np.uint8]:
    """The part of a frame from (x, y) on at `scale`, uint8 [640, 640, 3], black beyond the frame."""
    left, top = int(x), int(y)
    part = frame[top : top + int(np.ceil(SIDE / scale)), left : left + int(np.ceil(SIDE / scale))]
    size = [min(SIDE, max(1, round(side * scale))) for side in part.shape[1::-1]]
    picture = np.zeros((SIDE, SIDE, 3), np.uint8)
    picture[: size[1], : size[0]] = cv2.resize(part, size, interpolation=cv2.INTER_AREA)
    return picture
