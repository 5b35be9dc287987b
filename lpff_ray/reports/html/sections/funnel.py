"""From sources to selected faces: how many are left after each step, and the reason for every loss."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import polars as pl

from lpff_ray.reports.html.gathered import Gathered
from lpff_ray.tables.read import listed
from lpff_ray.tables.status import RunStatus
from lpff_ray.types import VideoStatus

_LOST = {
    VideoStatus.UNREADABLE: "can not be read",
    VideoStatus.NOT_MEDIA: "neither a video nor a photo",
    VideoStatus.DUPLICATE: "the same bytes as another source",
    VideoStatus.FAILED: "every segment failed: see Failures",
    VideoStatus.PENDING: "not mined yet",
}
"""Why a source of this status has no faces in the table."""
_RULES = {
    "same_video": "repeat a better face of their video",
    "other_video": "repeat a better face of another video",
}

Step = dict[str, Any]


def funnel(run: Gathered, status: RunStatus) -> list[dict[str, Any]]:
    """Groups of steps, each in one unit: title, steps. A step: name, count, share of the group's first, losses (count,
    reason), note."""
    config = run.files.record["config"]
    total = sum(status.videos.values())
    mined = {str(VideoStatus.DONE), str(VideoStatus.PARTIAL)}
    losses = [(status.videos.get(str(name), 0), why) for name, why in _LOST.items()]
    sources = [
        _step("sources", total),
        _step("mined", sum(count for name, count in status.videos.items() if name in mined), losses),
    ]
    partial = status.videos.get(str(VideoStatus.PARTIAL), 0)
    if partial:
        sources[-1]["note"] = f"{partial:,} of them with segments that failed: see Failures"
    expected = int(listed(run.files)["frames_expected"].sum() or 0)
    of = f"; {expected:,} frames are in the sources" if expected else ""
    sampled = _step("sampled", status.frames + status.frames_missing)
    sampled["note"] = _sampling(config) + of
    frames = [sampled, _step("measured", status.frames, [(status.frames_missing, "could not be decoded")])]
    why = (
        f"smaller than min_face_px {config.get('min_face_px')}, scored below min_det_score "
        f"{config.get('min_det_score')}, or a second detection of a face"
    )
    found = run.count + status.faces_rejected
    faces = [_step("detections", found), _step("faces", run.count, [(status.faces_rejected, why)])]
    if run.deduped:
        faces.append(_kept(run))
    for chosen in run.selections:
        faces.append(_selected(chosen.name, chosen.rules.get("funnel", []), chosen.table))
    return [_group("Sources", sources), _group("Frames", frames), _group("Faces", faces)]


def _sampling(config: dict[str, Any]) -> str:
    every, fps = config.get("every"), config.get("fps")
    if fps:
        return f"{fps:g} frames a second"
    return f"one frame of {every}" if every and every > 1 else "every frame"


def _group(title: str, steps: list[Step]) -> dict[str, Any]:
    most = max(step["count"] for step in steps) or 1
    return {"title": title, "steps": [step | {"share": step["count"] / most} for step in steps]}


def _kept(run: Gathered) -> Step:
    rows = run.faces.filter(~pl.col("keep")).group_by("rule").len().collect()
    losses = sorted((count, _RULES.get(rule, rule or "duplicates")) for rule, count in rows.iter_rows())
    kept = _step("without duplicates", run.count - sum(count for count, _ in losses), losses[::-1])
    if run.unseen:
        kept["note"] = f"{run.unseen:,} were mined after the last dedupe: run it again"
    return kept


def _selected(name: str, steps: list[dict[str, Any]], table: pl.DataFrame) -> Step:
    """A selection, with what each of its own steps took."""
    before = [(step["step"], int(step["faces"])) for step in steps]
    losses = [(count - left, _LOSS.get(step, step)) for (_, count), (step, left) in pairwise(before)]
    return _step(f"selected: {name}", len(table), losses)


_LOSS = {
    "not rejected": "rejected in review",
    "not duplicate": "duplicates",
    "pose limits": "outside the limits of pose",
    "quality": "below a gate of quality",
    "pose": "not in the poses asked for",
    "caps": "above the most faces per group",
    "selected": "not chosen",
}
"""What the steps of a selection's funnel take away; those of other packages' methods stand under their own names."""


def _step(name: str, count: int, losses: list[tuple[int, str]] | None = None) -> Step:
    return {
        "name": name,
        "count": int(count),
        "losses": [{"count": lost, "why": why} for lost, why in losses or [] if lost > 0],
        "note": "",
    }
