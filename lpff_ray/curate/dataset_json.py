"""Reads data sets with EG3D's camera labels: FFHQ's and LPFF's `dataset.json`, LPFF's `camera_parameters.json`."""

from __future__ import annotations

import json
import zipfile
from typing import Any

import numpy as np
import polars as pl

from lpff_ray.errors import UserError
from lpff_ray.geometry.eg3d_camera import LABEL_LENGTH, rotation_of_label
from lpff_ray.geometry.rotation import angles_from_matrix
from lpff_ray.storage.failures import explain
from lpff_ray.storage.folder import Folder
from lpff_ray.storage.opening import opened
from lpff_ray.storage.uri import absolute

DATASET_JSON = "dataset.json"
NAMES = (DATASET_JSON, "dataset-ffhq.json", "camera_parameters.json")
"""The files searched for in a folder or zip, in this order; the second is LPFF's name for FFHQ's own."""

SCHEMA = pl.Schema(
    {
        "file": pl.String(),
        "yaw": pl.Float32(),
        "pitch": pl.Float32(),
        "roll": pl.Float32(),
        "label": pl.Array(pl.Float64(), LABEL_LENGTH),
    }
)
"""file: as the data set names its picture (LPFF's `camera_parameters.json`: without an ending). yaw, pitch, roll: in
degrees, as in the faces table. label: EG3D's 25 numbers."""


def read_dataset_json(uri: str) -> pl.DataFrame:
    """The labelled pictures of a data set by name; columns as in SCHEMA.

    uri: a folder or zip that holds one of NAMES, or such a file itself; local or any fsspec URI.
    Raises UserError if there is none, or its labels are no cameras (StyleGAN's class labels are none).
    """
    labels = _labels(_content(uri), uri)
    names, numbers = [name for name, _ in labels], [label for _, label in labels]
    try:
        table = np.array(numbers, np.float64).reshape(len(names), LABEL_LENGTH)
    except (ValueError, TypeError):
        raise UserError(
            f"{uri}: its labels are no cameras: EG3D's have {LABEL_LENGTH} numbers each"
        ) from None
    rotation = rotation_of_label(table)
    off = np.abs(rotation @ np.swapaxes(rotation, -1, -2) - np.eye(3)).max((1, 2)) if names else np.zeros(0)
    if not (off < 1e-2).all():
        wrong = names[int(np.argmax(~(off < 1e-2)))]
        raise UserError(f"{uri}: the label of {wrong} is no camera: its first three columns are no rotation")
    angles = angles_from_matrix(rotation)
    columns = dict(zip(("yaw", "pitch", "roll"), angles.T, strict=True))
    return pl.DataFrame({"file": names, **columns, "label": table}, schema=SCHEMA).sort("file")


def _content(uri: str) -> bytes:
    """The bytes of the JSON file that is at `uri` or in it."""
    location = absolute(uri)
    try:
        if location.endswith(".json"):
            with opened(location) as (file, _):
                return file.read()
        if location.endswith(".zip"):
            with opened(location) as (file, _), zipfile.ZipFile(file) as archive:
                held = set(archive.namelist())
                for name in NAMES:
                    if name in held:
                        return archive.read(name)
        else:
            folder = Folder(location)
            for name in NAMES:
                content = folder.read(name)
                if content is not None:
                    return content
    except zipfile.BadZipFile:
        raise UserError(f"{uri}: is no whole zip file") from None
    except OSError as error:
        raise UserError(f"{uri}: {explain(error, location)}") from None
    raise UserError(f"{uri}: holds none of {', '.join(NAMES)}; give a data set with EG3D's labels")


def _labels(content: bytes, uri: str) -> list[tuple[str, Any]]:
    try:
        found = json.loads(content)
    except ValueError as error:
        raise UserError(f"{uri}: is no JSON: {error}") from None
    if isinstance(found, dict) and "labels" in found:
        found = found["labels"]
    elif isinstance(found, dict):
        found = list(found.items())
    if found is None:
        raise UserError(f"{uri}: has no labels (null); the poses of its pictures are not known: mine them")
    if not isinstance(found, list) or not all(
        isinstance(pair, (list, tuple)) and len(pair) == 2 for pair in found
    ):
        raise UserError(f"{uri}: is no data set's index: needed is a list of [file, label] under 'labels'")
    return [(str(name), label) for name, label in found]
