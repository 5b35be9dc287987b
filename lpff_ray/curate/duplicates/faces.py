"""Near-duplicate faces: of each set of nearly equal pictures of one person, the best is kept."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from lpff_ray.curate.config import DedupeConfig
from lpff_ray.curate.faces import Faces

_BLOCK, _TILE = 1024, 4096
_SPARSE = 0.03  # share of pairs of like rotation up to which pictures are compared pair by pair
_ROUNDING = 1e-5  # of the trace of a product of two rotations, in single precision
_BITS = np.arange(64, dtype=np.uint64)


@dataclass(frozen=True)
class PictureSimilarity:
    """What decides whether two faces are nearly the same picture, as rows whose products compare whole blocks at once.

    embedding float32 [n, d]: |a - b|^2 = 2 - 2 a.b. rotation float32 [n, 9]: the geodesic angle t between A and B has
    trace(A'B) = 1 + 2 cos t. bits float32 [n, 64] of +1 and -1: h of them differ if their product is 64 - 2 h.
    expression float32 [n, m]: no number of one may be more than `most` off the other's; NaN is off nothing.
    """

    embedding: NDArray[np.float32]
    rotation: NDArray[np.float32]
    bits: NDArray[np.float32]
    expression: NDArray[np.float32]
    least: tuple[float, float, float]
    most: float

    @classmethod
    def of(cls, faces: Faces, rows: NDArray[np.int64], config: DedupeConfig) -> PictureSimilarity:
        """Of some rows; config: a resolved one."""
        assert config.duplicate_distance is not None
        bits = (faces.phash[rows, None] >> _BITS) & np.uint64(1)
        return cls(
            faces.embedding[rows],
            faces.rotation[rows].reshape(-1, 9),
            bits.astype(np.float32) * 2 - 1,
            faces.expression[rows],
            (
                1 - config.duplicate_distance**2 / 2,
                1 + 2 * float(np.cos(np.radians(config.duplicate_degrees))),
                64.0 - 2 * config.duplicate_bits,
            ),
            config.duplicate_expression,
        )

    def between(
        self,
        some: slice | NDArray[np.int64],
        others: slice | NDArray[np.int64],
        also: PictureSimilarity | None = None,
    ) -> NDArray[np.bool_]:
        """Whether rows of these and rows of `also` (by default these, too) are alike, bool [some, others]."""
        also = also or self
        trace = self.rotation[some] @ also.rotation[others].T
        alike = trace >= self.least[1] - _ROUNDING
        row, column = np.nonzero(alike)
        # Rounding decides nothing: 2 (3 - trace) is the square of the difference, which small angles leave precise.
        unsure = trace[row, column] <= self.least[1] + _ROUNDING
        one, other = row[unsure], column[unsure]
        turned = self.rotation[some][one] - also.rotation[others][other]
        alike[one, other] = 3 - np.square(turned, dtype=np.float64).sum(axis=1) / 2 >= self.least[1]
        unsure[unsure] = ~alike[one, other]
        row, column = row[~unsure], column[~unsure]
        if len(row) <= _SPARSE * alike.size:
            alike[row, column] = self._pairs(
                np.arange(len(self.bits))[some][row], also, np.arange(len(also.bits))[others][column]
            )
            return alike
        alike &= self.bits[some] @ also.bits[others].T >= self.least[2]
        alike &= self.embedding[some] @ also.embedding[others].T >= self.least[0]
        for one, other in zip(self.expression[some].T, also.expression[others].T, strict=True):
            alike &= ~(np.abs(one[:, None] - other) > self.most)
        return alike

    def _pairs(
        self, row: NDArray[np.int64], also: PictureSimilarity, column: NDArray[np.int64]
    ) -> NDArray[np.bool_]:
        """Whether the pictures of pairs of rows, of these and of `also`, are alike: bool [m]."""
        alike = np.einsum("ij,ij->i", self.bits[row], also.bits[column]) >= self.least[2]
        row, column = row[alike], column[alike]
        if not len(row):  # of most identities of a few photos
            return alike
        near = np.einsum("ij,ij->i", self.embedding[row], also.embedding[column]) >= self.least[0]
        made = np.abs(self.expression[row] - also.expression[column])
        alike[alike] = near & ~(made > self.most).any(axis=1)  # NaN is above nothing
        return alike


def keepers(faces: Faces, identity: NDArray[np.int64], config: DedupeConfig) -> NDArray[np.int64]:
    """For every face the row of the kept face that it repeats, itself if it is kept: int64 [n].

    identity: int64 [n]. config: a resolved one. Within an identity, faces are taken from the best quality down (of
    equal ones the first in the table): one that is like a kept face repeats the best of those, any other is kept. So a
    kept face repeats none, two kept ones are never alike, and nothing points to a face that is not kept.
    """
    keeper = np.arange(len(identity))
    order = np.lexsort((keeper, -faces.quality, identity))
    bounds = np.flatnonzero(np.diff(identity[order], prepend=-1, append=-1))
    for start, end in pairwise(bounds.tolist()):
        if end - start > 1:
            rows = order[start:end]
            keeper[rows] = rows[_kept_of(PictureSimilarity.of(faces, rows, config))]
    return keeper


def _kept_of(pictures: PictureSimilarity) -> NDArray[np.int64]:
    """For rows from the best down, the kept row that each repeats: int64 [n].

    Block by block against what is kept so far, so that a long talking head costs faces times kept faces.
    """
    count = len(pictures.embedding)
    keeper = np.arange(count)
    kept = np.empty(0, np.int64)
    for start in range(0, count, _BLOCK):
        left = np.arange(start, min(start + _BLOCK, count))
        for tile in range(0, len(kept), _TILE):
            held = kept[tile : tile + _TILE]
            alike = pictures.between(left, held)
            repeats = alike.any(axis=1)
            keeper[left[repeats]] = held[alike[repeats].argmax(axis=1)]
            left = left[~repeats]
        alike = pictures.between(left, left)
        undecided = np.ones(len(left), bool)
        for index in range(len(left)):
            if undecided[index]:
                repeats = alike[index] & undecided
                repeats[index] = False
                keeper[left[repeats]] = left[index]
                undecided &= ~repeats
        kept = np.concatenate([kept, left[undecided]])
    return keeper
