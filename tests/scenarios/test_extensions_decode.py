"""A decoder of another package: one file, and one line in its metadata. It is mined with by its name."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from clips import portrait, write_clip
from other_package import install, source_of
from tablecheck import assert_same_faces

import lpff_ray
from lpff_ray.config import MineConfig
from lpff_ray.decode import DECODERS


@pytest.fixture(autouse=True)
def other_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(
        tmp_path / "site-packages",
        monkeypatch,
        {"opencv_decoder": source_of("opencv_decoder")},
        {"lpff_ray.decoders": "opencv = opencv_decoder:OpenCv"},
    )


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
    assert DECODERS.names()[-1] == "opencv"


def test_a_clip_is_mined_with_it(clip: Path) -> None:
    faces, record = mined(clip, "opencv")
    assert (record["decoder"], record["frames_looked_at"], record["note"]) == ("opencv", 3, "")
    expected, _ = mined(clip, "auto")
    assert len(faces) == 3
    assert_same_faces(faces, expected)


def test_what_it_does_not_deliver_is_decoded_by_the_last_resort(clip: Path) -> None:
    faces, record = mined(clip.rename(clip.with_name("lossy.mp4")), "opencv")
    assert (record["decoder"], record["note"]) == ("pyav", "opencv delivered 2 of 3 frames")
    assert faces["frame_index"].to_list() == [0, 4, 8]


def test_a_file_that_it_can_not_be_relied_on_for_is_read_by_another(clip: Path) -> None:
    faces, record = mined(clip.rename(clip.with_name("unliked.mp4")), "opencv")
    assert (record["decoder"], record["attempt"], len(faces)) == ("pyav", 3, 3)
