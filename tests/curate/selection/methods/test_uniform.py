"""The flat selection, beside brute force."""

from __future__ import annotations

from itertools import combinations, product
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from command import call
from handmade import crowd, handmade_run
from hypothesis import given, settings
from hypothesis import strategies as st

import lpff_ray
from lpff_ray.curate.selection.methods.uniform import cell_name, fair_shares, flattest


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
    chosen = flattest(table, budget, variety)
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
    chosen = flattest(table, 40, 0.5)
    assert len(chosen) == 40
    counts = chosen.head(20)["cell"].value_counts()["count"]
    assert counts.max() - counts.min() <= 1


def test_a_cell_is_named_by_its_edges() -> None:
    faces = pl.DataFrame({"yaw": [-0.1, 0.0, 89.9, -15.0], "pitch": [0.0, -15.1, 59.0, 14.99]})
    assert faces.select(cell_name(15.0)).to_series().to_list() == [
        "yaw_-15_0:pitch_0_15",
        "yaw_0_15:pitch_-30_-15",
        "yaw_75_90:pitch_45_60",
        "yaw_-15_0:pitch_0_15",
    ]
    assert faces.select(cell_name(7.5)).to_series()[0] == "yaw_-7.5_0.0:pitch_0.0_7.5"


def test_a_budget_above_the_usable_faces_is_said(tmp_path: Path) -> None:
    out = handmade_run(tmp_path, crowd(200))
    done = call("select", out, "--preset", "uniform", "--min-iqa", "0")
    usable = len(lpff_ray.selection(out, "uniform"))
    wanted = (
        f"budget 20000 is not below the {usable} usable faces: all taken, nothing flattened; try --budget"
    )
    assert f"{wanted} {usable // 2}\n" in done.stdout
    tight = call("select", out, "--preset", "uniform", "--min-iqa", "0", "--budget", str(usable // 2))
    assert "nothing flattened" not in tight.stdout
