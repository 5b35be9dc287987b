"""Files open the same way wherever they lie, and failures are one line."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import fsspec
import pytest
from servers import bytes_sent, web_server

from lpff_ray.storage.failures import explain
from lpff_ray.storage.opening import opened

BODY = bytes(range(256)) * 8192  # 2 MiB


def _check(uri: str) -> None:
    """Size, head, tail and a jump back: what a probe does."""
    with opened(uri) as (file, size):
        assert size == len(BODY)
        assert file.read(4) == BODY[:4]
        file.seek(-5, os.SEEK_END)
        assert file.read() == BODY[-5:]
        file.seek(1000)
        assert file.read(300) == BODY[1000:1300]


def _reason(uri: str) -> str:
    with pytest.raises(OSError) as caught, opened(uri):  # noqa: PT011
        pass
    return explain(caught.value, uri)


def test_local_memory_and_zip(tmp_path: Path) -> None:
    (tmp_path / "a b%20.mp4").write_bytes(BODY)
    _check(str(tmp_path / "a b%20.mp4"))
    fsspec.filesystem("memory").pipe("/storage/a.mp4", BODY)
    _check("memory://storage/a.mp4")
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        with zipfile.ZipFile(tmp_path / f"{method}.zip", "w", method) as archive:
            archive.writestr("d/a.mp4", BODY)
        _check(f"zip://d/a.mp4::{tmp_path}/{method}.zip")
        with opened(f"zip://d/a.mp4::{tmp_path}/{method}.zip") as (file, _):
            # A member itself would be unpacked anew from its start at each jump back.
            assert not isinstance(file, zipfile.ZipExtFile)
    fsspec.filesystem("memory").rm("/storage", recursive=True)


@pytest.mark.parametrize("ranges", [True, False])
def test_web_servers_with_and_without_ranges(tmp_path: Path, ranges: bool) -> None:
    (tmp_path / "a b.mp4").write_bytes(BODY)
    (tmp_path / "small.jpg").write_bytes(BODY[:100])
    (tmp_path / "empty.jpg").write_bytes(b"")
    with web_server(tmp_path, ranges) as host:
        _check(f"{host}/a b.mp4")
        _check(f"{host}/a%20b.mp4?token=1")
        for name, size in (("small.jpg", 100), ("empty.jpg", 0)):
            with opened(f"{host}/{name}") as (file, length):
                assert (length, file.read()) == (size, BODY[:size])
        assert _reason(f"{host}/gone.mp4") == "no such file"
        assert _reason(f"{host}/locked.mp4") == "permission denied"
        assert "500" in _reason(f"{host}/broken.mp4")


def test_only_the_asked_ranges_travel(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(BODY * 8)
    with web_server(tmp_path, ranges=True) as host:
        before = bytes_sent()
        with opened(f"{host}/a.mp4") as (file, size):
            file.read(65536)
            file.seek(size - 65536)
            file.read()
        assert 0 < bytes_sent() - before <= 2 * 256 * 1024


def test_failures_are_one_line(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.mp4")
    (tmp_path / "a.zip").write_text("not an archive")
    assert _reason(str(tmp_path / "pipe.mp4")) == "not a regular file"
    assert _reason(str(tmp_path / "gone.mp4")) == "no such file"
    assert _reason(str(tmp_path)) == "a folder, not a file"
    assert "null" in _reason(str(tmp_path / "a\0b.mp4"))
    assert "too long" in _reason(str(tmp_path / ("a" * 300)))
    assert "not a zip file" in _reason(f"zip://a.mp4::{tmp_path}/a.zip")
    assert "not known" in _reason("nope://a.mp4")
    for protocol in ("reference", "jupyter", "dask", "git"):  # they want more than a URI can say
        assert _reason(f"{protocol}://a.mp4")
    assert "Connect call failed" in _reason("http://127.0.0.1:9/a.mp4")


def test_a_damaged_member_fails_as_an_oserror(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.mp4", os.urandom(100_000))
    data = bytearray(path.read_bytes())
    data[50_000:60_000] = bytes(10_000)
    path.write_bytes(data)
    assert _reason(f"zip://a.mp4::{path}")
