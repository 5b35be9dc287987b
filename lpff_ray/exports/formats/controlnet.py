"""ControlNet's tutorial data set: an image, the lines it is to follow, and a prompt.

Layout: `target/NAME.png` (FFHQ's crop), `source/NAME.png` (its landmarks drawn), `prompt.json` with a line {"source",
"target", "prompt"} each, as `tutorial_dataset.py` of lllyasviel/ControlNet reads it and EFHQ fine-tunes with.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import ClassVar

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import Field, computed_field

from lpff_ray.exports.format import FaceFormat, File, OutputFile, OutputImage, Record, Row, selected_faces
from lpff_ray.exports.imaging.alignment import face_quad, ffhq_crop, quad_transform
from lpff_ray.exports.imaging.conditioning import draw_points
from lpff_ray.exports.lists.prompts import COLUMNS as PROMPT_COLUMNS
from lpff_ray.exports.lists.prompts import captions_for, captions_hash, prompt
from lpff_ray.exports.source_columns import source_captions
from lpff_ray.geometry.transforms import apply, scale_of
from lpff_ray.storage.folder import Folder


class ControlNet(FaceFormat):
    """`--format controlnet`.

    size: of the pictures, pixels. captions: file or fsspec URI of a user's captions, see `prompts.captions_for`.
    """

    size: int = Field(default=512, ge=64, le=2048, description="side of the pictures, pixels")
    captions: str = Field(default="", description="file or fsspec URI of your own captions")

    name: ClassVar[str] = "controlnet"
    columns: ClassVar[tuple[str, ...]] = ("keypoints", "landmarks", *PROMPT_COLUMNS)
    loading: ClassVar[str] = (
        "ControlNet's `tutorial_dataset.py` reads `prompt.json`: source, target and prompt of each pair."
    )

    @computed_field  # type: ignore[prop-decorator]  # mypy knows no decorated properties
    @property
    def captions_sha256(self) -> str | None:
        """Part of what DEST is an export of: prompts of edited captions must not come beside those of the old ones."""
        return captions_hash(self.captions) if self.captions else None

    def rows(self, run: str, selection: pl.DataFrame) -> pl.DataFrame:
        """The selected faces with their points and prompts. Raises UserError if the captions can not be used."""
        faces = selected_faces(run, selection, self.columns)
        captions = captions_for(faces, self.captions) if self.captions else source_captions(run, faces)
        described = faces.select(PROMPT_COLUMNS).iter_rows(named=True)
        prompts = [prompt(face, caption) for face, caption in zip(described, captions, strict=True)]
        return faces.with_columns(prompt=pl.Series(prompts, dtype=pl.String))

    def make(self, frame: NDArray[np.uint8], row: Row) -> tuple[list[File], Record]:
        """The crop, and its landmarks in the same geometry."""
        quad = face_quad(row["keypoints"])
        name = f"{row['index']:08d}.png"
        record: Record = {
            "transform": quad_transform(quad, self.size).tolist(),
            "prompt": row["prompt"],
            "name": name,
        }
        drawn = draw_points(
            crop_points(np.asarray(row["landmarks"], np.float64).reshape(68, 3), quad, self.size), self.size
        )
        images: list[File] = [
            OutputImage(f"target/{name}", ffhq_crop(frame, quad, self.size)),
            OutputImage(f"source/{name}", drawn),
        ]
        return images, record

    def finish(self, made: Folder, records: list[Record]) -> Iterable[OutputFile]:
        """prompt.json: one object a line, in the order of the selection."""
        lines = []
        for record in records:
            source, target = (f"{part}/{record['name']}" for part in ("source", "target"))
            lines.append({"source": source, "target": target, "prompt": record["prompt"]})
        yield OutputFile("prompt.json", "".join(json.dumps(line) + "\n" for line in lines).encode())


def crop_points(points: NDArray, quad: NDArray, size: int) -> NDArray[np.float64]:
    """Points [n, 3] of the frame in pixels of the crop, z with them."""
    transform = quad_transform(quad, size)
    return np.column_stack([apply(transform, points[:, :2]), points[:, 2] * scale_of(transform)])
