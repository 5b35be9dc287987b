"""The faces that a selection chooses from."""

from __future__ import annotations

from pathlib import Path

import pytest
from handmade import GATES_OPEN, dedupe, face, handmade_run, ids, review

import lpff_ray
from lpff_ray.errors import UserError


def test_what_reviewers_said_is_honoured(tmp_path: Path) -> None:
    out = handmade_run(
        tmp_path, [face("a", "p", 50), face("b", "p", 55), face("c", "p", 5), face("d", "p", 60)]
    )
    review(
        out,
        [
            ("a", "reject", None),
            ("c", "accept", "profile_left"),
            ("b", "accept", None),
            ("gone", "reject", None),
        ],
    )
    done = lpff_ray.select(out, "s", "efhq", GATES_OPEN)
    assert ids(done) == ["d", "b", "c"]
    assert set(done.table["bin"]) == {"profile_left"}
    assert done.funnel["faces"].to_list()[:2] == [4, 3]
    assert {key: done.rules["review"][key] for key in ("marks", "rejected", "moved")} == {
        "marks": 4,
        "rejected": 1,
        "moved": 1,
    }
    # A moved face has no angles to be trusted: no cell and no density.
    assert "c" not in ids(lpff_ray.select(out, "s", "uniform", GATES_OPEN))
    assert "c" not in ids(lpff_ray.select(out, "s", "lpff", {**GATES_OPEN, "max_density": 9.0}))


def test_without_identities_there_is_one_clear_line(tmp_path: Path) -> None:
    out = handmade_run(tmp_path, [face("a", "p", 50)], deduped=False)
    with pytest.raises(UserError, match="run lpff-ray dedupe"):
        lpff_ray.select(out, "s")
    dedupe(tmp_path, [])
    with pytest.raises(UserError, match=r"1 face without an identity.*run lpff-ray dedupe"):
        lpff_ray.select(out, "s")
