"""The density of cameras, beside scipy's, and LPFF's steps."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import gaussian_kde

from lpff_ray.curate.selection.cameras import GAUSSIAN_REFERENCE, cameras_from_angles, reference_cameras
from lpff_ray.curate.selection.kernel_density import copies_by_density, kernel_density, weights_by_density

LPFFS = (0.24, 4, (0.03, 0.02))  # `copies_by_density`'s settings


@pytest.mark.parametrize("count", [40, 4000])
def test_it_is_scipys_density(count: int) -> None:
    random = np.random.default_rng(count)
    cameras = cameras_from_angles(
        random.normal(0, 30, count), random.normal(0, 12, count), random.normal(0, 5, count)
    )
    asked = np.concatenate([cameras[:200], cameras[:200] + random.normal(0, 0.2, (len(cameras[:200]), 2))])
    exact = gaussian_kde(cameras.T)(asked.T)
    assert kernel_density(cameras).at(asked) == pytest.approx(exact, rel=0.02, abs=0.005)


def test_it_sums_to_one_and_is_nothing_far_away() -> None:
    estimate = kernel_density(reference_cameras(GAUSSIAN_REFERENCE))
    assert estimate.values.sum() * estimate.step**2 == pytest.approx(1, abs=1e-3)
    assert estimate.at(np.array([[0.0, 0.0], [9.0, 9.0]])) == pytest.approx([0, 0], abs=1e-9)


def test_few_cameras_in_one_place_are_no_error() -> None:
    for cameras in (np.full((1, 2), 1.5), np.full((5, 2), 1.5), np.array([[1.0, 1.5], [2.0, 1.5]])):
        assert kernel_density(cameras).at(cameras).min() > 1


def test_copies_are_lpffs() -> None:
    """`2_eg3d_FFHQ_LPFF_rebalanced.py`, newest: int(min(max(round(4 * 0.06 / density), 1), 4)), 6 below 0.02, 5 below
    0.03; Python's round is half to even."""
    asked = np.array([9, 0.17, 0.16, 0.1599, 0.1, 0.096, 0.09, 0.0686, 0.0685, 0.03, 0.0299, 0.02, 0.0199, 0])
    assert copies_by_density(asked, *LPFFS).tolist() == [1, 1, 2, 2, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6]
    many = np.random.default_rng(0).uniform(0.001, 1, 5000).round(6)
    wanted = [
        6 if density < 0.02 else 5 if density < 0.03 else int(min(max(round(4 * 0.06 / density), 1), 4))
        for density in many.tolist()
    ]
    assert copies_by_density(many, *LPFFS).tolist() == wanted
    assert copies_by_density(many, 0.24, 4, ()).max() == 4


def test_weights_follow_the_density_without_steps() -> None:
    asked = np.array([9, 0.24, 0.12, 0.05, 0.04, 0.0])
    assert weights_by_density(asked, *LPFFS) == pytest.approx([1, 1, 2, 4.8, 6, 6])
