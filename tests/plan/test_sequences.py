"""Which folders and zips of numbered pictures are clips, which are photos, and what names their content."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path

import fsspec
import pytest
from clips import paint
from command import call
from PIL import Image

from lpff_ray.plan.manifest import Source
from lpff_ray.plan.planner import plan_videos
from lpff_ray.plan.sequences import Pictures
from lpff_ray.plan.sources import expand
from lpff_ray.plan.video import Video

CLIP = "Clip+_-91nXXjrVo+P0+C0+F6-13"


def frames(folder: Path, numbers: range = range(7, 13), prefix: str = "", width: int = 8) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for number in numbers:
        Image.fromarray(paint(number, 32, 24)).save(folder / f"{prefix}{number:0{width}d}.png")
    return folder


def zipped(folder: Path, path: Path, inner: str = "") -> Path:
    with zipfile.ZipFile(path, "w") as file:
        for picture in sorted(folder.iterdir()):
            file.write(picture, f"{inner}{picture.name}")
    return path


def planned(*sources: object, pictures: Pictures = "auto", fps: float = 25.0) -> list[Video]:
    return plan_videos(expand([str(source) for source in sources], pictures=pictures, fps=fps))


def kinds(videos: list[Video]) -> list[tuple[str, str]]:
    return [(Path(video.uri).name, str(video.kind)) for video in videos]


def test_unmistakable_names_are_clips_and_others_photos(tmp_path: Path) -> None:
    frames(tmp_path / "in" / CLIP)
    frames(tmp_path / "in" / "b", prefix="frame_")
    frames(tmp_path / "in" / "00000", range(2), width=5)  # as FFHQ's photos lie
    zipped(tmp_path / "in" / CLIP, tmp_path / "in" / f"{CLIP[:-1]}4.zip")
    found = planned(tmp_path / "in")
    assert kinds(found) == [
        ("00000.png", "photo"),
        ("00001.png", "photo"),
        (CLIP, "sequence"),
        (f"{CLIP[:-1]}4.zip", "sequence"),
        ("b", "sequence"),
    ]
    assert {str(video.status) for video in found} == {"planned", "duplicate"}
    assert [video.status for video in found][3] == "duplicate"  # the zip holds what the folder does
    assert kinds(planned(tmp_path / "in", pictures="photos"))[2] == ("00000007.png", "photo")
    forced = kinds(planned(tmp_path / "in", pictures="sequences"))
    assert forced[0] == ("00000", "sequence")
    assert len(forced) == 4


def test_a_zip_is_photos_or_clips(tmp_path: Path) -> None:
    folder = frames(tmp_path / "x")
    path = zipped(folder, tmp_path / "set.zip")
    assert {kind for _, kind in kinds(planned(path))} == {"photo"}
    (video,) = planned(path, pictures="sequences", fps=10.0)
    assert (video.uri, video.kind, video.container, video.codec) == (str(path), "sequence", "zip", "png")
    assert (video.width, video.height, video.frames_expected, video.fps) == (32, 24, 6, 10.0)
    assert video.duration_s == pytest.approx(0.6)
    with zipfile.ZipFile(tmp_path / "many.zip", "w") as file:
        for name in ("one", "two"):
            for picture in sorted(folder.iterdir()):
                file.write(picture, f"clips/{name}/{picture.name}")
    found = planned(tmp_path / "many.zip", pictures="sequences")
    assert [video.uri for video in found] == [
        f"zip://clips/{name}::{tmp_path}/many.zip" for name in ("one", "two")
    ]
    assert [str(video.status) for video in found] == ["planned", "duplicate"]
    named = plan_videos([Source(str(tmp_path / "many.zip"), kind="sequence")])[0]
    assert named.status == "unreadable"
    assert "name each, as in zip://clips/one::ZIP" in named.reason


def test_content_names_a_sequence_wherever_it_lies(tmp_path: Path) -> None:
    folder = frames(tmp_path / CLIP, range(1, 60))
    (first,) = planned(folder)
    moved = shutil.copytree(folder, tmp_path / "moved")
    path = zipped(folder, tmp_path / "a.zip")
    memory = fsspec.filesystem("memory")
    memory.pipe({f"/seq/clip/{one.name}": one.read_bytes() for one in folder.iterdir()})
    for source in (moved, path, "memory://seq/clip"):
        (same,) = planned(source, pictures="sequences")
        assert (same.video_id, same.size_bytes, same.status) == (
            first.video_id,
            first.size_bytes,
            "planned",
        )
    # Another rate is another clip: its rows have other times.
    (slow,) = planned(folder, fps=12.5)
    assert slow.video_id.startswith(f"{first.video_id}-")
    assert slow.duration_s == pytest.approx(2 * first.duration_s)
    # A picture between those that the id counts, of the same size, changes it only where both are planned.
    other = moved / "00000002.png"
    content = bytearray(other.read_bytes())
    content[-20] ^= 1
    other.write_bytes(content)
    both = planned(folder, moved, pictures="sequences")
    assert both[0].video_id != both[1].video_id
    assert [str(video.status) for video in both] == ["planned", "planned"]


def test_a_hole_in_the_numbers_is_a_hole_in_time(tmp_path: Path) -> None:
    folder = frames(tmp_path / CLIP, range(0, 10, 5))
    (video,) = planned(folder)
    assert (video.frames_expected, video.duration_s) == (2, pytest.approx(0.24))


def test_what_can_not_be_read_is_a_row_with_a_reason(tmp_path: Path) -> None:
    folder = frames(tmp_path / CLIP)
    (folder / "00000007.png").write_bytes(b"nonsense")
    (tmp_path / f"{CLIP}.zip").write_bytes(b"PK\3\4 cut off")
    sources = [Source(str(tmp_path / name), kind="sequence") for name in (CLIP, f"{CLIP}.zip", "gone")]
    found = plan_videos(sources)
    assert [str(video.status) for video in found] == ["unreadable"] * 3
    assert "00000007.png: damaged, or not a picture" in found[0].reason
    assert "not a zip, or cut off" in found[1].reason
    assert "no such file" in found[2].reason


def test_the_plan_says_what_it_took_pictures_for(tmp_path: Path) -> None:
    frames(tmp_path / "in" / "clip", prefix="frame")
    frames(tmp_path / "in" / "00001", range(3), width=5)
    done = call("plan", tmp_path / "in", "--sequence-fps", "30")
    assert "taken for 1 clip: folders and zips of numbered pictures, at 30 frames per second" in done.stdout
    assert f"taken for photos: 3 numbered pictures of {tmp_path}/in/00001" in done.stdout.replace("\n", "")
    frames(tmp_path / "in" / "photos", range(0, 2000, 500), prefix="IMG_")  # too far apart
    said = json.loads(call("plan", tmp_path / "in", "--json").stdout)
    assert said["numbered_photos"] == {f"{tmp_path}/in/00001": 3}
