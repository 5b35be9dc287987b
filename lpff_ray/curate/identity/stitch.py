"""Tracks joined across the borders of segments.

Videos are mined in segments, so a track ends at each border. Identities belong to whole tracks, not to their pieces.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from lpff_ray.curate.faces import Faces, first_seen_numbers, unit_length
from lpff_ray.measure.tracking import HIGHEST_COST, LONGEST_GAP_S, motion_costs

_NEAR = 3  # faces on either side of a border that say who is there
_NS = 1e9


def stitch_tracks(faces: Faces, piece: NDArray[np.int64], stitch: float) -> NDArray[np.int64]:
    """For every piece (a track_id), the first piece of the track that it belongs to.

    Two pieces are joined across a border where the tracker (`measure.tracking`) would have gone on: within a second, or
    in consecutive sampled frames, at the position it predicts. The tracker knows of shot boundaries, which
    often lie on borders. Here the embeddings have to be more alike than it asks for, which keeps two people apart whom
    a shot boundary shows at one position. Best pairs first.

    piece: int64 [n], every face's piece, 0, 1, ... stitch: largest distance of the faces on either side
    (`measure.identity.embeddings.Distances`).
    """
    count = int(piece.max(initial=-1)) + 1
    order = np.argsort(piece, kind="stable")
    bounds = np.searchsorted(piece[order], np.arange(count + 1))
    start, end = order[bounds[:-1]], order[bounds[1:] - 1]
    whole = np.arange(count)
    earlier, later = _meetings(faces, start, end)
    if not len(earlier):
        return whole
    borders = _Borders(faces, order, bounds, earlier, later)
    position, unlike = borders.position_costs(), borders.distances() / stitch
    fit = (position <= HIGHEST_COST) & (unlike <= 1)
    joined: dict[int, int] = {}
    continued: set[int] = set()
    for index in np.lexsort((later, earlier, position + unlike)):
        before, after = int(earlier[index]), int(later[index])
        if fit[index] and after not in joined and before not in continued:
            joined[after] = before
            continued.add(before)
    for after in sorted(joined, key=lambda number: int(start[number])):
        whole[after] = whole[joined[after]]
    return whole


def _meetings(
    faces: Faces, start: NDArray[np.int64], end: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pairs of pieces of one video and different segments, of which the second begins soon after the first has ended.

    start, end: rows of each piece's first and last face.
    """
    # How long a face may be unseen: as in the tracker, and never less than from one sampled frame to the next.
    step = np.diff(faces.pts_ns)
    step = np.where((np.diff(faces.video) == 0) & (step > 0), step, np.iinfo(np.int64).max)
    shortest = np.full(int(faces.video.max(initial=-1)) + 1, np.iinfo(np.int64).max)
    np.minimum.at(shortest, faces.video[1:], step)
    shortest = np.where(shortest == np.iinfo(np.int64).max, 0, shortest)
    gap = np.maximum(int(LONGEST_GAP_S * _NS), shortest * 3 // 2)[faces.video]
    segment = first_seen_numbers(faces.ids["segment_id"])
    pieces = pl.DataFrame(
        {
            "piece": np.arange(len(start)),
            "video": faces.video[start],
            "begins": faces.pts_ns[start],
            "ends": faces.pts_ns[end],
            "gap": gap[start],
            "segment": segment[start],
        }
    ).lazy()
    # Only videos of several segments have borders; a piece meets what begins in the stretch of its end or the next.
    several = pieces.filter(pl.col("segment").n_unique().over("video") > 1)
    ends = several.with_columns(
        pl.concat_list(pl.col("ends") // pl.col("gap") + k for k in (0, 1)).alias("slot")
    )
    begins = several.with_columns((pl.col("begins") // pl.col("gap")).alias("slot"))
    pairs = (
        ends.explode("slot")
        .join(begins, on=["video", "slot"], suffix="_after")
        .filter(
            (pl.col("segment") != pl.col("segment_after"))
            & (pl.col("begins_after") - pl.col("ends")).is_between(1, pl.col("gap"))
        )
        .select("piece", "piece_after")
        .collect()
    )
    return pairs["piece"].to_numpy(), pairs["piece_after"].to_numpy()


@dataclass(frozen=True)
class _Borders:
    """Pairs of pieces that may be one track on either side of a border.

    order[bounds[p] : bounds[p + 1]]: rows of piece p; earlier, later: int64 [m], the pieces of each pair.
    """

    faces: Faces
    order: NDArray[np.int64]
    bounds: NDArray[np.int64]
    earlier: NDArray[np.int64]
    later: NDArray[np.int64]

    def position_costs(self) -> NDArray[np.float64]:
        """The tracker's cost of the position and size of the next face (`measure.tracking`), float64 [m]."""
        boxes, pts_ns, order = self.faces.boxes, self.faces.pts_ns, self.order
        begin, end = self.bounds[self.earlier], self.bounds[self.earlier + 1] - 1
        last, first = order[end], order[self.bounds[self.later]]
        centre = (boxes[:, :2] + boxes[:, 2:]).astype(np.float64) / 2
        size = np.sqrt(np.prod(np.maximum(boxes[:, 2:] - boxes[:, :2], 1e-3), axis=1, dtype=np.float64))
        # The speed is a running mean that halves with every face: the last four steps hold nearly all of it.
        speed = np.zeros((len(last), 2))
        for back in (3, 2, 1, 0):
            at = end - back
            known = at - 1 >= begin
            now, was = order[np.where(known, at, 1)], order[np.where(known, at - 1, 0)]
            seconds = np.maximum((pts_ns[now] - pts_ns[was]) / _NS, 1e-3)[:, None]
            speed = np.where(known[:, None], 0.5 * speed + 0.5 * (centre[now] - centre[was]) / seconds, speed)
        seconds = (pts_ns[first] - pts_ns[last])[:, None] / _NS
        away = np.linalg.norm(centre[first] - centre[last] - speed * seconds, axis=1)
        return motion_costs(away, size[first], size[last])

    def distances(self) -> NDArray[np.float64]:
        """Distances, float64 [m], between the mean embeddings of the faces on either side of a border."""
        embedding, order, bounds = self.faces.embedding, self.order, self.bounds
        seen, found = np.zeros((2, len(self.earlier), embedding.shape[1]), np.float32)
        for step in range(_NEAR):
            at = bounds[self.earlier + 1] - 1 - step
            seen += np.where((at >= bounds[self.earlier])[:, None], embedding[order[at]], 0)
            at = np.minimum(bounds[self.later] + step, len(order) - 1)
            found += np.where((at < bounds[self.later + 1])[:, None], embedding[order[at]], 0)
        return np.asarray(np.linalg.norm(unit_length(seen) - unit_length(found), axis=1), np.float64)
