"""Mining keeps a small picture of every face in the side file of its segment, where it is found by its face."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import cv2
import fsspec
import numpy as np
import polars as pl
import pytest
from clips import portrait, write_clip
from random_faces import CONFIG, commit, video

import lpff_ray
from lpff_ray.config import MineConfig
from lpff_ray.errors import UserError
from lpff_ray.run import miner as miner_module
from lpff_ray.run.mine import mine
from lpff_ray.storage.folder import Folder
from lpff_ray.tables import schema
from lpff_ray.tables.run import Run
from lpff_ray.tables.thumbnails import FOLDER, commit_thumbnails, thumbnails

EVERY_THIRD = MineConfig(every=3)


@pytest.fixture(params=["disk", "memory"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A run of two videos, the first of two segments, with a thumbnail of every face but those of the second video."""
    out = str(tmp_path / "out") if request.param == "disk" else f"memory://{uuid.uuid4().hex}"
    run = Run(out, CONFIG).begin()
    run.commit_plan([video("a"), video("b")])
    for name, index in (("a", 0), ("a", 1), ("b", 0)):
        segment = commit(run, name, index, 5)
        if name == "a":
            commit_thumbnails(run.folder, segment, pictures(name, index * 1000))
    yield out
    if request.param == "memory":
        fsspec.filesystem("memory").rm(out, recursive=True)


def pictures(video_id: str, first_frame: int) -> pl.DataFrame:
    """Of the faces that `commit` makes; each "JPEG" is its face's id."""
    ids = [f"{video_id}:{first_frame + number}:0" for number in range(5)]
    columns = {"face_id": ids, "jpeg": [name.encode() for name in ids], "region": [[0.0, 1.0, 2.0, 3.0]] * 5}
    return schema.frame(columns, schema.THUMBNAILS)


WANTED = ["a:1003:0", "b:2:0", "a:0:0", "c:0:0", "a:1001:0", "a:0:0", "a:77:0"]
HELD = ["a:1003:0", "a:0:0", "a:1001:0"]


def test_faces_have_their_pictures_in_the_order_asked_for(place: str) -> None:
    for asked in (WANTED, pl.Series(WANTED), pl.DataFrame({"face_id": WANTED})):
        found = thumbnails(place, asked)
        assert found.schema == schema.THUMBNAILS
        assert found["face_id"].to_list() == HELD
        assert found["jpeg"].to_list() == [name.encode() for name in HELD]
    assert len(lpff_ray.thumbnails(place, [])) == 0


def test_only_the_files_that_hold_a_face_are_opened(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = []
    source = Folder.source
    monkeypatch.setattr(Folder, "source", lambda self, name: opened.append(name) or source(self, name))
    faces = lpff_ray.scan(place).filter(pl.col("face_id").is_in(WANTED)).collect()
    opened.clear()
    one = faces.filter(pl.col("face_id") == "a:1003:0")
    assert thumbnails(place, one)["face_id"].to_list() == ["a:1003:0"]
    assert opened == [f"{FOLDER}/a-00001.parquet"]
    opened.clear()
    assert thumbnails(place, ["b:2:0"]).is_empty()
    assert opened == []


def test_they_are_found_after_compacting(place: str) -> None:
    before = thumbnails(place, WANTED)
    lpff_ray.compact(place)
    assert thumbnails(place, WANTED).equals(before)
    assert thumbnails(place, lpff_ray.scan(place).collect())["face_id"].len() == 10


def test_a_damaged_file_is_named(run: Run) -> None:
    commit(run, "a", 0, 5)
    Path(run.folder.root, FOLDER).mkdir()
    Path(run.folder.root, FOLDER, "a-00000.parquet").write_bytes(b"PAR1 no table")
    with pytest.raises(UserError, match=r"thumbnails/a-00000.parquet: .*damaged; remove it"):
        thumbnails(run.folder.root, ["a:1:0"])


def test_those_of_another_configuration_go_when_the_folder_takes_on_a_new_one(run: Run) -> None:
    """Killed after the thumbnails, before the part, a folder has no row yet; it may be mined anew, without them."""
    commit_thumbnails(run.folder, "a-00000", pictures("a", 0))
    Run(run.folder.root, CONFIG).begin()
    assert run.folder.names(FOLDER, ".parquet") == ["a-00000.parquet"]
    Run(run.folder.root, CONFIG.model_copy(update={"every": 7})).begin()
    assert run.folder.names(FOLDER, ".parquet") == []


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """6 frames with one face."""
    path = tmp_path_factory.mktemp("clips") / "clip.mp4"
    return write_clip(path, 6, size=(480, 320), picture_of=portrait)


def test_every_face_has_a_thumbnail(demo_run: Path, demo_faces: pl.DataFrame) -> None:
    found = lpff_ray.thumbnails(str(demo_run), demo_faces)
    assert found["face_id"].equals(demo_faces["face_id"])
    region, box = found["region"].to_numpy(), demo_faces["bbox"].to_numpy()
    assert (region[:, :2] < box[:, :2]).all()
    assert (region[:, 2:] > box[:, 2:]).all()
    jpeg = np.frombuffer(found["jpeg"][0], np.uint8)
    assert cv2.imdecode(jpeg, cv2.IMREAD_COLOR).shape == (128, 128, 3)


def test_a_run_may_be_resumed_with_or_without_thumbnails(clip: Path, tmp_path: Path) -> None:
    """They decide no row: both runs have the same configuration."""
    other = write_clip(tmp_path / "other.mp4", 6, size=(400, 300), picture_of=portrait)
    out = str(tmp_path / "out")
    mine([str(clip)], out, EVERY_THIRD, workers=1, thumbnails=False)
    assert not Path(out, "thumbnails").exists()
    before = lpff_ray.scan(out).collect()
    assert mine([str(clip), str(other)], out, EVERY_THIRD, workers=1).mined == 1
    faces = lpff_ray.scan(out).collect()
    new = faces.join(before, on="face_id", how="anti")
    assert sorted(lpff_ray.thumbnails(out, faces)["face_id"]) == sorted(new["face_id"])
    assert len(new) > 0
    assert len(before) > 0


def test_thumbnails_are_in_place_before_their_part(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed in between, a run makes both again; the other way round, the thumbnails would be missing for good."""
    out, commit = tmp_path / "out", miner_module.parts.commit_part

    def killed(*arguments: object) -> None:
        assert list(Path(out, "thumbnails").glob("*.parquet"))
        raise KeyboardInterrupt

    monkeypatch.setattr(miner_module.parts, "commit_part", killed)
    with pytest.raises(KeyboardInterrupt):
        mine([str(clip)], out, EVERY_THIRD, workers=1)
    assert lpff_ray.scan(str(out)).collect().is_empty()
    monkeypatch.setattr(miner_module.parts, "commit_part", commit)
    mine([str(clip)], out, EVERY_THIRD, workers=1)
    faces = lpff_ray.scan(str(out)).collect()
    assert len(lpff_ray.thumbnails(str(out), faces)) == len(faces) > 0
