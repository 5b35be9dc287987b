"""Tracks of whole videos: joined across the borders of segments, each with one embedding that says who it is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from lpff_ray.curate.faces import Faces, first_seen_numbers, renumbered
from lpff_ray.curate.identity.stitch import stitch_tracks


@dataclass(frozen=True)
class Tracks:
    """Stitched tracks, numbered in the order of their first faces. t tracks.

    of_face: int64 [n], each face's track. video: int64 [t], the number of its video. names: [t], the track_id of its
    first piece. pieces: track_ids that went in. embedding: float32 [t, d], the mean of its faces', each weighted by its
    clarity: of length 1 for one face, shorter the more the faces differ. clarity: float32 [t], of its clearest face.
    apart: int64 [k, 2], tracks that were seen in one frame: two people.
    """

    of_face: NDArray[np.int64]
    video: NDArray[np.int64]
    names: pl.Series
    pieces: int
    embedding: NDArray[np.float32]
    clarity: NDArray[np.float32]
    apart: NDArray[np.int64]


def whole_tracks(faces: Faces, stitch: float) -> Tracks:
    """Stitch the pieces of tracks, embed each track, and record who was seen together.

    stitch: see `measure.identity.embeddings.Distances`.
    Clarity weights the faces of a track, as small, blurred and turned ones say little about who it is. The mean is not
    scaled to unit length: so 2 - 2 a.b is the mean squared distance between the faces of two tracks, which means the
    same for single photos and for long tracks. Between means of unit length, distances shrink as more faces average
    their noise away.
    """
    piece = first_seen_numbers(faces.ids["track_id"])
    whole = stitch_tracks(faces, piece, stitch)
    of_face = renumbered(whole[piece])
    count = int(of_face.max(initial=-1)) + 1
    first = _firsts(of_face, count)
    clarity = np.zeros(count, np.float32)
    np.maximum.at(clarity, of_face, faces.clarity)
    return Tracks(
        of_face=of_face,
        video=faces.video[first],
        names=faces.ids["track_id"].gather(first),
        pieces=len(whole),
        embedding=_means(faces, of_face, count),
        clarity=clarity,
        apart=_together(faces, of_face, count),
    )


def _means(faces: Faces, of_face: NDArray[np.int64], count: int) -> NDArray[np.float32]:
    """Weighted means of the embeddings of tracks, float32 [count, d]."""
    weights = np.maximum(faces.clarity, 1e-3)
    order = np.argsort(of_face, kind="stable")
    starts = np.searchsorted(of_face[order], np.arange(count))
    if not count:
        return np.empty((0, faces.embedding.shape[1]), np.float32)
    sums = np.add.reduceat((faces.embedding * weights[:, None])[order], starts, axis=0)
    return np.asarray(sums / np.bincount(of_face, weights, count)[:, None], np.float32)


def _together(faces: Faces, of_face: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """Pairs of tracks with faces in one frame, int64 [k, 2], each once."""
    found = []
    for step in range(1, len(of_face)):
        same = (faces.frame[step:] == faces.frame[:-step]) & (faces.video[step:] == faces.video[:-step])
        if not same.any():
            break
        a, b = of_face[:-step][same], of_face[step:][same]
        found.append(np.unique(np.minimum(a, b) * count + np.maximum(a, b)))
    keys = np.unique(np.concatenate(found)) if found else np.empty(0, np.int64)
    pairs = np.column_stack([keys // max(count, 1), keys % max(count, 1)])
    return pairs[pairs[:, 0] != pairs[:, 1]]


def _firsts(numbers: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """The first row of each of 0 .. count - 1, int64 [count]."""
    first = np.full(count, len(numbers))
    np.minimum.at(first, numbers, np.arange(len(numbers)))
    return first
