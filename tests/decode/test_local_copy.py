"""Remote bytes get a local path for as long as they are needed."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import fsspec
import pytest
from servers import web_server

from lpff_ray.decode import local_copy
from lpff_ray.errors import SegmentError

pytestmark = pytest.mark.timeout(60)

NAMES = ["clip.mp4", "a clip.MOV", 'it\'s "100%" ünï–コード.mp4', "a%20b#1[2]*.webm"]


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LPFF_RAY_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


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
        assert os.path.splitext(local)[1] == os.path.splitext(name)[1].lower()
        assert Path(local).is_relative_to(cache)
        assert [path.name for path in Path(local).parent.iterdir()] == [Path(local).name]
    assert list(cache.iterdir()) == []


@pytest.mark.parametrize("name", NAMES[:3])
def test_zip_member(tmp_path: Path, cache: Path, name: str) -> None:
    archive = tmp_path / "some archive.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr(f"folder/{name}", b"member" * 1000)
    with local_copy(f"zip://folder/{name}::{archive}") as local:
        assert Path(local).read_bytes() == b"member" * 1000
        assert os.path.splitext(local)[1] == os.path.splitext(name)[1].lower()
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
            assert local.endswith(".mp4")
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


def test_no_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("LPFF_RAY_CACHE", str(tmp_path / "file"))
    with pytest.raises(SegmentError, match="local copy"), local_copy("memory://clip.mp4"):
        pass
