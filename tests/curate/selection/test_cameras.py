"""Camera positions in LPFF's coordinates, and files of them."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from handmade import face, handmade_run

from lpff_ray.curate.selection.cameras import (
    GAUSSIAN_REFERENCE,
    cameras_from_angles,
    cameras_from_positions,
    cameras_of_labels,
    mirrored_cameras,
    reference_cameras,
    with_mirror_images,
)
from lpff_ray.curate.selection.kernel_density import kernel_density
from lpff_ray.errors import UserError
from lpff_ray.geometry.eg3d_camera import camera_label
from lpff_ray.geometry.rotation import angles_from_matrix, matrix_from_angles

RANDOM = np.random.default_rng(0)
YAW, PITCH, ROLL = RANDOM.uniform(-80, 80, 50), RANDOM.uniform(-50, 50, 50), RANDOM.uniform(-30, 30, 50)


def positions(cameras: np.ndarray, radius: float = 2.7) -> np.ndarray:
    theta, phi = cameras.T
    return radius * np.column_stack([np.cos(theta), np.sin(theta) * np.cos(phi), np.sin(theta) * np.sin(phi)])


def eg3d_label(position: np.ndarray) -> list[float]:
    pose = np.eye(4)
    pose[:3, 3] = position
    return [*pose.ravel().tolist(), 4.2647, 0, 0.5, 0, 4.2647, 0.5, 0, 0, 1]


def test_known_heads_are_seen_from_known_places() -> None:
    seen = np.degrees(cameras_from_angles(np.array([0, 0, 0, 0.0]), np.array([0, 0, 20, -20.0]), np.zeros(4)))
    # The face's centre lies 0.161 of 2.7 before the sphere's, so that angles there are smaller.
    assert seen == pytest.approx(np.array([[90, 90], [90, 90], [90, 108.8], [90, 71.2]]), abs=0.4)
    turned = np.degrees(cameras_from_angles(np.array([20, 40, 60, 80.0]), np.zeros(4), np.zeros(4)))
    assert turned[:, 0] == pytest.approx([70 + 1.2, 50 + 2.2, 30 + 3.0, 10 + 3.4], abs=0.05)


def test_positions_and_cameras_are_inverse() -> None:
    cameras = cameras_from_angles(YAW, PITCH, ROLL)
    assert cameras_from_positions(positions(cameras)) == pytest.approx(cameras)


def test_a_face_stands_where_its_own_label_does() -> None:
    """Candidates and references alike go by the position in EG3D's label, LPFF's `0_compute_theta_phi.py`."""
    labels = camera_label(matrix_from_angles(YAW, PITCH, ROLL))
    assert cameras_from_angles(YAW, PITCH, ROLL) == pytest.approx(cameras_of_labels(labels))
    x, y, z = labels[:, 3], labels[:, 7], labels[:, 11]
    phi = np.arctan2(z, y)
    lpffs = np.column_stack([np.arctan2(y / np.cos(phi), x), phi])
    assert cameras_of_labels(labels) == pytest.approx(lpffs)


def test_turning_the_picture_moves_no_camera() -> None:
    turn = matrix_from_angles(np.zeros(1), np.zeros(1), np.array([25.0]))
    yaw, pitch, roll = angles_from_matrix(turn @ matrix_from_angles(YAW, PITCH, ROLL)).T
    assert cameras_from_angles(yaw, pitch, roll) == pytest.approx(cameras_from_angles(YAW, PITCH, ROLL))


def test_the_mirror_image_is_of_the_opposite_yaw_and_roll() -> None:
    assert mirrored_cameras(cameras_from_angles(YAW, PITCH, ROLL)) == pytest.approx(
        cameras_from_angles(-YAW, PITCH, -ROLL)
    )


def test_references_are_read_from_every_kind_of_file(tmp_path: Path) -> None:
    cameras = cameras_from_angles(YAW, PITCH, ROLL)
    labels = [[f"{i:02d}.png", eg3d_label(position)] for i, position in enumerate(positions(cameras))]
    (tmp_path / "dataset.json").write_text(json.dumps({"labels": labels}))
    (tmp_path / "camera_parameters.json").write_text(json.dumps(dict(labels)))
    np.savez(tmp_path / "radians.npz", theta=cameras[:, 0], phi=cameras[:, 1])
    np.savez(tmp_path / "degrees.npz", yaw=YAW, pitch=PITCH, roll=ROLL)
    pl.DataFrame({"yaw": YAW, "pitch": PITCH, "roll": ROLL, "other": YAW}).write_parquet(
        tmp_path / "faces.parquet"
    )
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        archive.write(tmp_path / "dataset.json", "dataset.json")
    assert reference_cameras(str(tmp_path)) == pytest.approx(cameras)
    for file in tmp_path.iterdir():
        assert reference_cameras(str(file)) == pytest.approx(cameras), file.name


def test_a_run_is_a_reference(tmp_path: Path) -> None:
    angles = zip(YAW.tolist(), PITCH.tolist(), ROLL.tolist(), strict=True)
    faces = [face(f"a{i}", "A", yaw, pitch, roll=roll) for i, (yaw, pitch, roll) in enumerate(angles)]
    run = handmade_run(tmp_path / "run", faces)
    measured = np.sort(reference_cameras(str(run)), axis=0)
    assert measured == pytest.approx(np.sort(cameras_from_angles(YAW, PITCH, ROLL), axis=0), abs=1e-5)


def test_the_stand_in_is_symmetric_and_lies_where_ffhqs_cameras_do() -> None:
    """The figures are those of FFHQ's 139,914 cameras: docs/evidence/selection.md#the-gaussian-reference."""
    cameras = reference_cameras(GAUSSIAN_REFERENCE)
    assert np.sort(mirrored_cameras(cameras), axis=0) == pytest.approx(np.sort(cameras, axis=0))
    assert np.degrees(cameras.mean(0)) == pytest.approx([90, 84.79], abs=0.1)
    assert np.degrees(cameras.std(0)) == pytest.approx([15.49, 7.37], abs=0.1)
    assert abs(len(cameras) - 139_914) < 500
    density, degrees = kernel_density(cameras), np.arange(-45, 45, 0.1)
    upright = degrees[density.at(cameras_from_angles(0 * degrees, degrees, 0 * degrees)) > 0.4]
    assert (upright.min(), upright.max()) == pytest.approx((-21.75, 10.25), abs=1)
    level = degrees[density.at(cameras_from_angles(degrees, 0 * degrees, 0 * degrees)) > 0.4]
    assert (level.min(), level.max()) == pytest.approx((-33.25, 33.25), abs=1)


def test_mirror_images_are_added_where_there_are_none() -> None:
    own = cameras_from_angles(YAW, PITCH, ROLL)
    both = with_mirror_images(own)
    assert both == pytest.approx(np.concatenate([own, mirrored_cameras(own)]))
    # EG3D's labels are rounded by a file's float32.
    assert len(with_mirror_images(both.astype(np.float32).astype(np.float64))) == len(both)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("gone.npz", None, "no such file"),
        ("torn.npz", b"PK torn", "needed are theta and phi"),
        ("torn.parquet", b"PAR1", "needed are theta and phi"),
        ("list.json", b"[1, 2]", "no data set's index"),
        ("short.json", b'{"labels": [["a.png", [1, 2]]]}', "no cameras"),
        ("empty.json", b'{"labels": []}', "fewer than three cameras"),
        ("kde.pkl", b"\x80", "cameras are read from a run, a data set"),
    ],
)
def test_a_wrong_reference_is_named(tmp_path: Path, name: str, content: bytes | None, message: str) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=f"{name}: .*{message}"):
        reference_cameras(str(tmp_path / name))


def test_a_pickle_in_an_npz_is_not_opened(tmp_path: Path) -> None:
    np.savez(tmp_path / "objects.npz", theta=np.array([{}], dtype=object), phi=np.zeros(1))
    with pytest.raises(UserError, match="pickle"):
        reference_cameras(str(tmp_path / "objects.npz"))
