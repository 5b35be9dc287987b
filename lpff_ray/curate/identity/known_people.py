"""Who is to be seen in a video, as a manifest says: the `identity` column of `plan`, brought to tracks."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from lpff_ray.curate.faces import Faces
from lpff_ray.curate.identity.tracks import Tracks


def known_people(faces: Faces, tracks: Tracks, stated: pl.DataFrame) -> NDArray[np.int64]:
    """Who each track is, int64 [tracks]: a number for each stated identity, -1 where none is known.

    stated: with video_id and identity, as the plan. An identity is of the track that shows most of a face in its video
    (by the sum of the boxes' sides): whoever else passes through the picture is not meant.
    """
    people = np.full(len(tracks.names), -1)
    named = pl.col("identity").fill_null("") != ""
    stated = stated.select("video_id", "identity").filter(named).unique("video_id", keep="first")
    if stated.is_empty():
        return people
    sides = (faces.boxes[:, 2:] - faces.boxes[:, :2]).max(1)
    shown = pl.DataFrame({"video_id": faces.ids["video_id"], "track": tracks.of_face, "side": sides})
    most = (
        shown.group_by("video_id", "track")
        .agg(pl.col("side").cast(pl.Float64).sum())
        .sort("side", "track", descending=[True, False])
        .unique("video_id", keep="first", maintain_order=True)
        .join(stated, "video_id")
    )
    people[most["track"].to_numpy()] = most["identity"].rank("dense").to_numpy().astype(np.int64) - 1
    return people
