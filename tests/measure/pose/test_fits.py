"""Fits of the head model: exact on what it makes itself, right in sign and sane on labelled faces."""

from __future__ import annotations

import csv
from pathlib import Path

import cv2
import numpy as np
import pytest

import lpff_ray
from lpff_ray.geometry.camera import to_camera
from lpff_ray.geometry.head_model import head_model
from lpff_ray.geometry.rotation import geodesic_degrees, matrix_from_angles
from lpff_ray.measure.pose import fits as pose


def posed(points: np.ndarray, rotation: np.ndarray, scale: float, centre: tuple[float, float]) -> np.ndarray:
    moved = scale * points @ rotation.T
    moved[:, :2] += centre
    return moved


@pytest.mark.parametrize(("yaw", "pitch", "roll"), [(0, 0, 0), (35, -20, 15), (-70, 10, -30), (88, 5, 0)])
def test_both_fits_recover_an_exact_head(yaw: float, pitch: float, roll: float) -> None:
    rotation = matrix_from_angles(np.array(yaw), np.array(pitch), np.array(roll))
    model = head_model()
    mesh = pose.fit_mesh(posed(model.mesh, rotation, 11.0, (300, 200))[None])
    keypoints = pose.fit_keypoints(
        posed(model.keypoints, rotation, 11.0, (300, 200))[None, :, :2], model.keypoints
    )
    for fit in (mesh, keypoints):
        assert geodesic_degrees(fit.rotation[0], rotation) < 0.2
        assert fit.scale[0] == pytest.approx(11.0, rel=5e-3)
        assert fit.centre[0] == pytest.approx([300, 200], abs=1.0)


def test_keypoint_fit_is_continuous_under_a_turning_head() -> None:
    model = head_model().keypoints
    rotations = matrix_from_angles(np.linspace(-95, 95, 381), np.full(381, 8.0), np.full(381, -5.0))
    noise = np.random.default_rng(0).normal(0, 0.15, (len(model), 2))  # no exact head, as in real faces
    points = np.array([posed(model, rotation, 10.0, (0, 0))[:, :2] for rotation in rotations]) + noise
    steps = geodesic_degrees(
        *(pose.fit_keypoints(points, model).rotation[part] for part in (slice(1, None), slice(-1)))
    )
    assert steps.max() < 3.0


def test_camera_pose_projects_the_head_back_where_it_was_seen() -> None:
    width, height, focal = 1280, 720, 1280.0
    rotation = matrix_from_angles(np.array([20.0, -50.0]), np.array([5.0, -10.0]), np.array([0.0, 12.0]))
    scale, centre = np.array([8.0, 12.0]), np.array([[200.0, 600.0], [640.0, 360.0]])
    rotvec, translation = to_camera(rotation, scale, centre, width, height, focal)
    model = head_model().mesh
    for i in range(2):
        turned = cv2.Rodrigues(rotvec[i])[0]
        camera = model @ turned.T + translation[i]
        seen = camera[:, :2] / camera[:, 2:] * focal + [width / 2, height / 2]
        weak = posed(model, rotation[i], scale[i], tuple(centre[i]))[:, :2]
        assert np.abs(seen - weak).max() < 0.12 * scale[i] * 15  # perspective against weak perspective
        origin = translation[i][:2] / translation[i][2] * focal + [width / 2, height / 2]
        assert origin == pytest.approx(centre[i], abs=1e-6)
    assert geodesic_degrees(cv2.Rodrigues(rotvec[1])[0], rotation[1]) < 1e-3, "on the axis nothing is turned"
    assert np.linalg.norm(translation[1]) == pytest.approx(focal / 12.0)


@pytest.mark.data
def test_labelled_faces_read_right_in_sign_and_sane_at_profile(shared_data: Path) -> None:
    rows = list(csv.DictReader((shared_data / "pose" / "aflw2000_16.csv").open()))
    photos = [cv2.imread(str(shared_data / "pose" / "aflw2000_16" / row["file"]))[..., ::-1] for row in rows]
    table = lpff_ray.analyze([np.ascontiguousarray(photo) for photo in photos])
    errors = []
    for index, row in enumerate(rows):
        best = table.filter(table["frame_index"] == index).sort("face_px").row(-1, named=True)
        known = np.array([float(row[f"{name}_deg"]) for name in ("yaw", "pitch", "roll")])
        measured = np.array([best[name] for name in ("yaw", "pitch", "roll")])
        for angle, (k, m) in zip(("yaw", "pitch", "roll"), zip(known, measured, strict=True), strict=True):
            assert abs(k) < 15 or k * m > 0, f"{row['file']}: {angle} {m:.0f} against {k:.0f}"
        errors.append(np.abs(measured - known))
    assert np.mean(errors, axis=0)[0] < 7
    assert np.max(errors, axis=0)[0] < 25
