"""How far a run is, in words and small tables."""

from __future__ import annotations

import polars as pl
from rich.table import Table

from lpff_ray.monitoring.console import counted
from lpff_ray.tables.read import quarantine, segments, videos

MOST_FAILURES = 20


def describe(out: str) -> list[Table | str]:
    """Counts by status, rates, where the time went, and what failed. Raises UserError if `out` holds no run."""
    listed, mined, given_up = videos(out), segments(out), quarantine(out)
    planned = int(listed["segments"].sum())
    done = int(listed["segments_done"].sum())
    counts = listed.group_by("status").len().sort("status")
    parts: list[Table | str] = [
        f"{out}: {done} of {planned} segments mined, {len(given_up)} in quarantine; "
        + ", ".join(f"{counted(count, 'video')} {status}" for status, count in counts.iter_rows())
    ]
    seconds = float(mined["seconds_total"].sum() or 0.0)
    frames, faces = int(mined["frames_looked_at"].sum()), int(mined["faces"].sum())
    if seconds > 0:
        parts.append(
            f"{faces} faces in {frames} frames ({int(mined['frames_missing'].sum())} frames missing, "
            f"{int(mined['faces_rejected'].sum())} faces below the gates); {frames / seconds:.1f} frames/s per thread"
        )
        parts.append(_stages(mined, seconds, frames, faces))
    failures = pl.concat(
        [
            listed.filter(pl.col("status").is_in(["unreadable", "not_media"])).select(
                "uri", pl.col("status").alias("what"), pl.col("reason").alias("why")
            ),
            _incomplete(listed),
            given_up.select(
                "uri",
                pl.format("{} at {}", "segment_id", "stage").alias("what"),
                pl.format("{}: {}", "kind", "message").alias("why"),
            ),
        ]
    )
    if len(failures):
        parts.append(_failures(failures))
    return parts


def _stages(mined: pl.DataFrame, seconds: float, frames: int, faces: int) -> Table:
    table = Table("stage", "seconds", "share", "ms per frame", "ms per face", title="Where the time went")
    for name in mined.columns:
        spent = float(mined[name].sum() or 0.0) if name.startswith("seconds_") else 0.0
        if spent:
            table.add_row(
                name.removeprefix("seconds_"),
                f"{spent:.1f}",
                f"{spent / seconds:.0%}",
                f"{1e3 * spent / max(frames, 1):.2f}",
                f"{1e3 * spent / max(faces, 1):.2f}",
            )
    return table


def _incomplete(listed: pl.DataFrame) -> pl.DataFrame:
    """Videos that were mined but not whole: damaged inside, or cut off."""
    mined, missing = pl.col("frames_looked_at"), pl.col("frames_missing")
    damaged = pl.format("{} of {} frames missing", missing, mined + missing)
    return listed.filter((missing > 0) | ((pl.col("status") == "done") & (pl.col("reason") != ""))).select(
        "uri",
        pl.when(missing > 0).then(damaged).otherwise(pl.lit("incomplete")).alias("what"),
        pl.when(pl.col("reason") == "")
        .then(pl.lit("damaged: these frames can not be decoded"))
        .otherwise("reason")
        .alias("why"),
    )


def _failures(failures: pl.DataFrame) -> Table:
    table = Table("source", "what", "why", title="What failed")
    for row in failures.head(MOST_FAILURES).iter_rows():
        table.add_row(*row)
    if len(failures) > MOST_FAILURES:
        table.add_row(
            "...",
            f"{len(failures) - MOST_FAILURES} more",
            "see lpff_ray.videos(OUT), lpff_ray.quarantine(OUT)",
        )
    return table
