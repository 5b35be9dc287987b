"""All pairs of vectors within a radius: exact, in bounded memory, the same on a CPU, a GPU and a cluster.

Comparing all pairs of 450,000 vectors costs minutes. Here most are never compared: vectors are put into cells around
k-means centres, and what lies far from the boundary between two cells has no neighbour beyond it (generalised
hyperplanes: Uhlmann 1991; Brin, VLDB 1995). For x in cell i and y in cell j, with centres c_i and c_j,

    |x - y| |c_i - c_j|  >=  (x - y) . (c_i - c_j)  =  gap_j(x) + gap_i(y),
    gap_j(x) = score_i(x) - score_j(x),    score_i(x) = x . c_i - |c_i|^2 / 2,

so that a pair within `radius` has gap_j(x) + gap_i(y) <= radius |c_i - c_j|. Gaps are never negative, because a
vector's cell is the one where it scores highest. The bound holds whatever the centres are: they decide how long the
search takes, not what it finds. Distances depend on the two vectors alone, to the last bit.

The work is cut into blocks (groups of cells) and jobs (pairs of blocks): `partition` makes them, `solve` does a job,
`gather` puts the answers together. `pairs_within` does all jobs in this process, `cluster.neighbours` has Ray do them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import combinations_with_replacement, pairwise
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Integers = NDArray[np.int64]
Item = TypeVar("Item")
Answer = TypeVar("Answer")

BLOCK_ROWS = 65_536
FEWEST_CELLED = 4096  # vectors: fewer are compared as one cell
_PRODUCTS = 1 << 22  # inner products held at once: 16 MiB
_DIFFERENCES = 1 << 19  # numbers of differences between vectors held at once: 2 MiB stay in a core's cache
_UNIT = 1e-4  # how far a vector's length may be from 1
_SLACK = 1e-5  # above the rounding of float32 inner products of unit vectors, which is below 1e-6


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

    rows: int64 [m], the vectors' row numbers, cell by cell. vectors: float32 [m, d]. score: float32 [m], in their own
    cell. starts: int64 [c + 1], where each cell begins. centres: float32 [c, d].
    """

    rows: Integers
    vectors: Floats
    score: Floats
    starts: Integers
    centres: Floats


@dataclass(frozen=True)
class Job:
    """Two blocks, by number, first <= second, whose cells are to be searched for pairs within `radius`.

    reach: float32 [cells of first, cells of second]: the largest gap that a vector of the first block's cell may have
    towards the second block's cell and still have a neighbour there; -inf where no vector has.
    """

    first: int
    second: int
    reach: Floats
    radius: float


MapJobs = Callable[[Sequence[Block], Sequence[Job], str], Iterable[Neighbours]]
"""Does all jobs, given blocks, jobs and a device, and yields their answers in any order."""


def pairs_within(
    vectors: Floats, radius: float, *, device: str = "cpu", map_jobs: MapJobs | None = None
) -> Neighbours:
    """All pairs of rows at most `radius` apart (Euclidean).

    vectors: float32 [n, d], unit length. device: a torch device. map_jobs: who does the jobs, this process by default.
    Beside the vectors it holds a copy of them, some 100 MiB, and 80 bytes per pair found (20 in the end): the caller
    chooses a radius at which that is little, or takes the jobs' answers one by one. Raises ValueError unless the
    vectors have unit length.
    """
    blocks, jobs = partition(vectors, radius, device=device)
    return gather((map_jobs or solve_here)(blocks, jobs, device), len(vectors))


def partition(
    vectors: Floats, radius: float, *, block_rows: int = BLOCK_ROWS, device: str = "cpu"
) -> tuple[list[Block], list[Job]]:
    """Blocks of about `block_rows` vectors, and the jobs whose answers together are all pairs within `radius`.

    Raises ValueError unless the vectors have unit length.
    """
    rows = np.ascontiguousarray(vectors, dtype=np.float32)
    if not all(
        torch.all(torch.abs(_lengths(part) - 1) <= _UNIT) for part in torch.from_numpy(rows).split(BLOCK_ROWS)
    ):
        raise ValueError("vectors must have unit length")
    if not len(rows):
        return [], []
    (centres,) = _in_threads(lambda all_rows: _centres(all_rows, device), [torch.from_numpy(rows)], device)
    cell, score = _assign(rows, centres)
    order = np.argsort(cell, kind="stable")
    used, starts = np.unique(cell[order], return_index=True)
    centres, starts = centres[torch.from_numpy(used).to(device)], np.append(starts, len(rows))
    gaps = _smallest_gaps(rows, order, score, starts, centres)
    (apart,) = _in_threads(_distances_among, [centres], device)
    reach = radius * apart - gaps.T + _SLACK
    reach[gaps > reach] = -np.inf
    np.fill_diagonal(reach, np.inf)

    # A block ends with the cell that fills it.
    edges = np.unique(np.searchsorted(starts, [*range(0, len(rows), block_rows), len(rows)]))
    spans = [slice(begin, end) for begin, end in pairwise(edges)]
    blocks = []
    for span in spans:
        begin, end = starts[span.start], starts[span.stop]
        inside = order[begin:end]
        cells = starts[span.start : span.stop + 1] - begin
        blocks.append(Block(inside, rows[inside], score[inside], cells, centres[span].cpu().numpy()))
    jobs = [
        Job(a, b, reach[spans[a], spans[b]], radius)
        for a, b in combinations_with_replacement(range(len(spans)), 2)
    ]
    return blocks, [job for job in jobs if np.any(job.reach > -np.inf)]


def solve_here(blocks: Sequence[Block], jobs: Sequence[Job], device: str = "cpu") -> Iterator[Neighbours]:
    """Do the jobs in this process."""
    return _in_threads(lambda job: solve(job, blocks[job.first], blocks[job.second], device), jobs, device)


def solve(job: Job, first: Block, second: Block, device: str = "cpu") -> Neighbours:
    """The job's pairs, of a vector in `first` and one in `second`, in no particular order."""
    same = job.first == job.second
    here, there = (torch.from_numpy(block.vectors).to(device) for block in (first, second))
    score, centres = (torch.from_numpy(column).to(device) for column in (first.score, second.centres))
    places = torch.arange(len(first.rows), device=device)
    sizes = torch.from_numpy(np.diff(first.starts))
    least = 1 - job.radius**2 / 2 - 2 * _UNIT - _SLACK  # inner product of vectors that may be near enough
    found = []
    for cell, (begin, end) in enumerate(pairwise(second.starts)):
        reach = job.reach[: cell + 1, cell] if same else job.reach[:, cell]
        others = np.flatnonzero(reach > -np.inf)
        if not len(others):
            continue
        spans = [slice(first.starts[other], first.starts[other + 1]) for other in others]
        gap = torch.cat([score[span] for span in spans])
        rows, place = (torch.cat([column[span] for span in spans]) for column in (here, places))
        gap -= _scores(rows, centres[cell, None])[:, 0]
        near = gap <= torch.from_numpy(reach[others]).repeat_interleave(sizes[others]).to(device)
        rows, place = rows[near], place[near]
        step = max(1, _PRODUCTS // max(1, len(rows)))
        for at in range(begin, end, step):
            columns = there[at : min(at + step, end)]
            a, b = torch.nonzero(rows @ columns.T >= least, as_tuple=True)
            if same:
                once = place[a] < b + at
                a, b = a[once], b[once]
            distance = _distances(rows, columns, a, b)
            close = distance <= job.radius
            found.append((place[a[close]], b[close] + at, distance[close]))
    if not found:
        return gather([], 0)
    i, j, apart = (torch.cat(column).cpu().numpy() for column in zip(*found, strict=True))
    one, other = first.rows[i], second.rows[j]
    return Neighbours(np.minimum(one, other), np.maximum(one, other), apart)


def gather(answers: Iterable[Neighbours], rows: int) -> Neighbours:
    """The answers of all jobs over `rows` vectors as one, sorted."""
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


def _assign(rows: Floats, centres: torch.Tensor) -> tuple[Integers, Floats]:
    """Each vector's cell, int64 [n], and its score there, float32 [n]."""
    parts = torch.from_numpy(rows).split(max(1, _PRODUCTS // len(centres)))
    device = centres.device
    best = list(_in_threads(lambda part: _scores(part.to(device), centres).max(1), parts, device.type))
    return (
        torch.cat([part.indices for part in best]).cpu().numpy(),
        torch.cat([part.values for part in best]).cpu().numpy(),
    )


def _smallest_gaps(
    rows: Floats, order: Integers, score: Floats, starts: Integers, centres: torch.Tensor
) -> Floats:
    """[i, j]: the smallest gap_j of a vector in cell i; float32 [k, k]."""

    def of_cell(span: tuple[int, int]) -> Floats:
        smallest = torch.full((len(centres),), torch.inf, device=centres.device)
        begin, end = span
        for inside in np.array_split(order[begin:end], (end - begin) * len(centres) // _PRODUCTS + 1):
            part = torch.from_numpy(rows[inside]).to(centres.device)
            own = torch.from_numpy(score[inside]).to(centres.device)
            smallest = torch.minimum(smallest, (own[:, None] - _scores(part, centres)).amin(0))
        return np.asarray(smallest.cpu().numpy())

    return np.stack(list(_in_threads(of_cell, list(pairwise(starts)), centres.device.type)))


def _in_threads(function: Callable[[Item], Answer], items: Sequence[Item], device: str) -> Iterator[Answer]:
    """The answers for all items, in order; on a CPU from as many threads as torch would use, each with one of torch's.

    OpenMP's own threads spin while they wait for each other, after every small product: with other programs on both
    cores, the same search took 77 s in place of 3.
    """
    threads = torch.get_num_threads()
    if device != "cpu":
        yield from map(function, items)
        return
    torch.set_num_threads(1)
    try:
        with ThreadPoolExecutor(threads) as pool:
            yield from pool.map(function, items)
    finally:
        torch.set_num_threads(threads)


def _scores(vectors: torch.Tensor, centres: torch.Tensor) -> torch.Tensor:
    return torch.addmm(-centres.square().sum(1) / 2, vectors, centres.T)


def _distances(rows: torch.Tensor, columns: torch.Tensor, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Euclidean distances of the pairs rows[a], columns[b]; each depends on its two vectors alone, to the last bit."""
    step = max(1, _DIFFERENCES // rows.shape[1])
    parts = zip(a.split(step), b.split(step), strict=True)
    return torch.cat([_lengths(rows.index_select(0, i).sub_(columns.index_select(0, j))) for i, j in parts])


def _distances_among(centres: torch.Tensor) -> Floats:
    apart = torch.cdist(centres, centres, compute_mode="donot_use_mm_for_euclid_dist")
    return np.asarray(apart.cpu().numpy())


def _lengths(vectors: torch.Tensor) -> torch.Tensor:
    return torch.linalg.vector_norm(vectors, dim=1)
