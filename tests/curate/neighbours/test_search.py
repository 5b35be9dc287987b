"""The search finds exactly the pairs that comparing everything finds, whatever the vectors look like."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from lpff_ray.curate.neighbours import search as neighbours
from lpff_ray.curate.neighbours.search import Neighbours, gather, pairs_within, partition, solve_here


def people(count: int, seed: int = 0, width: int = 128) -> NDArray[np.float32]:
    """Unit vectors float32 [count, width] as networks make them of faces: people of many and of few faces, around a
    common direction, in fewer dimensions than they have, some faces repeated exactly."""
    random = np.random.default_rng(seed)
    scale = np.exp(-np.arange(width) / 20)
    scale /= np.linalg.norm(scale)
    person = (count / 10 * random.random(count) ** 3).astype(int)
    centres = random.normal(size=(count, width)) * scale * 0.35
    rows = centres[person] + random.normal(size=(count, width)) * scale * 0.12
    rows[:, -1] += 0.94
    rows[random.integers(0, count, count // 50)] = rows[random.integers(0, count, count // 50)]
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def compared_one_by_one(rows: NDArray[np.float32], radius: float) -> Neighbours:
    """The oracle: distances of all pairs, in double precision."""
    found = []
    exact = rows.astype(np.float64)
    for row in range(len(rows) - 1):
        distance = np.linalg.norm(exact[row + 1 :] - exact[row], axis=1)
        near = np.flatnonzero(distance <= radius)
        found.append((np.full(len(near), row), near + row + 1, distance[near]))
    first, second, distance = (np.concatenate(column) for column in zip(*found, strict=True))
    return Neighbours(first, second, distance.astype(np.float32))


def assert_equal(found: Neighbours, wanted: Neighbours, radius: float) -> None:
    """The same pairs in the same order, but for those whose distance is the radius to the last bits of float32."""
    keys = [pairs.first * 10**6 + pairs.second for pairs in (found, wanted)]
    assert np.array_equal(np.sort(keys[0]), keys[0]), "sorted by (first, second)"
    odd = np.setxor1d(*keys)
    for pairs, key in zip((found, wanted), keys, strict=True):
        assert np.all(np.abs(pairs.distance[np.isin(key, odd)] - radius) < 1e-6)
    both = [np.isin(key, odd, invert=True) for key in keys]
    assert np.allclose(found.distance[both[0]], wanted.distance[both[1]], atol=2e-6)


def assert_identical(one: Neighbours, other: Neighbours) -> None:
    for name in ("first", "second", "distance"):
        assert np.array_equal(getattr(one, name), getattr(other, name))
        assert getattr(one, name).dtype == getattr(other, name).dtype


def test_finds_what_comparing_everything_finds() -> None:
    rows = people(4500)
    everything = compared_one_by_one(rows, 0.3)
    for radius, fewest in ((0.1, 100), (0.2, 10_000), (0.3, 50_000)):
        found = pairs_within(rows, radius)
        near = everything.distance <= radius
        assert near.sum() > fewest
        wanted = Neighbours(everything.first[near], everything.second[near], everything.distance[near])
        assert_equal(found, wanted, radius)
        assert (found.first.dtype, found.second.dtype) == (np.int64, np.int64)
        assert found.distance.dtype == np.float32


@settings(max_examples=25, deadline=None)
@given(
    st.integers(0, 200), st.integers(2, 40), st.floats(0.01, 1.9), st.integers(1, 60), st.integers(0, 10**6)
)
def test_any_vectors_any_radius_any_blocks(
    count: int, width: int, radius: float, block_rows: int, seed: int
) -> None:
    random = np.random.default_rng(seed)
    rows = random.normal(size=(count, width)) + random.integers(0, 3)
    rows = rows[random.integers(0, max(count, 1), count)]  # some of them several times
    rows = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(neighbours, "FEWEST_CELLED", 8)
        patch.setattr(neighbours, "_PRODUCTS", 64)
        patch.setattr(neighbours, "_TILE", 64 * 64)
        patch.setattr(neighbours, "_WIDEST", 64)
        patch.setattr(neighbours, "_DIFFERENCES", 64)
        found = gather(solve_here(*partition(rows, radius, block_rows=block_rows)), count)
    if count > 1:
        assert_equal(found, compared_one_by_one(rows, radius), radius)
    else:
        assert len(found.first) == 0


def test_order_of_rows_changes_nothing_but_their_numbers() -> None:
    rows = people(4500, seed=1)
    shuffle = np.random.default_rng(2).permutation(len(rows))
    found, again = pairs_within(rows, 0.2), pairs_within(rows[shuffle], 0.2)
    one, other = shuffle[again.first], shuffle[again.second]
    order = np.lexsort((np.maximum(one, other), np.minimum(one, other)))
    back = Neighbours(np.minimum(one, other)[order], np.maximum(one, other)[order], again.distance[order])
    assert_identical(found, back)


def test_blocks_and_threads_change_nothing() -> None:
    rows = people(4500, seed=3)
    whole = pairs_within(rows, 0.2)
    blocks, tasks = partition(rows, 0.2, block_rows=700)
    assert len(blocks) > 5
    assert sum(len(block.rows) for block in blocks) == len(rows)
    assert_identical(gather(solve_here(blocks, tasks[::-1]), len(rows)), whole)
    threads = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        assert_identical(pairs_within(rows, 0.2), whole)
    finally:
        torch.set_num_threads(threads)


def test_few_pairs_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """What makes it fast: cells leave few pairs whose codes are compared, codes few whose distance is worked out."""
    rows = people(20_000, seed=4)
    compared = measured = 0
    possible_pairs = neighbours.possible_pairs

    def counted(
        left: torch.Tensor, least: torch.Tensor, right: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        nonlocal compared, measured
        compared += len(left) * len(right)
        found = possible_pairs(left, least, right)
        measured += len(found[0])
        return found

    monkeypatch.setattr(neighbours, "possible_pairs", counted)
    found = len(pairs_within(rows, 0.15).first)
    assert found <= measured < 10 * found
    assert found < compared < 0.5 * len(rows) ** 2 / 2


def test_identical_vectors_are_neighbours_at_no_distance(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours, "FEWEST_CELLED", 100)
    rows = np.tile(people(2, seed=5)[:1], (1000, 1))
    found = pairs_within(rows, 0.01)
    assert len(found.first) == 1000 * 999 // 2
    assert not found.distance.any()


@pytest.mark.parametrize("count", [0, 1])
def test_nothing_to_compare(count: int) -> None:
    found = pairs_within(people(2)[:count], 0.5)
    assert (len(found.first), len(found.second), len(found.distance)) == (0, 0, 0)


@pytest.mark.parametrize("spoil", [2.0, np.nan])
def test_vectors_that_are_not_of_unit_length_are_refused(spoil: float) -> None:
    rows = people(100)
    rows[50] *= spoil
    with pytest.raises(ValueError, match="unit length"):
        pairs_within(rows, 0.2)


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_gpu_finds_the_same() -> None:
    rows = people(20_000, seed=6)
    assert_equal(pairs_within(rows, 0.2, device="cuda"), pairs_within(rows, 0.2), 0.2)
