"""Camera positions around the head, in LPFF's spherical coordinates, and files of them.

The head's frame is EG3D's: origin in the head, x towards the subject's left, y up, z out of the face. The camera is
at (r cos theta, r sin theta cos phi, r sin theta sin phi): theta is its angle to the x axis, phi its angle about it,
and theta = phi = pi / 2 is straight in front. theta < pi / 2 sees a face that is turned to image-left (yaw > 0),
phi < pi / 2 one that looks down. Source: LPFF, `data_processing/2_dataset_rebalance/0_compute_theta_phi.py`; its
`0_image_processing/2_predict_camera_parameter.py` has pi - theta, its mirror image.
"""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.stats import norm

from lpff_ray.curate.dataset_json import read_dataset_json
from lpff_ray.errors import UserError
from lpff_ray.geometry.eg3d_camera import LABEL_LENGTH
from lpff_ray.geometry.rotation import matrix_from_angles
from lpff_ray.storage.folder import Folder
from lpff_ray.tables.read import scan
from lpff_ray.tables.run_folder import RUN_FILE

GAUSSIAN_REFERENCE = "ffhq_like_gaussian"
"""The reference that ships: FFHQ's own cameras can not. A Gaussian, named so that nobody takes it for FFHQ."""
# Standard deviations, radians. Source: docs/evidence/selection.md#the-gaussian-reference
_GAUSSIAN_YAW, _GAUSSIAN_PITCH = 0.3, 0.155
_GAUSSIAN_SIDE = 374  # squared, nearly the 139,914 pictures of EG3D's FFHQ


def cameras_from_positions(positions: NDArray) -> NDArray[np.float64]:
    """theta, phi in radians [n, 2] of camera positions [n, 3] in EG3D's frame; theta in [0, pi], phi in [0, 2 pi)."""
    x, y, z = np.moveaxis(np.asarray(positions, np.float64), -1, 0)
    return np.stack([np.arctan2(np.hypot(y, z), x), np.arctan2(z, y) % (2 * np.pi)], -1)


def cameras_from_angles(yaw: NDArray, pitch: NDArray, roll: NDArray) -> NDArray[np.float64]:
    """theta, phi in radians [n, 2] of cameras that see a head at these angles in degrees [n].

    The direction from the head to the camera in the head's frame, which turning the picture does not change.
    """
    towards_camera = -matrix_from_angles(yaw, pitch, roll)[..., 2, :]
    return cameras_from_positions(
        towards_camera * (1.0, -1.0, -1.0)
    )  # our head frame has y down and z into the head


def mirrored_cameras(cameras: NDArray[np.float64]) -> NDArray[np.float64]:
    """The cameras [n, 2] of the mirror images."""
    return np.column_stack([np.pi - cameras[:, 0], cameras[:, 1]])


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
        cameras = cameras_from_positions(labels[:, [3, 7, 11]])
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
    """The quantiles of the two normal distributions, each of yaw with each of pitch: no draw, no seed."""
    steps = norm.ppf((np.arange(_GAUSSIAN_SIDE) + 0.5) / _GAUSSIAN_SIDE)
    yaw, pitch = np.meshgrid(np.degrees(_GAUSSIAN_YAW * steps), np.degrees(_GAUSSIAN_PITCH * steps))
    return cameras_from_angles(yaw.ravel(), pitch.ravel(), np.zeros(yaw.size))


def _from_columns(columns: dict[str, NDArray]) -> NDArray[np.float64]:
    if {"theta", "phi"} <= columns.keys():
        theta, phi = (np.asarray(columns[name], np.float64).ravel() for name in ("theta", "phi"))
        return np.column_stack([theta, phi % (2 * np.pi)])
    yaw, pitch = (np.asarray(columns[name]).ravel() for name in ("yaw", "pitch"))
    roll = np.asarray(columns.get("roll", np.zeros_like(yaw))).ravel()
    return cameras_from_angles(yaw, pitch, roll)
