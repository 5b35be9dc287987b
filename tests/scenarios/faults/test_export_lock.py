"""Two exports into one folder: one goes on, the other says so and touches nothing."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from clips import portrait, write_clip
from command import complaint, run, start, wait_until
from numbered import SELECTION, Numbered, numbered_run, tree

from lpff_ray.errors import UserError
from lpff_ray.exports.job import export
from lpff_ray.storage.folder import Folder
from lpff_ray.storage.lock import locked

# Holds the folder given until its standard input ends.
HOLDER = """
import sys
from lpff_ray.storage.lock import locked
from lpff_ray.storage.folder import Folder
with locked(Folder(sys.argv[1]), ".lpff_ray/lock", "busy"):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture(scope="module")
def mined(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clips")
    clips = [
        write_clip(folder / f"{number}.mp4", 24 + number, size=(320, 240), picture_of=portrait)
        for number in range(4)
    ]
    return numbered_run(folder / "run", clips, range(0, 24, 3))


def command(mined: Path, dest: Path, size: int = 512) -> tuple[object, ...]:
    chosen = ("--selection", SELECTION, "--format", "stylegan", "--size", size, "--zip", "--workers", 1)
    return ("export", mined, *chosen, "--dest", dest)


def test_of_two_exports_at_once_one_is_refused_and_the_other_whole(mined: Path, tmp_path: Path) -> None:
    assert run(*command(mined, tmp_path / "alone")).returncode == 0
    dest = tmp_path / "dest"
    first = start(*command(mined, dest))
    wait_until(first, lambda: any(dest.glob(".lpff_ray/units/*.json")))
    first.send_signal(signal.SIGSTOP)  # for as long as the other one takes
    for size in (512, 1024):  # the same export, and another
        said = complaint(run(*command(mined, dest, size)))
        assert said == (
            f"{dest}: another export to this folder is running; wait until it ends, or give --dest another folder"
        )
    first.send_signal(signal.SIGCONT)
    stdout, stderr = first.communicate(timeout=60)
    assert first.returncode == 0, stderr
    assert "32 of 32 faces, 0 of them before" in stdout
    assert tree(dest) == tree(tmp_path / "alone")
    assert json.loads((dest / ".lpff_ray" / "export.json").read_text())["size"] == 512


def test_a_lock_ends_with_its_process_however_that_ends(mined: Path, tmp_path: Path) -> None:
    dest = tmp_path / "dest"
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(dest)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(UserError, match=rf"{dest}: another export to this folder is running"):
        export(str(mined), SELECTION, Numbered(), str(dest))
    assert list(tree(dest)) == [".lpff_ray/lock"]
    holder.kill()
    holder.communicate()
    summary = export(str(mined), SELECTION, Numbered(), str(dest))
    assert summary.made == 32, "what a killed process leaves is no other's export"
    assert (dest / ".lpff_ray" / "lock").read_bytes() == b""
    again = export(str(mined), SELECTION, Numbered(), str(dest))
    assert (again.made_before, again.files) == (32, summary.files), "the lock is no file of the data set"


def test_no_lock_is_laid_into_somebody_elses_folder(mined: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("precious")
    with pytest.raises(UserError, match="not empty, and no export of lpff-ray"):
        export(str(mined), SELECTION, Numbered(), str(tmp_path))
    assert list(tree(tmp_path)) == ["mine.txt"]


def test_a_folder_that_can_not_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / ".lpff_ray").write_text("a file")
    with (
        pytest.raises(UserError, match=r"lpff_ray/lock: can not be written: "),
        locked(Folder(str(tmp_path)), ".lpff_ray/lock", "busy"),
    ):
        pass
