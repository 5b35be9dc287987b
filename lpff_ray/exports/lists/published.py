"""Faces of a rebuilt run under the names and in the pixels of the metadata that it was rebuilt from."""

from __future__ import annotations

import numpy as np
import polars as pl

from lpff_ray.tables import curated

POINTS = ("keypoints", "landmarks")


def as_published(run: str, faces: pl.DataFrame) -> pl.DataFrame:
    """The faces with `frameid` and `idx`: as published where `rebuild` matched them, else frame_index and face_index.

    faces: face_id, clip, frame_index, face_index, bbox, keypoints, landmarks. Of matched faces `clip` is the published
    one, and boxes and points are in published pixels: of CelebV-HQ's square, of VFHQ's annotated size.
    """
    plain = faces.with_columns(
        frameid=pl.col("frame_index"), idx=pl.col("face_index").cast(pl.Int64), published=pl.lit(False)
    )
    table = curated.rebuilt(run)
    if table is None:
        return plain.drop("published")
    known = table.filter(pl.col("face_id").is_not_null()).unique("face_id", keep="first", maintain_order=True)
    names = known.select(
        *("face_id", "origin", "scale"),
        *(pl.col(name).alias(f"own_{name}") for name in ("clip", "frameid", "idx")),
    )
    joined = plain.join(names, on="face_id", how="left", maintain_order="left")
    matched = joined["own_clip"].is_not_null().to_numpy()
    origin = np.where(matched[:, None], _pairs(joined["origin"], 0.0), 0.0)
    scale = np.where(matched[:, None], _pairs(joined["scale"], 1.0), 1.0)
    moved = {"bbox": (joined["bbox"].to_numpy() - np.tile(origin, 2)) / np.tile(scale, 2)}
    for name in POINTS:
        points = joined[name].to_numpy().copy()
        points[..., :2] = (points[..., :2] - origin[:, None]) / scale[:, None]
        points[..., 2:] /= scale.mean(1)[:, None, None]  # depth, where there is one
        moved[name] = points
    return joined.with_columns(
        *(pl.coalesce(f"own_{name}", name).alias(name) for name in ("clip", "frameid", "idx")),
        *(pl.Series(name, values.astype(np.float32), faces.schema[name]) for name, values in moved.items()),
    ).select(*faces.columns, "frameid", "idx")


def _pairs(column: pl.Series, missing: float) -> np.ndarray:
    filled = column.to_frame().select(
        pl.coalesce(column.name, pl.lit([missing, missing], pl.Array(pl.Float64(), 2)))
    )
    return filled.to_series().to_numpy()
