"""Animated pictures are clips: every frame, at its time, and what is damaged is missing."""

from __future__ import annotations

import zlib
from pathlib import Path

import pytest
from clips import paint, read_index
from pictures import write_animation
from PIL import Image

from lpff_ray.decode import open_source
from lpff_ray.decode.probe import probe

ENDINGS = ["gif", "png", "webp", "avif"]


@pytest.mark.parametrize("ending", ENDINGS)
def test_every_frame_at_its_time(tmp_path: Path, ending: str) -> None:
    durations = [40, 200, *[60] * 8]
    path = write_animation(tmp_path / f"a.{ending}", 10, durations)
    info = probe(str(path), path.name)
    assert (info.kind, info.codec, info.frames_expected) == ("animation", ending, 10)
    assert (info.width, info.height) == (64, 48)
    assert (info.duration_s, info.fps) == (pytest.approx(0.72), pytest.approx(10 / 0.72))
    with path.open("rb") as file:
        assert probe(file, "a") == info
    with open_source(str(path), "animation", "decord") as source:  # which is for videos
        assert source.name == "animation"
        expected = [sum(durations[:index]) * 1_000_000 for index in range(10)]
        assert source.table.pts_ns.tolist() == expected
        for wanted in (range(10), [0, 3, 9], [7]):
            frames = list(source.frames(wanted))
            assert [(frame.index, read_index(frame.rgb)) for frame in frames] == [(i, i) for i in wanted]
            assert [frame.pts_ns for frame in frames] == [expected[i] for i in wanted]


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_single_frame_is_a_photo(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"a.{ending}"
    Image.fromarray(paint(5, 64, 48)).save(path)
    assert probe(str(path), path.name).kind == "photo"


def test_frames_without_a_duration_last_as_in_browsers(tmp_path: Path) -> None:
    path = write_animation(tmp_path / "a.gif", 4, 0)
    assert probe(str(path), path.name).duration_s == pytest.approx(0.4)


def test_the_still_picture_before_an_apng_is_none_of_its_frames(tmp_path: Path) -> None:
    still = Image.fromarray(paint(4000, 64, 48))
    rest = [Image.fromarray(paint(index, 64, 48)) for index in range(3)]
    still.save(tmp_path / "a.png", save_all=True, append_images=rest, default_image=True, duration=50)
    with open_source(str(tmp_path / "a.png"), "animation") as source:
        assert [read_index(frame.rgb) for frame in source.frames(range(3))] == [0, 1, 2]


def test_an_announced_number_of_frames_is_held_to_the_bytes(tmp_path: Path) -> None:
    path = write_animation(tmp_path / "a.png", 3)
    data = bytearray(path.read_bytes())
    at = data.index(b"acTL") + 4
    data[at : at + 4] = (2_000_000_000).to_bytes(4, "big")
    data[at + 8 : at + 12] = zlib.crc32(data[at - 4 : at + 8]).to_bytes(4, "big")
    path.write_bytes(data)
    info = probe(str(path), path.name)
    assert info.frames_expected <= len(data) // 12


def test_damage_leaves_the_frames_before_it(tmp_path: Path) -> None:
    path = write_animation(tmp_path / "a.png", 10)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert probe(str(path), path.name).frames_expected == 10
    with open_source(str(path), "animation") as source:
        found = [(frame.index, read_index(frame.rgb)) for frame in source.frames(range(10))]
        assert 3 <= len(found) <= 6
        assert found == [(index, index) for index in range(len(found))]
        assert list(source.frames([8, 9])) == []
        assert source.shortfall_is_final
