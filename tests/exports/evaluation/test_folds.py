"""EFHQ's ten folds, beside its own arithmetic stated again."""

from __future__ import annotations

import numpy as np
import pytest

from lpff_ray.exports.evaluation.folds import efhq_figures


def stated_again(scores: np.ndarray, same: np.ndarray, far: float) -> tuple[float, float, float]:
    """`calculate_val` of EFHQ's evaluation kit over pairs that alternate, threshold by threshold."""
    thresholds, folds = np.arange(0, 1, 0.001), np.array_split(np.arange(len(scores)), 10)
    val, reached = [], []
    for test in folds:
        train = np.setdiff1d(np.arange(len(scores)), test)
        different = scores[train][~same[train]]
        far_train = np.array(
            [np.greater(different, threshold).sum() / len(different) for threshold in thresholds]
        )
        threshold = 0.0
        if np.max(far_train) >= far:
            pairs = sorted(
                zip(far_train, range(1000), thresholds, strict=True)
            )  # a spline of order 1 over these
            after = next((i for i, pair in enumerate(pairs) if pair[0] > far), len(pairs) - 1)
            (low, _, first), (high, _, second) = pairs[after - 1], pairs[after]
            threshold = first + (second - first) * (far - low) / (high - low)
        accepted = np.greater(scores[test], threshold)
        val.append(accepted[same[test]].mean())
        reached.append(accepted[~same[test]].mean())
    return float(np.mean(val)), float(np.std(val)), float(np.mean(reached))


def test_the_figures_are_efhqs() -> None:
    random, count = np.random.default_rng(3), 1013
    same = np.tile([True, False], count)
    scores = np.where(same, random.normal(0.55, 0.2, 2 * count), random.normal(0.05, 0.12, 2 * count))
    found = efhq_figures(scores, same)
    assert found["pairs"] == 2 * count
    for name, point in found["tar_at_far"].items():
        wanted = stated_again(scores, same, float(name))
        assert (point["tar"], point["std"], point["far"]) == pytest.approx(wanted, abs=1e-9), name
    assert found["tar_at_far"]["1e-01"]["tar"] > found["tar_at_far"]["1e-03"]["tar"] > 0.5
    assert found["tar_at_far"]["1e-02"]["far"] == pytest.approx(0.01, abs=0.005)


def test_the_order_of_the_lines_is_undone_and_the_longer_kind_cut() -> None:
    random = np.random.default_rng(4)
    ones, twos = random.normal(0.5, 0.2, 150), random.normal(0.0, 0.2, 100)
    mixed = efhq_figures(np.concatenate([ones, twos]), np.arange(250) < 150)
    alternating = efhq_figures(np.stack([ones[:100], twos], 1).ravel(), np.tile([True, False], 100))
    assert mixed == alternating


def test_too_few_pairs_are_said() -> None:
    with pytest.raises(ValueError, match="9 pairs of one person and of two, it takes 10"):
        efhq_figures(np.zeros(20), np.arange(20) < 9)
