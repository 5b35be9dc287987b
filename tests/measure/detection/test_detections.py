"""What holds for every detector: order, gates, and that no frame depends on another."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
from scenes import scene_by_head, scene_by_inner_box

from lpff_ray.measure.detection.blazeface import load_blazeface
from lpff_ray.measure.detection.centerface import load_centerface
from lpff_ray.measure.detection.detections import Detector


@dataclass(frozen=True)
class Case:
    """A detector, how it measures faces, and gates: a size between two faces, and the strictest gates of a test."""

    load: Callable[[str, float, float], Detector]
    scene: Callable[..., np.ndarray]
    larger: float
    between: float
    strictest: tuple[float, float]


CASES = {
    "centerface": Case(load_centerface, scene_by_head, 140, 90.0, (90.0, 0.999)),
    "blazeface": Case(load_blazeface, scene_by_inner_box, 100, 80.0, (80.0, 0.5)),
}


@pytest.fixture(scope="module", params=CASES)
def case(request: pytest.FixtureRequest) -> Case:
    return CASES[request.param]


@pytest.fixture(scope="module")
def detector(case: Case) -> Detector:
    return case.load("cpu", 32.0, 0.5)


def test_faces_are_numbered_left_to_right_and_gates_are_counted(case: Case, detector: Detector) -> None:
    sizes = (case.larger, 60)
    frame = np.concatenate([case.scene(size, 320, 360, (720, 640)) for size in sizes], axis=1)
    found = detector.detect([frame])[0]
    assert len(found.boxes) == 2
    assert found.boxes[0, 0] < found.boxes[1, 0]
    gated = case.load("cpu", case.between, 0.5).detect([frame])[0]
    assert len(gated.boxes) == 1
    assert case.load("cpu", *case.strictest).detect([frame])[0].rejected >= 1


def test_a_frame_does_not_depend_on_the_frames_beside_it(case: Case, detector: Detector) -> None:
    frames = [case.scene(80, 300, 300), case.scene(200, 800, 360), np.zeros((720, 1280, 3), np.uint8)]
    together = detector.detect(frames)
    for frame, found in zip(frames, together, strict=True):
        alone = detector.detect([frame])[0]
        assert np.array_equal(alone.boxes, found.boxes)
        assert np.array_equal(alone.keypoints, found.keypoints)
        assert np.array_equal(alone.scores, found.scores)


@pytest.mark.parametrize("shape", [(4, 4, 3), (1, 300, 3), (33, 47, 3)])
def test_tiny_frames_hold_no_face_and_break_nothing(detector: Detector, shape: tuple[int, ...]) -> None:
    assert len(detector.detect([np.full(shape, 90, np.uint8)])[0].boxes) == 0
