"""Small finished runs whose faces, identities and duplicates are chosen by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from runs import make_run, write_marks

from lpff_ray.config import MineConfig
from lpff_ray.curate.select import SelectSummary
from lpff_ray.measure.pose.bins import bin_of
from lpff_ray.storage.folder import Folder
from lpff_ray.tables import schema
from lpff_ray.tables.review.actions import Action
from lpff_ray.tables.review.log import ReviewLog
from lpff_ray.tables.review.table import REVIEW_TABLE

GOOD = {
    "det_score": 0.95,
    "iqa": 80.0,
    "sharpness": 0.9,
    "pose_spread": 2.0,
    "yaw": 0.0,
    "pitch": 0.0,
    "roll": 0.0,
}
GATES_OPEN: dict[str, Any] = {"min_iqa_quantile": 0.0}
"""Settings under which no share of the faces goes for its iqa."""


def face(name: str, identity: str, yaw: float = 0.0, pitch: float = 0.0, **others: Any) -> dict[str, Any]:
    """One face that passes every gate, but for what `others` change; `side`: of its square box, in pixels."""
    side = others.pop("side", 300.0)
    bins = dict.fromkeys(("pose_bin", "pose_bin_strict", "pose_bin_fine"), bin_of(yaw, pitch))
    return {
        **GOOD,
        "face_id": name,
        "identity": identity,
        "yaw": yaw,
        "pitch": pitch,
        "bbox": [0.0, 0.0, side, side],
        **bins,
        "keep": True,
        **others,
    }


def crowd(count: int, seed: int = 0, people: int = 6) -> list[dict[str, Any]]:
    """Faces of some people in all poses and qualities, some of them duplicates."""
    random = np.random.default_rng(seed)
    return [
        face(
            f"f{i:04d}",
            f"id-{random.integers(people)}",
            float(random.normal(0, 45)),
            float(random.normal(0, 20)),
            iqa=float(random.uniform(30, 95)),
            det_score=float(random.uniform(0.85, 1)),
            side=float(random.uniform(200, 500)),
            keep=bool(random.random() < 0.8),
        )
        for i in range(count)
    ]


def handmade_run(
    out: Path,
    faces: Sequence[Mapping[str, Any]],
    parts_of: int = 1000,
    config: MineConfig | None = None,
    deduped: bool = True,
) -> str:
    """Write a run of these faces, so many to a part, and its dedupe table."""
    rows = [{"video_id": "v", "frame_index": i, "face_index": 0, **row} for i, row in enumerate(faces)]
    segments = {f"v-{start:05d}": rows[start : start + parts_of] for start in range(0, len(rows), parts_of)}
    make_run(out, segments, marks=marks_of(rows) if deduped else None, config=config)
    return str(out)


def marks_of(faces: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The rows of these faces in the dedupe table."""
    return [{"face_id": row["face_id"], "identity_id": row["identity"], "keep": row["keep"]} for row in faces]


def dedupe(out: Path, faces: Sequence[Mapping[str, Any]]) -> None:
    """Write the dedupe table of these faces, as `lpff-ray dedupe` would."""
    write_marks(Folder(str(out)), marks_of(faces))


def review(out: str, marks: Sequence[tuple[str, str, str | None]]) -> None:
    """Write review marks by hand: face, decision, bin."""
    columns = dict(zip(("face_id", "decision", "bin"), zip(*marks, strict=True), strict=True))
    table = schema.frame({name: list(values) for name, values in columns.items()}, schema.HANDWRITTEN_REVIEW)
    Path(out, REVIEW_TABLE).write_bytes(schema.parquet_bytes(table))


def decided(out: str | Path, *given: Mapping[str, Any]) -> None:
    """Add actions to a review log of a run's, each a microsecond after the one before; fields: of `Action`."""
    log = ReviewLog(Folder(str(out)), "Ann")
    for number, fields in enumerate(given):
        time = f"2026-01-31T08:30:00.{number:06d}Z"
        log.add(Action(**{"id": f"a{number}", "time": time, "reviewer": "Ann", **fields}))
    log.close()


def ids(summary: SelectSummary) -> list[str]:
    """The faces of a selection by rank."""
    return summary.table["face_id"].to_list()
