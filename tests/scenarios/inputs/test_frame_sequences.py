"""Folders and zips of numbered pictures from `mine` to exports: tracks as of a video, the same frames back."""

from __future__ import annotations

import json
import resource
import zipfile
from pathlib import Path

import fsspec
import polars as pl
import pytest
from clips import paint, portrait
from numbered import SELECTION, Numbered, numbered_run
from PIL import Image

import lpff_ray
from lpff_ray.config import MineConfig
from lpff_ray.decode import open_source
from lpff_ray.exports.job import export
from lpff_ray.plan.manifest import Source
from lpff_ray.plan.planner import plan_videos
from lpff_ray.storage.local_copy import local_pictures


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve frames of a face that moves, numbered from 41 on."""
    made = tmp_path_factory.mktemp("sequences") / "Clip+abcdefghijk+P0+C0+F40-53"
    made.mkdir()
    for index in range(12):
        Image.fromarray(portrait(index, 320, 256)).save(made / f"{41 + index:08d}.png")
    return made


def test_a_sequence_is_mined_as_a_clip(folder: Path, tmp_path: Path) -> None:
    memory = fsspec.filesystem("memory")
    with zipfile.ZipFile(tmp_path / "clips.zip", "w") as file:
        for picture in sorted(folder.iterdir()):
            file.write(picture, f"deep/clip/{picture.name}")
    memory.put(str(tmp_path / "clips.zip"), "/sequences/clips.zip")
    (tmp_path / "list.csv").write_text(
        "uri,fps,clip_id,licence\n"
        "zip://deep/clip::memory://sequences/clips.zip,12.5,one,CC0\n"
        f"{folder},12.5,two,CC BY\n"
    )
    out = str(tmp_path / "run")
    lpff_ray.mine(str(tmp_path / "list.csv"), out, MineConfig(every=4), workers=1)
    faces = lpff_ray.scan(out).collect()
    assert faces["frame_index"].to_list() == [0, 4, 8]
    assert faces["pts_ns"].to_list() == [0, 320_000_000, 640_000_000]
    assert faces["track_id"].n_unique() == 1
    assert lpff_ray.videos(out).select("kind", "status", "fps", "licence").rows() == [
        ("sequence", "done", 12.5, "CC0"),
        ("sequence", "duplicate", 12.5, "CC BY"),
    ]


def test_frames_are_the_same_wherever_they_lie(folder: Path, tmp_path: Path) -> None:
    memory = fsspec.filesystem("memory")
    memory.pipe({f"/elsewhere/clip/{one.name}": one.read_bytes() for one in folder.iterdir()})
    pictures = {}
    for uri in (str(folder), "memory://elsewhere/clip"):
        with local_pictures(uri) as path, open_source(path, "sequence") as source:
            pictures[uri] = [frame.rgb.tobytes() for frame in source.frames(range(12))]
    assert len(set(map(tuple, pictures.values()))) == 1
    assert len(pictures[str(folder)]) == 12


def test_an_export_reads_the_frames_back_from_where_they_are_now(tmp_path: Path) -> None:
    folder = tmp_path / "frame sets" / "Clip+abcdefghijk+P0+C0+F0-61"
    folder.mkdir(parents=True)
    for number in range(60):
        Image.fromarray(paint(number, 64, 48)).save(folder / f"{number + 1:05d}.png")
    run = numbered_run(tmp_path / "run", [folder], [3, 17, 58])
    done = export(str(run), SELECTION, Numbered(), str(tmp_path / "made"), workers=1)
    assert (done.made, done.lost, done.failures) == (3, 0, {})
    seen = json.loads((tmp_path / "made" / "seen.json").read_text())
    assert {int(face_id.split(":")[1]): number for face_id, number, _ in seen} == {3: 3, 17: 17, 58: 58}
    (folder / "00004.png").write_bytes((folder / "00005.png").read_bytes())
    gone = export(str(run), SELECTION, Numbered(), str(tmp_path / "again"), workers=1)
    assert "another file than the one that was mined" in next(iter(gone.failures.values()))


def test_a_zip_of_many_pictures_is_not_unpacked(tmp_path: Path) -> None:
    content = {number: (tmp_path / f"{number}.png") for number in range(2)}
    for number, path in content.items():
        Image.fromarray(paint(number, 8, 8)).save(path)
    tiny = {number: path.read_bytes() for number, path in content.items()}
    count = 20_000
    with zipfile.ZipFile(tmp_path / "many.zip", "w") as file:
        for number in range(count):
            file.writestr(f"{number:06d}.png", tiny[number % 2])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_oublock
    (video,) = plan_videos([Source(str(tmp_path / "many.zip"), kind="sequence")])
    assert (video.frames_expected, video.is_planned) == (count, True)
    with (
        local_pictures(video.uri, video.video_id) as path,
        open_source(path, video.kind, fps=video.fps) as source,
    ):
        wanted = [0, 1, 10_001, count - 1]
        assert [frame.index for frame in source.frames(wanted)] == wanted
    assert resource.getrusage(resource.RUSAGE_SELF).ru_oublock - before < 1000  # blocks of 512 bytes
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0.png", "1.png", "many.zip"]


def test_columns_of_a_manifest_reach_the_plan_and_the_tables(tmp_path: Path) -> None:
    rows = []
    for number, licence in enumerate(["CC BY 2.0", "", "CC0"]):
        Image.fromarray(portrait(number, 320, 256)).save(tmp_path / f"{number}.png")
        rows.append(
            {"uri": f"{number}.png", "licence": licence, "width": 5 + number, "age": f"{30 + number}"}
        )
    pl.DataFrame(rows).write_csv(tmp_path / "list.csv")
    out = str(tmp_path / "run")
    summary = lpff_ray.mine(str(tmp_path / "list.csv"), out, workers=1, require=["licence"])
    assert (summary.videos, summary.unreadable) == ({"planned": 2, "refused": 1}, 0)
    videos = lpff_ray.videos(out)
    assert videos["licence"].to_list() == ["CC BY 2.0", None, "CC0"]
    assert videos["manifest_width"].to_list() == [5, 6, 7]
    assert videos["age"].to_list() == [30, 31, 32]
    assert videos["width"].to_list() == [320] * 3
    assert videos.row(1, named=True)["reason"] == "it has no licence"
    assert videos["status"].to_list() == ["done", "refused", "done"]
