"""Files that are there whole or not at all."""

from __future__ import annotations

import errno
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from lpff_ray.errors import UserError
from lpff_ray.storage.folder import Folder


@pytest.fixture(params=["local", "memory"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Folder:
    return Folder(str(tmp_path / "out") if request.param == "local" else f"memory://{tmp_path.name}-folder")


def test_what_is_committed_is_read_listed_and_removed(folder: Folder) -> None:
    assert folder.read("parts/a.parquet") is None
    assert folder.names("parts", ".parquet") == []
    folder.commit("parts/b.parquet", b"two")
    folder.commit("parts/a.parquet", b"one")
    folder.commit("parts/a.parquet", b"one again")
    assert folder.read("parts/a.parquet") == b"one again"
    assert folder.names("parts", ".parquet") == ["a.parquet", "b.parquet"]
    folder.remove("parts/a.parquet")
    folder.remove("parts/a.parquet")
    assert folder.names("parts", ".parquet") == ["b.parquet"]


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_one_clear_line_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    folder = Folder(str(tmp_path))
    folder.commit("parts/a.parquet", b"before")

    def full(descriptor: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UserError, match=r"free some space and run the same command to resume"):
        folder.commit("parts/a.parquet", b"after")
    assert folder.read("parts/a.parquet") == b"before"
    assert os.listdir(tmp_path / "parts") == ["a.parquet"]


def test_a_real_limit_on_file_size_leaves_nothing(tmp_path: Path) -> None:
    """The kernel itself refuses the write half-way, as it does on a full disk."""
    code = (
        "import resource, signal, sys\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "from lpff_ray.errors import UserError\n"
        "from lpff_ray.storage.folder import Folder\n"
        "try:\n"
        "    Folder(sys.argv[1]).commit('parts/a.parquet', b'x' * 5000)\n"
        "except UserError as error:\n"
        "    print(error)\n"
    )
    assert resource.RLIMIT_FSIZE is not None
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert "free some space" in done.stdout
    assert os.listdir(tmp_path / "parts") == []


def test_what_killed_writers_left_is_neither_listed_nor_kept(tmp_path: Path) -> None:
    folder = Folder(str(tmp_path))
    folder.commit("parts/a.parquet", b"one")
    leftover = tmp_path / "parts" / ".b.parquet.0123.tmp"
    leftover.write_bytes(b"torn")
    assert folder.names("parts", ".parquet") == ["a.parquet"]
    folder.sweep("parts")
    assert not leftover.exists()


def test_a_place_that_can_not_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="file"):
        Folder(str(tmp_path / "file")).commit("run.json", b"{}")
    with pytest.raises(UserError, match="nonsense"):
        Folder("nonsense://x")


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("here")
    with pytest.raises(UserError, match="file: a file, not a folder"):
        Folder(str(tmp_path / "file"))


def test_a_batch_is_in_place_at_its_end_or_not_at_all(tmp_path: Path) -> None:
    folder = Folder(str(tmp_path))
    with suppress(ZeroDivisionError), folder.batch() as put:
        put("deep/a.bin", b"one")
        raise ZeroDivisionError
    with folder.batch() as put:
        put("deep/b.bin", b"two")
        put("c.bin", (bytes([number]) for number in range(3)))
        assert folder.read("deep/b.bin") is None
    found = {
        str(path.relative_to(tmp_path)): path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()
    }
    assert found == {"deep/b.bin": b"two", "c.bin": bytes([0, 1, 2])}


def test_chunks_that_end_early_leave_nothing(tmp_path: Path) -> None:
    folder = Folder(str(tmp_path))  # memory:// shows a file as soon as it is opened; it is for tests only

    def chunks() -> Iterator[bytes]:
        yield b"first half"
        raise ZeroDivisionError

    folder.commit("kept.bin", b"before")
    for name in ("new.bin", "kept.bin"):
        with pytest.raises(ZeroDivisionError):
            folder.commit(name, chunks())
    assert folder.read("new.bin") is None
    assert folder.read("kept.bin") == b"before"
