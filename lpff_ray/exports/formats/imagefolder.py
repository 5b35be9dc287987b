"""Hugging Face's `imagefolder`: crops in a folder per split, each with a `metadata.jsonl` of their measurements.

Layout: `train/00000000.jpg` and on, `train/metadata.jsonl`, likewise `test/`; all is `train/` where the selection has
no splits. `datasets.load_dataset("imagefolder", data_dir=DEST)` reads it, and so does a data set on the Hub.
Source: Hugging Face datasets' documentation, "Create an image dataset", ImageFolder: `file_name` is relative to
metadata.jsonl, and every other key is a column.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from lpff_ray.exports.format import FaceFormat, File, OutputFile, OutputImage, Record, Row
from lpff_ray.exports.imaging.alignment import face_quad, ffhq_crop, quad_transform
from lpff_ray.geometry.transforms import apply
from lpff_ray.storage.folder import Folder

METADATA = "metadata.jsonl"
_MEASURED = (
    *("yaw", "pitch", "roll", "azimuth", "elevation", "tilt", "pose_bin", "pose_spread"),
    *("det_score", "face_px", "sharpness", "iqa", "brightness"),
)
_OF_SELECTION = ("identity_id", "bin", "weight", "copies")
_SOURCE = ("face_id", "video_id", "uri", "frame_index", "pts_ns")


class ImageFolder(FaceFormat):
    """`--format imagefolder`.

    size: of the crops (FFHQ's), pixels. image: how they are stored.
    """

    size: int = Field(default=512, ge=16, le=4096, description="side of the crops, pixels")
    image: Literal["jpg", "png"] = Field(default="jpg", description="how the crops are stored")

    name: ClassVar[str] = "imagefolder"
    columns: ClassVar[Sequence[str]] = ("keypoints", *_MEASURED)
    loading: ClassVar[str] = """
```python
from datasets import load_dataset

faces = load_dataset("imagefolder", data_dir="DEST")  # or the name of the data set on the Hub
faces["train"][0]["image"], faces["train"][0]["yaw"]
```
"""

    @property
    def every_picture_counts(self) -> bool:
        """`imagefolder` takes every picture below DEST."""
        return True

    def split_files(self, split: str) -> str:
        return f"{split or 'train'}/**"

    def make(self, frame: NDArray[np.uint8], row: Row) -> tuple[list[File], Record]:
        """The crop, and its line of metadata.jsonl."""
        quad = face_quad(row["keypoints"])
        transform = quad_transform(quad, self.size)
        told: dict[str, Any] = {name: row[name] for name in (*_OF_SELECTION, *_MEASURED)}
        told["keypoints"] = np.round(apply(transform, row["keypoints"]), 2).tolist()
        name = f"{row['split'] or 'train'}/{row['index']:08d}.{self.image}"
        record = {"transform": transform.tolist(), "told": told}
        return [OutputImage(name, ffhq_crop(frame, quad, self.size))], record

    def finish(self, made: Folder, records: list[Record]) -> Iterable[OutputFile]:
        """A metadata.jsonl for each split."""
        lines: dict[str, list[str]] = {}
        for record in records:
            split, _, name = record["files"][0].partition("/")
            source = {key: record[key] for key in _SOURCE}
            line = {"file_name": name, **source, **record["told"]}
            lines.setdefault(split, []).append(json.dumps(line, ensure_ascii=False))
        for split, of_split in sorted(lines.items()):
            yield OutputFile(f"{split}/{METADATA}", ("\n".join(of_split) + "\n").encode())
