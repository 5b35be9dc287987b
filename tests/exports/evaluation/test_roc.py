"""Figures of verification against hand-made cases, scipy and closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import mannwhitneyu, norm

from lpff_ray.exports.evaluation.roc import roc


def test_a_curve_by_hand() -> None:
    curve = roc(np.array([0.6, 0.9, 0.7, 0.8]), [False, True, True, False])
    assert curve.threshold.tolist() == [np.inf, 0.9, 0.8, 0.7, 0.6]
    assert curve.far.tolist() == [0, 0, 0.5, 0.5, 1]
    assert curve.tar.tolist() == [0, 0.5, 0.5, 1, 1]
    assert curve.auc() == 0.75
    assert curve.eer() == 0.5
    half = curve.at_far(0.5)
    assert half is not None
    assert (half.tar, half.threshold, half.false_accepts) == (1.0, 0.7, 1)


@pytest.mark.parametrize(
    ("scores", "auc", "eer"),
    [([0.9, 0.8, 0.2, 0.1], 1.0, 0.0), ([0.1, 0.2, 0.8, 0.9], 0.0, 1.0), ([0.5] * 4, 0.5, 0.5)],
)
def test_perfect_reversed_and_no_knowledge(scores: list[float], auc: float, eer: float) -> None:
    curve = roc(np.array(scores), [True, True, False, False])
    assert curve.auc() == auc
    assert curve.eer() == eer


@given(st.lists(st.tuples(st.integers(0, 6), st.booleans()), min_size=2, max_size=40))
def test_the_area_is_mann_whitneys_statistic_also_with_ties(pairs: list[tuple[int, bool]]) -> None:
    scores, same = np.array([p[0] for p in pairs], float), np.array([p[1] for p in pairs])
    if same.all() or not same.any():
        with pytest.raises(ValueError, match="pairs of one person"):
            roc(scores, same)
        return
    curve = roc(scores, same)
    statistic = mannwhitneyu(scores[same], scores[~same]).statistic
    assert curve.auc() == pytest.approx(statistic / same.sum() / (~same).sum())
    assert (np.diff(curve.far) >= 0).all()
    assert (np.diff(curve.tar) >= 0).all()
    assert 0 <= curve.eer() <= 1
    for point, threshold in enumerate(curve.threshold):  # every point by counting
        assert curve.far[point] == (scores[~same] >= threshold).mean()
        assert curve.tar[point] == (scores[same] >= threshold).mean()


def test_two_normal_distributions_give_their_closed_forms() -> None:
    rng, n = np.random.default_rng(0), 40_000
    scores = np.concatenate([rng.normal(2, 1, n), rng.normal(0, 1, n)])
    curve = roc(scores, np.arange(2 * n) < n)
    assert curve.auc() == pytest.approx(norm.cdf(2 / np.sqrt(2)), abs=0.003)
    assert curve.eer() == pytest.approx(norm.cdf(-1), abs=0.005)
    for far in (1e-1, 1e-2, 1e-3):
        point = curve.at_far(far)
        assert point is not None
        truth = norm.sf(norm.isf(far) - 2)
        assert point.tar == pytest.approx(truth, abs=0.02)
        assert point.threshold == pytest.approx(norm.isf(far), abs=0.1)
        assert point.low < point.tar < point.high


def test_a_rate_that_the_negatives_can_not_show_is_not_given() -> None:
    curve = roc(np.linspace(0, 1, 110), np.arange(110) >= 100)
    assert curve.negatives == 100
    assert curve.at_far(1e-2) is not None
    assert curve.at_far(9e-3) is None
    assert curve.at_far(1e-4) is None


def test_scores_that_are_no_numbers_are_refused() -> None:
    with pytest.raises(ValueError, match="finite"):
        roc(np.array([0.1, np.nan]), [True, False])
