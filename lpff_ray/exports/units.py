"""Units of work of an export: the faces of one video, or of a piece of it, and what comes back for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import polars as pl

from lpff_ray.exports.format import ExportFormat
from lpff_ray.exports.video import VideoFile
from lpff_ray.types import MediaKind

ROWS_PER_UNIT = 256
"""Of a divisible format: large enough that opening the video does not count, small enough that many can share it."""


@dataclass(frozen=True)
class ExportUnit:
    """The faces of one video, or of a piece of it, that one worker makes.

    unit_id: `{video_id}-{first frame}-{last frame}`. rows: as of ExportFormat.rows.
    """

    unit_id: str
    source: VideoFile
    rows: pl.DataFrame


@dataclass(frozen=True)
class UnitResult:
    """What came of a unit that is committed.

    made: records; lost: rows whose frame could not be decoded; size_bytes: of the files. seconds: by stage.
    """

    unit_id: str
    made: int = 0
    lost: int = 0
    files: int = 0
    size_bytes: int = 0
    seconds: Mapping[str, float] = field(default_factory=dict)


def plan_units(
    export_format: ExportFormat, rows: pl.DataFrame, sources: Mapping[str, VideoFile]
) -> list[ExportUnit]:
    """Split the rows into units, videos in the order of their ids, the rows of each by frame.

    Depends on the rows alone, so that a repeated run finds the same units.
    """
    units = []
    for (video_id,), of_video in rows.sort("video_id", "frame_index", "index").group_by(
        "video_id", maintain_order=True
    ):
        name = str(video_id)
        source = sources.get(name) or VideoFile(
            video_id=name, uris=(of_video["uri"][0],), kind=MediaKind.VIDEO
        )
        for piece in _pieces(of_video) if export_format.divisible else [of_video]:
            first, last = piece["frame_index"][0], piece["frame_index"][-1]
            units.append(ExportUnit(f"{name}-{first}-{last}", source, piece))
    return units


def _pieces(rows: pl.DataFrame) -> list[pl.DataFrame]:
    """Stretches of about equally many rows, split only between frames."""
    count = -(-len(rows) // ROWS_PER_UNIT)
    frames = rows["frame_index"].to_numpy()
    wanted = frames[np.arange(1, count) * len(rows) // count]  # each of these frames begins a piece
    borders = np.unique([0, *np.searchsorted(frames, wanted), len(rows)]).tolist()
    return [rows[start:stop] for start, stop in pairwise(borders)]
