"""All pairs of vectors within a radius: exact, in bounded memory, the same on a CPU, a GPU and a cluster.

Two bounds leave few pairs whose distance has to be worked out. None ever misses a pair: they decide how long the
search takes, not what it finds. Distances depend on the two vectors alone, to the last bit.

Cells. Vectors are put into cells around k-means centres, and what lies far from the boundary between two cells has no
neighbour beyond it (generalised hyperplanes: Uhlmann 1991; Brin, VLDB 1995). For x in cell i and y in cell j,

    |x - y| |c_i - c_j|  >=  (x - y) . (c_i - c_j)  =  gap_j(x) + gap_i(y),
    gap_j(x) = score_i(x) - score_j(x),    score_i(x) = x . c_i - |c_i|^2 / 2,

so that cells i and j need not be compared if their smallest gaps add up to more than radius |c_i - c_j|. Faces of
tracks, and of people seen often, fall into cells that need no comparison. Single photos of many people do not: they lie
around one point, hardly farther from strangers than from themselves, and most cells have to be compared.

Codes. There, vectors are shortened and rounded to 8 bits, and their codes are compared first (see `codes`).

The work is divided into blocks (groups of cells) and search tasks (pairs of blocks): `partition` makes them, `solve`
does one task, `gather` joins the answers. `pairs_within` does all tasks in this process or hands them to a worker pool
(`pooled.search_on`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement, pairwise

import numpy as np
import torch
from numpy.typing import NDArray

from lpff_ray.curate.neighbours.codes import (
    SLACK,
    coded,
    lengths,
    padded,
    possible_pairs,
    query_codes,
    target_codes,
)
from lpff_ray.curate.neighbours.threads import in_threads

Floats = NDArray[np.float32]
Integers = NDArray[np.int64]

BLOCK_ROWS = 65_536
FEWEST_CELLED = 4096  # vectors: fewer are compared as one cell
_PRODUCTS = 1 << 22  # inner products held at once: 16 MiB
_TILE, _DEVICE_TILE = 1 << 19, 1 << 24  # products of codes held at once: 2 MiB on a CPU, whose cache is small
_WIDEST = 512  # columns of those
_DIFFERENCES = 1 << 19  # numbers of differences between vectors held at once: 2 MiB stay in a core's cache
_UNIT = 1e-4  # how far a vector's length may be from 1


@dataclass(frozen=True)
class Neighbours:
    """Pairs of rows, each once, sorted by (first, second).

    first, second: int64 [m], row numbers, first < second. distance: float32 [m], Euclidean.
    """

    first: Integers
    second: Integers
    distance: Floats


@dataclass(frozen=True)
class Block:
    """Some cells with the vectors in them.

    rows: int64 [m], the vectors' row numbers, cell by cell. vectors: float32 [m, d]. codes: int8 [m, w], what stands
    for them in a first comparison. starts: int64 [c + 1], where each cell begins.
    """

    rows: Integers
    vectors: Floats
    codes: NDArray[np.int8]
    starts: Integers


@dataclass(frozen=True)
class SearchTask:
    """Two blocks, by number, first <= second, whose cells are to be searched for pairs within `radius`.

    near: bool [cells of first, cells of second], which cells have to be compared; of two cells of one block, once.
    limit: the largest distance between codes of vectors within the radius, squared.
    """

    first: int
    second: int
    near: NDArray[np.bool_]
    radius: float
    limit: float


MapTasks = Callable[[Sequence[Block], Sequence[SearchTask], str], Iterable[Neighbours]]
"""Does all tasks, given blocks, tasks and a device, and gives their answers in any order."""


def pairs_within(
    vectors: Floats, radius: float, *, device: str = "cpu", map_tasks: MapTasks | None = None
) -> Neighbours:
    """All pairs of rows at most `radius` apart (Euclidean).

    vectors: float32 [n, d], unit length. device: a torch device. map_tasks: does the tasks (`pooled.search_on`); this
    process by default. Beside the vectors it holds a copy of them, some 100 MiB, and 80 bytes per pair found (20 in the
    end): the caller chooses a radius at which that is little, or takes the tasks' answers one by one. Raises ValueError
    unless the vectors have unit length.
    """
    blocks, tasks = partition(vectors, radius, device=device)
    return gather((map_tasks or solve_here)(blocks, tasks, device), len(vectors))


def partition(
    vectors: Floats, radius: float, *, block_rows: int = BLOCK_ROWS, device: str = "cpu"
) -> tuple[list[Block], list[SearchTask]]:
    """Blocks of about `block_rows` vectors, and the tasks whose answers together are all pairs within `radius`.

    Raises ValueError unless the vectors have unit length.
    """
    rows = np.ascontiguousarray(vectors, dtype=np.float32)
    if not all(
        torch.all(torch.abs(lengths(part) - 1) <= _UNIT) for part in torch.from_numpy(rows).split(BLOCK_ROWS)
    ):
        raise ValueError("vectors must have unit length")
    if not len(rows):
        return [], []
    codes, leading, limit = coded(rows, radius, BLOCK_ROWS)
    (centres,) = in_threads(lambda some: _centres(some, device), [leading], device)
    cell = _assign(leading, centres)
    order = np.argsort(cell, kind="stable")
    used, starts = np.unique(cell[order], return_index=True)
    centres, starts = centres[torch.from_numpy(used).to(device)], np.append(starts, len(rows))
    gaps = _smallest_gaps(leading, order, starts, centres)
    (apart,) = in_threads(_distances_among, [centres], device)
    near = gaps + gaps.T <= radius * apart + SLACK
    near = np.triu(near, 1) | np.eye(len(near), dtype=bool)

    # A block ends with the cell that fills it.
    edges = np.unique(np.searchsorted(starts, [*range(0, len(rows), block_rows), len(rows)]))
    spans = [slice(begin, end) for begin, end in pairwise(edges)]
    blocks = []
    for span in spans:
        begin, end = starts[span.start], starts[span.stop]
        inside = order[begin:end]
        blocks.append(Block(inside, rows[inside], codes[inside], starts[span.start : span.stop + 1] - begin))
    tasks = [
        SearchTask(a, b, near[spans[a], spans[b]], radius, limit)
        for a, b in combinations_with_replacement(range(len(spans)), 2)
    ]
    return blocks, [task for task in tasks if task.near.any()]


def solve_here(blocks: Sequence[Block], tasks: Sequence[SearchTask], device: str = "cpu") -> list[Neighbours]:
    """Do the tasks in this process."""
    return in_threads(
        lambda task: solve(task, blocks[task.first], blocks[task.second], device), tasks, device
    )


def solve(task: SearchTask, first: Block, second: Block, device: str = "cpu") -> Neighbours:
    """The task's pairs, of a vector in `first` and one in `second`, in no particular order."""
    here, there, left, right = (
        torch.from_numpy(rows).to(device)
        for rows in (first.vectors, second.vectors, first.codes, second.codes)
    )
    left, least = query_codes(left, task.limit)
    right = target_codes(right)
    sizes = np.diff(first.starts)
    tile = _TILE if device == "cpu" else _DEVICE_TILE
    found = []
    for cell, (begin, end) in enumerate(pairwise(second.starts.tolist())):
        compared = torch.from_numpy(np.flatnonzero(np.repeat(task.near[:, cell], sizes))).to(device)
        width = min(padded(end - begin), _WIDEST)
        possible = [
            (some[a], b + at)
            for at in range(begin, end, width)
            for some in compared.split(padded(tile // width))
            for a, b in [
                possible_pairs(left.index_select(0, some), least[some], right[at : min(at + width, end)])
            ]
        ]
        if not possible:
            continue
        one, other = (torch.cat(column) for column in zip(*possible, strict=True))
        if task.first == task.second:
            once = one < other
            one, other = one[once], other[once]
        distance = _distances(here, there, one, other)
        close = distance <= task.radius
        found.append((one[close], other[close], distance[close]))
    if not found:
        return gather([], 0)
    i, j, apart = (torch.cat(column).cpu().numpy() for column in zip(*found, strict=True))
    one, other = first.rows[i], second.rows[j]
    return Neighbours(np.minimum(one, other), np.maximum(one, other), apart)


def gather(answers: Iterable[Neighbours], rows: int) -> Neighbours:
    """The answers of all tasks over `rows` vectors as one, sorted."""
    found = [Neighbours(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.float32)), *answers]
    first = np.concatenate([answer.first for answer in found])
    second = np.concatenate([answer.second for answer in found])
    distance = np.concatenate([answer.distance for answer in found])
    found.clear()
    order = np.argsort(first * rows + second)
    return Neighbours(first[order], second[order], distance[order])


def _centres(vectors: torch.Tensor, device: str) -> torch.Tensor:
    """k-means centres [k, d] of a sample: 2 sqrt(n) of them make assigning as costly as comparing."""
    count = int(2 * math.sqrt(len(vectors))) if len(vectors) >= FEWEST_CELLED else 1
    chosen = np.random.default_rng(0).choice(len(vectors), min(len(vectors), 32 * count), replace=False)
    sample = vectors[torch.from_numpy(chosen)].to(device)
    centres = sample[:count].clone()
    for _ in range(5):
        cell = torch.cat([_scores(part, centres).argmax(1) for part in sample.split(_PRODUCTS // count)])
        sums = torch.zeros_like(centres).index_add_(0, cell, sample)
        sizes = torch.bincount(cell, minlength=count)[:, None]
        centres = torch.where(sizes > 0, sums / sizes.clamp(min=1), centres)
    return centres


def _assign(vectors: torch.Tensor, centres: torch.Tensor) -> Integers:
    """Each vector's cell, int64 [n]."""
    parts = vectors.split(max(1, _PRODUCTS // len(centres)))
    device = centres.device
    best = in_threads(lambda part: _scores(part.to(device), centres).argmax(1), parts, device.type)
    return np.asarray(torch.cat(best).cpu().numpy())


def _smallest_gaps(vectors: torch.Tensor, order: Integers, starts: Integers, centres: torch.Tensor) -> Floats:
    """[i, j]: the smallest gap_j of a vector in cell i; float32 [k, k]."""

    def of_cell(cell: int) -> Floats:
        smallest = torch.full((len(centres),), torch.inf, device=centres.device)
        begin, end = starts[cell], starts[cell + 1]
        for inside in np.array_split(order[begin:end], (end - begin) * len(centres) // _PRODUCTS + 1):
            scores = _scores(vectors[torch.from_numpy(inside)].to(centres.device), centres)
            smallest = torch.minimum(smallest, (scores[:, cell, None] - scores).amin(0))
        return np.asarray(smallest.cpu().numpy())

    return np.stack(in_threads(of_cell, range(len(centres)), centres.device.type))


def _scores(vectors: torch.Tensor, centres: torch.Tensor) -> torch.Tensor:
    return torch.addmm(-centres.square().sum(1) / 2, vectors, centres.T)


def _distances(rows: torch.Tensor, columns: torch.Tensor, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Euclidean distances of the pairs rows[a], columns[b]; each depends on its two vectors alone, to the last bit."""
    step = max(1, _DIFFERENCES // rows.shape[1])
    parts = zip(a.split(step), b.split(step), strict=True)
    return torch.cat([lengths(rows.index_select(0, i).sub_(columns.index_select(0, j))) for i, j in parts])


def _distances_among(centres: torch.Tensor) -> Floats:
    apart = torch.cdist(centres, centres, compute_mode="donot_use_mm_for_euclid_dist")
    return np.asarray(apart.cpu().numpy())
