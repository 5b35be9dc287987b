"""The pose of a face as its track shows it: smoothed over the neighbouring frames, so that bins do not flicker."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lpff_ray.geometry.rotation import angles_from_matrix, geodesic_degrees, mean_rotation
from lpff_ray.measure.pose.bins import bin_of, binned_pitch

NEIGHBOURS = 3  # faces of the track before and after
REACH_NS = 500_000_000  # how far from the face they may be; people turn their heads in half a second
ROUNDS = 4
NEAR = 2.0  # degrees: what is nearer to the median counts no more for it
AT_ONCE = 50_000  # faces; bounds memory


def smoothed_rotations(
    rotation: NDArray, track: NDArray[np.int64], pts_ns: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Rotations [n, 3, 3] of faces, each made the median of its track's around it; track: number of each face's [n].

    The geometric median by Weiszfeld's algorithm, with chordal means: one wrong frame among seven moves it by little,
    where it would move a mean. pts_ns: presentation times [n]. A face alone keeps its rotation.
    """
    order = np.lexsort((pts_ns, track))
    sorted_track, sorted_time = track[order], pts_ns[order]
    result = np.empty((len(track), 3, 3))
    for start in range(0, len(order), AT_ONCE):
        here = np.arange(start, min(start + AT_ONCE, len(order)))
        window = here + np.arange(-NEIGHBOURS, NEIGHBOURS + 1)[:, None]
        inside = (window >= 0) & (window < len(order))
        window = np.clip(window, 0, len(order) - 1)
        away = np.abs(sorted_time[window] - sorted_time[here])
        inside &= (sorted_track[window] == sorted_track[here]) & (away <= REACH_NS)
        seen = np.asarray(rotation, np.float64)[order[window]]
        weights = inside * (1 - away / (2 * REACH_NS))
        median = mean_rotation(seen * weights[..., None, None])
        for _ in range(ROUNDS):
            near = weights / np.maximum(geodesic_degrees(seen, median), NEAR)
            median = mean_rotation(seen * near[..., None, None])
        alone = inside.sum(0) == 1
        median[alone] = seen[NEIGHBOURS, alone]
        result[order[here]] = median
    return result


def bins_of(rotation: NDArray) -> list[str]:
    """EFHQ's bin of each rotation [n, 3, 3], by one vote; level profiles as in `pose.bins.binned_pitch`."""
    yaw, pitch, _ = angles_from_matrix(rotation).T
    return [str(bin_of(*pair)) for pair in zip(yaw, binned_pitch(yaw, pitch), strict=True)]
