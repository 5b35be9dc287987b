"""StyleGAN's training set: faces aligned as FFHQ's, 512 or 1024 pixels, as a folder or an uncompressed zip.

Layout: `{number // 1000:05d}/img{number:08d}.png` and `dataset.json`, as `dataset_tool.py` of NVlabs'
stylegan2-ada-pytorch and stylegan3 writes it, and as their `ImageFolderDataset` reads it from `--data`; and in the root
the lists of LPFF's modes (`joining.mode_lists`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any, ClassVar, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import Field, computed_field, model_validator

from lpff_ray.curate.dataset_json import DATASET_JSON
from lpff_ray.errors import UserError
from lpff_ray.exports.format import FaceFormat, File, OutputFile, OutputImage, Record, Row, selected_faces
from lpff_ray.exports.imaging.alignment import face_quad, ffhq_crop, mirrored_transform, quad_transform
from lpff_ray.exports.joining.base_set import (
    aging_labels,
    check_new_names,
    class_labels,
    read_base,
    with_start,
)
from lpff_ray.exports.joining.joined_set import (
    check_joined,
    content_hash,
    index_chunks,
    joined_notes,
    zip_of,
)
from lpff_ray.exports.joining.mode_lists import stylegan_lists
from lpff_ray.exports.lists.bins import selected_bin
from lpff_ray.storage.folder import Folder
from lpff_ray.types import PoseBin

ZIP_FILE = "dataset.zip"
FRONTAL, EXTREME = 0, 1  # EFHQ's condition


class StyleGan(FaceFormat):
    """`--format stylegan`.

    size: of the crops, pixels. image: "png" | "jpg". mirror: also each picture's mirror image, numbered after it.
    base: a data set (folder or zip) that these continue: `dataset.json` and the lists are then those of both; its
    pictures are not copied, unless `join` is set with zip. start: number of the first picture, by default the one after
    the base's highest, 0 without a base; 70000 follows FFHQ's. zip: `dataset.zip` instead of a folder.
    labels: "none"; "extreme", EFHQ's condition, 1 for all new pictures; "bin", 0 for those in the frontal bin.
    aging: FFHQ-Aging's CSV, for the condition of the base's pictures, where the base is FFHQ; else the base's own.
    """

    size: Literal[512, 1024] = Field(default=1024, description="side of the crops, pixels")
    image: Literal["png", "jpg"] = Field(default="png", description="how the crops are stored")
    mirror: bool = Field(
        default=False, description="also mirror images; trainers mirror by --mirror themselves"
    )
    start: int = Field(
        default=0, ge=0, description="number of the first picture; with a base, the one after its highest"
    )
    base: str = Field(default="", description="a data set (folder or zip) that the new pictures continue")
    zip: bool = Field(default=False, description="one dataset.zip, or a folder")
    join: bool = Field(
        default=False, description="with base and zip: one dataset.zip of the base and the new ones"
    )
    labels: Literal["none", "extreme", "bin"] = Field(
        default="none",
        description="condition of training: none, 1 for all new pictures (EFHQ), or 0 for the frontal bin and 1 else",
    )
    aging: str = Field(default="", description="FFHQ-Aging's CSV: the condition of FFHQ's pictures as base")

    name: ClassVar[str] = "stylegan"
    loading: ClassVar[str] = (
        "`python train.py --data=DEST` of stylegan2-ada-pytorch or stylegan3; of a zip, `DEST/dataset.zip`."
    )
    columns: ClassVar[Sequence[str]] = ("keypoints", "pose_bin")

    @model_validator(mode="before")
    @classmethod
    def _behind_the_base(cls, options: dict[str, Any]) -> dict[str, Any]:
        return with_start(options)

    @model_validator(mode="after")
    def _that_go_together(self) -> StyleGan:
        check_joined(self.join, self.base, self.zip)
        if self.aging and not (self.base and self.labels != "none"):
            raise UserError(
                "aging is the condition of a base's pictures: set base, and labels to extreme or bin"
            )
        return self

    @computed_field  # type: ignore[prop-decorator]  # mypy knows no decorated properties
    @property
    def aging_sha256(self) -> str | None:
        """Part of what DEST is an export of."""
        return content_hash(self.aging) if self.aging else None

    @property
    def packed(self) -> bool:
        return self.zip

    @property
    def every_picture_counts(self) -> bool:
        """Its loader walks through the folder."""
        return not self.zip

    def rows(self, run: str, selection: pl.DataFrame) -> pl.DataFrame:
        """The selected faces with their condition. Raises UserError if `base` can not be read or appended to."""
        faces = selected_faces(run, selection, self.columns).with_columns(majority_bin=selected_bin())
        if self.base:
            base = read_base(self.base)
            check_new_names(base, (name for index in faces["index"] for name in self._names(index)))
            if self.join:
                base.check_shape(self.size)
            self._old_labels()
        frontal = pl.col("majority_bin") == PoseBin.FRONTAL.value
        condition = pl.when(frontal & (self.labels == "bin")).then(FRONTAL).otherwise(EXTREME)
        return faces.with_columns(condition=condition)

    def make(self, frame: NDArray[np.uint8], row: Row) -> tuple[list[File], Record]:
        """The aligned crop, and its mirror image if asked for."""
        quad, names = face_quad(row["keypoints"]), self._names(row["index"])
        crop = ffhq_crop(frame, quad, self.size)
        transform = quad_transform(quad, self.size)
        record: Record = {"condition": row["condition"], "copies": row["copies"] or 1}
        if not self.mirror:
            return [OutputImage(names[0], crop)], record | {"transform": transform.tolist()}
        record["transforms"] = [transform.tolist(), mirrored_transform(transform, self.size).tolist()]
        pictures = (crop, np.ascontiguousarray(crop[:, ::-1]))
        return [OutputImage(*pair) for pair in zip(names, pictures, strict=True)], record

    def notes(self, selection: pl.DataFrame, rows: pl.DataFrame, dest: Folder) -> list[str]:
        """What to do with a set that continues another."""
        return joined_notes(self.base, self.join, self.start)

    def finish(self, made: Folder, records: list[Record]) -> Iterable[OutputFile]:
        """`dataset.json` and the lists; or the zip with all."""
        base = read_base(self.base) if self.base else None
        by_name = {name: record for record in records for name in record["files"]}
        labels: Iterable[tuple[str, Any]] | None = None
        if self.labels != "none":
            new = ((name, record["condition"]) for name, record in by_name.items())
            labels = chain(self._old_labels().items(), new)
        copies = {name: record["copies"] for name, record in by_name.items()}
        files = [
            OutputFile(DATASET_JSON, index_chunks(labels)),
            *stylegan_lists(base, list(by_name), copies),
        ]
        if not self.zip:
            yield from files
            return
        yield OutputFile(ZIP_FILE, zip_of(made, records, base if self.join else None, files))

    def _names(self, index: int) -> list[str]:
        first = self.start + index * (2 if self.mirror else 1)
        return [picture_name(first + half, self.image) for half in range(1 + self.mirror)]

    def _old_labels(self) -> dict[str, int]:
        """The condition of the base's pictures by name; nothing where none is asked for."""
        if not self.base or self.labels == "none":
            return {}
        base = read_base(self.base)
        return aging_labels(self.aging, base.names) if self.aging else class_labels(base)


def picture_name(index: int, ending: str) -> str:
    """An image's name in the data set, as NVlabs' `dataset_tool.py` names it."""
    return f"{index // 1000:05d}/img{index:08d}.{ending}"
