"""How well scores tell pairs of one person from pairs of two: ROC, AUC, EER, TAR at FAR."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

FARS = (1e-1, 1e-2, 1e-3, 1e-4)


@dataclass(frozen=True)
class Roc:
    """One point per threshold, from accepting nothing to accepting all.

    threshold: float64 [k], falling, the first infinite; a pair is accepted if its score is at least that.
    far: false accept rate [k], the share of different people's pairs that are accepted; tar: of one person's.
    positives, negatives: pairs of one and of two people.
    """

    threshold: NDArray[np.float64]
    far: NDArray[np.float64]
    tar: NDArray[np.float64]
    positives: int
    negatives: int

    def auc(self) -> float:
        """Area under the curve: how often one person's pair scores higher than two people's, a tie counting as half.

        The trapezoidal rule on the steps is that Mann-Whitney statistic exactly.
        """
        return float(np.sum(np.diff(self.far) * (self.tar[1:] + self.tar[:-1]) / 2))

    def eer(self) -> float:
        """Equal error rate: where far is the false reject rate, 1 - tar; on the line between two points."""
        excess = self.far + self.tar - 1.0  # false accepts less false rejects: from -1 to 1, never falling
        after = int(np.argmax(excess >= 0))
        step = excess[after] - excess[after - 1]
        share = -excess[after - 1] / step
        return float(self.far[after - 1] + share * (self.far[after] - self.far[after - 1]))

    def at_far(self, far: float) -> AtFar | None:
        """The most that can be accepted at a false accept rate of at most `far`, without drawing lines between points.

        None if there are fewer than 1 / far negatives: one false accept would be too many, and the rate not measured.
        """
        if self.negatives * far < 1 - 1e-9:
            return None
        point = int(np.searchsorted(self.far, far + 1e-12, side="right")) - 1
        accepted = round(self.tar[point] * self.positives)
        interval = binomtest(accepted, self.positives).proportion_ci(method="wilson")
        return AtFar(
            tar=float(self.tar[point]),
            low=float(interval.low),
            high=float(interval.high),
            threshold=float(self.threshold[point]),
            false_accepts=round(self.far[point] * self.negatives),
        )


@dataclass(frozen=True)
class AtFar:
    """What a false accept rate costs.

    tar: share of one person's pairs accepted. low, high: Wilson's 95% interval of it; pairs that share faces are
    not independent, so the truth is less certain than that. threshold: infinite if nothing can be accepted.
    false_accepts: pairs of two people accepted.
    """

    tar: float
    low: float
    high: float
    threshold: float
    false_accepts: int


def roc(scores: NDArray[np.floating], same: Sequence[bool] | NDArray[np.bool_]) -> Roc:
    """The curve of scores [n], higher meaning more alike, of pairs that are one person's or not [n].

    Raises ValueError unless there are pairs of both kinds and all scores are finite.
    """
    values, truth = np.asarray(scores, np.float64), np.asarray(same, bool)
    positives, negatives = int(truth.sum()), int((~truth).sum())
    if not positives or not negatives or not np.isfinite(values).all():
        raise ValueError(f"{positives} pairs of one person and {negatives} of two; all scores must be finite")
    order = np.argsort(-values, kind="stable")
    values, truth = values[order], truth[order]
    last = np.append(np.flatnonzero(np.diff(values)), len(values) - 1)  # of equal scores: they go together
    return Roc(
        threshold=np.append(np.inf, values[last]),
        far=np.append(0.0, np.cumsum(~truth)[last] / negatives),
        tar=np.append(0.0, np.cumsum(truth)[last] / positives),
        positives=positives,
        negatives=negatives,
    )
