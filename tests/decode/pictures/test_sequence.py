"""Folders and zips of numbered pictures as clips: which frame is which, when it is shown, what is left out."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from clips import paint, read_index
from PIL import Image

from lpff_ray.decode import open_source
from lpff_ray.decode.pictures import sequence
from lpff_ray.decode.pictures.members import ZipFolder
from lpff_ray.errors import SegmentError

NUMBERS = [*range(7, 19), 30]


def png(number: int) -> bytes:
    content = io.BytesIO()
    Image.fromarray(paint(number, 32, 24)).save(content, "PNG")
    return content.getvalue()


@pytest.fixture(params=["folder", "zip", "folder of a zip"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The numbers of NUMBERS, each painted into its picture."""
    if request.param == "folder":
        for number in NUMBERS:
            (tmp_path / f"{number:08d}.png").write_bytes(png(number))
        return str(tmp_path)
    inner = "a/b/" if request.param != "zip" else ""
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as file:
        for number in reversed(NUMBERS):
            file.writestr(f"{inner}{number:08d}.png", png(number))
        file.writestr("other/00000001.png", png(99))
    return f"zip://a/b::{tmp_path}/x.zip" if inner else f"{tmp_path}/x.zip"


def test_frames_are_those_of_their_numbers_and_times(path: str) -> None:
    with open_source(path, "sequence", fps=10.0) as source:
        assert source.name == "sequence"
        assert source.table.pts_ns.tolist() == [(number - 7) * 100_000_000 for number in NUMBERS]
        assert source.table.is_keyframe.all()
        frames = list(source.frames([0, 3, 11, 12]))
    assert [read_index(frame.rgb) for frame in frames] == [7, 10, 18, 30]
    assert [frame.index for frame in frames] == [0, 3, 11, 12]
    assert frames[-1].pts_ns == 2_300_000_000


def test_a_rate_that_nobody_states_is_25(path: str) -> None:
    with open_source(path, "sequence", decoder="pyav") as source:
        assert source.table.pts_ns[1] == 40_000_000


def test_a_damaged_picture_is_left_out(tmp_path: Path) -> None:
    for number in range(3):
        (tmp_path / f"{number}.png").write_bytes(png(number))
    (tmp_path / "1.png").write_bytes(png(1)[:60])
    with open_source(str(tmp_path), "sequence") as source:
        assert [frame.index for frame in source.frames([0, 1, 2])] == [0, 2]


def test_a_damaged_member_of_a_zip_is_left_out(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as file:
        for number in range(3):
            file.writestr(f"{number}.png", png(number))
    content = bytearray((tmp_path / "x.zip").read_bytes())
    at = content.index(png(1)) + 40
    content[at : at + 8] = bytes(8)
    (tmp_path / "x.zip").write_bytes(content)
    with open_source(str(tmp_path / "x.zip"), "sequence") as source:
        assert [frame.index for frame in source.frames([0, 1, 2])] == [0, 2]


@pytest.mark.parametrize(
    ("names", "said"), [(["a.png", "b.png"], "one series"), ([], "one series"), (None, "not a zip")]
)
def test_what_is_no_sequence(tmp_path: Path, names: list[str] | None, said: str) -> None:
    folder = tmp_path / "x"
    if names is None:
        folder.write_bytes(b"no zip")
    else:
        folder.mkdir()
        for name in names:
            (folder / name).write_bytes(png(1))
    with pytest.raises(SegmentError, match=said):
        open_source(str(folder), "sequence")


def test_the_directory_of_a_zip_is_read_once_for_all_segments(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = []

    class Counted(ZipFolder):
        def __init__(self, file: str, folder: str = "") -> None:
            opened.append(file)
            super().__init__(file, folder)

    monkeypatch.setattr("lpff_ray.decode.pictures.members.ZipFolder", Counted)
    sequence._listed.cache_clear()
    for round in range(2):
        with zipfile.ZipFile(tmp_path / "x.zip", "w") as file:
            for number in range(3 + round):
                file.writestr(f"{number}.png", png(number))
        for _ in range(3):
            with open_source(str(tmp_path / "x.zip"), "sequence") as source:
                assert len(source.table) == 3 + round
                assert np.diff(source.table.pts_ns).min() > 0
    assert len(opened) == 2  # another file at the same path is opened anew
