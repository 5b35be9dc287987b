"""The state of a run as plain values: progress, speed, time by stage, and problems."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import polars as pl

from lpff_ray.tables.read import Snapshot, listed, records, snapshot
from lpff_ray.types import SegmentStatus, VideoStatus

DAMAGED = "damaged: these frames can not be decoded"


@dataclass(frozen=True)
class StageTime:
    """Time that one stage of the work took, summed over all threads. share: of all stages' time, 0..1."""

    stage: str
    seconds: float
    share: float
    ms_per_frame: float
    ms_per_face: float


@dataclass(frozen=True)
class Problem:
    """A source, or a segment of one, that is not in the tables, or not whole. what: its state; why: the reason."""

    uri: str
    what: str
    why: str


@dataclass(frozen=True)
class RunStatus:
    """The state of a run.

    segments_planned, segments_done: a segment that was split in two counts when both halves are done. quarantined:
    segments, or halves of them, that were given up. videos: sources by status ("done", "partial", "failed", "pending",
    "duplicate", "unreadable", "not_media", "refused"). frames: measured; frames_missing: that could not be decoded.
    faces_rejected: found, but too small or scored too low. seconds: of work, summed over all threads.
    frames_per_second: of one thread; 0 if nothing was mined. problems: unreadable sources first, then damaged ones,
    then segments in quarantine.
    """

    out: str
    segments_planned: int
    segments_done: int
    quarantined: int
    videos: dict[str, int]
    faces: int
    faces_rejected: int
    frames: int
    frames_missing: int
    seconds: float
    frames_per_second: float
    stages: tuple[StageTime, ...]
    problems: tuple[Problem, ...]

    def to_dict(self) -> dict[str, Any]:
        """The same as dictionaries, lists and numbers, as JSON has them."""
        return asdict(self) | {
            "stages": [asdict(stage) for stage in self.stages],
            "problems": [asdict(problem) for problem in self.problems],
        }


def status(out: str) -> RunStatus:
    """The state of the run in `out`, also while it is going on. Raises UserError if there is none."""
    return status_of(snapshot(out), out)


def status_of(files: Snapshot, out: str = "") -> RunStatus:
    """The state of a run as a snapshot has it. out: what its `out` says."""
    sources, mined = listed(files), records(files, SegmentStatus.MINED)
    given_up = records(files, SegmentStatus.QUARANTINED)
    seconds = float(mined["seconds_total"].sum() or 0.0)
    frames, faces = int(mined["frames_looked_at"].sum()), int(mined["faces"].sum())
    return RunStatus(
        out=out,
        segments_planned=int(sources["segments"].sum()),
        segments_done=int(sources["segments_done"].sum()),
        quarantined=len(given_up),
        videos=dict(sources.group_by("status").len().sort("status").iter_rows()),
        faces=faces,
        faces_rejected=int(mined["faces_rejected"].sum()),
        frames=frames,
        frames_missing=int(mined["frames_missing"].sum()),
        seconds=seconds,
        frames_per_second=frames / seconds if seconds > 0 else 0.0,
        stages=_stages(mined, seconds, frames, faces),
        problems=_problems(sources, given_up),
    )


def _stages(mined: pl.DataFrame, seconds: float, frames: int, faces: int) -> tuple[StageTime, ...]:
    found = []
    for name in mined.columns:
        spent = float(mined[name].sum() or 0.0) if name.startswith("seconds_") else 0.0
        if spent:
            found.append(
                StageTime(
                    stage=name.removeprefix("seconds_"),
                    seconds=spent,
                    share=spent / seconds if seconds > 0 else 0.0,
                    ms_per_frame=1e3 * spent / max(frames, 1),
                    ms_per_face=1e3 * spent / max(faces, 1),
                )
            )
    return tuple(found)


def _problems(sources: pl.DataFrame, given_up: pl.DataFrame) -> tuple[Problem, ...]:
    unreadable = [str(VideoStatus.UNREADABLE), str(VideoStatus.NOT_MEDIA), str(VideoStatus.REFUSED)]
    mined, missing = pl.col("frames_looked_at"), pl.col("frames_missing")
    unfinished = (pl.col("status") == str(VideoStatus.DONE)) & (pl.col("reason") != "")
    rows = pl.concat(
        [
            sources.filter(pl.col("status").is_in(unreadable)).select(
                "uri", pl.col("status").alias("what"), pl.col("reason").alias("why")
            ),
            # Mined, but not complete: damaged inside, or truncated.
            sources.filter((missing > 0) | unfinished).select(
                "uri",
                pl.when(missing > 0)
                .then(pl.format("{} of {} frames missing", missing, mined + missing))
                .otherwise(pl.lit("note"))
                .alias("what"),
                pl.when(pl.col("reason") == "").then(pl.lit(DAMAGED)).otherwise("reason").alias("why"),
            ),
            given_up.select(
                "uri",
                pl.format("{} at {}", "segment_id", "stage").alias("what"),
                pl.format("{}: {}", "kind", "message").alias("why"),
            ),
        ]
    )
    return tuple(Problem(**row) for row in rows.iter_rows(named=True))
