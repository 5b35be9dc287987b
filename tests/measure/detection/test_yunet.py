"""The YuNet detector: where it looks for faces, what it gives when BlazeFace does not agree, and real faces."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from skimage.data import astronaut

from lpff_ray.geometry.transforms import iou
from lpff_ray.measure.detection.blazeface import FaceDetector, load_blazeface
from lpff_ray.measure.detection.yunet import SMALLEST_INPUT_FACE, as_blazeface, load_yunet, views
from lpff_ray.models.optional.yunet import SIDE


@given(st.integers(16, 4000), st.integers(16, 4000), st.sampled_from([24.0, 64.0, 128.0]), st.data())
def test_every_smallest_face_is_whole_and_large_enough_in_some_view(
    height: int, width: int, min_face_px: float, data: st.DataObject
) -> None:
    face = min(min_face_px, height, width)
    x = data.draw(st.floats(0, width - face))
    y = data.draw(st.floats(0, height - face))
    shown = [
        scale
        for scale, left, top in views(height, width, min_face_px)
        if left <= x
        and x + face <= left + SIDE / scale + 1
        and top <= y
        and y + face <= top + SIDE / scale + 1
    ]
    assert max(shown) * min_face_px >= min(SMALLEST_INPUT_FACE, min_face_px) - 1e-6
    assert max(shown) <= 1


@pytest.fixture
def detector(shared_data: Path, monkeypatch: pytest.MonkeyPatch) -> FaceDetector:
    monkeypatch.setenv("LPFF_RAY_MODELS", str(shared_data / "weights"))
    return load_yunet("cpu", 24.0, 0.5)


@pytest.mark.data
def test_it_finds_the_face_where_blazeface_does(detector: FaceDetector) -> None:
    frame = astronaut()
    found = detector.detect([frame])[0]
    expected = load_blazeface("cpu", 64.0, 0.5).detect([frame])[0]
    assert len(found.boxes) == len(expected.boxes) == 1
    assert np.abs(found.boxes - expected.boxes).max() < 5
    assert np.abs(found.keypoints - expected.keypoints).max() < 5
    assert 0.7 < found.scores[0] <= 1


@pytest.mark.data
def test_a_small_face_is_found_in_a_corner_of_a_large_frame(detector: FaceDetector) -> None:
    frame = np.full((1080, 1920, 3), 128, np.uint8)
    small = cv2.resize(astronaut(), (140, 140), interpolation=cv2.INTER_AREA)  # its face is 29 pixels wide
    frame[-140:, -140:] = small
    found = detector.detect([frame, frame[:, ::-1].copy()])
    for faces, x in zip(found, (1780 + 61, 140 - 61), strict=True):
        assert len(faces.boxes) == 1
        assert np.abs((faces.boxes[0, :2] + faces.boxes[0, 2:]) / 2 - [x, 940 + 34]).max() < 6


@pytest.mark.data
def test_the_shared_crowd_has_as_many_faces_as_it_should(detector: FaceDetector, shared_data: Path) -> None:
    capture = cv2.VideoCapture(str(shared_data / "videos" / "facenet-pytorch_video.mp4"))
    frame = cv2.cvtColor(capture.read()[1], cv2.COLOR_BGR2RGB)
    capture.release()
    assert len(detector.detect([frame])[0].boxes) >= 5


@pytest.mark.data
def test_without_blazefaces_second_pass_the_row_is_near_what_it_would_be(detector: FaceDetector) -> None:
    frame = astronaut()
    candidate = detector._candidates_of(frame)
    best = candidate[np.argmax(candidate[:, 16])]
    expected = load_blazeface("cpu", 64.0, 0.5).detect([frame])[0]
    assert iou(best[:4], expected.boxes)[0] > 0.7
    side = expected.boxes[0, 2] - expected.boxes[0, 0]
    assert np.abs(best[4:16].reshape(6, 2) - expected.keypoints[0]).max() < 0.2 * side


def test_no_faces_stay_no_faces() -> None:
    assert as_blazeface(np.zeros((0, 15))).shape == (0, 17)
