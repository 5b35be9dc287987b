"""StyleGAN's training set: faces aligned as FFHQ's, 512 or 1024 pixels, as a folder or an uncompressed zip.

Layout: `{index // 1000:05d}/img{index:08d}.png` and `dataset.json`, as `dataset_tool.py` of NVlabs'
stylegan2-ada-pytorch and stylegan3 writes it, and as their `ImageFolderDataset` reads it from `--data`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from lpff_ray.exports.format import FaceFormat, File, OutputFile, OutputImage, Record, Row, read_made
from lpff_ray.exports.imaging.alignment import face_quad, ffhq_crop, quad_transform
from lpff_ray.exports.packing import zip_chunks
from lpff_ray.storage.folder import Folder

ZIP_FILE = "dataset.zip"


class StyleGan(FaceFormat):
    """`--format stylegan`.

    size: of the crops, pixels. image: "png" | "jpg". zip: `dataset.zip` instead of a folder.
    """

    size: Literal[512, 1024] = Field(default=1024, description="side of the crops, pixels")
    image: Literal["png", "jpg"] = Field(default="png", description="how the crops are stored")
    zip: bool = Field(default=False, description="one dataset.zip, or a folder")

    name: ClassVar[str] = "stylegan"
    columns: ClassVar[Sequence[str]] = ("keypoints",)
    loading: ClassVar[str] = (
        "`python train.py --data=DEST` of stylegan2-ada-pytorch or stylegan3; of a zip, `DEST/dataset.zip`."
    )

    @property
    def packed(self) -> bool:
        return self.zip

    @property
    def every_picture_counts(self) -> bool:
        """Its loader walks through the folder."""
        return not self.zip

    def make(self, frame: NDArray[np.uint8], row: Row) -> tuple[list[File], Record]:
        """The aligned crop."""
        quad = face_quad(row["keypoints"])
        crop = OutputImage(picture_name(row["index"], self.image), ffhq_crop(frame, quad, self.size))
        return [crop], {"transform": quad_transform(quad, self.size).tolist()}

    def finish(self, made: Folder, records: list[Record]) -> Iterable[OutputFile]:
        """`dataset.json`, which has no labels; or the zip with all."""
        index = json.dumps({"labels": None}).encode()
        if not self.zip:
            yield OutputFile("dataset.json", index)
            return
        images = ((name, read_made(made, name)) for record in records for name in record["files"])
        yield OutputFile(ZIP_FILE, zip_chunks(chain(images, [("dataset.json", index)])))


def picture_name(index: int, ending: str) -> str:
    """An image's name in the data set, as NVlabs' `dataset_tool.py` names it."""
    return f"{index // 1000:05d}/img{index:08d}.{ending}"
