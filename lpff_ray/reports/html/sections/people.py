"""Identities, each from one profile to the other; duplicates beside the face that they repeat; repeated clips."""

from __future__ import annotations

from typing import Any

import polars as pl

from lpff_ray.reports.html.gathered import Gathered
from lpff_ray.reports.html.samples import Samples
from lpff_ray.tables import curated

IDENTITIES = 40
"""Those with most faces are shown."""
STEP, LAST = 15, 7
"""Of an identity the best face per so many degrees of azimuth is shown, and others at random, up to EACH."""
EACH = 8
GROUPS, OF_A_GROUP = 20, 7
CLIPS = 50
_SIZES = ((1, 1), (2, 2), (3, 5), (6, 10), (11, 20), (21, 50), (51, 100), (101, 200), (201, None))


def identity_rows(run: Gathered, samples: Samples) -> dict[str, Any] | None:
    """The largest identities, and how many there are of each size; None before `dedupe`."""
    if not run.deduped:
        return None
    table = curated.identities(run.out)
    largest = table.sort(["faces", "identity_id"], descending=[True, False]).head(IDENTITIES)
    faces = run.faces.join(largest.lazy().select("identity_id"), on="identity_id", how="semi")
    across = dict(
        _across(faces).group_by("identity_id", maintain_order=True).agg("face_id").collect().iter_rows()
    )
    rows = [
        row | {"shown": samples.add(across.get(row["identity_id"], []))}
        for row in largest.iter_rows(named=True)
    ]
    return {"count": table.height, "rows": rows, "sizes": _sizes(table["faces"]), "step": STEP}


def _across(faces: pl.LazyFrame) -> pl.LazyFrame:
    """Some faces of each identity, from those that look to image-left to those that look to image-right."""
    azimuth = pl.col("azimuth").fill_nan(None).fill_null(0.0)
    quality = pl.col("iqa").fill_nan(None).fill_null(-1.0)
    step = (pl.col("azimuth") / STEP).round().clip(-LAST, LAST)
    turned = faces.select("face_id", "identity_id", azimuth, quality, "draw").with_columns(step.alias("step"))
    best_first = turned.sort("iqa", "draw", descending=[True, False])
    placed = best_first.with_columns(pl.int_range(pl.len()).over("identity_id", "step").alias("place"))
    best_then_drawn = placed.sort(pl.col("place") > 0, "draw")
    numbered = best_then_drawn.with_columns(pl.int_range(pl.len()).over("identity_id").alias("position"))
    chosen = numbered.filter((pl.col("place") == 0) | (pl.col("position") < EACH))
    return chosen.sort(["identity_id", "azimuth", "face_id"], descending=[False, True, False])


def _sizes(faces: pl.Series) -> list[dict[str, Any]]:
    found = []
    for low, high in _SIZES:
        inside = faces.is_between(low, high or faces.max() or low)
        label = f"{low}" if low == high else f"{low} to {high}" if high else f"{low} and more"
        found.append({"faces": label, "identities": int(inside.sum())})
    while found and not found[-1]["identities"]:
        found.pop()
    return found


def duplicate_groups(run: Gathered, samples: Samples) -> dict[str, Any] | None:
    """The largest groups, the least similar pairs, and clips that repeat others; None before `dedupe`."""
    if not run.deduped:
        return None
    repeats = run.faces.filter(pl.col("duplicate_of").is_not_null())
    rules = dict(repeats.group_by("rule").len().sort("rule").collect().iter_rows())
    groups = repeats.group_by("duplicate_of").agg(
        pl.len().alias("count"),
        pl.col("rule").unique().sort().alias("rules"),
        pl.col("similarity").min().alias("least"),
        pl.col("face_id").bottom_k_by("similarity", OF_A_GROUP).alias("faces"),
    )
    largest = groups.sort(["count", "duplicate_of"], descending=[True, False]).head(GROUPS).collect()
    pairs = repeats.select("duplicate_of", "face_id", "rule", "similarity").drop_nulls("similarity")
    doubtful = pairs.sort("similarity", "face_id").head(GROUPS).collect()
    clips = curated.video_duplicates(run.out)
    return {
        "rules": rules,
        "groups": [
            row | {"shown": samples.add([row["duplicate_of"], *row.pop("faces")])}
            for row in largest.iter_rows(named=True)
        ],
        "pairs": [
            row | {"shown": samples.add([row["duplicate_of"], row["face_id"]])}
            for row in doubtful.iter_rows(named=True)
        ],
        "clips": clips.sort("overlap_s", "uri", descending=[True, False]).head(CLIPS).to_dicts(),
        "clip_count": clips.height,
    }
