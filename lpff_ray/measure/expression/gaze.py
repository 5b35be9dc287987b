"""Where eyes look, how far they and the mouth are open: the measure `gaze`, on request (`mine --measures gaze`).

It reads the network that ships with mediapipe and looks again at eyes, irises and lips
(`face_landmark_with_attention.tflite`). Where the head is turned further than LARGEST_AZIMUTH one eye is hardly seen,
and its points mean nothing: there, and where the network sees no face, the columns are null. Looked at on 20 faces of
clips and photos: irises lie in their eyes up to 40 degrees, blinking and looking aside included; at 60 and more they do
not.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from lpff_ray.geometry.rotation import direction_from_matrix, upright_angle
from lpff_ray.geometry.transforms import apply, invert, scale_of, warp_crop
from lpff_ray.measure.contract import FaceBatch, Measure, Values
from lpff_ray.measure.pose.landmarks import INPUT, region

if TYPE_CHECKING:
    from lpff_ray.models.networks.tflite_graph import TfliteGraph

LARGEST_AZIMUTH = 40.0
"""Degrees that the nose may point aside."""
SEEN = 0.5
"""Least probability that there is a face (mediapipe's own)."""
# Places in the network's outputs (google/mediapipe, tensors_to_face_landmarks_with_attention.pbtxt): of an eye's points
# the corners and the middles of the lids, of the lips' points the inner corners and the middles of the inner lips.
EYE_CORNERS, EYE_LIDS = (0, 8), (12, 4)
LIP_CORNERS, LIP_MIDDLES = (20, 30), (35, 25)


class EyesAndMouth(NamedTuple):
    """One face, in pixels of its picture. The subject's right eye, which is image-left, comes first.

    iris: [2, 3], x, y and radius. gaze: [2], how far the irises are from the middle of their eyes, in halves of an
    eye's width: to image-left, and up. eyes_open: [2], the opening's height over its width. mouth_open: the same of the
    inner lips. mouth_width: over the distance between the eyes' middles.
    """

    iris: NDArray[np.float64]
    gaze: NDArray[np.float64]
    eyes_open: NDArray[np.float64]
    mouth_open: float
    mouth_width: float


class Gaze(Measure):
    """`--measures gaze`. iris: image-left eye first, x, y and radius in pixels of the frame; see EyesAndMouth."""

    name = "gaze"
    columns = pl.Schema(
        {
            "iris": pl.Array(pl.Float32(), (2, 3)),
            "gaze": pl.Array(pl.Float32(), 2),
            "eyes_open": pl.Array(pl.Float32(), 2),
            "mouth_open": pl.Float32(),
            "mouth_width": pl.Float32(),
        }
    )

    def measure(self, faces: FaceBatch) -> Mapping[str, Values]:
        """A value per face, None where the eyes can not be told."""
        assert faces.rotation is not None
        found = [self._face(faces, index) for index in range(len(faces))]
        irises: list[list[list[float]] | None] = []
        for index, one in enumerate(found):
            if one is None:
                irises.append(None)
                continue
            alone = faces.subset(np.array([index]))
            middles = alone.points_in_frame(one.iris[None, :, :2])[0]
            irises.append(np.column_stack([middles, one.iris[:, 2]]).tolist())
        return {
            "iris": irises,
            "gaze": [None if one is None else one.gaze.tolist() for one in found],
            "eyes_open": [None if one is None else one.eyes_open.tolist() for one in found],
            "mouth_open": [None if one is None else one.mouth_open for one in found],
            "mouth_width": [None if one is None else one.mouth_width for one in found],
        }

    def _face(self, faces: FaceBatch, index: int) -> EyesAndMouth | None:
        assert faces.rotation is not None
        rotation = faces.rotation[index]
        if abs(float(direction_from_matrix(rotation)[0])) > LARGEST_AZIMUTH:
            return None
        angle = float(upright_angle(rotation))
        return eyes_and_mouth(faces.pictures[index], faces.inner_boxes[index], angle, self.device)


def eyes_and_mouth(
    picture: NDArray[np.uint8], box: NDArray, upright: float, device: str = "cpu"
) -> EyesAndMouth | None:
    """Eyes and mouth of the face in a box [4], brows to chin, of a picture [h, w, 3] RGB; None where no face is seen.

    upright: by how much the face is turned in the picture, radians (`geometry.rotation.upright_angle`).
    """
    import torch

    transform = region(box, upright)
    crop = torch.from_numpy(warp_crop(picture, transform, INPUT).astype(np.float32)[None] / 255.0)
    with torch.inference_mode():
        outputs = [output.cpu().numpy().reshape(-1) for output in _network(device)(crop.to(device))]
    _, lips, *eyes, right_iris, left_iris, presence = outputs
    if 1 / (1 + np.exp(-float(presence[0]))) < SEEN:
        return None
    return _measured(
        lips.reshape(-1, 2),
        [eye.reshape(-1, 2) for eye in eyes],
        [right_iris.reshape(-1, 2), left_iris.reshape(-1, 2)],
        invert(transform),
    )


def _measured(
    lips: NDArray, eyes: list[NDArray], irises: list[NDArray], to_picture: NDArray
) -> EyesAndMouth | None:
    """What points of the crop, whose x axis is the face's, say."""
    gazes, openings, placed, middles = [], [], [], []
    for eye, iris in zip(eyes, irises, strict=True):
        right, left = eye[list(EYE_CORNERS)] if eye[0, 0] < eye[8, 0] else eye[list(EYE_CORNERS[::-1])]
        width = float(np.linalg.norm(left - right))
        if width < 1:  # pixels of the crop: nothing to measure
            return None
        along = (left - right) / width
        across = np.array([along[1], -along[0]])  # up: y points down
        offset = iris[0] - (right + left) / 2
        gazes.append([-2 * offset @ along / width, 2 * offset @ across / width])
        upper, lower = eye[list(EYE_LIDS)]
        openings.append(max(0.0, float((upper - lower) @ across)) / width)
        radius = np.linalg.norm(iris[1:] - iris[0], axis=1).mean() * scale_of(to_picture)
        placed.append([*apply(to_picture, iris[:1])[0], radius])
        middles.append((right + left) / 2)
    corners, (upper, lower) = lips[list(LIP_CORNERS)], lips[list(LIP_MIDDLES)]
    mouth = float(np.linalg.norm(corners[1] - corners[0]))
    apart = float(np.linalg.norm(middles[1] - middles[0]))
    if mouth < 1 or apart < 1:
        return None
    return EyesAndMouth(
        iris=np.array(placed),
        gaze=np.mean(gazes, 0),
        eyes_open=np.array(openings),
        mouth_open=float(np.linalg.norm(upper - lower)) / mouth,
        mouth_width=mouth / apart,
    )


@lru_cache(maxsize=4)
def _network(device: str) -> TfliteGraph:
    """LiteRT lacks its operators, so torch runs it everywhere."""
    from lpff_ray.models.cards import load_cards
    from lpff_ray.models.networks.tflite_graph import TfliteGraph

    return TfliteGraph(load_cards()["facemesh-attention"].path()).to(device).eval()
