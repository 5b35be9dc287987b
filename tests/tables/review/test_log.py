"""Logs of actions: what is acknowledged stays, what was torn does not count."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from lpff_ray.errors import UserError
from lpff_ray.storage.folder import Folder
from lpff_ray.tables.review.actions import Action
from lpff_ray.tables.review.log import OBJECT_BYTES, ReviewLog, read_logs


def action(number: int, **fields: object) -> Action:
    time = f"2026-01-31T08:30:00.{number:06d}Z"
    return Action(
        **{
            "id": f"a{number}",
            "time": time,
            "reviewer": "r",
            "action": "decide",
            "faces": (f"f{number}",),
            **fields,
        }
    )  # type: ignore[arg-type]


def ids(folder: Folder) -> list[str]:
    return [one.id for file in read_logs(folder).values() for one in file.actions]


def test_whatever_byte_a_log_ends_at_whole_actions_are_read(tmp_path: Path) -> None:
    folder = Folder(str(tmp_path))
    log = ReviewLog(folder, "Ann/../ B")
    lines = [action(number, faces=("ü☃", "g")).line() for number in range(3)]
    for number in range(3):
        log.add(action(number, faces=("ü☃", "g")))
    log.close()
    (path,) = (tmp_path / "review").iterdir()
    assert path.name.startswith("decisions-Ann-..-B-")
    content = path.read_bytes()
    assert content == b"".join(lines)
    for end in range(len(content) + 1):
        path.write_bytes(content[:end])
        whole = content[:end].count(b"\n")
        (file,) = read_logs(folder).values()
        assert [one.id for one in file.actions] == [f"a{number}" for number in range(whole)]
        assert file.torn == (end != sum(map(len, lines[:whole])))


def test_a_damaged_line_within_a_log_is_named(tmp_path: Path) -> None:
    folder = Folder(str(tmp_path))
    (tmp_path / "review").mkdir()
    path = tmp_path / "review" / "decisions-r-0.jsonl"
    path.write_bytes(action(0).line() + b'{"id": "a1"}\n' + action(2).line())
    with pytest.raises(
        UserError, match=r"decisions-r-0.jsonl, line 2: no action of a reviewer \(.*Field required\)"
    ):
        read_logs(folder)
    path.write_bytes(action(0).line() + b"\0" * 40 + b"\n")  # after a power cut: length without content
    assert ids(folder) == ["a0"]


def test_a_line_that_can_not_be_written_is_taken_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, fail = Folder(str(tmp_path)), False
    fsync = os.fsync

    def failing(descriptor: int) -> None:
        if fail and not os.path.isdir(f"/proc/self/fd/{descriptor}"):
            raise OSError(28, "No space left on device")
        fsync(descriptor)

    monkeypatch.setattr("lpff_ray.tables.review.log.os.fsync", failing)
    log = ReviewLog(folder, "r")
    log.add(action(0))
    fail = True
    with pytest.raises(UserError, match="No space left"):
        log.add(action(1))
    fail = False
    log.add(action(2))
    assert sorted(ids(folder)) == ["a0", "a2"]
    assert len(list((tmp_path / "review").iterdir())) == 2
    log.close()


def test_what_was_acknowledged_outlives_kill_9(tmp_path: Path) -> None:
    program = """
import sys
from test_log import action
from lpff_ray.storage.folder import Folder
from lpff_ray.tables.review.log import ReviewLog
log = ReviewLog(Folder(sys.argv[1]), "r")
for number in range(1_000_000):
    log.add(action(number))
    print(number, flush=True)
"""
    path = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
    )
    assert process.stdout is not None
    for _ in range(20):
        acknowledged = int(process.stdout.readline())
    process.send_signal(signal.SIGKILL)
    acknowledged = int((process.stdout.read().split("\n")[:-1] or [acknowledged])[-1])
    process.wait()
    found = ids(Folder(str(tmp_path)))
    assert found[: acknowledged + 1] == [f"a{number}" for number in range(acknowledged + 1)]
    assert len(found) <= acknowledged + 2


def test_on_an_object_store_a_log_is_put_whole_and_a_new_one_begun_in_time() -> None:
    folder = Folder("memory://review-log")
    log = ReviewLog(folder, "r")
    faces = tuple(f"face-{number:06d}" for number in range(20_000))
    for number in range(3):
        log.add(action(number, faces=faces))
    assert len(faces) * 14 > OBJECT_BYTES
    assert sorted(ids(folder)) == ["a0", "a1", "a2"]
    assert len(folder.names("review", ".jsonl")) == 3
