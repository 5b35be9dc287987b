"""EFHQ's proposal for faces whose estimators agree on the side and not on the sign: the sign of most votes.

Faces in `profile_horizontal` are turned left or right, those in `profile_vertical` up or down. Over all such faces of a
track the votes of every estimator are counted by the sign of their yaw (or pitch), and the sign that most have is
proposed for all of them. Source: EFHQ's tool for reviewing bins, which proposes it per clip; a clip there shows one
track.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lpff_ray.reports.review.catalogue import Catalogue
from lpff_ray.tables.review.actions import POSE_BINS
from lpff_ray.types import PoseBin

SIGNS = {
    PoseBin.HORIZONTAL: (("left", PoseBin.LEFT), ("right", PoseBin.RIGHT)),
    PoseBin.VERTICAL: (("up", PoseBin.UP), ("down", PoseBin.DOWN)),
}


@dataclass(frozen=True)
class Suggestion:
    """A bin for some faces of one track. votes: those with its sign; of: all that have one."""

    rows: list[int]
    track: str
    video: str
    bin: str
    suggested: str
    votes: int
    of: int

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def suggestions(
    catalogue: Catalogue, rows: NDArray[np.uint32], bins: NDArray[np.uint8]
) -> tuple[list[Suggestion], int]:
    """Proposals for the faces in `rows`, most faces first, and how many faces have none: as many votes for both signs.

    bins: of every face [n], positions in POSE_BINS, as reviewed so far.
    """
    found: list[Suggestion] = []
    tied = 0
    for bin, ((sign, name), (other_sign, other)) in SIGNS.items():
        unsigned = rows[bins[rows] == POSE_BINS.index(bin)]
        tracks = catalogue.columns["track"][unsigned]
        order = np.argsort(tracks, kind="stable")
        starts = np.flatnonzero(np.diff(tracks[order].astype(np.int64), prepend=-1))
        for of_track in np.split(unsigned[order], starts[1:]) if len(unsigned) else ():
            track = catalogue.columns["track"][of_track[0]]
            one, two = (int(catalogue.votes[key][of_track].sum()) for key in (sign, other_sign))
            if one == two:
                tied += len(of_track)
                continue
            found.append(
                Suggestion(
                    rows=of_track.tolist(),
                    track=catalogue.tracks[track],
                    video=catalogue.videos[catalogue.columns["video"][of_track[0]]]["name"],
                    bin=str(bin),
                    suggested=str(name if one > two else other),
                    votes=max(one, two),
                    of=one + two,
                )
            )
    return sorted(found, key=lambda one: (-len(one.rows), one.track, one.bin)), tied
