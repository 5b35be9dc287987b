"""Landmarks and keypoints of the table, where FaceMesh sees the face and where it does not."""

from __future__ import annotations

from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

import lpff_ray
from lpff_ray.geometry.head_model import five_points, head_model
from lpff_ray.geometry.rotation import angles_from_matrix, matrix_from_angles, matrix_from_direction
from lpff_ray.measure.contract import FaceBatch
from lpff_ray.measure.detection.detections import KeypointScheme
from lpff_ray.measure.measurer import second_detections
from lpff_ray.measure.pose import fits
from lpff_ray.measure.pose.fused import fused_pose, voted_bins
from lpff_ray.measure.pose.landmarks import SCHEME_68, Meshes
from lpff_ray.measure.pose.learned import LearnedPose

SCHEME = KeypointScheme("blazeface", head_model().keypoints, sees_profiles=False)
MIDDLE, SCALE = np.array([500.0, 400.0]), 30.0  # pixels, and pixels per cm


def batch(
    boxes: object, scores: list[float], keypoints: np.ndarray | None = None, frames: list[int] | None = None
) -> FaceBatch:
    """Faces in frames of 1000 x 800 black pixels."""
    count = len(scores)
    return FaceBatch(
        pictures=[np.zeros((800, 1000, 3), np.uint8)] * count,
        frames=np.array(frames or [0] * count),
        turns=np.zeros(count, np.int64),
        boxes=np.array(boxes, "f"),
        inner_boxes=np.array(boxes, "f"),
        scores=np.array(scores, "f"),
        keypoints=np.zeros((count, 6, 2), "f") if keypoints is None else keypoints,
        width=1000,
        height=800,
    )


def first_frame(path: Path) -> np.ndarray:
    with av.open(str(path)) as container:
        return next(container.decode(video=0)).to_ndarray(format="rgb24")


def points_of(angles: tuple[float, float, float], wrong_by: float, presence: float) -> tuple[np.ndarray, ...]:
    """Landmarks and keypoints of a face that PoseNet sees as it is, and FaceMesh turned `wrong_by` degrees too little;
    and the head model's landmarks and keypoints in the true pose."""
    rotation = matrix_from_angles(*(np.array([angle]) for angle in angles))
    learned = LearnedPose(rotation, np.array([SCALE]), MIDDLE[None])
    truth = fits.posed_mesh(fits.positioned(rotation, learned), np.zeros(1))
    turn = Rotation.from_euler("y", -np.sign(angles[0]) * wrong_by, degrees=True).as_matrix()
    mistaken = (truth - truth.mean(1)) @ turn.T + truth.mean(1)
    keypoints = SCALE * (head_model().keypoints @ rotation[0].T)[None, :, :2] + MIDDLE
    faces = batch([[400, 300, 600, 500]], [1.0], keypoints.astype("f"))
    meshes = Meshes(mistaken, np.array([presence]))
    fused = fused_pose(faces, meshes, learned, SCHEME, {}, 1000.0)
    assert fused.faces.five_points is not None
    return (
        fused.columns["landmarks"][0],
        fused.faces.five_points[0],
        truth[0, SCHEME_68],
        five_points(truth)[0, :, :2],
    )


@pytest.mark.parametrize("angles", [(80.0, 0.0, 0.0), (-85.0, 10.0, 20.0), (70.0, -20.0, -10.0)])
def test_at_profile_they_are_the_head_models_where_posenet_sees_it(
    angles: tuple[float, float, float],
) -> None:
    for presence in (2.0, 20.0):
        landmarks, five, true_landmarks, true_five = points_of(angles, 35.0, presence)
        assert np.abs(landmarks[:, :2] - true_landmarks[:, :2]).max() < 0.1
        assert np.abs(five - true_five).max() < 0.1


def test_near_the_front_they_are_facemeshs_where_it_is_sure() -> None:
    landmarks, five, true_landmarks, _ = points_of((10.0, 0.0, 0.0), 4.0, 20.0)
    assert np.abs(landmarks - true_landmarks).max() > 5, "FaceMesh's own, off by a turn"
    unsure, five_unsure, _, _ = points_of((10.0, 0.0, 0.0), 4.0, -5.0)
    assert np.abs(unsure[:, :2] - true_landmarks[:, :2]).max() < 2.5
    assert np.abs(five - five_unsure).max() > 2


def test_a_turning_heads_points_do_not_jump() -> None:
    """Of a head 400 pixels wide that turns by half a degree, while FaceMesh lags behind and grows unsure."""
    tracks = [
        points_of((yaw, 0.0, 0.0), max(0.0, yaw - 30) * 0.6, 22 - yaw / 4)[0]
        for yaw in np.arange(20, 80, 0.5)
    ]
    assert np.abs(np.diff([points[:, :2] for points in tracks], axis=0)).max() < 12


@pytest.mark.parametrize("presence", [-10.0, 0.0, 9.0, 30.0])
def test_facemeshs_yaw_is_corrected_outwards_smoothly_and_never_past_the_side(presence: float) -> None:
    yaw = np.linspace(-70, 70, 561)
    zero = np.zeros_like(yaw)
    turned = fits.angles_from_matrix(
        fits.corrected_mesh_rotation(matrix_from_angles(yaw, zero, zero), np.full(len(yaw), presence))
    )[:, 0]
    assert (turned * np.sign(yaw) >= np.abs(yaw) - 1e-6).all()
    assert np.abs(turned).max() < 90
    assert np.abs(np.diff(turned)).max() < 1, "a quarter of a degree of FaceMesh's"
    np.testing.assert_allclose(turned, -turned[::-1], atol=1e-6)


def test_a_second_detection_of_a_large_face_is_dropped_and_a_neighbour_is_not() -> None:
    """Boxes of `liveportrait_d14` enlarged 2.5 times, forehead and eyes above the face, and of two people cheek to
    cheek; the difference is where PoseNet sees the face."""
    boxes = np.array(
        [[90, 300, 730, 940], [130, 60, 640, 570], [90, 300, 730, 940], [600, 300, 900, 600]], "f"
    )
    faces = batch(boxes, [0.96, 0.81, 0.5, 0.9], frames=[0, 0, 1, 0])
    middles = np.array([[410, 620], [400, 500], [410, 620], [760, 450]])
    assert second_detections(faces, middles).tolist() == [False, True, False, False]
    # What was dropped drops no other: the third is like the second, not like the best.
    faces = batch(boxes[[0, 1, 1]], [0.9, 0.8, 0.7])
    middles = np.array([[410, 620], [400, 500], [385, 200]])
    assert second_detections(faces, middles).tolist() == [False, True, False]


def test_a_large_face_is_one_row(shared_data: Path) -> None:
    """Forehead and eyes were a face of their own, with a track, a crop and an identity, in 15 of 16 such frames."""
    frame = first_frame(shared_data / "videos" / "liveportrait_d14.mp4")
    large = cv2.resize(frame, None, fx=2.5, fy=2.5, interpolation=cv2.INTER_CUBIC)
    assert len(lpff_ray.analyze([large])) == 1


def test_estimators_that_need_both_eyes_do_not_outvote_posenet_at_profile() -> None:
    """They take half a profile for a whole face: frames of `data-juicer_video3` turned by 76 degrees were `frontal`."""
    votes = {
        "posenet": np.array([[-76.0, 2.0, 0.0], [20.0, 0.0, 0.0], [-84.0, 40.0, 0.0], [-76.0, 2.0, 0.0]]),
        "facemesh": np.array([[-4.0, 5.0, 0.0], [-50.0, 0.0, 0.0], [-60.0, 5.0, 0.0], [-4.0, 5.0, 0.0]]),
        "blazeface": np.array([[4.0, 5.0, 0.0], [-50.0, 0.0, 0.0], [-50.0, 5.0, 0.0], [4.0, 5.0, 0.0]]),
        "fsanet": np.array([[-70.0, 0.0, 0.0], [10.0, 0.0, 0.0], [-80.0, 0.0, 0.0], [-3.0, 0.0, 0.0]]),
    }
    turned_away = np.array([True, False, True, True])
    columns = voted_bins(votes, turned_away, {"facemesh", "blazeface"})
    assert columns["pose_bin"] == ["profile_right", "confused", "profile_right", "confused"]
    assert columns["pose_bin_strict"] == ["profile_right", "confused", "profile_right", "confused"]
    assert columns["pose_bin_fine"] == ["right_70_80", "confused", "right_80_90", "confused"]
    assert [vote["estimator"] for vote in columns["pose_votes"][0]] == list(votes), "all of them are kept"
    counted = voted_bins(votes, turned_away, {"facemesh"})
    assert counted["pose_bin_strict"][0] == "confused", (
        "keypoints that are right at profile have a vote there"
    )


def test_level_profiles_are_in_the_bin_of_their_side_whatever_euler_angles_say() -> None:
    """The rows of one almost still profile: its pitch and roll fell from 20 to -64 while it turned by 3 degrees."""
    level = matrix_from_direction(np.array([76.0, 80.0, 84.0, 88.0]), np.full(4, -8.0), np.full(4, -2.0))
    angles = angles_from_matrix(level)
    assert angles[:, 1].min() < -70 < -35 < angles[:, 1].max(), "Euler angles lock"
    columns = voted_bins({"posenet": angles, "fsanet": angles}, np.ones(4, bool), ())
    assert columns["pose_bin"] == ["profile_left"] * 4
    assert columns["pose_bin_fine"] == ["left_70_80", "left_70_80", "left_80_90", "left_80_90"]


@pytest.mark.data
def test_boxes_hold_the_face_from_brows_to_chin_and_the_nose(shared_data: Path) -> None:
    """In 11 of 18 faces past 75 degrees the nose lay outside of the box."""
    for name in ("face_recognition_short_hamilton_clip.mp4", "3ddfa_obama.mp4"):
        with av.open(str(shared_data / "videos" / name)) as container:
            frames = [
                frame.to_ndarray(format="rgb24")
                for number, frame in enumerate(container.decode(video=0))
                if number % 40 == 0
            ][:6]
        found = lpff_ray.analyze(frames)
        box, points = found["bbox"].to_numpy(), found["landmarks"].to_numpy()[..., :2]
        assert len(box)
        assert (points.min(1) >= box[:, :2]).all()
        assert (points.max(1) <= box[:, 2:]).all()
