"""Pictures that FID compares: an export, a folder or a zip, whole, by a list of names, or divided by pose."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lpff_ray.errors import UserError
from lpff_ray.exports.joining.base_set import BaseSet, read_base
from lpff_ray.geometry.eg3d_camera import LABEL_LENGTH, rotation_of_label
from lpff_ray.geometry.rotation import angles_from_matrix
from lpff_ray.measure.pose.bins import bin_of


def picture_set(uri: str) -> BaseSet:
    """The pictures at `uri`. Raises UserError if it holds none."""
    found = read_base(uri)
    if not found.has_pictures:
        raise UserError(f"{uri}: names pictures, but holds none; give the folder or zip")
    return found


def listed(pictures: BaseSet, mode: str) -> list[str]:
    """Names of its pictures, as often as the list `mode` in its root names them; all of them, once, without a mode."""
    if not mode:
        return list(pictures.names)
    content = pictures.read(f"{mode}.json")
    if content is None:
        raise UserError(f"{pictures.uri}: holds no list {mode}.json in its root")
    names = json.loads(content)
    missing = next((name for name in names if name not in set(pictures.names)), None)
    if missing is not None:
        raise UserError(f"{pictures.uri}: {mode}.json names {missing}, which is not there")
    return [str(name) for name in names]


def divisions(pictures: BaseSet) -> dict[str, str]:
    """The division of each picture by name: EFHQ's bin of an EG3D camera, or "label N" of a class.

    Raises UserError if the set has no labels.
    """
    if not pictures.labels:
        raise UserError(f"{pictures.uri}: has no labels, by which its pictures could be divided")
    return {name: _division(pictures.labels.get(name), pictures.uri) for name in pictures.names}


def _division(label: Any, uri: str) -> str:
    if isinstance(label, int):
        return f"label {label}"
    if isinstance(label, Sequence) and len(label) == LABEL_LENGTH:
        yaw, pitch, _ = angles_from_matrix(rotation_of_label(np.array(label, np.float64)))
        return str(bin_of(float(yaw), float(pitch)))
    raise UserError(f"{uri}: a label that is neither a class nor a camera: {str(label)[:60]}")


def decoded(pictures: BaseSet, names: Sequence[str]) -> Iterator[NDArray[np.uint8]]:
    """The pictures of these names, uint8 [h, w, 3] RGB. Raises UserError for one that is missing or no picture."""
    given = 0
    for name, content in pictures.contents(names):
        try:
            with Image.open(io.BytesIO(content)) as image:
                yield np.asarray(image.convert("RGB"), np.uint8)
        except OSError:
            raise UserError(f"{pictures.uri}: {name} is no readable picture") from None
        given += 1
    if given < len(names):
        raise UserError(f"{pictures.uri}: {len(names) - given} pictures that it names are not there")
