"""EG3D's training set: crops of 512 pixels with their cameras, each beside its mirror image.

Layout: `{number // 1000:05d}/img{number:08d}.png` and `dataset.json`, as EG3D's `ImageFolderDataset` reads it from
`--data`, and LPFF's `1_dataset_processing/eg3d_dataset.py` appends its own to FFHQ's 139,914; and in the root the lists
of LPFF's modes (`joining.mode_lists`), as LPFF-eg3d's loader opens them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any, ClassVar, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import Field, model_validator

from lpff_ray.curate.dataset_json import DATASET_JSON, read_dataset_json
from lpff_ray.exports.format import (
    FaceFormat,
    File,
    OutputFile,
    OutputImage,
    Record,
    Row,
    selected_faces,
)
from lpff_ray.exports.formats.stylegan import ZIP_FILE, picture_name
from lpff_ray.exports.imaging.alignment import ffhq_crop, mirrored_transform, quad_transform
from lpff_ray.exports.imaging.head_view import COLUMNS, head_view
from lpff_ray.exports.joining.base_set import (
    cameras_labels,
    check_new_names,
    read_base,
    with_start,
)
from lpff_ray.exports.joining.joined_set import check_joined, index_chunks, joined_notes, zip_of
from lpff_ray.exports.joining.mode_lists import eg3d_lists
from lpff_ray.geometry.eg3d_camera import LABEL_LENGTH, mirrored
from lpff_ray.storage.folder import Folder


class Eg3d(FaceFormat):
    """`--format eg3d`.

    size: of the crops, pixels. mirror: also each picture's mirror image, with the number after it.
    base: a data set (folder, zip or dataset.json) whose labels are to stand before these in `dataset.json`, which is
    then that of both, as are the lists; its pictures are not copied: these are to be laid beside them, or `join`.
    start: number of the first picture, by default the one after the base's highest, 0 without a base; 139914 follows
    FFHQ's. zip: `dataset.zip`, no folder. join: with a base and zip, one zip that holds the base's pictures too.
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
    join: bool = Field(
        default=False, description="with base and zip: one dataset.zip of the base and the new ones"
    )

    name: ClassVar[str] = "eg3d"
    columns: ClassVar[Sequence[str]] = COLUMNS
    loading: ClassVar[str] = (
        "`python train.py --cfg=ffhq --data=DEST` of NVlabs/eg3d; of a zip, `DEST/dataset.zip`."
    )

    @model_validator(mode="before")
    @classmethod
    def _behind_the_base(cls, options: dict[str, Any]) -> dict[str, Any]:
        return with_start(options)

    @model_validator(mode="after")
    def _something_to_join(self) -> Eg3d:
        check_joined(self.join, self.base, self.zip)
        return self

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
        if self.base:
            read_dataset_json(self.base)  # raises UserError unless its labels are cameras
            base = read_base(self.base)
            numbers = (eg3d_number(index, self.start, self.mirror) for index in faces["index"])
            check_new_names(
                base, (picture_name(n + half, "png") for n in numbers for half in range(1 + self.mirror))
            )
            if self.join:
                base.check_shape(self.size)
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
        record: Record = {"label": view.label.tolist(), "copies": row["copies"] or 1}
        if self.mirror:
            record["transforms"] = [transform.tolist(), mirrored_transform(transform, self.size).tolist()]
        else:
            record["transform"] = transform.tolist()
        return files, record

    def notes(self, selection: pl.DataFrame, rows: pl.DataFrame, dest: Folder) -> list[str]:
        """What to do with a set that continues another."""
        return joined_notes(self.base, self.join, self.start)

    def finish(self, made: Folder, records: list[Record]) -> Iterable[OutputFile]:
        """`dataset.json` and the lists; or the zip with all."""
        base = read_base(self.base) if self.base else None
        names = [name for record in records for name in record["files"]]
        labels = self._new_labels(records)
        copies = {name: record["copies"] for record in records for name in record["files"]}
        old_labels = cameras_labels(base) if base else np.zeros((0, LABEL_LENGTH))
        lists = list(eg3d_lists(base, old_labels, names, labels, copies))
        index: Iterable[tuple[str, Any]] = zip(names, (label.tolist() for label in labels), strict=True)
        if base:
            index = chain((base.labels or {}).items(), index)
        dataset_json = OutputFile(DATASET_JSON, index_chunks(index))
        if not self.zip:
            yield from [dataset_json, *lists]
            return
        yield OutputFile(ZIP_FILE, zip_of(made, records, base if self.join else None, [dataset_json, *lists]))

    def _new_labels(self, records: list[Record]) -> NDArray[np.float64]:
        """Labels [n, 25] of all files of the records."""
        labels = np.array([record["label"] for record in records], np.float64).reshape(-1, LABEL_LENGTH)
        if not self.mirror:
            return labels
        return np.stack([labels, mirrored(labels)], 1).reshape(-1, LABEL_LENGTH)


def eg3d_number(index: int, start: int, mirror: bool) -> int:
    """The number of the image of the face at `index` of the selection; its mirror image has the next one."""
    return start + index * (2 if mirror else 1)
