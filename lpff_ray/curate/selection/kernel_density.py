"""How common a camera position is (kernel density estimate), and how often to repeat rare ones: LPFF's rebalancing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates
from scipy.signal import oaconvolve
from scipy.stats import multivariate_normal

_CELLS_PER_KERNEL = 12  # cells of the grid per standard deviation of the kernel, along its shortest axis
_REACH = 5.0  # standard deviations after which the kernel counts as 0
_SMALLEST_KERNEL = np.radians(0.5)


@dataclass(frozen=True)
class Density:
    """A Gaussian kernel density estimate on a grid. values: [rows, columns] per square radian of theta and phi."""

    values: NDArray[np.float64]
    origin: NDArray[np.float64]
    step: float

    def at(self, cameras: NDArray[np.float64]) -> NDArray[np.float64]:
        """Density per square radian [n] at theta, phi in radians [n, 2], to a millionth.

        Rounded, so that the last bits, which depend on the processor, neither order nor weigh faces.
        """
        cells = (cameras - self.origin) / self.step
        return np.maximum(map_coordinates(self.values, cells.T, order=1, mode="constant").round(6), 0.0)


def kernel_density(cameras: NDArray[np.float64]) -> Density:
    """The density of theta, phi in radians [n, 2], n >= 1, as `scipy.stats.gaussian_kde` gives it.

    Kernel: the cameras' covariance times n^(-1/3) (Scott's rule in two dimensions), no axis below half a degree. That
    class sums over all pairs, hours for 450,000 faces; here the cameras are counted in the cells of a grid and the
    counts are convolved with the kernel. Source: LPFF, `2_dataset_rebalance/1_compute_density.py`.
    """
    scatter = np.cov(cameras.T) if len(cameras) > 1 else np.zeros((2, 2))
    spread, axes = np.linalg.eigh(scatter * len(cameras) ** (-1 / 3))
    spread = np.maximum(spread, _SMALLEST_KERNEL**2)
    covariance = (axes * spread) @ axes.T
    step = float(np.sqrt(spread[0])) / _CELLS_PER_KERNEL
    reach = np.ceil(_REACH * np.sqrt(np.diag(covariance)) / step).astype(int)
    origin = cameras.min(0) - reach * step
    cells = np.ceil((cameras.max(0) - origin) / step).astype(int) + reach + 1
    edges = [start + (np.arange(count + 1) - 0.5) * step for start, count in zip(origin, cells, strict=True)]
    counts = np.histogram2d(cameras[:, 0], cameras[:, 1], bins=edges)[0]
    offsets = np.meshgrid(*(np.arange(-far, far + 1) * step for far in reach), indexing="ij")
    kernel = multivariate_normal([0.0, 0.0], covariance).pdf(np.stack(offsets, -1))
    return Density(oaconvolve(counts, kernel, mode="same") / len(cameras), origin, step)


def copies_by_density(
    density: NDArray[np.float64], one_copy: float, most: int, below: tuple[float, ...]
) -> NDArray[np.int32]:
    """How often each face is listed [n]: `one_copy` / density, rounded half to even, within 1..most; below the first of
    `below` once more than that at most, below the second twice, and so on.

    Source: LPFF, `2_dataset_rebalance/2_eg3d_FFHQ_LPFF_rebalanced.py`: 0.24, 4 and (0.03, 0.02): up to six.
    """
    copies = np.clip(np.rint(one_copy / np.maximum(density, 1e-9)), 1, most)
    for position, limit in enumerate(below):
        copies[density < limit] = most + 1 + position
    return copies.astype(np.int32)


def weights_by_density(
    density: NDArray[np.float64], one_copy: float, most: int, below: tuple[float, ...]
) -> NDArray[np.float64]:
    """Sampling weights [n], the same without steps: `one_copy` / density, between 1 and the most copies there are."""
    highest = float(most + len(below))
    return np.clip(one_copy / np.maximum(density, one_copy / highest), 1.0, highest)
