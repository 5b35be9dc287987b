"""EG3D's training set: crops of 512 pixels with their cameras, each beside its mirror image.

Layout: `{number // 1000:05d}/img{number:08d}.png` and `dataset.json`, as EG3D's `ImageFolderDataset` reads it from
`--data`, and LPFF's `1_dataset_processing/eg3d_dataset.py` appends its own to FFHQ's 139,914.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import ClassVar, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import Field

from lpff_ray.measure.camera import mirrored
from lpff_ray.products.align import ffhq_crop, quad_transform
from lpff_ray.products.head_view import COLUMNS, head_view
from lpff_ray.products.product import File, FrameProduct, Made, Picture, Record, Row, faces_of
from lpff_ray.products.stylegan import ZIP_FILE, picture_name
from lpff_ray.products.zipped import zip_chunks
from lpff_ray.tables.dataset_json import DATASET_JSON, read_dataset_json
from lpff_ray.tables.folder import Folder


class Eg3d(FrameProduct):
    """`--format eg3d`.

    size: of the crops, pixels. mirror: also each picture's mirror image, with the number after it.
    start: number of the first picture; 139914 follows FFHQ's. base: a data set (folder, zip or dataset.json) whose
    labels are to stand before these in `dataset.json`; its pictures are not copied. zip: `dataset.zip`, no folder.
    """

    size: Literal[256, 512] = 512
    mirror: bool = True
    start: int = Field(0, ge=0)
    base: str = ""
    zip: bool = False

    name: ClassVar[str] = "eg3d"
    columns: ClassVar[Sequence[str]] = COLUMNS

    @property
    def packed(self) -> bool:
        return self.zip

    def rows(self, run: str, selection: pl.DataFrame) -> pl.DataFrame:
        """The selected faces. Raises UserError if `base` can not be read."""
        if self.base:
            read_dataset_json(self.base)  # said now, and not after hours of cropping
        return faces_of(run, selection, self.columns)

    def make(self, frame: NDArray[np.uint8], row: Row) -> tuple[list[File], Record]:
        """The crop and its mirror image."""
        view = head_view(row)
        crop = ffhq_crop(frame, view.eg3d, self.size)
        number = eg3d_number(row["index"], self.start, self.mirror)
        files: list[File] = [Picture(picture_name(number, "png"), crop)]
        if self.mirror:
            files.append(Picture(picture_name(number + 1, "png"), np.ascontiguousarray(crop[:, ::-1])))
        return files, {
            "transform": quad_transform(view.eg3d, self.size).tolist(),
            "label": view.label.tolist(),
        }

    def finish(self, made: Folder, records: list[Record]) -> Iterable[Made]:
        """`dataset.json`; or the zip with all."""
        if not self.zip:
            yield Made(DATASET_JSON, self._index(records))
            return
        pictures = ((name, made.read(name) or b"") for record in records for name in record["files"])
        index = b"".join(self._index(records))
        yield Made(ZIP_FILE, zip_chunks(chain(pictures, [(DATASET_JSON, index)])))

    def _index(self, records: list[Record]) -> Iterator[bytes]:
        """`dataset.json` label by label: half a million of them as Python's numbers take a gigabyte."""
        yield b'{"labels": ['
        for place, pair in enumerate(self._labels(records)):
            yield (b",\n" if place else b"") + json.dumps(pair).encode()
        yield b"]}"

    def _labels(self, records: list[Record]) -> Iterator[tuple[str, list[float]]]:
        if self.base:
            yield from read_dataset_json(self.base).select("file", "label").iter_rows()
        for record in records:
            yield record["files"][0], record["label"]
            if self.mirror:
                yield record["files"][1], mirrored(np.array(record["label"])).tolist()


def eg3d_number(index: int, start: int, mirror: bool) -> int:
    """The number of the picture of the face at `index` of the selection; its mirror image has the next one."""
    return start + index * (2 if mirror else 1)
