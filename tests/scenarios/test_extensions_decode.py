"""A decoder of another package: one file, and one line in its metadata. It is mined with by its name."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from clips import portrait, write_clip
from tablecheck import assert_same_faces

import lpff_ray
from lpff_ray.config import MineConfig
from lpff_ray.decode import DECODERS

# The one file. It reads a clip with OpenCV, all frames one after the other.
DECODER = """
import cv2

from lpff_ray.decode import Frame, FrameSource
from lpff_ray.decode.frame_table import read_frame_table


class OpenCv(FrameSource):
    name = "dummy"

    def __init__(self, path, threads=1):
        self.table = read_frame_table(path)
        self.path = path

    @classmethod
    def objection(cls, path):
        return "I do not like the name" if "unliked" in path else ""

    def frames(self, indices):
        reader, wanted = cv2.VideoCapture(self.path), set(indices)
        for index in range(len(self.table)):
            found, bgr = reader.read()
            if found and index in wanted and not ("lossy" in self.path and index > 4):
                yield Frame(index, int(self.table.pts_ns[index]), bgr[..., ::-1].copy())
"""
# The one line.
ENTRY_POINT = "[lpff_ray.decoders]\ndummy = dummy_decoder:OpenCv\n"


@pytest.fixture(autouse=True)
def other_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The package `dummy-decoder`, as pip installs it."""
    folder = tmp_path / "site-packages"
    info = folder / "dummy_decoder-1.0.dist-info"
    info.mkdir(parents=True)
    (folder / "dummy_decoder.py").write_text(DECODER)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: dummy-decoder\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(ENTRY_POINT)
    monkeypatch.syspath_prepend(str(folder))


def mined(clip: Path, decoder: str) -> tuple[pl.DataFrame, dict[str, object]]:
    """The faces, and the record of the only segment."""
    out = str(clip.parent / f"{clip.stem}-{decoder}")
    lpff_ray.mine(str(clip), out, MineConfig(every=4, decoder=decoder), workers=1)
    return lpff_ray.scan(out).collect(), lpff_ray.segments(out).row(0, named=True)


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """12 frames of 480 x 320 pixels with one face."""
    return write_clip(tmp_path / "clip.mp4", 12, size=(480, 320), picture_of=portrait)


def test_it_is_there_by_its_name() -> None:
    assert DECODERS.names()[-1] == "dummy"


def test_a_clip_is_mined_with_it(clip: Path) -> None:
    faces, record = mined(clip, "dummy")
    assert (record["decoder"], record["frames_looked_at"], record["note"]) == ("dummy", 3, "")
    expected, _ = mined(clip, "auto")
    assert len(faces) == 3
    assert_same_faces(faces, expected)


def test_what_it_does_not_deliver_is_decoded_by_the_last_resort(clip: Path) -> None:
    faces, record = mined(clip.rename(clip.with_name("lossy.mp4")), "dummy")
    assert (record["decoder"], record["note"]) == ("pyav", "dummy delivered 2 of 3 frames")
    assert faces["frame_index"].to_list() == [0, 4, 8]


def test_a_file_that_it_can_not_be_relied_on_for_is_read_by_another(clip: Path) -> None:
    faces, record = mined(clip.rename(clip.with_name("unliked.mp4")), "dummy")
    assert (record["decoder"], record["attempt"], len(faces)) == ("pyav", 3, 3)
