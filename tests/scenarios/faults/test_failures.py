"""Nobody debugs blind: a failure's traceback is kept, found from its quarantine row, and grouped by cause."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from command import call

import lpff_ray
from lpff_ray.config import MineConfig
from lpff_ray.measure.measurer import FaceMeasurer
from lpff_ray.storage.folder import Folder


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Three grey pictures of different sizes, of which the two wide ones will meet a bug."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for width in (120, 300, 310):
        cv2.imwrite(str(folder / f"{width}.png"), np.full((120, width, 3), 128, np.uint8))
    return folder


@pytest.fixture
def bug(monkeypatch: pytest.MonkeyPatch) -> None:
    """Measuring wide pictures looks up what is not there."""
    measure = FaceMeasurer.measure

    def fails(self: FaceMeasurer, frames: list, into: object, crop: object = None) -> None:
        if frames[0].rgb.shape[1] >= 300:
            raise KeyError(f"no scale for {frames[0].rgb.shape[1]} pixels")
        measure(self, frames, into, crop)  # type: ignore[arg-type]

    monkeypatch.setattr(FaceMeasurer, "measure", fails)


@pytest.mark.parametrize("place", ["{tmp_path}/out", "memory://failures-of-a-bug/out"])
def test_a_bug_is_quarantined_with_its_traceback_in_the_log(
    photos: Path, bug: None, tmp_path: Path, place: str
) -> None:
    out = place.format(tmp_path=tmp_path)
    summary = lpff_ray.mine(photos, out, MineConfig(), workers=2, device="cpu")
    assert (summary.mined, summary.quarantined, summary.retries) == (1, 2, 2)
    assert summary.quarantined_share == pytest.approx(2 / 3)
    given_up = lpff_ray.quarantine(out)
    assert given_up["kind"].to_list() == ["KeyError"] * 2
    (name,) = given_up["log"].unique()
    lines = [json.loads(line) for line in (Folder(out).read(name) or b"").splitlines()]
    assert len(lines) == 4, "every attempt, also those that were repeated"
    failures = lpff_ray.failures(out)
    assert sorted(failures["outcome"]) == ["quarantined"] * 2 + ["retried"] * 2
    assert failures["traceback"].str.contains("KeyError: 'no scale for 3").all()
    assert failures["traceback"].str.contains("in fails").all(), "where it was raised"
    assert set(failures["uri"]) == {str(photos / "300.png"), str(photos / "310.png")}


def test_failures_are_shown_by_cause(photos: Path, bug: None, tmp_path: Path) -> None:
    out = tmp_path / "out"
    lpff_ray.mine(photos, out, MineConfig(), device="cpu")
    shown = call("status", out, "--failures")
    assert shown.returncode == 0, shown.stderr
    assert "KeyError" in shown.stdout
    assert "logs/failures-" in shown.stdout
    found = json.loads(call("status", out, "--failures", "--json").stdout)
    assert "KeyError" in json.dumps(found)


def test_nothing_is_kept_of_a_run_without_failures(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "grey.png"), np.full((120, 120, 3), 128, np.uint8))
    out = tmp_path / "out"
    lpff_ray.mine(tmp_path / "grey.png", out, device="cpu")
    assert not list(out.glob("logs/failures-*"))
    assert not len(lpff_ray.failures(str(out)))
    assert len(list(out.glob("logs/run-*.log"))) == 1
