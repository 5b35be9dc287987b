from __future__ import annotations

import csv
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from skimage import data as samples

from lpff_ray.errors import UserError
from lpff_ray.geometry.rotation import angles_from_matrix, geodesic_degrees, matrix_from_angles
from lpff_ray.geometry.transforms import crop_transform, warp_crop
from lpff_ray.measure.detection.blazeface import FaceDetector
from lpff_ray.models.cards import load_cards
from lpff_ray.models.networks.posenet import CROP_FACTOR, INPUT, WEIGHTS
from lpff_ray.models.networks.torch_posenet import PoseNet, load_posenet, rotation_from_6d
from lpff_ray.models.runtimes import PoseModel

CENTRE, SIDE = np.array([224.6, 124.4]), 100.8  # of BlazeFace's box around the astronaut's face


@pytest.fixture(scope="module")
def network() -> PoseNet:
    return load_posenet()


@pytest.fixture(scope="module")
def portrait() -> torch.Tensor:
    """The astronaut's face as the network sees it, float32 [1, 3, INPUT, INPUT]."""
    return _network_input(samples.astronaut())


def _network_input(
    image: np.ndarray, turned: float = 0.0, moved: tuple[float, float] = (0, 0), larger: float = 1.0
) -> torch.Tensor:
    """turned: degrees by which the picture is turned clockwise about the face. moved: of the box, in its sides."""
    centre = CENTRE + SIDE * np.array(moved)
    transform = crop_transform(centre, SIDE * CROP_FACTOR * larger, -np.radians(turned), INPUT)
    return torch.from_numpy(warp_crop(image, transform, INPUT)).permute(2, 0, 1).float()[None] / 255


def test_the_weights_are_small() -> None:
    assert WEIGHTS.stat().st_size < 3_000_000
    assert sum(parameter.numel() for parameter in PoseNet().parameters()) < 1_300_000


def test_answers_are_rotations_degrees_and_positions(network: PoseNet) -> None:
    rotations, expected, positions = network(torch.rand(5, 3, INPUT, INPUT))
    assert positions.shape == (5, 3)
    assert rotations.shape == (5, 3, 3)
    assert expected.shape == (5,)
    torch.testing.assert_close(rotations @ rotations.mT, torch.eye(3).expand(5, 3, 3), atol=1e-5, rtol=0)
    torch.testing.assert_close(torch.linalg.det(rotations), torch.ones(5), atol=1e-5, rtol=0)
    assert (expected > 0).all()


def test_six_numbers_of_any_length_make_the_rotation_they_came_from() -> None:
    wanted = torch.from_numpy(
        matrix_from_angles(np.array([95.0, -40]), np.array([10.0, 50]), np.array([-20.0, 5]))
    )
    six = torch.cat([3 * wanted[:, 0], 0.5 * wanted[:, 1] + wanted[:, 0]], dim=1)
    torch.testing.assert_close(rotation_from_6d(six), wanted)


def test_a_portrait_has_the_pose_that_it_shows(network: PoseNet, portrait: torch.Tensor) -> None:
    """Eileen Collins: nearly frontal, turned a little to the left of the picture, her head tilted."""
    yaw, pitch, roll = angles_from_matrix(network(portrait)[0][0].double().numpy())
    assert abs(yaw) < 20
    assert abs(pitch) < 20
    assert abs(roll) < 20


def test_a_mirrored_face_has_the_mirrored_pose(network: PoseNet, portrait: torch.Tensor) -> None:
    there = network(portrait)[0].double().numpy()
    mirrored = network(portrait.flip(3))[0].double().numpy()
    flip = np.diag([-1.0, 1.0, 1.0])
    assert geodesic_degrees(there, flip @ mirrored @ flip)[0] < 0.01
    place = network(portrait.flip(3))[2] * torch.tensor([-1, 1, 1])
    torch.testing.assert_close(network(portrait)[2], place, atol=1e-4, rtol=0)


@pytest.mark.parametrize("larger", [0.85, 1.0, 1.2])
@pytest.mark.parametrize("moved", [(0, 0), (0.2, 0), (-0.15, 0.1), (0, -0.2)])
def test_a_box_beside_the_face_changes_neither_pose_nor_position(
    network: PoseNet, moved: tuple[float, float], larger: float
) -> None:
    image = samples.astronaut()
    straight = network(_network_input(image))[0].double().numpy()
    rotation, _, positions = network(_network_input(image, moved=moved, larger=larger))
    assert geodesic_degrees(rotation.double().numpy(), straight)[0] < 8
    x, y, size = positions[0].double().numpy()
    side = SIDE * CROP_FACTOR * larger
    # In the photo her eyes are at (204, 103) and (247, 105), the nose's tip at (223, 131), the mouth's corners at
    # (201, 139) and (246, 142).
    seen = np.array([224.3, 123.9])
    assert np.hypot(*(CENTRE + SIDE * np.array(moved) + side * np.array([x, y]) - seen)) < 0.05 * SIDE
    assert 5.5 < 43 / (np.exp(size) * side / 10) < 7.5, "centimetres between her eyes, 43 pixels"


@pytest.mark.parametrize("degrees", [-30, 30])
def test_turning_the_picture_turns_the_head_about_the_line_of_sight(network: PoseNet, degrees: float) -> None:
    image = samples.astronaut()
    upright = network(_network_input(image))[0].double().numpy()
    found = network(_network_input(image, turned=degrees))[0].double().numpy()
    clockwise = matrix_from_angles(np.array(0.0), np.array(0.0), np.array(float(degrees)))
    assert geodesic_degrees(found, clockwise @ upright)[0] < 10


def test_a_face_does_not_depend_on_its_neighbours_in_a_batch(
    network: PoseNet, portrait: torch.Tensor
) -> None:
    batch = torch.rand(16, 3, INPUT, INPUT)
    batch[7] = portrait[0]
    first = network(batch)
    batch[:7], batch[8:] = 0.0, 1.0
    second = network(batch)
    torch.testing.assert_close(first[0][7], second[0][7], atol=0, rtol=0)
    torch.testing.assert_close(first[1][7], second[1][7], atol=0, rtol=0)


def test_unusable_weights_are_a_users_mistake(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"missing\.npz"):
        load_posenet(tmp_path / "missing.npz")
    broken = tmp_path / "broken.npz"
    broken.write_bytes(b"not an archive")
    with pytest.raises(UserError, match="not PoseNet's weights"):
        load_posenet(broken)
    broken.write_bytes(WEIGHTS.read_bytes()[:-5000])
    with pytest.raises(UserError, match="not PoseNet's weights"):
        load_posenet(broken)
    np.savez(tmp_path / "other.npz", weight=np.zeros(3))
    with pytest.raises(UserError, match="not PoseNet's weights"):
        load_posenet(tmp_path / "other.npz")


def test_weights_of_another_shape_are_refused(tmp_path: Path) -> None:
    with np.load(WEIGHTS) as arrays:
        changed = {name: arrays[name] for name in arrays.files}
    changed["head.weight"] = changed["head.weight"][:, :-1]
    np.savez(tmp_path / "other.npz", **changed)
    with pytest.raises(UserError, match=r"head\.weight"):
        load_posenet(tmp_path / "other.npz")


@pytest.mark.data
def test_labelled_photos_are_read_as_labelled(network: PoseNet, shared_data: Path) -> None:
    """AFLW2000-3D's 16 images, never trained on; 4.0 in the mean of the angles below 60 degrees of yaw is asked for."""
    cards = load_cards()
    paths = {"model_path": cards["blazeface-short"].path(), "verifier_path": cards["dlib-mmod"].path()}
    detector = FaceDetector(**paths, device="cpu", min_face_px=60, min_score=0.3)
    folder = shared_data / "pose"
    errors = []
    with open(folder / "aflw2000_16.csv") as file:
        for row in csv.DictReader(file):
            label = np.array([float(row[f"{angle}_deg"]) for angle in ("yaw", "pitch", "roll")])
            image = np.ascontiguousarray(cv2.imread(str(folder / "aflw2000_16" / row["file"]))[..., ::-1])
            found = detector.detect([image])[0]
            box = found.boxes[np.argmax(found.scores)].astype(np.float64)
            transform = crop_transform(
                (box[:2] + box[2:]) / 2, max(box[2:] - box[:2]) * CROP_FACTOR, 0.0, INPUT
            )
            crop = torch.from_numpy(warp_crop(image, transform, INPUT)).permute(2, 0, 1).float()[None] / 255
            errors.append((label[0], angles_from_matrix(network(crop)[0][0].double().numpy()) - label))
    assert len(errors) == 16
    near = np.array([error for yaw, error in errors if abs(yaw) < 60])
    assert np.abs(near).mean() < 4.0
    assert np.abs([error[0] for _, error in errors]).mean() < 4.0


def test_openvino_gives_what_torch_gives(network: PoseNet) -> None:
    """The CPU's network and the GPU's, on whole batches and a rest."""
    rng = np.random.default_rng(0)
    photo = samples.astronaut()
    crops = np.stack([photo[y : y + INPUT, x : x + INPUT] for y, x in rng.integers(0, 400, (9, 2))])
    expected = network(torch.from_numpy(crops).permute(0, 3, 1, 2).float() / 255)
    for found, wanted, off in zip(PoseModel()(crops), expected, (1e-4, 1e-2, 1e-4), strict=True):
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, wanted.numpy(), rtol=0, atol=off)
