"""Distances between two sets of features: Frechet (FID) and the unbiased kernel distance (KID)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

EPSILON = 1e-6
IMAGINARY = 1e-3
SUBSETS, SUBSET = 100, 1000


def statistics(features: NDArray) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean [d] and covariance [d, d] of features [n, d], n >= 2, as pytorch-fid stores them."""
    values = np.asarray(features, np.float64)
    return values.mean(0), np.atleast_2d(np.cov(values, rowvar=False))


def frechet_distance(mean_a: NDArray, covariance_a: NDArray, mean_b: NDArray, covariance_b: NDArray) -> float:
    """|mean_a - mean_b|^2 + Tr(A + B - 2 sqrt(A B)), of means [d] and covariances A, B [d, d].

    Where the square root of the product is not finite, EPSILON is added to the diagonals. Source: Heusel et al., GANs
    Trained by a Two Time-Scale Update Rule, 2017; the same rules as mseitzer/pytorch-fid, `fid_score.py`.
    Raises ValueError where the root stays complex.
    """
    root = np.asarray(linalg.sqrtm(covariance_a @ covariance_b))
    if not np.isfinite(root).all():
        offset = np.eye(len(covariance_a)) * EPSILON
        root = np.asarray(linalg.sqrtm((covariance_a + offset) @ (covariance_b + offset)))
    if np.iscomplexobj(root):
        if not np.allclose(np.diagonal(root).imag, 0, atol=IMAGINARY):
            raise ValueError(f"the square root is complex: imaginary part {np.abs(root.imag).max():.3g}")
        root = root.real
    apart = mean_a - mean_b
    return float(apart @ apart + np.trace(covariance_a) + np.trace(covariance_b) - 2 * np.trace(root))


def kernel_distance(a: NDArray, b: NDArray, seed: int = 0) -> tuple[float, float]:
    """KID of features [n, d] and [m, d]: mean and standard deviation over SUBSETS random subsets.

    The unbiased squared maximum mean discrepancy with the kernel (x y / d + 1)^3, of subsets of SUBSET features or of
    all there are, drawn by the seed. Source: Binkowski et al., Demystifying MMD GANs, 2018; as NVlabs' and clean-fid.
    """
    rng, width, size = np.random.default_rng(seed), a.shape[1], min(len(a), len(b), SUBSET)
    found = []
    for _ in range(SUBSETS):
        x, y = (np.asarray(part[rng.choice(len(part), size, replace=False)], np.float64) for part in (a, b))
        own = (x @ x.T / width + 1) ** 3 + (y @ y.T / width + 1) ** 3
        cross = (x @ y.T / width + 1) ** 3
        found.append(((own.sum() - np.trace(own)) / (size - 1) - 2 * cross.sum() / size) / size)
    return float(np.mean(found)), float(np.std(found))
