"""What gates of quality cost by yaw: `python -m benchmarks.accuracy.gates --data ../shared/data` prints Markdown.

Faces are AFLW's crops (labelled with yaw), the detector's score and iqa are those of a run with default models.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Annotated

import cv2
import numpy as np
import polars as pl
import typer

import lpff_ray

BORDER = 40  # pixels of mirror image around AFLW's tight crops of 120 pixels
YAWS = ((0, 30), (30, 60), (60, 75), (75, 91))
SCORES = (0.9, 0.8, 0.7)


def crop_faces(data: Path, crops: int) -> pl.DataFrame:
    """One row per crop in which a face is found: det_score, iqa, and `label`, the labelled |yaw| in degrees."""
    with (data / "pose" / "aflw_crops.csv").open(newline="") as file:
        labels = {row["file"]: abs(float(row["yaw_deg"])) for row in csv.DictReader(file)}
    names = np.random.default_rng(0).choice(sorted(labels), crops, replace=False).tolist()
    pictures = []
    for name in names:
        picture = cv2.imread(str(data / "pose" / "aflw_crops" / Path(name).name))
        picture = cv2.copyMakeBorder(picture, *[BORDER] * 4, cv2.BORDER_REFLECT_101)
        pictures.append(np.ascontiguousarray(picture[..., ::-1]))
    faces = lpff_ray.analyze(pictures, lpff_ray.MineConfig(min_face_px=40))
    best = faces.sort("det_score", descending=True).unique("frame_index", keep="first")
    labelled = pl.DataFrame(
        {"frame_index": range(len(names)), "label": [labels[name] for name in names]},
        schema_overrides={"frame_index": pl.Int64},
    )
    return best.join(labelled, "frame_index").select("det_score", "iqa", "label")


def gate_table(faces: pl.DataFrame) -> str:
    """Markdown: the share of found faces that pass levels of `det_score`, and the median of `iqa`, by |yaw|."""
    lines = [
        f"{len(faces)} faces found.",
        "",
        "| \\|yaw\\|, degrees | faces | "
        + " | ".join(f"`det_score` >= {s}" for s in SCORES)
        + " | median `iqa` |",
        "|" + "---|" * (len(SCORES) + 3),
    ]
    for low, high in YAWS:
        some = faces.filter(pl.col("label").is_between(low, high, closed="left"))
        shares = [f"{(some['det_score'] >= score).mean():.0%}" for score in SCORES]
        lines.append(f"| {low}-{high} | {len(some)} | {' | '.join(shares)} | {some['iqa'].median():.0f} |")
    return "\n".join(lines)


def main(
    data: Annotated[Path, typer.Option(help="The shared data folder.")],
    crops: Annotated[int, typer.Option(help="Crops drawn at random.")] = 400,
) -> None:
    """Print the table."""
    print(gate_table(crop_faces(data, crops)))


if __name__ == "__main__":
    typer.run(main)
