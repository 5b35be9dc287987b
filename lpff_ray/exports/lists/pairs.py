"""Pairs of faces for verification: who is compared with whom, and which of them are one person.

The protocol is EFHQ's (`3_align_sample/cli_face_verification.py`): three lists, half of each the same person,
identities equally likely whatever the number of their faces. What differs: the lists are the same every time, no pair
comes twice in either order, and a person's neighbouring frames, nearly the same image, are no pair.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import polars as pl
from numpy.typing import NDArray

LISTS = {"f2f": ("frontal", "frontal"), "f2p": ("frontal", "profile"), "p2p": ("profile", "profile")}
"""Each list's two views, in the order in which its lines give them."""

FACES_PER_VIEW = 100  # of a person's, drawn at random, that pairs are made of; EFHQ: 50 frontal, 100 others

NS = 1_000_000_000


def pair_list(
    faces: pl.DataFrame, views: tuple[str, str], pairs: int, gap_s: float, seed: int
) -> list[tuple[str, str, bool]]:
    """Pairs (path, path, the same person?), as many of the one kind as of the other, in turn.

    faces: columns `path` (unique), `identity_id`, `view`, `uri`, `track_id`, `pts_ns`, in any order.
    pairs: at most so many, the two kinds together. gap_s: the least number of seconds between two frames of one video
    in which the same person is compared. Pairs of different videos come before those of one, and different tracks
    before one track, as far as there are any.
    """
    ordered = faces.sort("path")
    sides = [_members(ordered, view, [seed, side]) for side, view in enumerate(dict.fromkeys(views))]
    one, two = sides[0], sides[-1]
    wanted = pairs // 2
    same = _same_person(ordered, one, two, wanted, gap_s, seed)
    different = _different_people(one, two, wanted, seed)
    count = min(len(same), len(different))
    rng = np.random.default_rng([seed, 99])
    both = [found[rng.permutation(len(found))[:count]] for found in (same, different)]
    paths = ordered["path"].to_list()
    return [
        (paths[first], paths[second], kind)
        for two_lines in zip(*both, strict=True)
        for (first, second), kind in zip(two_lines, (True, False), strict=True)
    ]


def _members(faces: pl.DataFrame, view: str, seed: list[int]) -> dict[str, NDArray[np.int64]]:
    """Row numbers of every identity's faces in a view, at most FACES_PER_VIEW of them, by identity in order."""
    rng = np.random.default_rng(seed)
    numbered = faces.with_row_index("row").filter(pl.col("view") == view)
    groups = numbered.group_by("identity_id").agg("row").sort("identity_id")
    members = {}
    for identity, rows in groups.iter_rows():
        drawn = rng.permutation(len(rows))[:FACES_PER_VIEW]
        members[identity] = np.array(rows, np.int64)[np.sort(drawn)]
    return members


def _same_person(
    faces: pl.DataFrame, one: dict, two: dict, wanted: int, gap_s: float, seed: int
) -> NDArray[np.int64]:
    """Pairs of row numbers [n, 2], n <= wanted, of one identity each."""
    videos = faces["uri"].rank("dense").to_numpy()
    tracks = faces["track_id"].rank("dense").to_numpy()
    times = faces["pts_ns"].to_numpy()

    def candidates() -> Iterator[tuple[NDArray, NDArray]]:
        """Every identity's pairs [n, 2] and how poor they are [n]: 0 two videos, 1 two tracks, 2 one track."""
        for identity in [name for name in one if name in two]:
            rows, others = one[identity], two[identity]
            if one is two:
                first, second = np.triu_indices(len(rows), 1)
            else:
                first, second = (axis.ravel() for axis in np.indices((len(rows), len(others))))
            a, b = rows[first], others[second]
            one_video = videos[a] == videos[b]
            apart = ~one_video | (np.abs(times[a] - times[b]) >= gap_s * NS)
            poor = one_video * (1 + (tracks[a] == tracks[b]))
            yield np.stack([a, b], 1)[apart], poor[apart]

    counts = np.array([len(poor) for _, poor in candidates()], np.int64)
    rng = np.random.default_rng([seed, 10])
    chosen = [np.zeros((0, 2), np.int64)]
    for share, (pairs, poor) in zip(even_shares(counts, wanted, rng), candidates(), strict=True):
        shuffled = rng.permutation(len(poor))
        best_first = shuffled[np.argsort(poor[shuffled], kind="stable")]
        chosen.append(pairs[best_first[:share]])
    return np.concatenate(chosen)


def _different_people(one: dict, two: dict, wanted: int, seed: int) -> NDArray[np.int64]:
    """Pairs of row numbers [n, 2], n <= wanted, of two identities each, spread over all pairs of identities."""
    rng = np.random.default_rng([seed, 20])
    names, others = list(one), list(two)
    # Two of every pair of people where their order is nothing, and one with oneself: enough are left when they go.
    ask = min(len(names) * len(others), 2 * wanted + len(names))
    cells = rng.choice(len(names) * len(others), ask, replace=False) if ask else np.zeros(0, np.int64)
    couples = [(names[cell // len(others)], others[cell % len(others)]) for cell in cells]
    couples = [(a, b) for a, b in couples if a != b]
    if one is two:
        couples = list(dict.fromkeys((min(pair), max(pair)) for pair in couples))
    couples = couples[:wanted]
    counts = np.array([len(one[a]) * len(two[b]) for a, b in couples], np.int64)
    chosen = [np.zeros((0, 2), np.int64)]
    for share, count, (a, b) in zip(even_shares(counts, wanted, rng), counts, couples, strict=True):
        cells = rng.choice(count, share, replace=False)
        chosen.append(np.stack([one[a][cells // len(two[b])], two[b][cells % len(two[b])]], 1))
    return np.concatenate(chosen)


def even_shares(counts: NDArray[np.int64], wanted: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """How many each group gives [n], at most what it has, `wanted` in all or all there is, as evenly as that allows."""
    if counts.sum() <= wanted:
        return counts
    low, high = 0, int(counts.max())
    while low < high:  # the highest level to which all groups can be filled
        level = (low + high + 1) // 2
        low, high = (level, high) if np.minimum(counts, level).sum() <= wanted else (low, level - 1)
    given = np.minimum(counts, low)
    more = rng.permutation(np.flatnonzero(counts > low))[: wanted - int(given.sum())]
    given[more] += 1
    return given
