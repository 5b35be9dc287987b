"""Pose plug-ins: frames of reference, signs and errors on labelled faces."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from skimage.data import astronaut
from small_weights import SmallSixDRepNet, randomised

from lpff_ray.geometry.rotation import angles_from_matrix, geodesic_degrees, matrix_from_angles, mean_rotation
from lpff_ray.measure.pose.estimators import MIRROR, PoseVoter, load_sixdrepnet
from lpff_ray.measure.registry import ESTIMATORS
from lpff_ray.models.cards import load_plugins

BOX = np.array([[170.0, 70, 280, 180]])


@pytest.fixture(scope="module")
def labelled(shared_data: Path) -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
    """Pictures, boxes as BlazeFace's (from the labels'), and yaw, pitch, roll in degrees of AFLW2000-3D."""
    folder = shared_data / "pose"
    with open(folder / "aflw2000_16.csv") as file:
        rows = list(csv.DictReader(file))
    pictures = [
        cv2.cvtColor(cv2.imread(str(folder / "aflw2000_16" / row["file"])), cv2.COLOR_BGR2RGB) for row in rows
    ]
    boxes = np.array([[float(row[f"face_{key}"]) for key in ("x0", "y0", "x1", "y1")] for row in rows])
    angles = np.array([[float(row[f"{key}_deg"]) for key in ("yaw", "pitch", "roll")] for row in rows])
    return pictures, boxes, angles


def voter(name: str, data: Path) -> PoseVoter:
    files = load_plugins()[name].files
    load: Callable[..., PoseVoter] = ESTIMATORS.load(name)  # type: ignore[assignment]
    return load("cpu", [data / "weights" / name / file.name for file in files])


@pytest.mark.data
@pytest.mark.parametrize("name", ["fsanet", "3ddfa_v2"])
def test_estimators_are_right_in_sign_and_size(name: str, labelled: tuple, shared_data: Path) -> None:
    pictures, boxes, angles = labelled
    rotations = voter(name, shared_data)(pictures, boxes)
    found = angles_from_matrix(rotations)
    turned = np.abs(angles[:, 0]) > 20
    assert (np.sign(found[turned, 0]) == np.sign(angles[turned, 0])).all()
    assert np.abs(found - angles)[:, 0].mean() < 6
    tame = np.abs(angles[:, 0]) < 60  # beyond, pitch and roll run into one another
    assert (np.abs(found - angles)[tame].mean(0) < [6, 9, 4]).all()
    for axis in (1, 2):
        large = tame & (np.abs(angles[:, axis]) > 10)
        assert (np.sign(found[large, axis]) == np.sign(angles[large, axis])).mean() > 0.85
    truth = matrix_from_angles(*angles.T)
    assert np.median(geodesic_degrees(rotations, truth)) < 10


@pytest.mark.data
@pytest.mark.parametrize("name", ["fsanet", "3ddfa_v2"])
def test_a_vote_never_depends_on_the_other_faces(name: str, labelled: tuple, shared_data: Path) -> None:
    pictures, boxes, _ = labelled
    vote = voter(name, shared_data)
    together = vote(pictures[:5], boxes[:5])
    alone = vote(pictures[3:4], boxes[3:4])
    np.testing.assert_array_equal(together[3], alone[0])


@pytest.mark.data
@pytest.mark.parametrize("name", ["fsanet", "3ddfa_v2"])
def test_a_mirrored_face_has_the_mirrored_pose(name: str, shared_data: Path) -> None:
    picture, vote = astronaut(), voter(name, shared_data)
    width = picture.shape[1]
    mirrored_box = np.array([[width - BOX[0, 2], BOX[0, 1], width - BOX[0, 0], BOX[0, 3]]])
    there = vote([picture], BOX)[0]
    back = vote([np.ascontiguousarray(picture[:, ::-1])], mirrored_box)[0]
    # Not to the last bit: OpenCV resamples a mirrored picture with other roundings.
    assert geodesic_degrees(MIRROR @ there @ MIRROR, back) < 0.5


@pytest.mark.parametrize("angles", [(30, 10, -5), (-70, -20, 15), (0, 40, 0)])
def test_6drepnets_rotations_become_300w_lps_angles(
    tmp_path: Path, angles: tuple[float, float, float]
) -> None:
    """The small weights give what 6DRepNet does for these angles: Rz(roll) Ry(yaw) Rx(pitch), see its `get_R`."""
    yaw, pitch, roll = np.radians(angles)
    about_x = [[1, 0, 0], [0, np.cos(pitch), -np.sin(pitch)], [0, np.sin(pitch), np.cos(pitch)]]
    about_y = [[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]]
    about_z = [[np.cos(roll), -np.sin(roll), 0], [np.sin(roll), np.cos(roll), 0], [0, 0, 1]]
    taught = np.array(about_z) @ np.array(about_y) @ np.array(about_x)
    network = randomised(SmallSixDRepNet(), seed=2)
    network.linear_reg.weight.zero_()
    network.linear_reg.bias.copy_(torch.from_numpy(1.7 * taught[:, :2].T.ravel()))
    torch.save(network.state_dict(), tmp_path / "6d.pth")
    vote = load_sixdrepnet("cpu", [tmp_path / "6d.pth"])
    found = vote._to_rotations(vote._network(np.zeros((2, 224, 224, 3), np.uint8)).astype(np.float64))[:, 0]
    np.testing.assert_allclose(angles_from_matrix(found), [angles] * 2, atol=1e-3)
    # Mirror images take part, and a constant answer has no yaw left.
    assert abs(angles_from_matrix(vote([astronaut()], BOX))[0, 0]) < 1e-3


def test_the_mean_of_rotations_is_a_rotation_between_them() -> None:
    yaw = np.array([-30.0, 50.0])
    mean = mean_rotation(matrix_from_angles(yaw, np.zeros(2), np.zeros(2)))
    np.testing.assert_allclose(angles_from_matrix(mean), [10, 0, 0], atol=1e-9)
