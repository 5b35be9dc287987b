"""What every pair list promises, whatever the faces."""

from __future__ import annotations

from collections import Counter
from itertools import combinations

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from lpff_ray.exports.lists.pairs import FACES_PER_VIEW, LISTS, NS, even_shares, pair_list

FACES = st.lists(
    st.tuples(
        st.sampled_from("abcd"),
        st.sampled_from(["frontal", "profile", None]),
        st.sampled_from(["u", "v"]),
        st.sampled_from(["s", "t"]),
        st.integers(0, 3_000_000_000),
    ),
    max_size=25,
)


def table(faces: list[tuple]) -> pl.DataFrame:
    columns = ["identity_id", "view", "uri", "track_id"]
    frame = pl.DataFrame(faces, schema=dict.fromkeys(columns, pl.String) | {"pts_ns": pl.Int64}, orient="row")
    return frame.with_columns(
        path=pl.format("{}/{}.png", "identity_id", pl.int_range(pl.len()))
    ).with_columns(uri=pl.format("{}{}", "identity_id", "uri"))


@settings(max_examples=150, deadline=None)
@given(FACES, st.integers(2, 60), st.sampled_from([0.0, 1.0]), st.integers(0, 3))
def test_every_list_keeps_its_promises(faces: list[tuple], pairs: int, gap_s: float, seed: int) -> None:
    known = table(faces)
    of = {row["path"]: row for row in known.iter_rows(named=True)}
    for views in LISTS.values():
        lines = pair_list(known, views, pairs, gap_s, seed)
        assert len(lines) <= pairs
        assert [same for _, _, same in lines] == [True, False] * (len(lines) // 2)
        assert len({frozenset(line[:2]) for line in lines}) == len(lines), "a pair comes twice"
        for one, other, same in lines:
            assert one != other
            assert (of[one]["view"], of[other]["view"]) == views
            assert (of[one]["identity_id"] == of[other]["identity_id"]) is same
            assert not (same and near(of[one], of[other], gap_s))
        assert len(lines) == 2 * min(*possible(known, views, gap_s), pairs // 2), "more could have been had"
        mixed = known.sample(fraction=1, shuffle=True, seed=seed)
        assert pair_list(mixed, views, pairs, gap_s, seed) == lines


def near(one: dict, other: dict, gap_s: float) -> bool:
    return one["uri"] == other["uri"] and abs(one["pts_ns"] - other["pts_ns"]) < gap_s * NS


def possible(faces: pl.DataFrame, views: tuple[str, str], gap_s: float) -> tuple[int, int]:
    """How many pairs of one person, and of two, there are."""
    counts = [0, 0]
    for one, other in combinations(faces.to_dicts(), 2):
        if (one["view"], other["view"]) in (views, views[::-1]):
            same = one["identity_id"] == other["identity_id"]
            if not (same and near(one, other, gap_s)):
                counts[not same] += 1
    return counts[0], counts[1]


def test_two_videos_come_before_two_tracks_and_those_before_one() -> None:
    faces = [("a", "frontal", uri, track, second * NS) for uri in "uv" for track in "st" for second in (0, 9)]
    others = [(name, "frontal", "w", "s", 0) for name in "bcdefghi"]
    known = table(faces + others)
    where = {row["path"]: (row["uri"], row["track_id"]) for row in known.iter_rows(named=True)}

    def alike(pairs: int) -> Counter[tuple[bool, bool]]:
        """Positives by (of one video, of tracks of one name)."""
        lines = pair_list(known, LISTS["f2f"], pairs, 1.0, 0)
        return Counter(
            tuple(a == b for a, b in zip(where[one], where[other], strict=True))
            for one, other, same in lines
            if same
        )

    two_videos = 16
    assert alike(2 * two_videos).total() == two_videos
    assert not any(one_video for one_video, _ in alike(2 * two_videos))
    assert alike(2 * (two_videos + 4))[True, False] == 4
    assert alike(2 * (two_videos + 4))[True, True] == 0
    assert alike(400)[True, True] == 4
    assert alike(400).total() == 24, "all but those of one moment"


def test_people_weigh_the_same_however_many_faces_they_have() -> None:
    many = [("a", "frontal", "u", "s", second * NS) for second in range(90)]
    few = [(name, "frontal", "u", "s", second * NS) for name in "bcd" for second in range(12)]
    lines = pair_list(table(many + few), LISTS["f2f"], 480, 1.0, 0)
    assert len(lines) == 480
    people = [one[0] for one, _, same in lines if same]
    assert sorted(people.count(name) for name in "abcd") == [60, 60, 60, 60]
    couples = [frozenset((one[0], other[0])) for one, other, same in lines if not same]
    assert sorted(couples.count(couple) for couple in set(couples)) == [40] * 6


def test_another_seed_draws_other_pairs_and_a_crowd_is_thinned() -> None:
    crowd = [("a", "frontal", "u", "s", n * NS) for n in range(300)] + [("b", "frontal", "u", "s", 0)]
    known = table([*crowd, *(("b", "frontal", "u", "s", n * NS) for n in range(1, 50))])
    first, second = (pair_list(known, LISTS["f2f"], 100, 1.0, seed) for seed in (0, 1))
    assert set(first) != set(second)
    everything = pair_list(known, LISTS["f2f"], 100_000, 1.0, 0)
    assert len({path for line in everything for path in line[:2] if path[0] == "a"}) <= FACES_PER_VIEW


@given(st.lists(st.integers(0, 50), max_size=20), st.integers(0, 300))
def test_shares_are_as_even_as_they_can_be(counts: list[int], wanted: int) -> None:
    given_out = even_shares(np.array(counts, np.int64), wanted, np.random.default_rng(0))
    assert given_out.sum() == min(wanted, sum(counts))
    assert (given_out <= counts).all()
    held_back = given_out[given_out < counts]
    if len(held_back):
        assert given_out.max() - held_back.min() <= 1
