"""Camera positions around the head, in LPFF's spherical coordinates, and files of them.

The head's frame is EG3D's: origin in the head, x towards the subject's left, y up, z out of the face. The camera is
at (r cos theta, r sin theta cos phi, r sin theta sin phi): theta is its angle to the x axis, phi its angle about it,
and theta = phi = pi / 2 is straight in front. theta < pi / 2 sees a face that is turned to image-left (yaw > 0),
phi < pi / 2 one that looks down. Always of the camera's position as EG3D's labels have it, for faces, runs and data
sets alike: the face is not in the sphere's middle, so that the direction of view has other angles, by 3.4 degrees at
profile.
Source: LPFF, `data_processing/2_dataset_rebalance/0_compute_theta_phi.py`; its
`0_image_processing/2_predict_camera_parameter.py` has pi - theta, its mirror image.
"""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from scipy.stats import norm

from lpff_ray.curate.dataset_json import read_dataset_json
from lpff_ray.errors import UserError
from lpff_ray.geometry.eg3d_camera import LABEL_LENGTH, camera_label
from lpff_ray.geometry.rotation import matrix_from_angles
from lpff_ray.storage.folder import Folder
from lpff_ray.tables.read import scan
from lpff_ray.tables.run_folder import RUN_FILE

GAUSSIAN_REFERENCE = "ffhq_like_gaussian"
"""The reference that ships: FFHQ's own cameras can not. Gaussians, named so that nobody takes them for FFHQ."""
# Shares, means and standard deviations of theta and phi, degrees, mirror images of each other. They fit FFHQ's 139,914
# cameras (theta 90 +- 15.5, phi 84.8 +- 7.4). Source: docs/evidence/selection.md#the-gaussian-reference
_GAUSSIANS = (
    (0.564, (90.0, 83.9), (9.9, 5.4)),
    (0.218, (76.1, 86.0), (15.15, 9.2)),
    (0.218, (103.9, 86.0), (15.15, 9.2)),
)
_GAUSSIAN_CAMERAS = 139_914  # as many as EG3D's FFHQ has: the kernel's width depends on it

_MIRRORED_WITHIN = 1e-4  # radians: as near is a camera's mirror image in a set that holds mirrored pictures
_CHECKED = 1000  # cameras of a set that are looked at for that


def cameras_from_positions(positions: NDArray) -> NDArray[np.float64]:
    """theta, phi in radians [n, 2] of camera positions [n, 3] in EG3D's frame; theta in [0, pi], phi in [0, 2 pi)."""
    x, y, z = np.moveaxis(np.asarray(positions, np.float64), -1, 0)
    return np.stack([np.arctan2(np.hypot(y, z), x), np.arctan2(z, y) % (2 * np.pi)], -1)


def cameras_from_angles(yaw: NDArray, pitch: NDArray, roll: NDArray) -> NDArray[np.float64]:
    """theta, phi in radians [n, 2] of cameras that see a head at these angles in degrees [n].

    Of the positions that `camera_label` gives EG3D's labels; turning the picture changes none of them.
    """
    return cameras_of_labels(camera_label(matrix_from_angles(yaw, pitch, roll)))


def cameras_of_labels(labels: NDArray) -> NDArray[np.float64]:
    """theta, phi in radians [n, 2] of EG3D's labels [n, 25]."""
    return cameras_from_positions(np.asarray(labels, np.float64)[:, [3, 7, 11]])


def mirrored_cameras(cameras: NDArray[np.float64]) -> NDArray[np.float64]:
    """The cameras [n, 2] of the mirror images."""
    return np.column_stack([np.pi - cameras[:, 0], cameras[:, 1]])


def with_mirror_images(cameras: NDArray[np.float64]) -> NDArray[np.float64]:
    """The cameras [n, 2] and those of their mirror images, or the same where these are among them already.

    EG3D's sets hold every picture's mirror image, a mined run does not.
    """
    asked = mirrored_cameras(cameras[:: -(-len(cameras) // _CHECKED)])
    away, _ = cKDTree(cameras).query(asked, distance_upper_bound=_MIRRORED_WITHIN)
    if np.isfinite(away).mean() > 0.99:
        return cameras
    return np.concatenate([cameras, mirrored_cameras(cameras)])


def reference_cameras(reference: str) -> NDArray[np.float64]:
    """theta, phi in radians [n, 2] of a reference set: "ffhq_like_gaussian", a run, a data set or a file.

    A run: all of its faces, as measured. A data set: folder, zip or JSON with EG3D's labels (`read_dataset_json`). A
    file: .npz or .parquet with theta, phi (radians) or yaw, pitch and perhaps roll (degrees, as in the faces table).
    Raises UserError for anything else.
    """
    if reference == GAUSSIAN_REFERENCE:
        return _gaussian_cameras()
    if reference.endswith((".npz", ".parquet")):
        cameras = _of_file(reference)
    elif Path(reference).is_file() and not reference.endswith((".json", ".zip")):
        raise UserError(
            f"reference {reference}: cameras are read from a run, a data set (folder, .zip, .json), .npz and .parquet"
        )
    elif not reference.endswith((".json", ".zip")) and Folder(reference).read(RUN_FILE) is not None:
        angles = scan(reference).select("yaw", "pitch", "roll").collect()
        cameras = cameras_from_angles(*(column.to_numpy() for column in angles.get_columns()))
    else:
        labels = read_dataset_json(reference)["label"].to_numpy().reshape(-1, LABEL_LENGTH)
        cameras = cameras_of_labels(labels)
    if len(cameras) < 3 or not np.isfinite(cameras).all():
        raise UserError(
            f"reference {reference}: holds fewer than three cameras, or numbers that are not finite"
        )
    return cameras


def _of_file(reference: str) -> NDArray[np.float64]:
    path = Path(reference)
    if not path.is_file():
        raise UserError(f"reference {reference}: no such file; give one of cameras, or {GAUSSIAN_REFERENCE}")
    try:
        if path.suffix == ".npz":
            with np.load(path, allow_pickle=False) as arrays:
                return _from_columns({name: arrays[name] for name in arrays.files})
        columns = pl.scan_parquet(path).select(pl.col("^(theta|phi|yaw|pitch|roll)$")).collect()
        return _from_columns({name: columns[name].to_numpy() for name in columns.columns})
    except (ValueError, KeyError, TypeError, zipfile.BadZipFile, pl.exceptions.PolarsError) as error:
        raise UserError(
            f"reference {reference}: {str(error).splitlines()[0]}; needed are theta and phi in radians, or yaw and "
            "pitch in degrees"
        ) from None


def _gaussian_cameras() -> NDArray[np.float64]:
    """Of each Gaussian the quantiles of theta, each with each of phi: no draw, no seed."""
    clouds = []
    for share, means, spreads in _GAUSSIANS:
        side = round(float(np.sqrt(share * _GAUSSIAN_CAMERAS)))
        steps = norm.ppf((np.arange(side) + 0.5) / side)
        axes = (np.radians(mean + spread * steps) for mean, spread in zip(means, spreads, strict=True))
        clouds.append(np.stack(np.meshgrid(*axes), -1).reshape(-1, 2))
    return np.concatenate(clouds)


def _from_columns(columns: dict[str, NDArray]) -> NDArray[np.float64]:
    if {"theta", "phi"} <= columns.keys():
        theta, phi = (np.asarray(columns[name], np.float64).ravel() for name in ("theta", "phi"))
        return np.column_stack([theta, phi % (2 * np.pi)])
    yaw, pitch = (np.asarray(columns[name]).ravel() for name in ("yaw", "pitch"))
    roll = np.asarray(columns.get("roll", np.zeros_like(yaw))).ravel()
    return cameras_from_angles(yaw, pitch, roll)
