"""EFHQ's score of face verification: thresholds from nine folds of the pairs, true accepts on the tenth."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

FOLDS = 10
THRESHOLDS = np.arange(0, 1, 0.001)
FOLD_FARS = (1e-1, 1e-2, 1e-3, 1e-4, 1e-5)


def efhq_figures(scores: NDArray[np.floating], same: NDArray[np.bool_]) -> dict[str, Any]:
    """TAR at FAR as EFHQ computes it, of cosines [n] of pairs that are one person's or not [n].

    Pairs of one person and of two alternate, as many of the one as of the other, and are cut into ten folds as they
    come. The threshold for a rate is found on nine of them, linearly between thresholds from 0 to 1 by 0.001, 0 where
    none accepts so many; the figures are means over the tenths. Returns `pairs` and, by rate, `tar`, `std` and the
    `far` that was reached. Rates below one in the pairs of two people of nine folds are extrapolated from few pairs, as
    EFHQ's are. Source: EFHQ, 3_align_sample/face_verification_evaltoolkit.py (`get_tpr_far`, after insightface's).
    Raises ValueError with fewer than FOLDS pairs of either kind.
    """
    values, truth = np.asarray(scores, np.float64), np.asarray(same, bool)
    count = min(int(truth.sum()), int((~truth).sum()))
    if count < FOLDS:
        raise ValueError(f"{count} pairs of one person and of two, it takes {FOLDS} of each")
    both = np.stack([values[truth][:count], values[~truth][:count]], 1).ravel()
    alternating = np.tile([True, False], count)
    folds = np.array_split(np.arange(len(both)), FOLDS)
    found: dict[str, Any] = {"pairs": len(both), "tar_at_far": {}}
    for wanted in FOLD_FARS:
        reached = []
        for fold in folds:
            rest = np.setdiff1d(np.arange(len(both)), fold, assume_unique=True)
            threshold = _threshold(np.sort(both[rest][~alternating[rest]]), wanted)
            accepted = both[fold] > threshold
            reached.append([accepted[alternating[fold]].mean(), accepted[~alternating[fold]].mean()])
        tars, fars = np.array(reached).T
        found["tar_at_far"][f"{wanted:.0e}"] = {
            "tar": float(tars.mean()),
            "std": float(tars.std()),
            "far": float(fars.mean()),
        }
    return found


def _threshold(different: NDArray[np.float64], wanted: float) -> float:
    """The threshold at which a share `wanted` of the scores of two people, sorted, lies above it."""
    fars = 1.0 - np.searchsorted(different, THRESHOLDS, side="right") / len(different)
    if fars.max() < wanted:
        return 0.0
    # As the older scipy that EFHQ asks for interpolates: in the order of a stable sort by rate, also where several
    # thresholds have one rate. (Newer ones refuse that.)
    order = np.argsort(fars, kind="stable")
    return float(np.interp(wanted, fars[order], THRESHOLDS[order]))
