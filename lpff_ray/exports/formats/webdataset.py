"""Tar shards as the `webdataset` package reads them: per face a crop, its measurements, and a class if asked for.

Layout: `SPLIT-000000.tar` and on, or `000000.tar` where the selection has no splits; members `KEY.jpg` (or png),
`KEY.json`, `KEY.cls`; `shards.json`: the shards with their counts, and the names of the classes.
Source: webdataset's README: members of one sample follow each other and share the name up to the first dot.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from typing import Any, ClassVar, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import Field

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
from lpff_ray.exports.imaging.alignment import face_quad, ffhq_crop, quad_transform
from lpff_ray.exports.packing import tar_chunks
from lpff_ray.geometry.transforms import apply
from lpff_ray.storage.folder import Folder

_MEASURED = (
    "track_id",
    "yaw",
    "pitch",
    "roll",
    "pose_bin",
    "det_score",
    "face_px",
    "sharpness",
    "iqa",
    "brightness",
)
_DESCRIBED = ("clip_id", *_MEASURED, "identity_id", "bin", "weight", "copies")


class WebDataset(FaceFormat):
    """`--format webdataset`.

    size: of the crops (FFHQ's), pixels. image: how they are stored. shard_size: faces per shard, at most.
    label: what `.cls` numbers: "identity", "bin", or "none" for no `.cls`.
    shuffle: order faces by a hash of their face_id and not by rank; readers shuffle only within a few shards.
    """

    size: int = Field(default=512, ge=16, le=4096, description="side of the crops, pixels")
    image: Literal["jpg", "png"] = Field(default="jpg", description="how the crops are stored")
    shard_size: int = Field(default=1000, ge=1, description="most faces in a shard")
    label: Literal["none", "identity", "bin"] = Field(
        default="none", description="what the class in .cls stands for"
    )
    shuffle: bool = Field(default=True, description="order faces by a hash of their face_id, or by rank")

    name: ClassVar[str] = "webdataset"
    columns: ClassVar[tuple[str, ...]] = ("keypoints", *_MEASURED)
    loading: ClassVar[str] = """
```python
import glob
import webdataset

faces = webdataset.WebDataset(sorted(glob.glob("DEST/*.tar"))).decode("rgb").to_tuple("jpg;png", "json")
```
"""

    @property
    def packed(self) -> bool:
        """Images are staged, and packed into the shards."""
        return True

    def split_files(self, split: str) -> str:
        return f"{split}-*.tar" if split else "*.tar"

    def rows(self, run: str, selection: pl.DataFrame) -> pl.DataFrame:
        """The selected faces. Raises UserError for a label that some of them do not have."""
        faces = selected_faces(run, selection, self.columns)
        column = {"none": None, "identity": "identity_id", "bin": "bin"}[self.label]
        if column and faces[column].null_count():
            raise UserError(f"{run}: label={self.label}: some selected faces have no {column}; select again")
        return faces.with_columns(label=pl.col(column) if column else pl.lit(None, pl.String))

    def make(self, frame: NDArray[np.uint8], row: Row) -> tuple[list[File], Record]:
        """The crop, and what its `.json` will hold."""
        quad = face_quad(row["keypoints"])
        transform = quad_transform(quad, self.size)
        described: dict[str, Any] = {name: row[name] for name in _DESCRIBED}
        described["keypoints"] = np.round(apply(transform, row["keypoints"]), 2).tolist()
        record = {
            "transform": transform.tolist(),
            "split": row["split"],
            "label": row["label"],
            "told": described,
        }
        return [OutputImage(f"{row['index']:08d}.{self.image}", ffhq_crop(frame, quad, self.size))], record

    def finish(self, made: Folder, records: list[Record]) -> Iterable[OutputFile]:
        """The shards, split by split, and shards.json."""
        classes = sorted({record["label"] for record in records if record["label"] is not None})
        numbers = {name: number for number, name in enumerate(classes)}
        shards: dict[str, int] = {}
        for split in sorted({record["split"] or "" for record in records}):
            chosen = [record for record in records if (record["split"] or "") == split]
            if self.shuffle:
                chosen.sort(key=lambda record: hashlib.sha256(record["face_id"].encode()).digest())
            for number, start in enumerate(range(0, len(chosen), self.shard_size)):
                shard = chosen[start : start + self.shard_size]
                name = f"{split}-{number:06d}.tar" if split else f"{number:06d}.tar"
                shards[name] = len(shard)
                yield OutputFile(name, tar_chunks(_members(made, shard, numbers)))
        summary = {"samples": len(records), "shards": shards, "classes": classes}
        yield OutputFile("shards.json", json.dumps(summary, indent=2).encode() + b"\n")


def _members(made: Folder, records: list[Record], numbers: dict[str, int]) -> Iterator[tuple[str, bytes]]:
    for record in records:
        (staged,) = record["files"]
        key, _, ending = staged.rpartition(".")
        content = read_made(made, staged)
        source = {name: record[name] for name in ("face_id", "video_id", "uri", "frame_index", "pts_ns")}
        yield f"{key}.{ending}", content
        yield f"{key}.json", json.dumps(source | record["told"]).encode()
        if record["label"] is not None:
            yield f"{key}.cls", str(numbers[record["label"]]).encode()
