"""A copy that is not whole never passes for the sound file, whichever of them comes first."""

from __future__ import annotations

import io
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from clips import write_clip
from PIL import Image
from servers import web_server

from lpff_ray.plan import duplicates
from lpff_ray.plan.content import BLOCK, BLOCKS, WHOLE, FileContent, inspect
from lpff_ray.plan.duplicates import without_false_duplicates
from lpff_ray.plan.manifest import Source
from lpff_ray.plan.planner import plan_videos
from lpff_ray.plan.video import Video
from lpff_ray.types import VideoStatus


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A video of which only blocks are hashed."""
    path = write_clip(tmp_path_factory.mktemp("content") / "m.mkv", 40, size=(640, 480), noise=120, gop=10)
    assert path.stat().st_size > 3 * WHOLE
    return path


def damaged(path: Path, target: Path, start: int, stop: int) -> Path:
    """A copy with zeros from start to stop: damaged, not fetched yet, or preallocated."""
    data = bytearray(path.read_bytes())
    data[start:stop] = bytes(stop - start)
    target.write_bytes(data)
    return target


def between_blocks(size: int) -> tuple[int, int]:
    """A stretch that no block touches."""
    start = 15 * (size - BLOCK) // (BLOCKS - 1) + BLOCK
    return start, 16 * (size - BLOCK) // (BLOCKS - 1)


def plan(*uris: Path | str, **how: object) -> list[Video]:
    return plan_videos([Source(str(uri)) for uri in uris], **how)  # type: ignore[arg-type]


@pytest.mark.parametrize("first", ["a.mkv", "z.mkv"])
def test_damage_between_the_blocks(tmp_path: Path, sound: Path, first: str) -> None:
    clip = shutil.copy(sound, tmp_path / "m.mkv")
    copy = damaged(sound, tmp_path / first, *between_blocks(sound.stat().st_size))
    assert inspect(str(copy)).identity == inspect(str(clip)).identity, "else this tests nothing"
    videos = plan(*sorted([copy, clip]))
    assert [video.status for video in videos] == ["planned", "planned"]
    assert len({video.video_id for video in videos}) == 2
    ids = {video.uri: video.video_id for video in videos}
    assert ids == {video.uri: video.video_id for video in plan(clip, copy)}, "in any order"


def test_partial_and_preallocated_copies(tmp_path: Path, sound: Path) -> None:
    size = sound.stat().st_size
    copies = [
        damaged(sound, tmp_path / "a.mkv", size // 2, size),
        damaged(sound, tmp_path / "b.mkv", size // 3, size // 3 + 200_000),
    ]
    (tmp_path / "c.mkv").write_bytes(sound.read_bytes()[: size // 2])
    videos = plan(*copies, tmp_path / "c.mkv", sound)
    assert len({video.video_id for video in videos}) == 4
    assert videos[-1].status == "planned"


def test_the_same_video_under_two_names_stays_one_work(tmp_path: Path, sound: Path) -> None:
    clip = Path(shutil.copy(sound, tmp_path / "a.mkv"))
    shutil.copy(sound, tmp_path / "b.mkv")
    os.link(clip, tmp_path / "c.mkv")
    (tmp_path / "d.mkv").symlink_to(clip)
    with web_server(tmp_path, ranges=True) as host:
        videos = plan(*(tmp_path / f"{name}.mkv" for name in "abcd"), f"{host}/b.mkv")
    assert [video.status for video in videos] == ["planned", *["duplicate"] * 4]
    assert {video.video_id for video in videos} == {inspect(str(clip)).identity}
    assert {video.duplicate_of for video in videos[1:]} == {str(clip)}


def test_one_that_an_earlier_plan_knows_keeps_its_id(tmp_path: Path, sound: Path) -> None:
    clip = Path(shutil.copy(sound, tmp_path / "m.mkv"))
    (before,) = plan(clip)
    copy = damaged(sound, tmp_path / "a.mkv", *between_blocks(sound.stat().st_size))
    other = Path(shutil.copy(clip, tmp_path / "b.mkv"))
    videos = plan(copy, other, clip, earlier={str(clip): before.video_id})
    assert [video.status for video in videos] == ["planned", "planned", "duplicate"]
    assert [video.video_id == before.video_id for video in videos] == [False, True, True]


def test_one_that_can_not_be_read_to_its_end(
    tmp_path: Path, sound: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip, copy = shutil.copy(sound, tmp_path / "a.mkv"), shutil.copy(sound, tmp_path / "b.mkv")
    opened = duplicates.opened

    def failing(uri: str) -> object:
        if uri == str(copy):
            raise OSError(5, "Input/output error")
        return opened(uri)

    monkeypatch.setattr(duplicates, "opened", failing)
    videos = plan(clip, copy)
    assert [video.status for video in videos] == ["planned", "unreadable"]
    assert videos[1].reason == "it can not be read to its end: Input/output error"


def test_two_letterboxed_frames_are_two_photos(tmp_path: Path) -> None:
    for name, level in (("a", 50), ("b", 200)):
        picture = np.zeros((900, 800, 3), np.uint8)
        picture[300:600] = level
        for ending in ("bmp", "tif"):
            Image.fromarray(picture).save(tmp_path / f"{name}.{ending}")
    videos = plan(*sorted(tmp_path.iterdir()))
    assert [video.status for video in videos] == ["planned"] * 4


def test_equal_checksums_of_a_store_save_fetching(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unequal ones say nothing, and a store that fails says nothing: then the bytes are compared."""
    stated: dict[str, dict[str, object]] = {
        "s3://b/a": {"ETag": '"1"'}, "s3://b/b": {"ETag": '"1"'}, "s3://b/c": {"ETag": '"2-5"'}, "s3://b/d": {}
    }  # fmt: skip

    class Store:
        def info(self, path: str) -> dict[str, object]:
            return stated[path]

    monkeypatch.setattr(duplicates, "filesystem_of", lambda uri: (Store(), uri))
    monkeypatch.setattr(duplicates, "whole_id", lambda file, size: file.read().decode())
    monkeypatch.setattr(duplicates, "opened", fetched := Fetched())
    content = FileContent("shared", 3, VideoStatus.PLANNED, whole=False)
    assert {
        one.identity
        for one in without_false_duplicates(dict.fromkeys(["s3://b/a", "s3://b/b"], content), {}).values()
    } == {"shared"}
    assert fetched.uris == []
    for other in ("s3://b/c", "s3://b/d", "s3://b/gone", "ftp://b/a"):
        found = without_false_duplicates(dict.fromkeys(["s3://b/a", other], content), {})
        assert {one.identity for one in found.values()} == {"s3://b/a", other}


class Fetched:
    """In place of `opened`: every file holds its own name."""

    def __init__(self) -> None:
        self.uris: list[str] = []

    @contextmanager
    def __call__(self, uri: str) -> Iterator[tuple[io.BytesIO, int]]:
        self.uris.append(uri)
        yield io.BytesIO(uri.encode()), len(uri)
