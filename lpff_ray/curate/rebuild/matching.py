"""Which measured face is a published one: by the overlap of their boxes in one frame."""

from __future__ import annotations

from enum import Enum

import polars as pl

MIN_IOU = 0.3
"""Least intersection over union of a published box and ours: detectors draw faces differently (RetinaFace's box has
about 1.09 times the area of ours), and boxes of two people hardly overlap."""


class Outcome(str, Enum):
    """What became of a published face. MATCHED has a face_id, the others say why there is none."""

    MATCHED = "matched"
    NO_VIDEO = "no video"
    NO_ANNOTATION = "no annotation"
    UNREADABLE = "video unreadable"
    NO_FRAME = "no such frame"
    NO_FACE = "no face there"
    SEVERAL = "several faces, no box"


def matched(published: pl.DataFrame, faces: pl.DataFrame, min_iou: float) -> pl.DataFrame:
    """The published faces, each with `face_id` and `iou` (null without one) and, where it has no face yet, an
    `outcome`.

    published: key (unique), video_id, frame_index, box (x0, y0, x1, y1 in pixels of the frame; null where none is
    published), outcome (null where the frame should be there). faces: face_id, video_id, frame_index, bbox.
    In each frame, pairs are taken by falling overlap, each face and each published one once. One without a box takes
    the face that is alone in its frame.
    """
    keys = ["video_id", "frame_index"]
    open_rows = published.filter(pl.col("outcome").is_null())
    counts = faces.group_by(keys).agg(pl.len().alias("faces"))
    pairs = open_rows.join(faces, on=keys, how="inner")
    boxed = (
        pairs.filter(pl.col("box").is_not_null())
        .with_columns(_iou().alias("iou"))
        .filter(pl.col("iou") >= min_iou)
        .sort(pl.col("iou").neg(), "key", "face_id")
    )
    taken: dict[int, tuple[str, float | None]] = {}
    used = set()
    for key, face_id, iou in boxed.select("key", "face_id", "iou").iter_rows():
        if key not in taken and face_id not in used:
            taken[key] = face_id, iou
            used.add(face_id)
    alone = pairs.filter(pl.col("box").is_null()).join(
        counts.filter(pl.col("faces") == 1), on=keys, how="semi"
    )
    for key, face_id in alone.sort("key").select("key", "face_id").iter_rows():
        if face_id not in used:
            taken[key] = face_id, None
            used.add(face_id)
    found = pl.DataFrame(
        [(key, *value) for key, value in taken.items()],
        schema={"key": published.schema["key"], "face_id": pl.String(), "iou": pl.Float64()},
        orient="row",
    )
    several = pl.col("box").is_null() & (pl.col("faces") > 1)
    return (
        published.join(found, on="key", how="left", maintain_order="left")
        .join(counts, on=keys, how="left", maintain_order="left")
        .with_columns(
            pl.when(pl.col("face_id").is_not_null())
            .then(pl.lit(Outcome.MATCHED.value))
            .when(pl.col("outcome").is_not_null())
            .then("outcome")
            .when(several)
            .then(pl.lit(Outcome.SEVERAL.value))
            .otherwise(pl.lit(Outcome.NO_FACE.value))
            .alias("outcome")
        )
        .drop("faces")
    )


def _iou() -> pl.Expr:
    """Intersection over union of the columns `box` and `bbox`."""
    ours = [pl.col("bbox").arr.get(place).cast(pl.Float64) for place in range(4)]
    theirs = [pl.col("box").arr.get(place).cast(pl.Float64) for place in range(4)]
    width = pl.min_horizontal(ours[2], theirs[2]) - pl.max_horizontal(ours[0], theirs[0])
    height = pl.min_horizontal(ours[3], theirs[3]) - pl.max_horizontal(ours[1], theirs[1])
    both = width.clip(lower_bound=0) * height.clip(lower_bound=0)
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (ours, theirs)]
    return both / (areas[0] + areas[1] - both)
