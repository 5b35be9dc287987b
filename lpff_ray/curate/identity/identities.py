"""Who is who: tracks gathered into people by average linkage, with people who were seen together kept apart.

Average linkage joins two clusters only if the mean over all pairs of their members is near enough, so that a chain of
look-alikes does not pull two people together, as single linkage does.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from lpff_ray.curate.neighbours.search import MapTasks, pairs_within

# Pairs that are looked at together, about. In a crowded place the dendrogram is cut at a smaller radius first: average
# linkage is monotone (what it joins within a small radius it also joins on the way to a larger one), so the outcome is
# the same; but what is near is one cluster by then, and fewer pairs are left within the larger radius.
_PAIRS = 2_000_000
_SAMPLE = 64
_CHUNK = 1 << 16


@dataclass
class _Clusters:
    """Rows [n] of float32 sums [n, d], sizes and costs that stand for a cluster each, and pairs that may not join."""

    sums: NDArray[np.float32]
    sizes: NDArray[np.int64]
    costs: NDArray[np.float64]
    apart: NDArray[np.int64]

    def squared(self, first: NDArray[np.int64], second: NDArray[np.int64]) -> NDArray[np.float64]:
        """Mean over all pairs of members of |a - b|^2 + cost of a + cost of b, [m], for pairs of clusters.

        For vectors of unit length, the mean of |a - b|^2 = 2 - 2 a.b needs the clusters' sums only.
        """
        products = np.empty(len(first))
        for start in range(0, len(first), _CHUNK):
            part = slice(start, start + _CHUNK)
            products[part] = np.einsum("ij,ij->i", self.sums[first[part]], self.sums[second[part]])
        sizes = self.sizes[first] * self.sizes[second]
        mean_costs = self.costs / self.sizes
        return 2 - 2 * products / sizes + mean_costs[first] + mean_costs[second]


def cluster(
    vectors: NDArray[np.float32],
    costs: NDArray[np.float64],
    apart: NDArray[np.int64],
    radius: float,
    *,
    device: str = "cpu",
    map_tasks: MapTasks | None = None,
) -> NDArray[np.int64]:
    """Cluster rows of float32 [n, d] of unit length; returns for every row the first row of its cluster, int64 [n].

    costs: float64 [n] >= 0, added to the squared distance of every pair that a row is in. apart: int64 [k, 2], rows
    that never share a cluster. radius: largest root of the mean of |a - b|^2 + cost of a + cost of b over the pairs
    between two clusters that are joined, below the square root of 2. device, map_tasks: see `neighbours.pairs_within`.

    Unweighted average linkage (UPGMA, Sokal and Michener 1958) on squared distances, best pair first; of equal ones
    that of the lower rows. Its update is reducible, so all pairs of clusters that are each other's nearest can be
    joined at once (Bruynooghe 1978) and the outcome is the same.
    """
    label = np.arange(len(vectors))
    state = _Clusters(vectors.astype(np.float32), np.ones(len(vectors), np.int64), costs.copy(), apart)
    level = 0.0
    while level < radius:
        heads = np.unique(label)
        means = state.sums[heads] / np.linalg.norm(state.sums[heads], axis=1, keepdims=True)
        higher = _reach(means, radius)
        level = higher if higher > level else radius
        # Means scaled to unit length are never farther apart than their clusters: no pair is missed.
        near = pairs_within(means, level, device=device, map_tasks=map_tasks)
        _join(state, label, heads[near.first], heads[near.second], level**2)
    return label


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
        for column in (state.sums, state.sizes, state.costs):
            column[into] += column[gone]
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


def named(
    label: NDArray[np.int64], face_ids: pl.Series, before: pl.DataFrame | None
) -> tuple[list[str], int]:
    """Ids of identities, and how many of them were known before.

    label: int64 [faces], numbers 0, 1, ... of the faces' identities. face_ids: of the faces, in the order of the
    tables. before: face_id and identity_id of the last `dedupe`, or None.

    An identity keeps the id of an earlier one with which it shares most faces; each id goes to one identity. One that
    is new is named after its first face, so that the name depends on nothing else.
    """
    count = int(label.max(initial=-1)) + 1
    names: list[str | None] = [None] * count
    inherited: set[str] = set()
    if before is not None:
        shared = (
            pl.DataFrame({"face_id": face_ids, "label": label})
            .join(before.select("face_id", "identity_id"), on="face_id")
            .group_by("label", "identity_id")
            .len()
            .sort(["len", "identity_id", "label"], descending=[True, False, False])
        )
        for number, name in shared.select("label", "identity_id").iter_rows():
            if names[number] is None and name not in inherited:
                names[number] = name
                inherited.add(name)
    first_face = np.full(count, len(label))
    np.minimum.at(first_face, label, np.arange(len(label)))
    taken = inherited | (set() if before is None else set(before["identity_id"].unique()))
    for number, face in enumerate(first_face):
        if names[number] is None:
            names[number] = _fresh(face_ids[int(face)], taken)
            taken.add(str(names[number]))
    return [str(name) for name in names], len(inherited)


def _fresh(face_id: str, taken: set[str]) -> str:
    """A name after a face that is not taken: after a split, the other half may bear it already."""
    for attempt in range(1_000_000):
        text = face_id if not attempt else f"{face_id}#{attempt}"
        name = f"id-{hashlib.sha256(text.encode()).hexdigest()[:12]}"
        if name not in taken:
            return name
    raise AssertionError("a million hashes are taken")


def spreads(vectors: NDArray[np.float32], groups: Sequence[NDArray[np.int64]]) -> NDArray[np.float32]:
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
