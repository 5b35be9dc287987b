"""Tracks grouped into identities by average linkage, with people who were seen together kept apart.

Average linkage joins two clusters only if the mean distance over all pairs of their members is small enough. So a chain
of people who look alike does not join its two ends, as it does with single linkage.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from lpff_ray.curate.neighbours.search import MapTasks, pairs_within

# Pairs that are compared together, about. Where vectors lie densely, clusters are joined within a smaller radius first:
# average linkage is monotone (what it joins within a small radius it also joins on the way to a larger one), so the
# result is the same; but what is near is one cluster by then, and fewer pairs are left within the larger radius.
_PAIRS = 2_000_000
_SAMPLE = 64
_CHUNK = 1 << 16
_LEAST_RADIUS = 1e-3  # of a search: where all clusters are loose, none is near enough to another
_GROUP_ROWS = 1024  # of a group that are compared with the others at once


@dataclass
class _Clusters:
    """Rows [n] of float32 sums [n, d], sizes and sums of unclearness that stand for a cluster each, and what may not
    join: pairs, and clusters of different people. people: int64 [n], who a cluster is known to be, -1 if that is not
    known. unclear_cost: as for `average_linkage`."""

    sums: NDArray[np.float32]
    sizes: NDArray[np.int64]
    unclear: NDArray[np.float64]
    apart: NDArray[np.int64]
    people: NDArray[np.int64]
    unclear_cost: float

    def add(self, into: NDArray[np.int64], gone: NDArray[np.int64]) -> None:
        """Add rows `gone` to rows `into`, each of which may be named often."""
        for column in (self.sums, self.sizes, self.unclear):
            np.add.at(column, into, column[gone])
        np.maximum.at(self.people, into, self.people[gone])

    def different_people(self, first: NDArray[np.int64], second: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which pairs are known to be two people [m]."""
        a, b = self.people[first], self.people[second]
        return (a >= 0) & (b >= 0) & (a != b)

    def squared(self, first: NDArray[np.int64], second: NDArray[np.int64]) -> NDArray[np.float64]:
        """Mean over all pairs of members of 2 - 2 a.b + cost of both, [m], for pairs of clusters.

        It needs the clusters' sums only. For vectors of unit length 2 - 2 a.b is |a - b|^2; for means of such vectors
        it is the mean of that over the pairs of vectors behind them.
        """
        products = np.empty(len(first))
        for start in range(0, len(first), _CHUNK):
            part = slice(start, start + _CHUNK)
            products[part] = np.einsum("ij,ij->i", self.sums[first[part]], self.sums[second[part]])
        costs = self.unclear_cost * self.unclear[first] * self.unclear[second]
        return (costs - 2 * products) / (self.sizes[first] * self.sizes[second]) + 2


@dataclass(frozen=True)
class Groups:
    """Rows that are more likely to be one person, as tracks of one video are: of: int64 [n], each row's group.

    radius: as `average_linkage`'s, between clusters of one group; they are joined first.
    """

    of: NDArray[np.int64]
    radius: float


def average_linkage(
    vectors: NDArray[np.float32],
    unclear: NDArray[np.float64],
    apart: NDArray[np.int64],
    radius: float,
    *,
    unclear_cost: float = 0.0,
    groups: Groups | None = None,
    people: NDArray[np.int64] | None = None,
    device: str = "cpu",
    map_tasks: MapTasks | None = None,
) -> NDArray[np.int64]:
    """Cluster rows of float32 [n, d]; returns for every row the first row of its cluster, int64 [n].

    vectors: of unit length, or means of such. unclear: float64 [n], 0..1, how little a row says who it is: the vectors
    of unclear faces are alike whoever they are, but no nearer to those of clear ones. unclear_cost: >= 0, added to the
    squared distance of two rows for each 1 of the product of their unclearness. apart: int64 [k, 2], rows that never
    share a cluster. radius: largest root of the mean of 2 - 2 a.b + cost of both over the pairs between two clusters
    that are joined, below the square root of 2. people: int64 [n], who a row is known to be, -1 if that is not known:
    rows of one person are one cluster from the start, those of two never share one. device, map_tasks: see
    `neighbours.pairs_within`.

    Unweighted average linkage (UPGMA, Sokal and Michener 1958) on squared distances, best pair first; of equal ones
    that of the lower rows. Its update is reducible, so all pairs of clusters that are each other's nearest can be
    joined at once (Bruynooghe 1978) and the outcome is the same.
    """
    label = np.arange(len(vectors))
    known = np.full(len(vectors), -1) if people is None else people
    state = _Clusters(
        sums=vectors.astype(np.float32),
        sizes=np.ones(len(vectors), np.int64),
        unclear=np.asarray(unclear, np.float64).copy(),
        apart=apart,
        people=known.copy(),
        unclear_cost=unclear_cost,
    )
    named = np.flatnonzero(known >= 0)
    _, first_of, person = np.unique(known[named], return_index=True, return_inverse=True)
    label[named] = named[first_of][person]
    gone = named[label[named] != named]
    state.add(label[gone], gone)
    if groups is not None:
        first, second = _pairs_in_groups(vectors, groups)
        _join(state, label, *_between_clusters(label, first, second), groups.radius**2)
    level = 0.0
    while level < radius:
        heads = np.unique(label)
        lengths = np.maximum(np.linalg.norm(state.sums[heads], axis=1), 1e-12)
        means = state.sums[heads] / lengths[:, None]
        higher = _reach(means, radius)
        level = higher if higher > level else radius
        # Scaled to unit length means are nearer to each other than their clusters, by their lengths: no pair is missed.
        longest = min(1.0, float((lengths / state.sizes[heads]).max(initial=0.0)) + 1e-6)
        nearer = np.sqrt(max(_LEAST_RADIUS**2, 2 - (2 - level**2) / longest**2))
        near = pairs_within(means, float(nearer), device=device, map_tasks=map_tasks)
        _join(state, label, heads[near.first], heads[near.second], level**2)
    return label


def _pairs_in_groups(
    vectors: NDArray[np.float32], groups: Groups
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pairs of rows of one group within its radius, int64 [m] each, first < second."""
    order = np.argsort(groups.of, kind="stable")
    bounds = np.flatnonzero(np.diff(groups.of[order], prepend=-1, append=-1))
    least = 1 - groups.radius**2 / 2
    found = [np.empty((2, 0), np.int64)]
    for start, end in pairwise(bounds):
        for row in range(start, end - 1, _GROUP_ROWS) if end - start > 1 else ():
            some = order[row : min(row + _GROUP_ROWS, end)]
            others = order[row:end]
            i, j = np.nonzero(vectors[some] @ vectors[others].T >= least)
            found.append(np.stack([some[i], others[j]])[:, i < j])
    first, second = np.concatenate(found, axis=1)
    return first, second


def _between_clusters(
    label: NDArray[np.int64], first: NDArray[np.int64], second: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The pairs of clusters that pairs of rows are in, sorted, each once, first < second."""
    rows = len(label)
    pairs = np.column_stack([label[first], label[second]])
    keys = np.unique(_keys(pairs[pairs[:, 0] != pairs[:, 1]], rows))
    return keys // rows, keys % rows


def _reach(vectors: NDArray[np.float32], radius: float) -> float:
    """The radius, or the smaller one, not below its tenth, within which about _PAIRS pairs of rows lie."""
    count = len(vectors)
    chosen = vectors[np.linspace(0, count - 1, min(count, _SAMPLE)).astype(int)] if count else vectors
    wanted = round(_PAIRS * 2 * len(chosen) / max(count, 1))
    products = (chosen @ vectors.T).ravel()
    if wanted >= len(products):
        return radius
    nearest = float(-np.partition(-products, wanted)[wanted])
    return min(radius, max(0.1 * radius, float(np.sqrt(max(0.0, 2 - 2 * nearest)))))


def _join(
    state: _Clusters,
    label: NDArray[np.int64],
    first: NDArray[np.int64],
    second: NDArray[np.int64],
    limit: float,
) -> None:
    """Join clusters along pairs (first < second, sorted) until none is within the limit. Changes state and label."""
    rows = len(label)
    squared, apart = state.squared(first, second), label[state.apart]
    while True:
        # Only people who could be joined have to be kept apart: pairs get fewer, never more.
        open_ = np.zeros(rows, bool)
        open_[first] = open_[second] = True
        apart = apart[open_[apart].all(axis=1)]
        kept = (squared <= limit) & ~np.isin(first * rows + second, _keys(apart, rows))
        kept &= ~state.different_people(first, second)
        first, second, squared = first[kept], second[kept], squared[kept]
        if not len(first):
            return
        rank = np.empty(len(first), np.int64)
        rank[np.argsort(squared, kind="stable")] = np.arange(len(first))
        nearest = np.full(rows, len(first))
        np.minimum.at(nearest, first, rank)
        np.minimum.at(nearest, second, rank)
        mutual = (nearest[first] == rank) & (nearest[second] == rank)
        into, gone = first[mutual], second[mutual]
        state.add(into, gone)
        now = np.arange(rows)
        now[gone] = into
        label[:], apart = now[label], now[apart]
        moved = np.zeros(rows, bool)
        moved[into] = True
        key = _keys(np.column_stack([now[first], now[second]]), rows)
        key, index = np.unique(key, return_index=True)
        first, second, squared = key // rows, key % rows, squared[index]
        between = first < second
        first, second, squared = first[between], second[between], squared[between]
        stale = moved[first] | moved[second]
        squared[stale] = state.squared(first[stale], second[stale])


def _keys(pairs: NDArray[np.int64], rows: int) -> NDArray[np.int64]:
    """One number per unordered pair of rows [m, 2]."""
    return np.asarray(pairs.min(axis=1) * rows + pairs.max(axis=1), np.int64)


def cluster_spreads(vectors: NDArray[np.float32], groups: Sequence[NDArray[np.int64]]) -> NDArray[np.float32]:
    """Largest distance between two rows of float32 [n, d] within each group of row numbers, float32 [groups].

    Of groups with more than 2,048 members, between the 2,048 that lie farthest from the middle.
    """
    widest = np.zeros(len(groups), np.float32)
    for number, group in enumerate(groups):
        if len(group) < 2:
            continue
        members = vectors[group]
        if len(members) > 2048:
            members = members[np.argsort(members @ members.mean(axis=0), kind="stable")[:2048]]
        least = float((members @ members.T).min())
        widest[number] = np.sqrt(max(0.0, 2 - 2 * least))
    return widest
