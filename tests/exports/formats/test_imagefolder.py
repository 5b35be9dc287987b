"""Hugging Face's imagefolder, read by the rules that their documentation states."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from command import call
from PIL import Image
from selecting import export_command, with_selection

import lpff_ray
from lpff_ray.geometry.transforms import apply

READ = {".jpg", ".jpeg", ".png"}


@pytest.fixture(scope="module")
def run(demo_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    split = pl.when(pl.col("frame_index") >= 75).then(pl.lit("test")).otherwise(pl.lit("train"))
    return with_selection(demo_run, tmp_path_factory.mktemp("imagefolder") / "run", split=split)


@pytest.fixture(scope="module")
def dest(run: Path) -> Path:
    dest = run.parent / "dest"
    done = call(*export_command(run, "imagefolder", "--size", 64, "--dest", dest))
    assert done.returncode == 0, done.stderr
    return dest


def load(dest: Path) -> dict[str, list[dict]]:
    """Every split's rows: a metadata.jsonl beside the pictures names each of them, and no picture is without a row."""
    found: dict[str, list[dict]] = {}
    for metadata in sorted(dest.rglob("metadata.jsonl")):
        rows = [json.loads(line) for line in metadata.read_text("utf-8").splitlines()]
        found[metadata.parent.name] = [{"path": metadata.parent / row["file_name"], **row} for row in rows]
    pictures = {path for path in dest.rglob("*") if path.suffix in READ}
    assert {row["path"] for rows in found.values() for row in rows} == pictures
    return found


def test_every_picture_has_its_row_and_no_other_picture_lies_there(dest: Path, run: Path) -> None:
    found = load(dest)
    faces = {row["face_id"]: row for row in lpff_ray.scan(str(run)).collect().iter_rows(named=True)}
    assert found.keys() == {"train", "test"}
    assert sum(map(len, found.values())) == len(faces)
    for split, rows in found.items():
        columns = {frozenset(row) for row in rows}
        assert len(columns) == 1, "one schema"
        for row in rows:
            face = faces[row["face_id"]]
            assert (split == "test") == (face["frame_index"] >= 75)
            assert row["yaw"] == pytest.approx(face["yaw"], abs=1e-4)
            assert Image.open(row["path"]).size == (64, 64)


def test_points_are_in_pixels_of_the_crop(dest: Path, run: Path) -> None:
    lines = [json.loads(line) for line in (dest / "PROVENANCE.jsonl").read_text().splitlines()]
    transforms = {line["face_id"]: np.array(line["transform"]) for line in lines}
    faces = lpff_ray.scan(str(run)).select("face_id", "keypoints").collect()
    points = dict(zip(faces["face_id"], faces["keypoints"].to_numpy(), strict=True))
    for row in load(dest)["train"]:
        expected = apply(transforms[row["face_id"]], points[row["face_id"]])
        assert np.array(row["keypoints"]) == pytest.approx(expected, abs=0.01)


def test_it_shows_itself(dest: Path) -> None:
    assert (dest / "SHEET.svg").stat().st_size > 1000
    text = (dest / "README.md").read_text("utf-8")
    assert '    path: "train/**"' in text
    assert "![20 samples, drawn at random](SHEET.svg)" in text
    assert "enlarged" not in text, "64 pixels"
