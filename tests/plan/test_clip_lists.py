"""CelebV-HQ's and VFHQ's clip lists onto videos that lie about under the names downloaders give them."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from clips import portrait, write_clip
from command import call, complaint

import lpff_ray
from lpff_ray.config import MineConfig
from lpff_ray.errors import UserError
from lpff_ray.plan.crop import Crop
from lpff_ray.plan.planner import plan_videos
from lpff_ray.plan.sources import expand
from lpff_ray.types import CropUnit

pytestmark = pytest.mark.timeout(60)

# As published: README of CelebV-HQ/CelebV-HQ.
CLIPS: dict[str, Any] = {
    "M2Ohb0FAaJU_1": {
        "ytb_id": "M2Ohb0FAaJU",
        "duration": {"start_sec": 81.62, "end_sec": 86.17},
        "bbox": {"top": 0.0, "bottom": 0.8815, "left": 0.1964, "right": 0.6922},
        "attributes": {"appearance": [0, 0, 1], "emotion": {"sep_flag": False, "labels": "neutral"}},
        "version": "v0.1",
    },
    "_0tf2n3rlJU_0": {
        "ytb_id": "_0tf2n3rlJU",
        "duration": {"start_sec": 52.72, "end_sec": 56.1},
        "bbox": {"top": 0.0, "bottom": 0.8407, "left": 0.5271, "right": 1.0},
    },
}
ANNOTATION = "Clip+_-91nXXjrVo+P0+C0+F1537-1825"


def write_list(path: Path, clips: object) -> Path:
    path.write_text(
        json.dumps({"meta_info": {"appearance_mapping": ["Blurry", "Male", "Young"]}, "clips": clips})
    )
    return path


def write_annotation(
    folder: Path, name: str = ANNOTATION, crop: str = "480 0 1440 960", fps: str = "24.0"
) -> Path:
    path = folder / f"{name}.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"H 1080\nW 1920\nFPS {fps}\n\nCROP (x0 y0 x1 y1) {crop}\n1538 612 301 705 411\n")
    return path


def test_celebvhq(tmp_path: Path) -> None:
    clip_list = write_list(tmp_path / "celebvhq_info.json", CLIPS)
    (tmp_path / "M2Ohb0FAaJU.webm").touch()
    first, second = expand([str(clip_list)])
    assert first.uri == str(tmp_path / "M2Ohb0FAaJU.webm")
    assert (first.clip_id, first.start_s, first.end_s) == ("M2Ohb0FAaJU_1", 81.62, 86.17)
    assert first.crop == Crop((0.1964, 0.0, 0.6922, 0.8815), CropUnit.FRACTION)
    assert first.columns == (("appearance", "Young"), ("emotion", "neutral"))
    # Missing: what should have been there, and the plan says so.
    assert second.uri == str(tmp_path / "_0tf2n3rlJU.mp4")
    missing = plan_videos([second])[0]
    assert (missing.status, missing.reason, missing.clip_id) == (
        "unreadable",
        "no such file",
        "_0tf2n3rlJU_0",
    )


@pytest.mark.parametrize(
    "name",
    ["M2Ohb0FAaJU.mp4", "M2Ohb0FAaJU.MKV", "raw/M2Ohb0FAaJU.mp4", "A title, [of] sorts [M2Ohb0FAaJU].webm"],
)
def test_names_that_downloaders_give(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    videos = tmp_path / "elsewhere"
    (videos / name).parent.mkdir(parents=True)
    (videos / name).touch()
    # What else yt-dlp leaves there.
    for other in ("M2Ohb0FAaJU.jpg", "M2Ohb0FAaJU.info.json", "M2Ohb0FAaJU.f137.mp4.part", "M2Ohb0FAaJU.m4a"):
        (videos / other).touch()
    clip_list = str(write_list(tmp_path / "celebvhq_info.json", CLIPS))
    assert expand([clip_list], str(videos))[0].uri == str(videos / name)
    monkeypatch.setenv("LPFF_RAY_VIDEOS", str(videos))
    assert expand([clip_list])[0].uri == str(videos / name)


def test_a_clip_that_was_cut_out_already_is_taken_whole(tmp_path: Path) -> None:
    (tmp_path / "M2Ohb0FAaJU_1.mp4").touch()
    write_annotation(tmp_path)
    (tmp_path / f"{ANNOTATION}.mp4").touch()
    for source in (
        expand([str(write_list(tmp_path / "celebvhq_info.json", CLIPS))])[0],
        expand([str(tmp_path / f"{ANNOTATION}.txt")])[0],
    ):
        assert source.uri.endswith(f"/{source.clip_id}.mp4")
        assert (source.start_s, source.end_s, source.crop) == (None, None, None)


def test_vfhq(tmp_path: Path) -> None:
    annotation = write_annotation(tmp_path)
    (tmp_path / "_-91nXXjrVo.mp4").touch()
    (source,) = expand([str(annotation)])
    assert (source.uri, source.clip_id) == (str(tmp_path / "_-91nXXjrVo.mp4"), ANNOTATION)
    # Frames 1538 ... 1824, as the data set's own script selects them.
    assert source.start_s == pytest.approx(1538 / 24)
    assert source.end_s == pytest.approx(1825 / 24)
    assert source.crop is not None
    assert source.crop.box == pytest.approx((480 / 1920, 0, 1440 / 1920, 960 / 1080))


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("23.98", 24000 / 1001),
        ("29.97", 30000 / 1001),
        ("59.94", 60000 / 1001),
        ("23.976", 24000 / 1001),
        *((text, float(text)) for text in ("24", "24.0", "25.0", "30.0", "29.5", "60.0", "12.5")),
    ],
)
def test_rounded_frame_rates_are_taken_for_what_they_were(tmp_path: Path, written: str, meant: float) -> None:
    """At 23.98 for 24000/1001, the 90,000th frame would be looked for 15 frames early."""
    name = "Clip+_-91nXXjrVo+P0+C0+F90000-90100"
    write_annotation(tmp_path, name, fps=written)
    (source,) = expand([str(tmp_path / f"{name}.txt")])
    assert source.start_s is not None
    assert source.end_s is not None
    assert abs(source.start_s * meant - 90_001) < 1e-6
    assert abs(source.end_s * meant - 90_100) < 1e-6


def test_a_file_is_no_folder_of_videos(tmp_path: Path) -> None:
    clip_list = write_list(tmp_path / "celebvhq_info.json", CLIPS)
    (tmp_path / "M2Ohb0FAaJU.mp4").touch()
    said = complaint(call("plan", clip_list, "--videos", tmp_path / "M2Ohb0FAaJU.mp4"))
    assert said == (
        f"--videos {tmp_path}/M2Ohb0FAaJU.mp4: a file, not a folder; name the folder that holds the videos"
    )


def test_a_box_beyond_the_frame_stays_a_box_in_fractions(tmp_path: Path) -> None:
    (source,) = expand([str(write_annotation(tmp_path, crop="-12 0 1921 1085"))])
    assert source.crop == Crop((0, 0, 1, 1), CropUnit.FRACTION)


def test_vfhq_as_a_folder_a_glob_and_a_zip(tmp_path: Path) -> None:
    names = [f"Clip+video{n:06d}+P{n}+C0+F10-99" for n in range(3)]
    for name in names:
        write_annotation(tmp_path / "meta_info", name)
    (tmp_path / "meta_info" / "readme.md").touch()
    (tmp_path / "videos").mkdir()
    (tmp_path / "videos" / "video000001.mp4").touch()
    (tmp_path / "videos" / "other.mp4").touch()
    with zipfile.ZipFile(tmp_path / "meta_info.zip", "w") as archive:
        for name in names:
            archive.write(tmp_path / "meta_info" / f"{name}.txt", f"meta_info/{name}.txt")
    for src in ("meta_info/Clip+*.txt", "meta_info", "zip://meta_info/*.txt::{}/meta_info.zip"):
        src = src.format(tmp_path) if "::" in src else str(tmp_path / src)
        sources = [source for source in expand([src], str(tmp_path / "videos")) if source.clip_id]
        assert [source.clip_id for source in sources] == names
        assert sources[1].uri == str(tmp_path / "videos" / "video000001.mp4")
    # A folder of both: the video of a clip is not mined whole as well.
    found = [source.uri for source in expand([str(tmp_path)], str(tmp_path / "videos"))]
    assert found.count(str(tmp_path / "videos" / "video000001.mp4")) == 1
    assert str(tmp_path / "videos" / "other.mp4") in found


@pytest.mark.parametrize(
    ("content", "complaint_of"),
    [
        ("{", "not readable as JSON"),
        ('{"labels": [["00000/img00000000.png", [1]]]}', "name their folder"),
        ('{"clips": {"a_0": {"ytb_id": "a"}}}', "clip 'a_0'.*'duration' is missing"),
        ('{"clips": {"a_0": 7}}', "clip 'a_0'"),
    ],
)
def test_what_is_wrong_with_a_list_is_said(tmp_path: Path, content: str, complaint_of: str) -> None:
    path = tmp_path / "celebvhq_info.json"
    path.write_text(content)
    with pytest.raises(UserError, match=complaint_of) as error:
        expand([str(path)])
    assert str(path) in str(error.value)


@pytest.mark.parametrize(
    ("clip", "complaint_of"),
    [
        ({"duration": {"start_sec": 5.0, "end_sec": 4.0}}, "end_s is 4"),
        ({"duration": {"start_sec": "soon", "end_sec": 4.0}}, "start_s is 'soon'"),
        ({"bbox": {"top": 0.0, "bottom": 0.5, "left": 0.7, "right": 0.6}}, "crop is empty"),
    ],
)
def test_values_that_make_no_sense_are_said(tmp_path: Path, clip: dict[str, Any], complaint_of: str) -> None:
    clips = {"M2Ohb0FAaJU_1": CLIPS["M2Ohb0FAaJU_1"] | clip}
    with pytest.raises(UserError, match=f"clip 'M2Ohb0FAaJU_1'.*{complaint_of}"):
        expand([str(write_list(tmp_path / "celebvhq_info.json", clips))])


def test_what_is_wrong_with_an_annotation_is_said(tmp_path: Path) -> None:
    path = write_annotation(tmp_path, crop="1 2 three 4")
    with pytest.raises(UserError, match="CROP"):
        expand([str(path)])
    with pytest.raises(UserError, match="greater than 0"):
        expand([str(write_annotation(tmp_path, fps="0"))])
    with pytest.raises(UserError, match="no such file or folder"):
        expand([str(path)], str(tmp_path / "nowhere"))


def test_spans_and_boxes_are_honoured_and_missing_videos_are_no_end(tmp_path: Path) -> None:
    """A clip with faces from start to end: only the span's frames and the box's faces come out."""
    write_clip(tmp_path / "abcdefghijk.mp4", 30, size=(480, 320), picture_of=portrait)
    box = {"top": 0.0, "bottom": 1.0, "left": 0.2, "right": 0.9}
    empty = {"top": 0.0, "bottom": 0.2, "left": 0.0, "right": 0.2}
    span = {"start_sec": 0.4, "end_sec": 0.8}
    clips = {
        "abcdefghijk_0": {"ytb_id": "abcdefghijk", "duration": span, "bbox": box},
        "abcdefghijk_1": {"ytb_id": "abcdefghijk", "duration": span, "bbox": empty},
        "missing_____0": {"ytb_id": "missing____", "duration": span, "bbox": box},
    }
    clip_list = write_list(tmp_path / "celebvhq_info.json", clips)
    out = str(tmp_path / "run")
    lpff_ray.mine(str(clip_list), out, MineConfig(every=3), workers=1)
    faces = lpff_ray.scan(out).collect()
    assert faces["clip_id"].to_list() == ["abcdefghijk_0"] * 4
    assert faces["frame_index"].to_list() == [10, 13, 16, 19]
    status = dict(lpff_ray.videos(out).select("clip_id", pl.struct("status", "reason")).iter_rows())
    assert status["abcdefghijk_1"] == {"status": "done", "reason": ""}
    assert status["missing_____0"] == {"status": "unreadable", "reason": "no such file"}


def test_the_command_line_shows_what_is_missing(tmp_path: Path) -> None:
    (tmp_path / "videos").mkdir()
    write_clip(tmp_path / "videos" / "M2Ohb0FAaJU.mp4")
    names = {"M2Ohb0FAaJU_1": "a", "_0tf2n3rlJU_0": "b"}  # which rich could take for its own markup
    clip_list = write_list(
        tmp_path / "celebvhq_info.json", {names[name]: clip for name, clip in CLIPS.items()}
    )
    done = call("plan", clip_list, "--videos", tmp_path / "videos")
    assert done.returncode == 0
    assert "M2Ohb0FAaJU.mp4 [a]" in done.stdout
    assert "_0tf2n3rlJU.mp4 [b]" in done.stdout
    assert "unreadable: no such file" in done.stdout
    assert "nowhere" in complaint(call("plan", clip_list, env={"LPFF_RAY_VIDEOS": "nowhere"}))
    assert "elsewhere" in complaint(call("mine", clip_list, "--out", tmp_path, "--videos", "elsewhere"))
