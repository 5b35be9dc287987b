"""FID's and KID's arithmetic, beside closed forms and the published programs' stated again."""

from __future__ import annotations

import numpy as np
import pytest

from lpff_ray.exports.evaluation.frechet import SUBSETS, frechet_distance, kernel_distance, statistics

RANDOM = np.random.default_rng(0)
A, B = RANDOM.normal(0, 1, (400, 6)), RANDOM.normal(0.3, 1.4, (300, 6))


def test_between_gaussians_without_correlation_it_is_the_closed_form() -> None:
    mean_a, mean_b, sd_a, sd_b = np.zeros(3), np.array([1.0, 2.0, 0.0]), np.array([1.0, 2.0, 3.0]), np.ones(3)
    found = frechet_distance(mean_a, np.diag(sd_a**2), mean_b, np.diag(sd_b**2))
    assert found == pytest.approx(5.0 + ((sd_a - sd_b) ** 2).sum())
    assert frechet_distance(*statistics(A), *statistics(A)) == pytest.approx(0, abs=1e-6)


def test_a_singular_product_is_no_error() -> None:
    """Fewer pictures than features, as in small sets."""
    few = RANDOM.normal(0, 1, (3, 6))
    assert np.isfinite(frechet_distance(*statistics(few), *statistics(A)))
    nothing = np.zeros((6, 6))
    assert frechet_distance(np.zeros(6), nothing, np.ones(6), nothing) == pytest.approx(6, abs=1e-4)


def test_kid_is_the_unbiased_estimate() -> None:
    """Of subsets as large as the smaller set: every term but those of a picture with itself, over all pairs."""
    a, b = A[:50], B[:50]
    kernel = lambda x, y: (x @ y.T / 6 + 1) ** 3  # noqa: E731
    own = sum(kernel(x, x)[~np.eye(50, dtype=bool)].mean() for x in (a, b))
    mean, spread = kernel_distance(a, b)
    assert mean == pytest.approx(own - 2 * kernel(a, b).mean())
    assert spread == pytest.approx(0, abs=1e-9), f"all {SUBSETS} subsets are the whole"
    same, _ = kernel_distance(RANDOM.normal(0, 1, (2000, 6)), RANDOM.normal(0, 1, (2000, 6)), seed=1)
    assert abs(same) < 0.05
    assert kernel_distance(A, B, seed=3) == kernel_distance(A, B, seed=3)
    assert kernel_distance(A, B)[0] > 0.1
