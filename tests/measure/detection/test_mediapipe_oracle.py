"""Detection and landmarks against mediapipe's own solutions, the oracle for its models.

Importing mediapipe takes seconds and prints; only these tests do it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from skimage.data import astronaut

from lpff_ray.geometry.transforms import iou
from lpff_ray.measure.detection.blazeface import LEFT_EYE, RIGHT_EYE, FaceDetector
from lpff_ray.measure.detection.detections import Detections
from lpff_ray.measure.pose.landmarks import FaceMesh
from lpff_ray.models.cards import load_cards


@pytest.fixture(scope="module")
def solutions() -> Any:
    mediapipe = pytest.importorskip("mediapipe")
    return mediapipe.solutions


@pytest.fixture(scope="module")
def detector() -> FaceDetector:
    cards = load_cards()
    return FaceDetector(cards["blazeface-short"].path(), cards["dlib-mmod"].path(), "cpu", 32, 0.5)


def largest(found: Detections) -> int:
    return int(np.argmax(np.prod(found.boxes[:, 2:] - found.boxes[:, :2], axis=1)))


def frontal_photos(shared_data: Path) -> list[np.ndarray]:
    """Photos whose one large face both solutions find: LFW and the labelled ones below 30 degrees of yaw."""
    names = sorted((shared_data / "identity" / "lfw10").glob("*/*_0001.jpg"))
    names += [
        shared_data / "pose" / "aflw2000_16" / f"image0{n}.jpg" for n in ("0050", "0081", "3614", "2283")
    ]
    return [np.ascontiguousarray(cv2.imread(str(name))[..., ::-1]) for name in names]


def compare(photo: np.ndarray, solutions: Any, detector: FaceDetector) -> tuple[float, float, float]:
    """Overlap of the boxes, worst keypoint distance and mean mesh distance, both as shares of the box's side."""
    height, width = photo.shape[:2]
    ours = detector.detect([photo])[0]
    chosen = largest(ours)
    with solutions.face_detection.FaceDetection(model_selection=0, min_detection_confidence=0.5) as theirs:
        answer = theirs.process(photo).detections[0].location_data
    box = answer.relative_bounding_box
    corners = np.array([box.xmin, box.ymin, box.xmin + box.width, box.ymin + box.height])
    corners *= [width, height, width, height]
    keypoints = np.array([[k.x * width, k.y * height] for k in answer.relative_keypoints])
    side = float(ours.boxes[chosen, 2] - ours.boxes[chosen, 0])
    with solutions.face_mesh.FaceMesh(static_image_mode=True, refine_landmarks=False) as theirs:
        points = theirs.process(photo).multi_face_landmarks[0].landmark
    mesh = np.array([[p.x * width, p.y * height, p.z * width] for p in points])
    net = FaceMesh(load_cards()["facemesh"].path(), "cpu")
    right, left = ours.keypoints[chosen, [RIGHT_EYE, LEFT_EYE]]
    upright = np.array([np.arctan2(*(left - right)[::-1])])
    own = net([photo], ours.boxes[chosen : chosen + 1], upright).points[0]
    return (
        float(iou(corners, ours.boxes[chosen : chosen + 1].astype(float))[0]),
        float(np.linalg.norm(keypoints - ours.keypoints[chosen], axis=1).max()) / side,
        float(np.linalg.norm(mesh - own, axis=1).mean()) / side,
    )


def test_the_portrait_of_scikit_image(solutions: Any, detector: FaceDetector) -> None:
    # mediapipe shrinks the whole picture to 128 pixels: only a close-up gives it what our second pass sees.
    close_up = np.ascontiguousarray(astronaut()[0:280, 84:364])
    boxes, keypoints, mesh = compare(close_up, solutions, detector)
    assert boxes > 0.85
    assert keypoints < 0.08
    assert mesh < 0.03


@pytest.mark.data
def test_real_photos(solutions: Any, detector: FaceDetector, shared_data: Path) -> None:
    results = np.array([compare(photo, solutions, detector) for photo in frontal_photos(shared_data)])
    assert np.median(results[:, 0]) > 0.85
    assert results[:, 0].min() > 0.7
    assert np.median(results[:, 1]) < 0.06
    assert np.median(results[:, 2]) < 0.03
    assert results[:, 2].max() < 0.06
