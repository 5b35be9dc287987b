"""The identity of content, and what a look at a file of each kind says."""

from __future__ import annotations

import hashlib
import io
import os
import struct
from pathlib import Path
from unittest.mock import Mock

import fsspec
import numpy as np
import pytest
from clips import truncate, write_audio_only, write_clip
from PIL import Image
from servers import web_server

from lpff_ray.errors import UserError
from lpff_ray.plan import content as content_module
from lpff_ray.plan.content import WHOLE, content_id, inspect, whole_id

BIG = bytes(200_000)


def _id(data: bytes) -> str:
    return content_id(io.BytesIO(data), len(data))


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A video of which only blocks are hashed."""
    path = write_clip(tmp_path_factory.mktemp("content") / "a.mkv", 40, size=(640, 480), noise=120, gop=10)
    assert path.stat().st_size > 3 * WHOLE
    return path


def test_large_videos_are_read_in_part(large: Path) -> None:
    class Counted(io.BytesIO):
        taken = 0

        def read(self, size: int | None = -1) -> bytes:
            data = super().read(size)
            self.taken += len(data)
            return data

    data = large.read_bytes()
    file = Counted(data)
    assert content_id(file, len(data)) != whole_id(io.BytesIO(data), len(data))
    assert file.taken <= WHOLE + 4096


def test_every_byte_of_a_photo_counts(tmp_path: Path) -> None:
    pixels = np.zeros((800, 800, 3), np.uint8)
    ids = set()
    for place in range(0, 800, 100):
        pixels[...] = 0
        pixels[place, place] = 255
        for ending in ("bmp", "tif", "ppm"):
            Image.fromarray(pixels).save(tmp_path / f"a.{ending}")
            data = (tmp_path / f"a.{ending}").read_bytes()
            assert len(data) > WHOLE
            ids.add(_id(data))
    assert len(ids) == 3 * 8


def test_scheme_1_is_that_of_the_first_release() -> None:
    changed = BIG[:100_000] + b"x" + BIG[100_001:]
    assert content_id(io.BytesIO(BIG), len(BIG), 1) == content_id(io.BytesIO(changed), len(BIG), 1)
    digest = hashlib.sha256(str(len(BIG)).encode() + BIG[:65536] + BIG[-65536:]).hexdigest()
    assert content_id(io.BytesIO(BIG), len(BIG), 1) == digest[:16]


def test_whatever_a_source_raises_is_its_row_and_its_traceback_is_logged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    class Panic(BaseException):
        """As Rust libraries panic."""

    clip = write_clip(tmp_path / "a.mp4", 5)
    for error in (struct.error("odd"), RecursionError(), Panic("lost"), ValueError("31 is not a valid Type")):
        monkeypatch.setattr(content_module, "probe", Mock(side_effect=error))
        with caplog.at_level("INFO", "lpff_ray"):
            found = inspect(str(clip))
        assert found.status == "unreadable"
        assert type(error).__name__ in found.reason
        assert caplog.records[-1].exc_info is not None
        assert caplog.records[-1].exc_info[1] is error
    for ends in (KeyboardInterrupt(), SystemExit(), UserError("no room")):
        monkeypatch.setattr(content_module, "probe", Mock(side_effect=ends))
        with pytest.raises(type(ends)):
            inspect(str(clip))


def test_content_id_sees_size_head_and_tail() -> None:
    assert _id(BIG) == _id(bytearray(BIG))
    assert len(_id(BIG)) == 16
    assert int(_id(BIG), 16) >= 0
    head, tail = b"x" + BIG[1:], BIG[:-1] + b"x"
    assert len({_id(data) for data in (b"", b"x", BIG, BIG + b"\0", head, tail)}) == 6


@pytest.mark.parametrize("size", [1, 65_536, 65_537, 100_000, 131_072])
def test_small_content_is_hashed_whole(size: int) -> None:
    plain = os.urandom(size)
    for at in (0, size // 2, size - 1):
        changed = bytearray(plain)
        changed[at] ^= 1
        assert _id(bytes(changed)) != _id(plain)


@pytest.mark.parametrize("is_large", [False, True])
def test_content_id_does_not_depend_on_the_place(tmp_path: Path, large: Path, is_large: bool) -> None:
    clip = write_clip(tmp_path / "a.mp4", 30, noise=60)
    if is_large:
        clip.write_bytes(large.read_bytes())
    other = tmp_path / "b c.mp4"
    other.write_bytes(clip.read_bytes())
    fsspec.filesystem("memory").pipe("/content/c.mp4", clip.read_bytes())
    with web_server(tmp_path, ranges=True) as ranges, web_server(tmp_path, ranges=False) as plain:
        uris = [str(clip), str(other), "memory://content/c.mp4", f"{ranges}/a.mp4", f"{plain}/a.mp4"]
        found = [inspect(uri) for uri in uris]
    fsspec.filesystem("memory").rm("/content", recursive=True)
    assert {content.status for content in found} == {"planned"}
    assert len({content.identity for content in found}) == 1
    assert {content.size for content in found} == {clip.stat().st_size}
    assert len({content.info.frames_expected for content in found if content.info}) == 1


def test_every_kind_of_bad_file_has_a_status_and_a_reason(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "good.mp4", 30)
    truncate(clip, tmp_path / "cut.mp4", 0.5)
    write_audio_only(tmp_path / "sound.mp4")
    (tmp_path / "text.mp4").write_text("this is no video\n" * 50)
    (tmp_path / "readme.txt").write_text("hello")
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "noise.jpg").write_bytes(os.urandom(5000))
    Image.new("RGB", (40, 30)).save(tmp_path / "photo.webp")
    found = {path.name: inspect(str(path)) for path in tmp_path.iterdir()}
    found["gone.mp4"] = inspect(str(tmp_path / "gone.mp4"))
    good = {name for name, content in found.items() if content.status == "planned"}
    assert good == {"good.mp4", "photo.webp"}
    assert found["readme.txt"].status == "not_media"
    assert found["gone.mp4"].reason == "no such file"
    assert found["empty.mp4"].reason == "the file is empty"
    for name in ("cut.mp4", "sound.mp4", "empty.mp4", "gone.mp4"):
        assert found[name].status == "unreadable", name
    for name, content in found.items():
        assert bool(content.reason) == (name not in good), name
        assert len(content.identity) == 16
        assert "\n" not in content.reason


def test_names_that_are_not_utf8(tmp_path: Path) -> None:
    path = os.fsencode(tmp_path) + b"/\xff.mp4"
    with open(path, "wb") as file:
        file.write(b"x")
    content = inspect(os.fsdecode(path))
    assert (content.status, content.reason) == ("unreadable", "the file name is not UTF-8: rename the file")
