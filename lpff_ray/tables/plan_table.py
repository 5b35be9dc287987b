"""The plan of a run: a row for every source that was ever planned into its folder."""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import polars as pl

from lpff_ray.storage.opening import exists
from lpff_ray.tables import schema
from lpff_ray.types import VideoStatus

SOURCE = ("uri", "clip_id", "start_s", "end_s", "crop", "crop_unit")
"""What tells the rows of a plan apart."""


def joined_plans(earlier: pl.DataFrame | None, now: pl.DataFrame) -> pl.DataFrame:
    """The rows of an earlier plan and those of one that was made now, columns as in `schema.PLAN`.

    A source that was planned again has its new row, one that has moved is there once, at its new place, and one content
    is planned under one name.
    """
    if earlier is not None:
        now = pl.concat([_without_moved(schema.conformed(earlier, schema.PLAN), now), now])
    return _one_name_each(now.unique(SOURCE, keep="last", maintain_order=True))


def _one_name_each(plan: pl.DataFrame) -> pl.DataFrame:
    """A plan in which each clip is planned under one name, its first; other runs may have planned it under others."""
    planned = pl.col("status") == str(VideoStatus.PLANNED)
    first = plan.filter(planned).unique("video_id", keep="first", maintain_order=True)
    names = first.select("video_id", pl.col("uri").alias("first_uri"))
    again = planned & (pl.col("uri") != pl.col("first_uri"))
    return plan.join(names, on="video_id", how="left", maintain_order="left").select(
        pl.when(again).then(value).otherwise(name).alias(name) if value is not None else name
        for name in schema.PLAN
        for value in [
            {
                "status": pl.lit(str(VideoStatus.DUPLICATE)),
                "reason": pl.format("same content as {}", "first_uri"),
                "duplicate_of": pl.col("first_uri"),
            }.get(name)
        ]
    )


def _without_moved(earlier: pl.DataFrame, now: pl.DataFrame) -> pl.DataFrame:
    """The rows of an earlier plan but those whose file is gone, and is planned now from another place."""
    same = ["video_id", "clip_id"]
    elsewhere = earlier.join(now, on="uri", how="anti").join(now, on=same, how="semi")["uri"].unique()
    with ThreadPoolExecutor(16) as pool:
        there = list(pool.map(exists, elsewhere))
    gone = [uri for uri, is_there in zip(elsewhere, there, strict=True) if not is_there]
    moved = earlier.filter(pl.col("uri").is_in(gone)).join(now, on=same, how="semi")
    return earlier.join(moved.select("uri", *same), on=["uri", *same], how="anti", maintain_order="left")


_NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?")


def manifest_table(plan: pl.DataFrame, taken: Collection[str] = ()) -> pl.DataFrame:
    """The further columns of a plan's sources, by the names that their manifests give them; as many rows as the plan.

    taken: names that stand for something else; a column of such a name is called `manifest_NAME`. A column is a truth
    value, whole number or number if all its values are (in CSV, are written so), else a text; null where there is
    none.
    """
    rows = [json.loads(text) if text else {} for text in plan["manifest"]]
    names = sorted({name for row in rows for name in row})
    columns = [
        _typed(f"manifest_{name}" if name in taken else name, [row.get(name) for row in rows])
        for name in names
    ]
    return pl.DataFrame(columns) if columns else pl.DataFrame(height=len(plan))


def sources_of_videos(plan: pl.DataFrame | None) -> dict[str, dict[str, Any]]:
    """The further columns by video_id, of videos that have any; of several sources of one video, the mined one's."""
    if plan is None:
        return {}
    planned_last = plan.sort(pl.col("status") == str(VideoStatus.PLANNED), maintain_order=True)
    rows = planned_last.select("video_id", "manifest").iter_rows()
    return {video_id: json.loads(text) for video_id, text in rows if text}


def _typed(name: str, values: list[Any]) -> pl.Series:
    given = [value for value in values if value is not None]
    if all(isinstance(value, bool) for value in given):
        return pl.Series(name, values, pl.Boolean)
    texts = [str(value) for value in given]
    if any(isinstance(value, bool) for value in given) or not all(map(_NUMBER.fullmatch, texts)):
        return pl.Series(name, [None if value is None else str(value) for value in values], pl.String)
    whole = not any("." in text for text in texts) and all(len(text) < 19 for text in texts)
    number = int if whole else float
    return pl.Series(
        name,
        [None if value is None else number(value) for value in values],
        pl.Int64 if whole else pl.Float64,
    )
