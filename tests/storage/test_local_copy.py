"""Remote bytes get a local path for as long as they are needed, are fetched once, and leave nothing behind."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import tempfile
import threading
import zipfile
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import fsspec
import pytest
from clips import CLIPS
from fsspec.implementations.memory import MemoryFileSystem
from servers import web_server

from lpff_ray.decode import open_source
from lpff_ray.decode.frame_table import read_frame_table
from lpff_ray.errors import SegmentError, UserError
from lpff_ray.storage.local_copy import MOST_IDLE, drop_idle_copies, local_copy

pytestmark = pytest.mark.timeout(60)

MODULE = sys.modules[drop_idle_copies.__module__]  # the package shows the function by that name

NAMES = ["clip.mp4", "a clip.MOV", 'it\'s "100%" ünï–コード.mp4', "a%20b#1[2]*.webm"]


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("LPFF_RAY_CACHE", str(tmp_path / "cache"))
    yield tmp_path / "cache"
    drop_idle_copies()


@pytest.fixture
def fetched(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each file of the memory file system was fetched whole."""
    counter: Counter[str] = Counter()
    get_file = MemoryFileSystem.get_file

    def counted(self: MemoryFileSystem, rpath: str, lpath: str, *args: Any, **options: Any) -> None:
        counter[rpath] += 1
        get_file(self, rpath, lpath, *args, **options)

    monkeypatch.setattr(MemoryFileSystem, "get_file", counted)
    return counter


def memory_file(name: str, data: bytes = b"remote") -> str:
    fsspec.filesystem("memory").pipe_file(f"/{name}", data)
    return f"memory://{name}"


def open_files() -> set[str]:
    """The deleted copies that this process still holds."""
    links = [link for link in Path("/proc/self/fd").iterdir() if link.is_symlink()]
    return {name for name in map(os.readlink, links) if "lpff-ray-" in name and name.endswith("(deleted)")}


@pytest.mark.parametrize("name", NAMES)
def test_local_files_stay_where_they_are(tmp_path: Path, cache: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(b"bytes")
    for uri in (str(path), path.as_uri(), f"file://{path}"):
        with local_copy(uri) as local:
            assert local == str(path)
    assert path.read_bytes() == b"bytes"
    assert not cache.exists()


@pytest.mark.parametrize("name", NAMES)
def test_memory(cache: Path, name: str) -> None:
    uri = f"memory://folder/{name}"
    fsspec.filesystem("memory").pipe_file(f"/folder/{name}", b"remote")
    with local_copy(uri) as local:
        assert Path(local).read_bytes() == b"remote"
        assert os.readlink(local).startswith(str(cache))
        assert list(cache.iterdir()) == [], "a file without a name"
    assert not open_files()


@pytest.mark.parametrize("name", NAMES[:3])
def test_zip_member(tmp_path: Path, cache: Path, name: str) -> None:
    archive = tmp_path / "some archive.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr(f"folder/{name}", b"member" * 1000)
    with local_copy(f"zip://folder/{name}::{archive}") as local:
        assert Path(local).read_bytes() == b"member" * 1000
    assert list(cache.iterdir()) == []


@pytest.mark.parametrize("ranges", [True, False])
def test_http(tmp_path: Path, cache: Path, ranges: bool) -> None:
    folder = tmp_path / "www"
    folder.mkdir()
    data = os.urandom(300_000)
    (folder / "a clip.mp4").write_bytes(data)
    with web_server(folder, ranges) as address:
        with local_copy(f"{address}/a%20clip.mp4?token=1") as local:
            assert Path(local).read_bytes() == data
        with pytest.raises(SegmentError) as error, local_copy(f"{address}/none.mp4"):
            pass
    assert error.value.failure.stage == "open"
    assert "none.mp4" in error.value.failure.message
    assert list(cache.iterdir()) == []


@pytest.mark.parametrize(
    "uri", ["memory://folder/none.mp4", "zip://none.mp4::/nowhere.zip", "nosuch://bucket/clip.mp4"]
)
def test_what_can_not_be_had(cache: Path, uri: str) -> None:
    with pytest.raises(SegmentError) as error, local_copy(uri):
        pass
    assert error.value.failure.stage == "open"
    assert uri in error.value.failure.message
    assert "\n" not in error.value.failure.message
    assert list(cache.iterdir()) == []


def test_removed_also_when_the_work_fails(cache: Path) -> None:
    fsspec.filesystem("memory").pipe_file("/clip.mp4", b"remote")
    with pytest.raises(ZeroDivisionError), local_copy("memory://clip.mp4"):
        1 / 0  # noqa: B018
    assert list(cache.iterdir()) == []


@pytest.mark.parametrize("name", CLIPS)
def test_decoders_read_a_file_without_a_name(clips: Path, cache: Path, name: str) -> None:
    uri = memory_file(name, (clips / name).read_bytes())
    with open_source(str(clips / name), "video") as source, local_copy(uri) as local:
        assert read_frame_table(local).ticks.tolist() == source.table.ticks.tolist()
        with open_source(local, "video") as copied:
            assert copied.name == source.name
            for ours, theirs in zip(source.frames([0, 37]), copied.frames([0, 37]), strict=True):
                assert (ours.rgb == theirs.rgb).all()


def test_where_files_need_a_name_they_have_one_and_are_not_kept(
    cache: Path, fetched: Counter[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(MODULE, "_opens_nameless", lambda folder: False)
    uri = memory_file("clip.MP4")
    for _ in range(2):
        with local_copy(uri, "content") as local, local_copy(uri, "content") as same:
            assert same == local
            assert Path(local).is_relative_to(cache)
            assert local.endswith(".mp4")
            assert Path(local).read_bytes() == b"remote"
        assert list(cache.iterdir()) == []
    assert fetched["/clip.MP4"] == 2


def test_fetched_once_by_many_threads_and_kept(cache: Path, fetched: Counter[str]) -> None:
    uris = [memory_file(f"clip{number}.mp4", bytes([number]) * 1000) for number in range(2)]
    together = threading.Barrier(8)

    def read(place: int) -> bytes:
        together.wait()
        with local_copy(uris[place % 2], "content") as local:
            return Path(local).read_bytes()

    with ThreadPoolExecutor(8) as pool:
        for _ in range(20):
            assert list(pool.map(read, range(8))) == [bytes([place % 2]) * 1000 for place in range(8)]
    assert fetched == {"/clip0.mp4": 1, "/clip1.mp4": 1}
    assert len(open_files()) == 2
    assert drop_idle_copies()
    assert not drop_idle_copies()
    assert not open_files()


def test_the_one_used_longest_ago_goes_first_and_none_in_use(cache: Path, fetched: Counter[str]) -> None:
    uris = [memory_file(f"clip{number}.mp4", bytes([number])) for number in range(MOST_IDLE + 3)]
    with local_copy(uris[0], "a") as first:
        for uri in uris[1:]:
            with local_copy(uri, "a"):
                pass
        assert len(open_files()) == 1 + MOST_IDLE
        drop_idle_copies()
        assert len(open_files()) == 1
        assert Path(first).read_bytes() == b"\0"
    for uri in [
        *uris[1 : MOST_IDLE + 1],
        uris[1],
    ]:  # uris[1] is the latest again, and all but the last of them are kept
        with local_copy(uri, "a"):
            pass
    fetched.clear()
    with local_copy(uris[1], "a"), local_copy(uris[MOST_IDLE], "a"):
        pass
    assert not fetched


def test_other_content_is_fetched_anew(cache: Path, fetched: Counter[str]) -> None:
    for content, data in (("a", b"one"), ("b", b"two"), ("b", b"two"), ("", b"three"), ("", b"four")):
        with local_copy(memory_file("clip.mp4", data), content) as local:
            assert Path(local).read_bytes() == data
    assert fetched["/clip.mp4"] == 4


def test_what_would_take_much_of_the_disk_is_not_kept(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    uri = memory_file("clip.mp4", bytes(10_000))
    monkeypatch.setattr(MODULE, "IDLE_SHARE", 1e-12)
    with local_copy(uri, "content"):
        assert open_files()
    assert not open_files()


def test_a_failure_is_not_kept(cache: Path) -> None:
    with pytest.raises(SegmentError), local_copy("memory://later.mp4", "content"):
        pass
    with local_copy(memory_file("later.mp4"), "content") as local:
        assert Path(local).read_bytes() == b"remote"


KILLED = """
import os, signal, fsspec
from lpff_ray.storage.local_copy import local_copy
for number in range(3):
    fsspec.filesystem("memory").pipe_file(f"/{number}.mp4", bytes(1000))
with local_copy("memory://0.mp4", "a"), local_copy("memory://1.mp4", "b"):
    pass
with local_copy("memory://2.mp4", "c") as path:
    assert len(open(path, "rb").read()) == 1000
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_killed_process_leaves_nothing(cache: Path) -> None:
    ended = subprocess.run([sys.executable, "-c", KILLED], check=False)
    assert ended.returncode == -signal.SIGKILL
    assert list(cache.iterdir()) == []


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_no_room(cache: Path, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    def full(*args: Any, **options: Any) -> None:
        raise OSError(code, os.strerror(code))

    uri = memory_file("clip.mp4")
    monkeypatch.setattr(MemoryFileSystem, "get_file", full)
    with pytest.raises(UserError) as error, local_copy(uri):
        pass
    said = str(error.value)
    assert said.startswith(f"{cache}: no room for a copy of {uri}: {os.strerror(code)}")
    assert "LPFF_RAY_CACHE" in said
    assert "\n" not in said
    assert list(cache.iterdir()) == []


def test_no_room_for_an_unpacked_member(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`opened` unpacks it to the temporary folder, which is not the cache."""

    def full(*args: Any, **options: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with zipfile.ZipFile(tmp_path / "some.zip", "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("clip.mp4", b"member" * 1000)
    monkeypatch.setattr("shutil.copyfileobj", full)
    with (
        pytest.raises(UserError, match="set TMPDIR") as error,
        local_copy(f"zip://clip.mp4::{tmp_path}/some.zip"),
    ):
        pass
    assert str(error.value).startswith(f"{tempfile.gettempdir()}: no room for a copy of zip://clip.mp4")
    assert list(cache.iterdir()) == []


def test_idle_copies_make_room(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    get_file = MemoryFileSystem.get_file

    def room_for_one(self: MemoryFileSystem, *args: Any, **options: Any) -> None:
        if open_files():
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        get_file(self, *args, **options)

    uris = [memory_file(f"clip{number}.mp4", bytes([number])) for number in range(2)]
    monkeypatch.setattr(MemoryFileSystem, "get_file", room_for_one)
    for number in (0, 1, 0):
        with local_copy(uris[number], "content") as local:
            assert Path(local).read_bytes() == bytes([number])


def test_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("LPFF_RAY_CACHE", str(tmp_path / "file"))
    with pytest.raises(UserError, match="set LPFF_RAY_CACHE"), local_copy("memory://clip.mp4"):
        pass
