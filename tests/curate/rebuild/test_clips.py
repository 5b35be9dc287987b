"""Frames and pixels of published clips, by the rules of the data sets' own scripts."""

from __future__ import annotations

from pathlib import Path

import pytest

from lpff_ray.curate.rebuild.clips import Annotations, Library, celebv_square, find_clip, script_start
from lpff_ray.errors import UserError

VFHQ, CELEBV = "Clip+abcdefghijk+P0+C0+F99-120", "abcdefghijk_3"


@pytest.mark.parametrize(
    ("seconds", "start"), [(81.62, 81.62), (4.35, 4.34), (0.0, 0.0), (3725.999, 3725.99), (12, 12.0)]
)
def test_starts_are_cut_as_the_script_cuts_them(seconds: float, start: float) -> None:
    whole = (seconds - int(seconds)) * 100  # secs_to_timestr of CelebV-HQ's script
    assert script_start(seconds) == pytest.approx(int(seconds) + int(whole) / 100)
    assert script_start(seconds) == pytest.approx(start, abs=0.0101)


def test_the_square_of_celebv() -> None:
    # top 0 stays, bottom .8815 + .02; rows 0..974; columns round(.1764 * 1920) = 339 to round(.7122 * 1920) = 1367
    assert celebv_square((0.0, 0.8815, 0.1964, 0.6922), 1920, 1080) == (366, 0, 974)
    left, top, side = celebv_square((0.1, 0.4, 0.1, 0.9), 640, 361)
    assert (top, side) == (29, 122)
    assert left == (51 + 589) // 2 - 61


def found(tmp_path: Path, clip: str, files: list[str], frameids: list[int]) -> object:
    uris = [str(tmp_path / name) for name in files]
    return find_clip(clip, frameids, Library(str(tmp_path), uris), Annotations([]), 25.0)


@pytest.mark.parametrize(
    ("files", "numbers"),
    [
        (["abcdefghijk.webm"], {100: 100, 119: 119}),  # of the whole video
        ([f"{VFHQ}.mp4"], {100: 0, 119: 19}),  # a clip that begins with the frame after the first number
        ([f"{VFHQ}/{number:08d}.png" for number in (100, 101, 119)], {100: 0, 119: 2}),
        (["abcdefghijk.mp4", f"{VFHQ}/00000100.png", f"{VFHQ}/00000101.png"], {100: 0}),
    ],
)
def test_frames_of_vfhq(tmp_path: Path, files: list[str], numbers: dict[int, int]) -> None:
    clip = found(tmp_path, VFHQ, files, [100, 119])
    assert clip.numbers == numbers  # type: ignore[attr-defined]
    assert clip.source.frames == tuple(sorted(numbers.values()))  # type: ignore[attr-defined]
    assert clip.source.clip_id == VFHQ  # type: ignore[attr-defined]


def test_frames_of_a_clip_of_celebv_that_is_a_file(tmp_path: Path) -> None:
    clip = found(tmp_path, CELEBV, [f"{CELEBV}.mp4"], [1, 7])
    assert clip.numbers == {1: 0, 7: 6}  # type: ignore[attr-defined]
    assert (clip.box, clip.source.crop, clip.source.start_s) == (None, None, None)  # type: ignore[attr-defined]


def test_what_is_not_there(tmp_path: Path) -> None:
    assert found(tmp_path, VFHQ, [], [100]) == "missing"
    assert found(tmp_path, CELEBV, ["other.mp4"], [1]) == "missing"
    assert found(tmp_path, CELEBV, ["abcdefghijk.mp4"], [1]) == "no annotation"


def test_annotations_that_are_none(tmp_path: Path) -> None:
    (tmp_path / "list.json").write_text('{"clips": {"a_0": {}}}')
    with pytest.raises(UserError, match="clip 'a_0': no duration or bbox"):
        Annotations([str(tmp_path / "list.json")]).celebv("a_0")
    (tmp_path / "list.json").write_text("[1]")
    with pytest.raises(UserError, match="neither CelebV-HQ's"):
        Annotations([str(tmp_path / "list.json")])
