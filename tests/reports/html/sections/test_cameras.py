"""Contours lie where the reference has their density; a reference that is gone is said, not fatal."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lpff_ray.curate.selection.cameras import GAUSSIAN_REFERENCE
from lpff_ray.errors import UserError
from lpff_ray.reports.html.sections.cameras import LEVELS, References


def test_contours_lie_at_their_density() -> None:
    found = References().of({})
    assert found.name == GAUSSIAN_REFERENCE
    assert {row["level"] for row in found.contours} == set(LEVELS)
    assert found.density is not None
    for level in LEVELS:
        points = [(row["theta"], row["phi"]) for row in found.contours if row["level"] == level]
        density = found.density.at(np.radians(points))
        assert density == pytest.approx(np.full(len(points), level), rel=0.25)


def test_the_given_reference_wins_and_has_to_be_there(tmp_path: Path) -> None:
    path = tmp_path / "cameras.npz"
    angles = np.random.default_rng(0).normal(0, 10, (2, 50))
    np.savez(path, yaw=angles[0], pitch=angles[1])
    rules = {"rules": {"reference": "of-the-selection.npz"}}
    assert References(str(path)).of(rules).name == str(path)
    with pytest.raises(UserError, match="no such file"):
        References(str(tmp_path / "gone.npz"))


def test_a_selections_own_reference_may_be_gone(tmp_path: Path) -> None:
    found = References().of({"rules": {"reference": str(tmp_path / "gone.npz")}})
    assert found.density is None
    assert "no such file" in found.wrong
