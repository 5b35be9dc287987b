"""Damage is told by what the decoder says, sound streams are whole, and no damaged picture passes for a sound one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from clips import overwrite, portrait, write_clip
from numpy.typing import NDArray
from odd_clips import write_mpeg2

from lpff_ray.decode import open_source
from lpff_ray.decode.damage import Damage
from lpff_ray.errors import SegmentError

pytestmark = pytest.mark.timeout(120)


def small_frames(path: Path, decoder: str) -> dict[int, NDArray[np.int16]]:
    with open_source(str(path), "video", decoder) as source:
        return {
            frame.pts_ns // 1_000_000: frame.rgb[::2, ::2].astype(np.int16)
            for frame in source.frames(range(len(source.table)))
        }


def differs(one: NDArray[np.int16], other: NDArray[np.int16]) -> bool:
    return one.shape != other.shape or bool((np.abs(one - other) > 25).mean() > 0.01)


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Clips of 60 frames with packets of several kB."""
    folder = tmp_path_factory.mktemp("large")
    for name, codec in (("a.mp4", "h264"), ("a.ts", "h264"), ("b.mp4", "mpeg4"), ("c.mp4", "hevc")):
        write_clip(folder / name, 60, size=(320, 240), noise=20, codec=codec, picture_of=portrait)
    return folder


@pytest.mark.parametrize("length", [64, 2_000, 20_000])
@pytest.mark.parametrize("name", ["a.mp4", "a.ts", "b.mp4"])
@pytest.mark.parametrize("decoder", ["auto", "decord"])
def test_bytes_overwritten_in_the_middle_are_told(
    large: Path, tmp_path: Path, name: str, length: int, decoder: str
) -> None:
    if decoder == "decord":
        pytest.importorskip("decord")
    if decoder == "decord" and name != "a.mp4":
        pytest.skip("decord is not given such files")
    sound = small_frames(large / name, "auto")
    assert len(sound) == 60
    size = (large / name).stat().st_size
    # Elsewhere 64 bytes, or 2000, can make a valid bitstream, which no decoder can tell from a sound one.
    path = overwrite(large / name, tmp_path / name, 0.6, 0.6 + length / size)
    try:
        found = small_frames(path, decoder)
    except SegmentError as error:
        assert decoder == "decord", "it gives up"
        assert error.failure.stage in ("open", "decode")  # noqa: PT017
        return
    assert len(found) < 60, "it cost something"
    assert not [index for index, rgb in found.items() if differs(rgb, sound[index])]
    assert {min(sound), max(sound)} <= set(found), "what is far from it is there"


def test_an_hevc_slice_that_breaks_off_is_told(large: Path, tmp_path: Path) -> None:
    sound = small_frames(large / "c.mp4", "auto")
    size = (large / "c.mp4").stat().st_size
    found = small_frames(overwrite(large / "c.mp4", tmp_path / "c.mp4", 0.5, 0.5 + 20_000 / size), "auto")
    assert len(found) < 60
    assert not [index for index, rgb in found.items() if differs(rgb, sound[index])]


@pytest.mark.parametrize("name", ["a.ts", "a.mpg", "a.vob"])
def test_sound_mpeg2_is_whole(tmp_path: Path, name: str) -> None:
    path = write_mpeg2(tmp_path / name, 40)
    assert len(small_frames(path, "auto")) == 40


def test_reports_are_kept_from_the_console(large: Path, tmp_path: Path) -> None:
    path = overwrite(large / "a.mp4", tmp_path / "a.mp4", 0.5, 0.53)
    program = (
        "from lpff_ray.decode import open_source; import sys;"
        "source = open_source(sys.argv[1], 'video'); print(len(list(source.frames(range(60)))))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=True
    )
    assert int(done.stdout) < 60
    assert done.stderr == ""


def test_damage_reaches_to_the_next_keyframe() -> None:
    damage = Damage()
    damage.begin(3)
    assert [damage.covers(position, position) for position in range(6)] == [False] * 3 + [True] * 3
    damage.reach_keyframe(6, 8)
    # Stored after the keyframe, but shown before it: it leans on both sides.
    assert damage.covers(7, 7)
    assert not damage.covers(8, 9)
    assert not damage.covers(6, 8)
