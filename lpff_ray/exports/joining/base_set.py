"""An older data set (FFHQ, say) that an export continues: its pictures' names, labels and content."""

from __future__ import annotations

import io
import json
import os
import re
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from PIL import Image

from lpff_ray.curate.dataset_json import DATASET_JSON
from lpff_ray.errors import UserError
from lpff_ray.storage.failures import explain
from lpff_ray.storage.folder import Folder
from lpff_ray.storage.opening import opened
from lpff_ray.storage.uri import absolute

PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".bmp")
_NUMBERED = re.compile(r"img(\d+)\.[^./]+")  # the last part of `picture_name`
_LAST_NUMBER = re.compile(r"(\d+)\.[^./]+$")


@dataclass(frozen=True)
class BaseSet:
    """A data set as EG3D's and StyleGAN's trainers read it.

    uri: a folder or zip, or a `dataset.json` alone, whose pictures are then not at hand. names: of its pictures, in
    the order of `dataset.json`, or else sorted. labels: by name, None where it has none.
    """

    uri: str
    names: tuple[str, ...]
    labels: dict[str, Any] | None

    @property
    def has_pictures(self) -> bool:
        return not self.uri.endswith(".json")

    def read(self, name: str) -> bytes | None:
        """A file of it, None if it is not there."""
        return next((content for _, content in self.contents([name])), None)

    def contents(self, names: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        """The files of these names that are there, and their bytes, one after the other."""
        if self.uri.endswith(".zip"):
            with opened(absolute(self.uri)) as (file, _), zipfile.ZipFile(file) as archive:
                held = set(archive.namelist())
                yield from ((name, archive.read(name)) for name in names if name in held)
        elif self.has_pictures:
            folder = Folder(absolute(self.uri))
            for name in names:
                content = folder.read(name)
                if content is not None:
                    yield name, content

    def check_shape(self, size: int) -> None:
        """Raises UserError unless its first picture is there and RGB, `size` pixels square: trainers want one shape."""
        content = self.read(self.names[0])
        if content is None:
            raise UserError(
                f"{self.uri}: {self.names[0]} is not there; give --set base=... the data set itself, with its pictures"
            )
        try:
            with Image.open(io.BytesIO(content)) as image:
                found = f"{image.width} x {image.height} {image.mode}"
        except OSError:
            raise UserError(f"{self.uri}: {self.names[0]} is no readable picture") from None
        if found != f"{size} x {size} RGB":
            raise UserError(
                f"{self.uri}: its pictures are {found}, the new ones {size} x {size} RGB; trainers take one shape alone"
            )


def read_base(uri: str) -> BaseSet:
    """The data set at `uri`. Raises UserError if it is none that can be appended to."""
    location = absolute(uri)
    try:
        content, listed = _index_and_names(location)
    except zipfile.BadZipFile:
        raise UserError(f"{uri}: is no whole zip file") from None
    except OSError as error:
        raise UserError(f"{uri}: {explain(error, location)}") from None
    labels = _labels(content, uri)
    names = [name for name, _ in labels] if labels is not None else listed
    bare = next((name for name in names if "." not in name.rpartition("/")[2]), None)
    if bare is not None:
        raise UserError(
            f"{uri}: names its pictures without an ending ({bare}), as LPFF's camera_parameters.json does, and so no "
            "loader of a dataset.json finds them; it serves as --reference of lpff-ray select, but not as base"
        )
    if not names:
        raise UserError(f"{uri}: holds neither pictures nor a {DATASET_JSON} that names any")
    if len(set(names)) < len(names):
        twice = pl.Series(names)
        raise UserError(
            f"{uri}: names {twice.filter(twice.is_duplicated())[0]} twice; mend it before appending"
        )
    return BaseSet(uri, tuple(names), None if labels is None else dict(labels))


def next_number(names: Iterable[str]) -> int:
    """The number after the highest of the pictures named as `picture_name` does; 0 if there are none."""
    found = (_NUMBERED.fullmatch(name.rpartition("/")[2]) for name in names)
    return max((int(match[1]) + 1 for match in found if match), default=0)


def with_start(options: dict[str, Any]) -> dict[str, Any]:
    """A format's options with `start` settled behind `base`, where that is given and `start` is not.

    Settled once, so that a repeated export of a base that has grown is another one, and is refused.
    """
    base = options.get("base")
    if isinstance(base, str) and base and options.get("start") is None:
        return options | {"start": next_number(read_base(base).names)}
    return options


def check_new_names(base: BaseSet, names: Iterable[str]) -> None:
    """Raises UserError if the base has one of these names already: reported now, and not after hours of cropping."""
    if both := set(base.names).intersection(names):
        raise UserError(
            f"{base.uri}: has {min(both)} already; leave start out to number on behind it, or set it higher"
        )


def picture_number(name: str) -> int | None:
    """The number at the end of a picture's name: 12 of "00000/img00000012.png" and of "00012.png"."""
    found = _LAST_NUMBER.search(name)
    return int(found[1]) if found else None


def aging_labels(uri: str, names: Iterable[str]) -> dict[str, int]:
    """EFHQ's condition of FFHQ's pictures by name: 1 past 30 degrees of pitch or 45 of yaw, else 0.

    uri: FFHQ-Aging's CSV, with image_number, head_pitch, head_yaw. A picture's number is that at the end of its name.
    Source: EFHQ, `4_building/cli_gan.py`. Raises UserError if it can not be read or lacks one of the pictures.
    """
    try:
        with opened(absolute(uri)) as (file, _):
            table = pl.read_csv(io.BytesIO(file.read()), null_values=["None"], infer_schema_length=None)
        table = table.select("image_number", pl.col("head_pitch", "head_yaw").cast(pl.Float64))
    except OSError as error:
        raise UserError(f"{uri}: {explain(error, uri)}") from None
    except pl.exceptions.PolarsError as error:
        raise UserError(
            f"{uri}: {str(error).splitlines()[0]}; needed is FFHQ-Aging's CSV with image_number, head_pitch, head_yaw"
        ) from None
    extreme = (pl.col("head_pitch").abs() > 30) | (pl.col("head_yaw").abs() > 45)
    known = dict(table.select("image_number", extreme.fill_null(False).cast(pl.Int64)).iter_rows())
    labels = {}
    for name in names:
        number = picture_number(name)
        if number not in known:
            raise UserError(f"{uri}: has no row of {name}; it takes the CSV of all of FFHQ's pictures")
        labels[name] = int(known[number])
    return labels


def _index_and_names(location: str) -> tuple[bytes | None, list[str]]:
    """The bytes of `dataset.json`, None if there is none, and the sorted names of the pictures."""
    if location.endswith(".json"):
        with opened(location) as (file, _):
            return file.read(), []
    if location.endswith(".zip"):
        with opened(location) as (file, _), zipfile.ZipFile(file) as archive:
            names = archive.namelist()
            index = next((archive.read(name) for name in _INDEXES if name in names), None)
    else:
        folder = Folder(location)
        index = next((content for name in _INDEXES if (content := folder.read(name)) is not None), None)
        if folder.is_local:
            walked = ((parent, files) for parent, _, files in os.walk(folder.path))
            names = [
                os.path.relpath(os.path.join(parent, file), folder.path).replace(os.sep, "/")
                for parent, files in walked
                for file in files
            ]
        else:
            names = [path.removeprefix(f"{folder.path}/") for path in folder.filesystem.find(folder.path)]
    return index, sorted(name for name in names if name.lower().endswith(PICTURES))


_INDEXES = (DATASET_JSON, "dataset-ffhq.json", "camera_parameters.json")


def _labels(content: bytes | None, uri: str) -> list[tuple[str, Any]] | None:
    try:
        found = None if content is None else json.loads(content)
    except ValueError as error:
        raise UserError(f"{uri}: is no JSON: {error}") from None
    if isinstance(found, dict):
        found = found["labels"] if "labels" in found else list(found.items())
    if found is None:
        return None
    if not isinstance(found, list) or not all(
        isinstance(pair, list | tuple) and len(pair) == 2 for pair in found
    ):
        raise UserError(f"{uri}: is no data set's index: needed is a list of [file, label] under 'labels'")
    return [(str(name), label) for name, label in found]


def class_labels(base: BaseSet) -> dict[str, int]:
    """Its labels as the condition of a trainer, whole numbers. Raises UserError if they are none."""
    labels = base.labels or {}
    wrong = next((name for name in base.names if not isinstance(labels.get(name), int)), None)
    if wrong is not None:
        raise UserError(
            f"{base.uri}: its label of {wrong} is no class (a whole number); give --set aging=CSV, FFHQ-Aging's"
        )
    return {name: int(labels[name]) for name in base.names}


def cameras_labels(base: BaseSet) -> np.ndarray:
    """EG3D's labels [n, 25] of its pictures, by `names`."""
    return np.array([(base.labels or {})[name] for name in base.names], np.float64).reshape(
        len(base.names), -1
    )
