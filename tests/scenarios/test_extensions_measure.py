"""Measures, pose estimators, embeddings and detectors of another package: one file and one entry point each."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from other_package import install, source_of
from PIL import Image
from skimage.data import astronaut

import lpff_ray
from lpff_ray.config import MineConfig
from lpff_ray.errors import UserError

BAD_MEASURE = """
import polars as pl
from lpff_ray.measure.contract import Measure

class Twice(Measure):
    name = "twice"
    columns = pl.Schema({"yaw": pl.Float32()})

    def measure(self, faces):
        return {"yaw": [0.0] * len(faces)}
"""


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.png"
    Image.fromarray(astronaut()).save(path)
    return path


def test_all_four_are_used_end_to_end(photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(
        tmp_path / "site",
        monkeypatch,
        {name: source_of(name) for name in ("redness", "ahead", "tiny", "middle")},
        {
            "lpff_ray.measures": "redness = redness:Redness",
            "lpff_ray.estimators": "ahead = ahead:load",
            "lpff_ray.embeddings": "tiny = tiny:TINY",
            "lpff_ray.detectors": "middle = middle:Middle",
        },
    )
    config = MineConfig(detector="middle", pose_votes=["ahead"], embedding="tiny", measures=["redness"])
    out = str(tmp_path / "run")
    lpff_ray.mine(photo, out, config, device="cpu")
    faces = lpff_ray.scan(out).collect()
    assert faces["bbox"][0].to_list() == pytest.approx([153.6, 51.2, 307.2, 204.8], abs=0.01)
    assert "ahead" in [vote["estimator"] for vote in faces["pose_votes"][0]]
    assert faces.schema["embedding"] == pl.Array(pl.Float32(), 4)
    assert faces.columns[-2:] == ["redness", "mean_colour"]
    assert faces["redness"][0] == pytest.approx(astronaut()[..., 0].mean() / 255, abs=1e-4)
    assert faces.schema["mean_colour"] == pl.Array(pl.Float32(), 3)
    # Reading, compacting and curating need nothing of the measure; the run knows its columns.
    lpff_ray.compact(out)
    assert lpff_ray.scan(out).collect().equals(faces)
    assert lpff_ray.dedupe(out, device="cpu").identities == 1
    assert np.isfinite(lpff_ray.analyze([photo], config, "cpu")["redness"][0])


def test_a_column_that_there_is_already_is_refused(
    photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(
        tmp_path / "site", monkeypatch, {"twice": BAD_MEASURE}, {"lpff_ray.measures": "twice = twice:Twice"}
    )
    with pytest.raises(UserError, match="measure twice: there is a column yaw already"):
        lpff_ray.mine(photo, str(tmp_path / "run"), MineConfig(measures=["twice"]), device="cpu")


def test_settings_name_what_there_is() -> None:
    with pytest.raises(ValueError, match="there is no 'nose'; choose from centerface, blazeface, yunet"):
        MineConfig(detector="nose")
    assert MineConfig(measures=[]).hash() == MineConfig().hash(), "older runs are still the same runs"
