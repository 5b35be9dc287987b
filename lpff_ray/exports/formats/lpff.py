"""The release layout of LPFF, and the lists of file names that its training code reads.

    eg3d/, stylegan/, realign2400/      {image id}.png: three crops of every face
    camera_parameters.json              {image id: EG3D's 25 numbers}, of the crop in eg3d/
    realign2400_lm.json, raw_lm.json    {image id: 68 points}, pixels of realign2400/ and of the frame
    info.json                           {image id: where it came from, its crops' corners there, numbers, weight}
    lists/eg3d/, lists/stylegan/        LPFF.json, LPFF_rebalanced.json: file names, the latter repeated `copies` times

The lists name images as they are numbered when they are appended to FFHQ's, by rank: those of `--format eg3d --set
start=139914`, and StyleGAN's from 70,000 on. Source: oneThousand1000/LPFF-dataset, `dataset_download` and
`data_processing`, where landmarks have pixel centres at whole numbers.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from lpff_ray.exports.format import FaceFormat, File, OutputFile, OutputImage, Record, Row
from lpff_ray.exports.formats.eg3d import eg3d_number
from lpff_ray.exports.formats.stylegan import picture_name
from lpff_ray.exports.imaging.alignment import ffhq_crop, quad_transform
from lpff_ray.exports.imaging.head_view import COLUMNS, head_view
from lpff_ray.geometry.transforms import apply
from lpff_ray.storage.folder import Folder

EG3D_SIZE, STYLEGAN_SIZE = 512, 1024
REALIGN_SCALE = 1.8  # of FFHQ's crop (`my_realign.py`)
AFTER_FFHQ_EG3D, AFTER_FFHQ_STYLEGAN = 139_914, 70_000


class Lpff(FaceFormat):
    """`--format lpff`.

    realign: side of the pictures in realign2400/, pixels; 0 leaves them out. eg3d_start, stylegan_start: number of the
    first picture in the lists.
    """

    realign: int = Field(
        2400, ge=0, le=4096, description="side of the pictures in realign2400/, pixels; 0 leaves them out"
    )
    eg3d_start: int = Field(
        AFTER_FFHQ_EG3D, ge=0, description="number of the first picture in EG3D's list; FFHQ's end before it"
    )
    stylegan_start: int = Field(
        AFTER_FFHQ_STYLEGAN, ge=0, description="number of the first picture in StyleGAN's list"
    )

    name: ClassVar[str] = "lpff"
    columns: ClassVar[Sequence[str]] = (*COLUMNS, "face_index")
    loading: ClassVar[str] = (
        "As LPFF's release: crops in `eg3d/`, `stylegan/`, `realign2400/`, cameras in `camera_parameters.json`, "
        "lists of file names in `lists/`."
    )

    def make(self, frame: NDArray[np.uint8], row: Row) -> tuple[list[File], Record]:
        """The three crops."""
        view = head_view(row)
        quads = {"eg3d": (view.eg3d, EG3D_SIZE), "stylegan": (view.ffhq, STYLEGAN_SIZE)}
        realigned = view.ffhq.mean(0) + REALIGN_SCALE * (view.ffhq - view.ffhq.mean(0))
        if self.realign:
            quads["realign2400"] = (realigned, self.realign)
        image = image_id(row)
        files: list[File] = [
            OutputImage(f"{folder}/{image}.png", ffhq_crop(frame, quad, size))
            for folder, (quad, size) in quads.items()
        ]
        points = np.asarray(row["landmarks"], np.float64).reshape(68, 3)[:, :2]
        record = {
            "transforms": [quad_transform(quad, size).tolist() for quad, size in quads.values()],
            "image_id": image,
            "label": view.label.tolist(),
            "raw_lm": (points - 0.5).round(2).tolist(),
            "quads": {folder: quad.round(3).tolist() for folder, (quad, _) in quads.items()},
            "weight": row["weight"],
            "copies": row["copies"],
        }
        if self.realign:
            placed = apply(quad_transform(realigned, self.realign), points)
            record["realign_lm"] = (placed - 0.5).round(2).tolist()
        return files, record

    def finish(self, made: Folder, records: list[Record]) -> Iterable[OutputFile]:
        """The JSON files and the lists."""
        yield _json("camera_parameters.json", {r["image_id"]: r["label"] for r in records})
        yield _json("raw_lm.json", {r["image_id"]: r["raw_lm"] for r in records})
        if self.realign:
            yield _json("realign2400_lm.json", {r["image_id"]: r["realign_lm"] for r in records})
        eg3d = {r["index"]: eg3d_number(r["index"], self.eg3d_start, mirror=True) for r in records}
        stylegan = {r["index"]: self.stylegan_start + r["index"] for r in records}
        yield _json("info.json", {r["image_id"]: _info(r, eg3d, stylegan) for r in records})
        for folder, first, pair in (
            ("eg3d", eg3d, (0, 1)),
            ("stylegan", stylegan, (0,)),
        ):  # with mirror images or not
            names = {
                r["index"]: [picture_name(first[r["index"]] + half, "png") for half in pair] for r in records
            }
            once = [name for record in records for name in names[record["index"]]]
            yield _json(f"lists/{folder}/LPFF.json", once)
            copies = {r["index"]: 1 if r["copies"] is None else r["copies"] for r in records}
            repeated = [
                name for r in records for name in names[r["index"]] for _ in range(copies[r["index"]])
            ]
            yield _json(f"lists/{folder}/LPFF_rebalanced.json", repeated)


def image_id(row: Row) -> str:
    """A face's name in the release: its face_id in characters that any disk takes, without the dot that LPFF's scripts
    take for the suffix, and with the two digits at the end that they strip for the frame's name."""
    return f"{row['video_id']}_{row['frame_index']:08d}_{row['face_index']:02d}"


def _info(record: Record, eg3d: dict[int, int], stylegan: dict[int, int]) -> dict[str, Any]:
    image_info = {
        name: record[name] for name in ("face_id", "uri", "frame_index", "pts_ns", "weight", "copies")
    } | record.get("source", {})  # licence, author, photo_url and the like, as LPFF's info.json has them
    numbers = {"eg3d": eg3d[record["index"]], "stylegan": stylegan[record["index"]]}
    return {
        "raw_image_name": record["image_id"][:-3],
        "image_info": image_info,
        "number": numbers,
        "quads": record["quads"],
    }


def _json(name: str, content: Any) -> OutputFile:
    return OutputFile(name, json.dumps(content, indent=1).encode())
