"""Tar shards, read by the webdataset package itself."""

from __future__ import annotations

import hashlib
import json
import tarfile
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from command import call, complaint
from selecting import export_command, with_selection

import lpff_ray

webdataset = pytest.importorskip("webdataset", reason="pip install webdataset")


@pytest.fixture(scope="module")
def run(demo_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    split = pl.when(pl.col("frame_index") >= 75).then(pl.lit("test")).otherwise(pl.lit("train"))
    return with_selection(demo_run, tmp_path_factory.mktemp("webdataset") / "run", split=split)


def exported(run: Path, dest: Path, *settings: str) -> Path:
    sets = [part for setting in settings for part in ("--set", setting)]
    command = export_command(run, "webdataset", "--size", 128, "--dest", dest)
    done = call(*command, *sets)
    assert done.returncode == 0, done.stderr
    return dest


@pytest.fixture(scope="module")
def shards(run: Path) -> Path:
    return exported(run, run.parent / "shards", "shard_size=4", "label=identity")


def read(*shards: Path) -> list[dict]:
    pipeline = webdataset.WebDataset([str(shard) for shard in shards], shardshuffle=False, empty_check=False)
    return list(pipeline.decode("rgb8"))


def test_webdataset_reads_it(shards: Path, run: Path) -> None:
    told = json.loads((shards / "shards.json").read_text())
    assert told["shards"] == {"test-000000.tar": 4, "test-000001.tar": 1} | {
        f"train-{number:06d}.tar": count for number, count in enumerate([4, 4, 4, 3])
    }
    faces = {row["face_id"]: row for row in lpff_ray.scan(str(run)).collect().iter_rows(named=True)}
    samples = read(*sorted(shards.glob("*.tar")))
    assert {sample["json"]["face_id"] for sample in samples} == set(faces)
    for sample in samples:
        face = faces[sample["json"]["face_id"]]
        assert sample["jpg"].shape == (128, 128, 3)
        assert sample["jpg"].dtype == np.uint8
        assert (
            sample["__url__"].rsplit("/", 1)[-1].startswith("test" if face["frame_index"] >= 75 else "train")
        )
        assert told["classes"][sample["cls"]] == face["track_id"]
        assert sample["json"]["yaw"] == pytest.approx(face["yaw"])


def test_keypoints_in_the_json_are_those_of_the_crop(shards: Path) -> None:
    samples = read(*sorted(shards.glob("test-*.tar")), *sorted(shards.glob("train-*.tar"))[:1])
    sharp = [sample for sample in samples if sample["json"]["sharpness"] > 0.7][:3]
    found = lpff_ray.analyze([np.ascontiguousarray(sample["jpg"]) for sample in sharp])
    for sample, five in zip(sharp, found["keypoints"].to_numpy(), strict=True):
        assert np.abs(five - sample["json"]["keypoints"]).max() < 4


def test_the_same_bytes_again_and_nothing_left_behind(shards: Path, run: Path, tmp_path: Path) -> None:
    again = exported(run, tmp_path / "again", "shard_size=4", "label=identity")
    first, second = (
        {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.glob("*.tar"))}
        for folder in (shards, again)
    )
    assert first == second
    assert not list(again.rglob("*.jpg"))
    with tarfile.open(again / "train-000000.tar") as tar:
        for member in tar:
            assert (member.mtime, member.uid, member.gid, member.uname) == (0, 0, 0, "")


def test_png_no_classes_in_the_order_of_rank(run: Path, tmp_path: Path) -> None:
    dest = exported(run, tmp_path / "png", "image=png", "shuffle=false")
    samples = read(dest / "train-000000.tar")
    assert [sample["__key__"] for sample in samples] == [f"{index:08d}" for index in range(15)]
    assert set(samples[0]) >= {"png", "json"}
    assert "cls" not in samples[0]


def test_wrong_options_are_one_line(run: Path, tmp_path: Path) -> None:
    command = export_command(run, "webdataset", "--dest", tmp_path / "dest")
    assert "label" in complaint(call(*command, "--set", "label=age"))
    assert "shard_size" in complaint(call(*command, "--set", "shard_size=0"))
    assert not (tmp_path / "dest").exists()
