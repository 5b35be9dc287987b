"""Caps per group, draws and splits that depend on no order of rows."""

from __future__ import annotations

import polars as pl
import pytest

from lpff_ray.curate.selection.sampling import BEST_IQA, best_of_each, draws, splits

FACES = pl.DataFrame(
    {
        "face_id": ["e", "d", "c", "b", "a"],
        "identity_id": ["p", "q", "p", "p", "p"],
        "iqa": [10.0, 5.0, 30.0, 30.0, 20.0],
    }
)


def test_the_best_of_every_group_and_ties_by_face_id() -> None:
    best = best_of_each(FACES, ("identity_id",), BEST_IQA, 2)
    assert best.select("face_id", "position").rows() == [("b", 0), ("c", 1), ("d", 0)]
    everything = best_of_each(FACES, ("identity_id",), BEST_IQA, None)
    assert everything["face_id"].to_list() == ["b", "c", "a", "e", "d"]


@pytest.mark.parametrize("seed", [0, 1])
def test_draws_depend_on_face_and_seed_alone(seed: int) -> None:
    drawn = dict(zip(FACES["face_id"], draws(FACES["face_id"], seed), strict=True))
    again = dict(zip("abcde", draws(pl.Series(list("abcde")), seed), strict=True))
    assert drawn == again
    assert all(0 <= value < 1 for value in drawn.values())
    assert drawn["a"] != draws(pl.Series(["a"]), seed + 1)[0]


def test_an_identity_is_on_one_side_of_the_split() -> None:
    names = pl.Series("identity_id", [f"id-{i % 500}" for i in range(2000)])
    split = splits(names, 0.2, 0)
    sides = pl.DataFrame([names, split]).unique()
    assert len(sides) == 500
    assert 0.15 < (sides["split"] == "test").mean() < 0.25
    assert set(splits(names, 0.0, 0)) == {"train"}
    assert set(splits(names, 1.0, 0)) == {"test"}
