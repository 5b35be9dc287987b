"""EG3D's training set: crops of 512 pixels with their cameras, each beside its mirror image.

Layout: `{number // 1000:05d}/img{number:08d}.png` and `dataset.json`, as EG3D's `ImageFolderDataset` reads it from
`--data`, and LPFF's `1_dataset_processing/eg3d_dataset.py` appends its own to FFHQ's 139,914.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Any, ClassVar, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import Field, model_validator

from lpff_ray.curate.dataset_json import DATASET_JSON, read_dataset_json
from lpff_ray.errors import UserError
from lpff_ray.exports.format import (
    FaceFormat,
    File,
    OutputFile,
    OutputImage,
    Record,
    Row,
    read_made,
    selected_faces,
)
from lpff_ray.exports.formats.stylegan import ZIP_FILE, picture_name
from lpff_ray.exports.imaging.alignment import ffhq_crop, mirrored_transform, quad_transform
from lpff_ray.exports.imaging.head_view import COLUMNS, head_view
from lpff_ray.exports.packing import zip_chunks
from lpff_ray.geometry.eg3d_camera import mirrored
from lpff_ray.storage.folder import Folder

_NUMBERED = re.compile(r"img(\d+)\.[^./]+")  # the last part of `picture_name`


class Eg3d(FaceFormat):
    """`--format eg3d`.

    size: of the crops, pixels. mirror: also each picture's mirror image, with the number after it.
    base: a data set (folder, zip or dataset.json) whose labels are to stand before these in `dataset.json`, which is
    then that of both; its pictures are not copied: these are to be laid beside them.
    start: number of the first picture, by default the one after the base's highest, 0 without a base; 139914 follows
    FFHQ's. zip: `dataset.zip`, no folder.
    """

    size: Literal[256, 512] = Field(default=512, description="side of the crops, pixels")
    mirror: bool = Field(
        default=True, description="also the mirror image of each picture, with the number after it"
    )
    start: int = Field(
        default=0, ge=0, description="number of the first picture; with a base, the one after its highest"
    )
    base: str = Field(
        default="",
        description="a data set (folder, zip or dataset.json) whose labels stand before the new ones",
    )
    zip: bool = Field(default=False, description="one dataset.zip, or a folder")

    name: ClassVar[str] = "eg3d"
    columns: ClassVar[Sequence[str]] = COLUMNS
    loading: ClassVar[str] = (
        "`python train.py --cfg=ffhq --data=DEST` of NVlabs/eg3d; of a zip, `DEST/dataset.zip`."
    )

    @model_validator(mode="before")
    @classmethod
    def _behind_the_base(cls, options: dict[str, Any]) -> dict[str, Any]:
        """Settle `start` once, so that a repeated export of a base that has grown is another one, and is refused."""
        base = options.get("base")
        if isinstance(base, str) and base and options.get("start") is None:
            return options | {"start": next_number(base_names(base))}
        return options

    @property
    def packed(self) -> bool:
        return self.zip

    @property
    def every_picture_counts(self) -> bool:
        """Its loader walks through the folder."""
        return not self.zip

    def rows(self, run: str, selection: pl.DataFrame) -> pl.DataFrame:
        """The selected faces. Raises UserError if `base` can not be read or appended to."""
        faces = selected_faces(run, selection, self.columns)
        if self.base:  # reported now, and not after hours of cropping
            numbers = (eg3d_number(index, self.start, self.mirror) for index in faces["index"])
            names = (picture_name(n + half, "png") for n in numbers for half in range(1 + self.mirror))
            if both := base_names(self.base).intersection(names):
                raise UserError(
                    f"{self.base}: has {min(both)} already; leave start out to number on behind it, or set it higher"
                )
        return faces

    def make(self, frame: NDArray[np.uint8], row: Row) -> tuple[list[File], Record]:
        """The crop and its mirror image."""
        view = head_view(row)
        crop = ffhq_crop(frame, view.eg3d, self.size)
        number = eg3d_number(row["index"], self.start, self.mirror)
        files: list[File] = [OutputImage(picture_name(number, "png"), crop)]
        if self.mirror:
            files.append(OutputImage(picture_name(number + 1, "png"), np.ascontiguousarray(crop[:, ::-1])))
        transform = quad_transform(view.eg3d, self.size)
        record: Record = {"label": view.label.tolist()}
        if self.mirror:
            record["transforms"] = [transform.tolist(), mirrored_transform(transform, self.size).tolist()]
        else:
            record["transform"] = transform.tolist()
        return files, record

    def notes(self, selection: pl.DataFrame, rows: pl.DataFrame, dest: Folder) -> list[str]:
        """What to do with a set that continues another."""
        if not self.base:
            return []
        numbering = f"numbered from {self.start}; {DATASET_JSON} is that of {self.base} and of these together"
        return [f"{numbering}: lay the pictures beside the base's to train with both"]

    def finish(self, made: Folder, records: list[Record]) -> Iterable[OutputFile]:
        """`dataset.json`; or the zip with all."""
        if not self.zip:
            yield OutputFile(DATASET_JSON, self._index(records))
            return
        images = ((name, read_made(made, name)) for record in records for name in record["files"])
        index = b"".join(self._index(records))
        yield OutputFile(ZIP_FILE, zip_chunks(chain(images, [(DATASET_JSON, index)])))

    def _index(self, records: list[Record]) -> Iterator[bytes]:
        """`dataset.json` label by label: half a million of them as Python's numbers take a gigabyte."""
        yield b'{"labels": ['
        for position, pair in enumerate(self._labels(records)):
            yield (b",\n" if position else b"") + json.dumps(pair).encode()
        yield b"]}"

    def _labels(self, records: list[Record]) -> Iterator[tuple[str, list[float]]]:
        if self.base:
            yield from read_dataset_json(self.base).select("file", "label").iter_rows()
        for record in records:
            yield record["files"][0], record["label"]
            if self.mirror:
                yield record["files"][1], mirrored(np.array(record["label"])).tolist()


def eg3d_number(index: int, start: int, mirror: bool) -> int:
    """The number of the image of the face at `index` of the selection; its mirror image has the next one."""
    return start + index * (2 if mirror else 1)


def base_names(base: str) -> set[str]:
    """Names of a data set's images. Raises UserError if it is none that can be appended to."""
    listed = read_dataset_json(base)["file"].to_list()
    names = set(listed)
    bare = next((name for name in listed if "." not in name.rpartition("/")[2]), None)
    if bare is not None:
        raise UserError(
            f"{base}: names its pictures without an ending ({bare}), as LPFF's camera_parameters.json does, and so no "
            "loader of a dataset.json finds them; it serves as --reference of lpff-ray select, but not as base"
        )
    if len(names) < len(listed):
        twice = pl.Series(listed)
        raise UserError(
            f"{base}: names {twice.filter(twice.is_duplicated())[0]} twice; mend it before appending"
        )
    return names


def next_number(names: Iterable[str]) -> int:
    """The number after the highest of the images named as `picture_name` does; 0 if there are none."""
    found = (_NUMBERED.fullmatch(name.rpartition("/")[2]) for name in names)
    return max((int(match[1]) + 1 for match in found if match), default=0)
