"""Near-duplicate clips: the same clip re-encoded, trimmed or cropped under another name."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from lpff_ray.curate.config import DedupeConfig
from lpff_ray.curate.duplicates.faces import PictureSimilarity
from lpff_ray.curate.faces import Faces

_PROBES, _OTHERS = 256, 16_384  # faces compared of the shorter and the longer clip, spread evenly
_TOLERANCE_S = 0.1  # of an offset in time; never less than a step of the sampling grid
_SHARED = 0.2  # of a clip's faces that must repeat another clip's before the two are aligned in time
_CROWD = 8  # clips that repeat one kept face, beyond which each is compared with the clip of that face only
_NS = 1e9


@dataclass(frozen=True)
class ClipPair:
    """A clip that repeats another one: numbers of videos, and how they are aligned in time.

    offset_s: what to add to a time of the copy for the same moment of the original. overlap_s: length of what both
    show. faces: compared; agreement: share of them that the other clip shows at that moment, 0..1.
    """

    copy: int
    original: int
    offset_s: float
    overlap_s: float
    faces: int
    agreement: float


def repeated_clips(
    faces: Faces,
    identity: NDArray[np.int64],
    keeper: NDArray[np.int64],
    config: DedupeConfig,
) -> list[ClipPair]:
    """Pairs of clips whose faces agree over a consistent offset in time, sorted by (copy, original).

    identity, keeper: int64 [n], as from `average_linkage` and `faces.keepers`. config: a resolved one.

    Compared are pairs of clips with faces that repeat the same kept ones. They are aligned at the offset in time at
    which most pairs of similar faces agree. Two takes of one person have similar faces, too, but at offsets that
    contradict each other.
    """
    bounds = np.searchsorted(faces.video, np.arange(int(faces.video.max(initial=-1)) + 2))
    found = []
    for a, b in _possible_copies(faces, keeper):
        rows = [np.arange(bounds[video], bounds[video + 1]) for video in (a, b)]
        pair = _aligned(faces, identity, rows[0], rows[1], config)
        if pair is not None:
            found.append(pair)
    return sorted(found, key=lambda pair: (pair.copy, pair.original))


def _possible_copies(faces: Faces, keeper: NDArray[np.int64]) -> list[tuple[int, int]]:
    """Pairs of videos that share a fair part of what they repeat, sorted."""
    groups = (
        pl.DataFrame({"keeper": keeper, "video": faces.video, "home": faces.video[keeper]})
        .group_by("keeper", "video", "home")
        .len()
        .filter(pl.len().over("keeper") > 1)
        .with_columns(pl.len().over("keeper").alias("videos"))
        .lazy()
    )
    near = (
        pl.col("videos").le(_CROWD) | pl.col("video").eq(pl.col("home")) | pl.col("other").eq(pl.col("home"))
    )
    others = groups.select("keeper", other="video", other_len="len")
    pairs = (
        groups.join(others, on="keeper")
        .filter((pl.col("video") < pl.col("other")) & near)
        .group_by("video", "other")
        .agg(pl.min_horizontal("len", "other_len").sum().alias("shared"))
        .sort("video", "other")
        .collect()
    )
    sizes = np.bincount(faces.video)
    low, high = pairs["video"].to_numpy(), pairs["other"].to_numpy()
    chosen = pairs["shared"].to_numpy() >= _SHARED * np.minimum(sizes[low], sizes[high])
    return list(zip(low[chosen].tolist(), high[chosen].tolist(), strict=True))


def _aligned(
    faces: Faces,
    identity: NDArray[np.int64],
    a: NDArray[np.int64],
    b: NDArray[np.int64],
    config: DedupeConfig,
) -> ClipPair | None:
    """The pair that two clips (their rows) make, or None if they do not repeat each other."""
    both = np.intersect1d(identity[a], identity[b])
    a, b = a[np.isin(identity[a], both)], b[np.isin(identity[b], both)]
    lengths = [float(np.ptp(faces.pts_ns[rows])) / _NS for rows in (a, b)]
    worth = [float(faces.quality[rows].mean()) for rows in (a, b)]
    # The longer clip is the original; of two that are as long, the better one; then the first of the table.
    near = abs(lengths[0] - lengths[1]) <= 0.05 * max(lengths)
    if (worth[0] < worth[1]) if near else (lengths[0] < lengths[1]):
        copy, original = a, b
    else:
        copy, original = b, a
    original = _spread(original, _OTHERS)
    tolerance = max(_TOLERANCE_S, 0.75 * _step_s(faces.pts_ns[copy]), 0.75 * _step_s(faces.pts_ns[original]))
    copy = _spread(copy, _PROBES)
    # A trimmed copy is sampled half a step away, where a mouth has moved on: expressions do not count here.
    any_expression = config.model_copy(update={"duplicate_expression": math.inf})
    alike = PictureSimilarity.of(faces, copy, any_expression).between(
        slice(None), slice(None), PictureSimilarity.of(faces, original, any_expression)
    )
    alike &= identity[copy, None] == identity[original]
    one, other = np.nonzero(alike)
    if len(np.unique(one)) < config.clip_faces:
        return None
    times, there = faces.pts_ns[copy] / _NS, faces.pts_ns[original] / _NS
    offsets = np.sort(there[other] - times[one])
    # The offset that most pairs of alike faces share: the fullest window of twice the tolerance.
    ends = np.searchsorted(offsets, offsets + 2 * tolerance, side="right")
    fullest = int(np.argmax(ends - np.arange(len(offsets))))
    offset = float(np.median(offsets[fullest : ends[fullest]]))
    agree = np.abs(there[other] - times[one] - offset) <= tolerance
    shown = (times + offset >= there.min() - tolerance) & (times + offset <= there.max() + tolerance)
    compared = int(shown.sum())
    agreement = len(np.unique(one[agree])) / max(compared, 1)
    if compared < config.clip_faces or agreement < config.clip_agreement:
        return None
    video = (int(faces.video[copy[0]]), int(faces.video[original[0]]))
    overlap = float(np.ptp(times[shown]))
    return ClipPair(*video, round(offset, 3), round(overlap, 3), compared, agreement)


def _step_s(pts_ns: NDArray[np.int64]) -> float:
    """Seconds from one sampled frame to the next."""
    steps = np.diff(pts_ns)
    steps = steps[steps > 0]
    return float(np.median(steps)) / _NS if len(steps) else 0.0


def _spread(rows: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """At most so many rows, evenly."""
    return rows if len(rows) <= count else rows[np.linspace(0, len(rows) - 1, count).round().astype(int)]
