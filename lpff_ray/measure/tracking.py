"""Shots and tracks of one segment: which faces, frame after frame, are one person's.

They link rows of the faces table, and never change measured values.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from lpff_ray.measure.identity.embeddings import Likeness

# Change of the colours times change of the layout between two sampled frames, above which there is a shot boundary.
# Evidence: docs/evidence/tracking.md#shot-boundaries
SHOT_CHANGE = 0.11
LONGEST_GAP_S = 1.0  # a face that was not found for longer starts a new track
HIGHEST_COST = 1.0  # a face and a track are never linked at a higher cost


@dataclass
class _Track:
    number: int
    box: NDArray
    velocity: NDArray
    embedding: NDArray
    seen_ns: int


@dataclass(frozen=True)
class ShotSignature:
    """A coarse description of a picture, to compare with the next one's.

    colours: float32 [512], a histogram that sums to 1. layout: float32 [18, 32], grey levels.
    """

    colours: NDArray[np.float32]
    layout: NDArray[np.float32]


def shot_signature(picture: NDArray[np.uint8]) -> ShotSignature:
    """The signature of an RGB picture uint8 [h, w, 3], from a sparse sample of its pixels."""
    step = max(1, min(picture.shape[:2]) // 96)
    sparse = np.ascontiguousarray(picture[::step, ::step])
    histogram = cv2.calcHist([sparse], [0, 1, 2], None, [8, 8, 8], [0, 256] * 3)
    layout = cv2.cvtColor(cv2.resize(sparse, (32, 18), interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY)
    return ShotSignature((histogram / histogram.sum()).ravel(), layout.astype(np.float32))


def is_shot_boundary(before: ShotSignature, after: ShotSignature) -> bool:
    """Whether a shot ends between two sampled frames."""
    colours = float(np.abs(before.colours - after.colours).sum()) / 2
    a, b = (signature.layout - signature.layout.mean() for signature in (before, after))
    correlation = float((a * b).sum() / np.sqrt(max((a * a).sum() * (b * b).sum(), 1e-12)))
    return colours * (1 - correlation) > SHOT_CHANGE


def link(
    pts_ns: NDArray,
    shot_starts: NDArray,
    boxes: NDArray,
    embeddings: NDArray,
    frame_of: NDArray,
    likeness: Likeness,
) -> NDArray[np.int64]:
    """Track numbers [n] of the faces of a segment, counted from 0 in order of first appearance.

    pts_ns: int64 [frames], ascending times of the sampled frames; shot_starts: bool [frames], whether a shot starts at
    the frame. boxes [n, 4], embeddings [n, width] of unit length and frame_of int64 [n] (index into pts_ns, ascending)
    of the faces. likeness: what cosine similarities of these embeddings cost.

    Faces are assigned to tracks by the Hungarian method; a pair's cost is the distance between the track's
    predicted box and the face's, in face widths, plus how little their embeddings agree.
    """
    numbers = np.full(len(boxes), -1, np.int64)
    active: list[_Track] = []
    count = 0
    starts = np.searchsorted(frame_of, np.arange(len(pts_ns) + 1))
    for frame, now in enumerate(pts_ns):
        if shot_starts[frame]:
            active = []
        active = [
            track
            for track in active
            if now - track.seen_ns <= LONGEST_GAP_S * 1e9 or _last(track, pts_ns, frame)
        ]
        faces = np.arange(starts[frame], starts[frame + 1])
        taken: set[int] = set()
        if active and len(faces):
            costs = _costs(active, boxes[faces], embeddings[faces], int(now), likeness)
            # Costs above the highest are set to it: else two bad links could cost less than a good one and a face that
            # starts a track of its own.
            for row, column in zip(*linear_sum_assignment(np.minimum(costs, HIGHEST_COST)), strict=True):
                if costs[row, column] <= HIGHEST_COST:
                    face = faces[column]
                    _advance(active[row], boxes[face], embeddings[face], now)
                    numbers[face] = active[row].number
                    taken.add(int(face))
        for face in faces:
            if int(face) not in taken:
                active.append(_Track(count, boxes[face], np.zeros(2), embeddings[face], int(now)))
                numbers[face] = count
                count += 1
    return numbers


def _last(track: _Track, pts_ns: NDArray, frame: int) -> bool:
    """Whether the track has a face in the sampled frame before this one, which may be more than LONGEST_GAP_S ago."""
    return frame > 0 and track.seen_ns == pts_ns[frame - 1]


def _costs(
    tracks: list[_Track], boxes: NDArray, embeddings: NDArray, now: int, likeness: Likeness
) -> NDArray[np.float64]:
    """What it costs to link each track [t] with each face [f] of a frame: [t, f]."""
    last = np.array([track.box for track in tracks], np.float64)
    ahead = np.array([(now - track.seen_ns) / 1e9 for track in tracks])
    predicted = (last[:, :2] + last[:, 2:]) / 2
    predicted += np.array([track.velocity for track in tracks]) * ahead[:, None]
    sizes = np.maximum(np.sqrt(np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)), 1e-6)
    last_sizes = np.maximum(np.sqrt(np.prod(last[:, 2:] - last[:, :2], axis=1)), 1e-6)[:, None]
    away = np.linalg.norm((boxes[:, :2] + boxes[:, 2:]) / 2 - predicted[:, None], axis=2)
    unlike = likeness.enough - np.array([track.embedding for track in tracks]) @ embeddings.T
    return np.asarray(motion_costs(away, sizes, last_sizes) + likeness.slope * np.maximum(unlike, 0))


def motion_costs(away: NDArray, size: NDArray, last_size: NDArray) -> NDArray[np.float64]:
    """Cost of linking a face by its position and size: `away` from the track's prediction; all pixels, of one shape."""
    return np.asarray(0.5 * away / ((size + last_size) / 2) + 0.5 * np.abs(np.log(size / last_size)))


def _advance(track: _Track, box: NDArray, embedding: NDArray, now: int) -> None:
    seconds = max((now - track.seen_ns) / 1e9, 1e-3)
    moved = ((box[:2] + box[2:]) - (track.box[:2] + track.box[2:])) / 2
    track.velocity = 0.5 * track.velocity + 0.5 * moved / seconds
    track.box, track.seen_ns = box, int(now)
    mixed = 0.7 * track.embedding + 0.3 * embedding
    track.embedding = mixed / max(float(np.linalg.norm(mixed)), 1e-6)
