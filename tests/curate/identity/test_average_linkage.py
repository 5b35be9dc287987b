"""Average linkage with people kept apart."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform

from lpff_ray.curate.identity import average_linkage as module
from lpff_ray.curate.identity.average_linkage import Groups, average_linkage, cluster_spreads

NOBODY = np.empty((0, 2), np.int64)


def crowd(seed: int, rows: int, people: int, noise: float) -> np.ndarray:
    """Unit vectors float32 [rows, 16] around those of people."""
    draw = np.random.default_rng(seed)
    vectors = (
        draw.normal(size=(people, 16))[draw.integers(0, people, rows)] + draw.normal(size=(rows, 16)) * noise
    )
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def same(label: np.ndarray) -> np.ndarray:
    """Which pairs share a cluster, bool [n, n]."""
    return label[:, None] == label[None]


def by_hand(
    vectors: np.ndarray, unclear: np.ndarray, cost: float, apart: np.ndarray, radius: float
) -> np.ndarray:
    """Average linkage as its definition says, one pair at a time."""
    squared = 2 - 2 * vectors.astype(np.float64) @ vectors.T + cost * unclear[:, None] * unclear[None]
    forbidden = {frozenset(pair) for pair in apart.tolist()}
    clusters = [[row] for row in range(len(vectors))]
    while True:
        pairs = [
            (squared[np.ix_(a, b)].mean(), i, j)
            for i, a in enumerate(clusters)
            for j, b in enumerate(clusters[:i])
            if not any(frozenset((x, y)) in forbidden for x in a for y in b)
        ]
        if not pairs or min(pairs)[0] > radius**2:
            break
        _, i, j = min(pairs)
        clusters[j] += clusters.pop(i)
    label = np.empty(len(vectors), np.int64)
    for number, members in enumerate(clusters):
        label[members] = number
    return label


@settings(deadline=None, max_examples=10)
@given(
    st.integers(0, 10_000),
    st.integers(2, 14),
    st.integers(1, 4),
    st.sampled_from([0.1, 0.3, 0.6]),
    st.floats(0.1, 1.2),
)
def test_is_average_linkage_with_costs_and_people_apart(
    seed: int, rows: int, people: int, noise: float, radius: float
) -> None:
    vectors = crowd(seed, rows, people, noise)
    draw = np.random.default_rng(seed)
    unclear = draw.uniform(0, 1, rows)
    vectors *= draw.uniform(0.8, 1, (rows, 1)).astype(np.float32)  # as means of several faces are
    apart = draw.integers(0, rows, (rows // 2, 2))
    apart = apart[apart[:, 0] != apart[:, 1]]
    label = average_linkage(vectors, unclear, apart, radius, unclear_cost=0.3)
    assert (same(label) == same(by_hand(vectors, unclear, 0.3, apart, radius))).all()


@pytest.mark.parametrize("pairs", [300, 1_000_000])
def test_is_scipys_average_linkage(pairs: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PAIRS", pairs)  # few: in stages, as in a crowd
    vectors = crowd(1, 600, 40, 0.35)
    squared = ((vectors[:, None] - vectors[None]).astype(np.float64) ** 2).sum(2)
    tree = linkage(squareform(squared, checks=False), "average")
    for radius in (0.4, 0.7, 0.9):
        label = average_linkage(vectors, np.zeros(600), NOBODY, radius)
        assert (same(label) == same(fcluster(tree, radius**2, "distance"))).all()
        assert 1 < len(np.unique(label)) < 600


def test_loose_tracks_alone_are_nobody_elses() -> None:
    """Means of very different faces are short: no direction, however equal, makes them near."""
    loose = np.tile(np.float32([[0.7, 0]]), (3, 1))
    assert len(np.unique(average_linkage(loose, np.zeros(3), NOBODY, 0.3))) == 3


def test_no_chain_pulls_two_ends_together() -> None:
    angles = np.arange(30) * 0.1
    arc = np.column_stack([np.cos(angles), np.sin(angles)]).astype(np.float32)
    label = average_linkage(arc, np.zeros(30), NOBODY, 0.5)
    widths = [np.ptp(angles[label == name]) for name in np.unique(label)]
    assert len(widths) > 2
    assert max(widths) < 1.2, "every neighbour is within 0.1, but the ends are 2.9 apart"


def test_two_unclear_tracks_must_be_nearer() -> None:
    vectors = np.float32([[1, 0], [np.cos(0.2), np.sin(0.2)]])
    for unclear, identities in (([0, 0], 1), ([1, 0], 1), ([0, 1], 1), ([1, 1], 2)):
        label = average_linkage(vectors, np.float64(unclear), NOBODY, 0.25, unclear_cost=0.04)
        assert len(np.unique(label)) == identities, unclear


@settings(deadline=None, max_examples=10)
@given(st.integers(0, 10_000), st.integers(1, 5), st.integers(2, 40))
def test_rows_of_a_group_are_joined_first_and_within_its_own_radius(
    seed: int, groups: int, rows: int
) -> None:
    vectors = crowd(seed, rows, 4, 0.4)
    draw = np.random.default_rng(seed)
    of, unclear = draw.integers(0, groups, rows), draw.uniform(0, 1, rows)
    apart = draw.integers(0, rows, (rows // 4, 2))
    apart = apart[apart[:, 0] != apart[:, 1]]
    label = average_linkage(vectors, unclear, apart, 1e-3, unclear_cost=0.2, groups=Groups(of, 0.8))
    for group in np.unique(of):
        members = np.flatnonzero(of == group)
        inside = np.isin(apart, members).all(1)
        alone = by_hand(vectors[members], unclear[members], 0.2, np.searchsorted(members, apart[inside]), 0.8)
        assert (same(label[members]) == same(alone)).all()
    across = of[:, None] != of[None]
    assert not (same(label) & across).any()


def test_a_large_group_is_compared_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors = crowd(2, 90, 6, 0.3)
    groups = Groups(np.zeros(90, np.int64), 0.8)
    at_once = average_linkage(vectors, np.zeros(90), NOBODY, 1e-3, groups=groups)
    monkeypatch.setattr(module, "_GROUP_ROWS", 7)
    assert np.array_equal(average_linkage(vectors, np.zeros(90), NOBODY, 1e-3, groups=groups), at_once)


def test_equal_vectors_seen_together_stay_apart() -> None:
    label = average_linkage(np.ones((4, 1), np.float32), np.zeros(4), np.array([[0, 1], [2, 3]]), 0.5)
    assert label.tolist() == [0, 1, 0, 1]


def test_nobody_at_all() -> None:
    assert average_linkage(np.empty((0, 8), np.float32), np.empty(0), NOBODY, 0.3).tolist() == []


def test_spread_is_the_largest_distance() -> None:
    vectors = crowd(3, 50, 3, 0.5)
    groups = [np.arange(20), np.arange(20, 49), np.array([49])]
    for group, spread in zip(groups, cluster_spreads(vectors, groups), strict=True):
        away = np.linalg.norm(vectors[group][:, None] - vectors[group][None], axis=2)
        assert spread == pytest.approx(away.max(), abs=1e-3)


def test_known_people_are_one_cluster_each_and_never_joined() -> None:
    vectors = crowd(3, 60, 5, 0.2)
    people = np.full(60, -1)
    alike = np.argsort(-(vectors @ vectors[0]))[:4]  # what would be one cluster
    unlike = np.argsort(vectors @ vectors[0])[0]
    people[[alike[0], unlike]] = 7
    people[alike[1]] = 3
    free = average_linkage(vectors, np.zeros(60), NOBODY, 0.9)
    assert free[alike[0]] == free[alike[1]] != free[unlike]
    named = average_linkage(vectors, np.zeros(60), NOBODY, 0.9, people=people)
    assert named[alike[0]] == named[unlike] != named[alike[1]]
    nobody = average_linkage(vectors, np.zeros(60), NOBODY, 0.9, people=np.full(60, -1))
    assert np.array_equal(free, nobody)


def test_what_is_known_spreads_to_whoever_joins() -> None:
    """Two people's unnamed photos lie between their named ones: no chain of joins may link the names."""
    angles = np.radians([0.0, 8.0, 16.0, 24.0])
    vectors = np.stack([np.cos(angles), np.sin(angles)], 1).astype(np.float32)
    label = average_linkage(vectors, np.zeros(4), NOBODY, 0.6, people=np.array([0, -1, -1, 1]))
    assert label[0] != label[3]
    assert len(np.unique(label)) == 2
