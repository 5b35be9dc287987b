"""EFHQ's training set for ControlNet: a picture, the lines of its face that it is to follow, and a prompt.

Layout: `target_images/FOLDER/NAME.png` (EG3D's crop and its mirror image, `NAME_mirror.png`),
`condition_images/FOLDER/NAME.png` (FaceMesh's lines, see `imaging.mesh_lines`), `prompts.json` {"FOLDER/NAME": prompt},
as EFHQ's `5_train_eval/controlnet/tutorial_dataset.py` reads them; and `prompt.json` with a line {"source", "target",
"prompt"} each, as `tutorial_dataset.py` of lllyasviel/ControlNet does.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import ClassVar, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import Field, computed_field, model_validator

from lpff_ray.errors import UserError
from lpff_ray.exports.card.source_columns import source_captions
from lpff_ray.exports.format import FaceFormat, File, OutputFile, OutputImage, Record, Row, selected_faces
from lpff_ray.exports.imaging.alignment import face_quad, ffhq_crop, mirrored_transform, quad_transform
from lpff_ray.exports.imaging.face_mesh import face_mesh, model_mesh
from lpff_ray.exports.imaging.head_view import COLUMNS as HEAD_COLUMNS
from lpff_ray.exports.imaging.head_view import fit_head, head_view
from lpff_ray.exports.imaging.mesh_lines import draw_mesh
from lpff_ray.exports.lists.bins import selected_bin
from lpff_ray.exports.lists.prompts import COLUMNS as PROMPT_COLUMNS
from lpff_ray.exports.lists.prompts import (
    attributes_for,
    captions_for,
    captions_hash,
    efhqs_prompt,
    mirrored_face,
    prompt,
)
from lpff_ray.geometry.rotation import matrix_from_angles, upright_angle
from lpff_ray.geometry.transforms import apply
from lpff_ray.storage.folder import Folder
from lpff_ray.types import PoseBin

TARGETS, CONDITIONS = "target_images", "condition_images"
MESH, MODEL = "facemesh", "head model"  # whose points were drawn
# Degrees past which FaceMesh's points are not on the face. Evidence: docs/evidence/pose.md#weight-of-facemeshs-points
MESH_YAW = 55.0


class ControlNet(FaceFormat):
    """`--format controlnet`.

    size: of the pictures, pixels. crop: "eg3d", as EFHQ's, or "ffhq". mirror: also each picture's mirror image.
    mesh_yaw: past this measured |yaw| the lines are the head model's in the measured pose, as they are where FaceMesh
    sees no face; 180 is EFHQ's way, which draws FaceMesh's wherever it sees a face.
    captions, attributes: files or fsspec URIs of a user's, see `prompts.captions_for` and `prompts.attributes_for`.
    prompts: "pose", what was measured in words, or "efhq", EFHQ's template, which attributes imply.
    """

    size: int = Field(default=512, ge=64, le=2048, description="side of the pictures, pixels")
    crop: Literal["eg3d", "ffhq"] = Field(default="eg3d", description="whose crop the pictures are")
    mirror: bool = Field(default=True, description="also the mirror image of each picture, NAME_mirror")
    mesh_yaw: float = Field(
        default=MESH_YAW,
        ge=0,
        le=180,
        description="|yaw| past which the head model is drawn and not FaceMesh, degrees; 180: never, as EFHQ",
    )
    captions: str = Field(default="", description="file or fsspec URI of your own captions")
    attributes: str = Field(
        default="", description="file or fsspec URI of emotion, race and gender per face, for EFHQ's prompts"
    )
    prompts: Literal["pose", "efhq"] = Field(
        default="pose", description="what was measured in words, or EFHQ's template"
    )

    name: ClassVar[str] = "controlnet"
    loading: ClassVar[str] = (
        "ControlNet's `tutorial_dataset.py` reads `prompt.json`: source, target and prompt of each pair."
    )
    columns: ClassVar[tuple[str, ...]] = (*HEAD_COLUMNS, "pose_bin", *PROMPT_COLUMNS)

    @model_validator(mode="after")
    def _one_kind_of_prompt(self) -> ControlNet:
        if self.captions and (self.attributes or self.prompts == "efhq"):
            raise UserError("captions and EFHQ's prompts exclude each other: give captions, or attributes")
        return self

    @computed_field  # type: ignore[prop-decorator]  # mypy knows no decorated properties
    @property
    def captions_sha256(self) -> str | None:
        """Part of what DEST is an export of: prompts of edited captions must not come beside those of the old ones."""
        return captions_hash(self.captions) if self.captions else None

    @computed_field  # type: ignore[prop-decorator]
    @property
    def attributes_sha256(self) -> str | None:
        """The same of attributes."""
        return captions_hash(self.attributes) if self.attributes else None

    def rows(self, run: str, selection: pl.DataFrame) -> pl.DataFrame:
        """The selected faces with their points and prompts. Raises UserError if a user's file can not be used."""
        faces = selected_faces(run, selection, self.columns).with_columns(majority_bin=selected_bin())
        described = list(faces.select(*PROMPT_COLUMNS, "majority_bin").iter_rows(named=True))
        if self.attributes or self.prompts == "efhq":
            known = attributes_for(faces, self.attributes) if self.attributes else [{}] * len(faces)
            both = [
                (efhqs_prompt(one, face["majority_bin"] != PoseBin.FRONTAL), efhqs_prompt(one, False))
                for face, one in zip(described, known, strict=True)
            ]
        else:
            captions = captions_for(faces, self.captions) if self.captions else source_captions(run, faces)
            both = [
                (prompt(face, caption), prompt(mirrored_face(face), caption))
                for face, caption in zip(described, captions, strict=True)
            ]
        texts = {name: [pair[half] for pair in both] for half, name in enumerate(("prompt", "mirror_prompt"))}
        return faces.with_columns(pl.Series(name, values, dtype=pl.String) for name, values in texts.items())

    def make(self, frame: NDArray[np.uint8], row: Row) -> tuple[list[File], Record]:
        """The crop and its mirror image, and the lines of either."""
        quad = head_view(row).eg3d if self.crop == "eg3d" else face_quad(row["keypoints"])
        crop, transform = ffhq_crop(frame, quad, self.size), quad_transform(quad, self.size)
        points, whose = self._points(crop, transform, row)
        name = f"{row['index'] // 1000:05d}/img{row['index']:08d}"
        record: Record = {"mesh": whose, "prompts": {name: row["prompt"]}}
        pictures = [(name, crop, draw_mesh(points, self.size), transform)]
        if self.mirror:
            record["prompts"][f"{name}_mirror"] = row["mirror_prompt"]
            mirror = np.ascontiguousarray(crop[:, ::-1])
            lines = draw_mesh(points, self.size, mirrored=True)
            pictures.append((f"{name}_mirror", mirror, lines, mirrored_transform(transform, self.size)))
        files: list[File] = []
        for stem, target, condition, _ in pictures:
            files.append(OutputImage(f"{TARGETS}/{stem}.png", target))
            files.append(OutputImage(f"{CONDITIONS}/{stem}.png", condition))
        record["transforms"] = [place.tolist() for *_, place in pictures for _ in range(2)]
        return files, record

    def _points(
        self, crop: NDArray[np.uint8], transform: NDArray[np.float64], row: Row
    ) -> tuple[NDArray[np.float64], str]:
        """The 478 points [478, 2] in pixels of the crop, and whose they are."""
        rotation = matrix_from_angles(*np.array([row["yaw"], row["pitch"], row["roll"]], np.float64))
        if abs(row["yaw"]) <= self.mesh_yaw:
            seen = apply(transform, np.asarray(row["landmarks"], np.float64).reshape(68, 3)[:, :2])
            turned = float(upright_angle(rotation) + np.arctan2(transform[1, 0], transform[0, 0]))
            found = face_mesh(crop, np.concatenate([seen.min(0), seen.max(0)]), turned)
            if found is not None:
                return found, MESH
        _, pixels_per_cm, origin = fit_head(row["keypoints"], row["landmarks"], rotation)
        return apply(transform, model_mesh(rotation, pixels_per_cm, origin)), MODEL

    def finish(self, made: Folder, records: list[Record]) -> Iterable[OutputFile]:
        """prompts.json, and prompt.json with an object a line, in the order of the selection."""
        prompts = {name: text for record in records for name, text in record["prompts"].items()}
        yield OutputFile("prompts.json", json.dumps(prompts, indent=0).encode())
        lines = (
            {"source": f"{CONDITIONS}/{name}.png", "target": f"{TARGETS}/{name}.png", "prompt": text}
            for name, text in prompts.items()
        )
        yield OutputFile("prompt.json", "".join(json.dumps(line) + "\n" for line in lines).encode())
        drawn = pl.Series([record["mesh"] for record in records], dtype=pl.String)
        counts = {whose: int((drawn == whose).sum()) for whose in (MESH, MODEL)}
        yield OutputFile("meshes.json", json.dumps(counts).encode() + b"\n")

    def notes(self, selection: pl.DataFrame, rows: pl.DataFrame, dest: Folder) -> list[str]:
        """How many lines are the head model's."""
        counts = dest.json("meshes.json", "export again") or {}
        return (
            [f"{counts[MODEL]} of {len(rows)} faces drawn as the head model in the measured pose"]
            if counts
            else []
        )
