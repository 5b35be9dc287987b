"""The flat selection, beside brute force."""

from __future__ import annotations

from itertools import combinations, product

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lpff_ray.curate.selection.uniform import cell, choose, fair_shares


def worth(faces: list[tuple[str, float]], variety: float) -> float:
    """The objective of one cell, from its words."""
    total = 0.0
    for identity in {name for name, _ in faces}:
        qualities = sorted((iqa for name, iqa in faces if name == identity), reverse=True)
        total += sum(iqa * variety**j for j, iqa in enumerate(qualities))
    return total


@given(st.lists(st.integers(0, 5), min_size=1, max_size=4), st.integers(1, 12))
@settings(max_examples=60, deadline=None)
def test_no_other_shares_are_fairer(available: list[int], budget: int) -> None:
    shares = fair_shares(np.array(available), budget)
    assert shares.sum() == min(budget, sum(available))
    others = product(*(range(count + 1) for count in available))
    fairest = max(sorted(other) for other in others if sum(other) == shares.sum())
    assert sorted(shares) == fairest


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 100)), min_size=1, max_size=8),
    st.integers(1, 5),
    st.sampled_from([0.0, 0.3, 0.5, 1.0]),
)
@settings(max_examples=60, deadline=None)
def test_no_other_choice_in_a_cell_is_worth_more(
    people: list[tuple[str, int]], budget: int, variety: float
) -> None:
    faces = [(name, float(iqa)) for name, iqa in people]
    table = pl.DataFrame(
        {
            "face_id": [str(i) for i in range(len(faces))],
            "identity_id": [name for name, _ in faces],
            "iqa": [iqa for _, iqa in faces],
            "cell": ["c"] * len(faces),
        }
    )
    chosen = choose(table, budget, variety)
    ours = worth([faces[int(name)] for name in chosen["face_id"]], variety)
    best = max(worth(list(other), variety) for other in combinations(faces, min(budget, len(faces))))
    assert ours == pytest.approx(best)


def test_every_first_part_of_the_result_is_nearly_flat() -> None:
    random = np.random.default_rng(0)
    cells = random.choice(["a", "b", "c", "d"], 400, p=[0.7, 0.2, 0.07, 0.03])
    table = pl.DataFrame(
        {
            "face_id": [f"{i:03d}" for i in range(400)],
            "identity_id": [f"id-{i % 20}" for i in range(400)],
            "iqa": random.uniform(0, 100, 400),
            "cell": cells,
        }
    )
    chosen = choose(table, 40, 0.5)
    assert len(chosen) == 40
    counts = chosen.head(20)["cell"].value_counts()["count"]
    assert counts.max() - counts.min() <= 1


def test_a_cell_is_named_by_its_edges() -> None:
    faces = pl.DataFrame({"yaw": [-0.1, 0.0, 89.9, -15.0], "pitch": [0.0, -15.1, 59.0, 14.99]})
    assert faces.select(cell(15.0)).to_series().to_list() == [
        "yaw_-15_0:pitch_0_15",
        "yaw_0_15:pitch_-30_-15",
        "yaw_75_90:pitch_45_60",
        "yaw_-15_0:pitch_0_15",
    ]
    assert faces.select(cell(7.5)).to_series()[0] == "yaw_-7.5_0.0:pitch_0.0_7.5"
