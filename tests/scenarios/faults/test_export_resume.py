"""Killed, interrupted, resumed: every file is in place whole, once, and the same as if nothing had happened."""

from __future__ import annotations

import json
import signal
import subprocess
import time
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path

import fsspec
import pytest
from clips import portrait, write_clip
from command import run, start, wait_until
from numbered import SELECTION, Numbered, numbered_run, tree

from lpff_ray.errors import UserError
from lpff_ray.exports.format import OutputFile, Record
from lpff_ray.exports.formats.eg3d import Eg3d
from lpff_ray.exports.formats.stylegan import StyleGan
from lpff_ray.exports.job import export
from lpff_ray.storage.folder import Folder

CLIPS = 6
FACES = 8  # of each


@pytest.fixture(scope="module")
def mined(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clips")
    clips = [
        write_clip(folder / f"{number}.mp4", 24 + number, size=(320, 240), picture_of=portrait)
        for number in range(CLIPS)
    ]
    return numbered_run(folder / "run", clips, range(0, 24, 3))


def command(mined: Path, dest: Path, *more: object) -> tuple[object, ...]:
    chosen = ("--selection", SELECTION, "--format", "stylegan", "--size", 512, "--workers", 1)
    return ("export", mined, *chosen, "--dest", dest, *more)


@pytest.fixture(scope="module")
def undisturbed(mined: Path) -> dict[str, bytes]:
    """The data set of an export that nothing disturbed."""
    assert run(*command(mined, mined.parent / "whole")).returncode == 0
    return tree(mined.parent / "whole")


def wait_for_units(process: subprocess.Popen[str], dest: Path, count: int) -> None:
    wait_until(process, lambda: len(finished(dest)) >= count, patience_s=90)


def finished(dest: Path) -> set[str]:
    return {path.name for path in dest.glob(".lpff_ray/units/*.json")}


def test_killed_twice_then_resumed(mined: Path, undisturbed: dict[str, bytes], tmp_path: Path) -> None:
    dest = tmp_path / "dest"
    for count in (1, 3):
        process = start(*command(mined, dest))
        wait_for_units(process, dest, count)
        time.sleep(0.1)  # amid the next unit
        process.kill()
        process.communicate()
        for name, content in tree(dest).items():
            assert name.endswith(".tmp") or content == undisturbed[name], f"{name} is torn"
    seen = finished(dest)
    assert 3 <= len(seen) < CLIPS, "the export was not over yet"
    times = {path: path.stat().st_mtime_ns for path in dest.glob("0*/*.png")}
    # What a writer leaves that is killed between its write and its rename.
    (dest / "00000" / ".img00000000.png.0123.tmp").write_bytes(b"\x89PNG")
    done = run(*command(mined, dest))
    assert done.returncode == 0, done.stderr
    assert f"{CLIPS * FACES} of {CLIPS * FACES} faces, {len(seen) * FACES} of them before" in done.stdout
    assert tree(dest) == undisturbed
    kept = [path for path, moment in times.items() if path.stat().st_mtime_ns == moment]
    assert len(kept) >= len(seen) * FACES, "finished units are not made again"


def test_interrupted_drains_with_exit_code_130(
    mined: Path, undisturbed: dict[str, bytes], tmp_path: Path
) -> None:
    dest = tmp_path / "dest"
    process = start(*command(mined, dest))
    wait_for_units(process, dest, 1)
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == 130, stderr
    assert "Traceback" not in stdout + stderr
    left = CLIPS - len(finished(dest))
    assert left > 0
    assert f"interrupted with {left} units left; run the same command to go on" in stdout
    assert not (dest / "dataset.json").exists(), "no index of half a set"
    assert run(*command(mined, dest)).returncode == 0
    assert tree(dest) == undisturbed


def test_a_zip_that_was_not_packed_to_its_end(
    mined: Path, undisturbed: dict[str, bytes], tmp_path: Path
) -> None:
    dest = tmp_path / "dest"
    process = start(*command(mined, dest, "--zip"))
    wait_for_units(process, dest, CLIPS)
    process.kill()  # before, amid or after the packing
    process.communicate()
    if (dest / "dataset.zip").exists():
        assert zipfile.ZipFile(dest / "dataset.zip").testzip() is None
    assert run(*command(mined, dest, "--zip")).returncode == 0
    with zipfile.ZipFile(dest / "dataset.zip") as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    assert content == {
        name: data
        for name, data in undisturbed.items()
        if not name.startswith(".") and name not in ("PROVENANCE.jsonl", "SHEET.svg", "README.md")
    }
    assert not (dest / ".lpff_ray" / "staged").exists()


class Halting(Numbered):
    """Fails amid its index file, once."""

    def finish(self, made: Folder, records: list[Record]) -> Iterable[OutputFile]:
        def chunks() -> Iterable[bytes]:
            yield b"first half, "
            if not (Path(made.path) / "failed").exists():
                (Path(made.path) / "failed").touch()
                raise ArithmeticError
            yield json.dumps([record["seen"] for record in records]).encode()

        yield OutputFile("halves.txt", chunks())


def test_an_index_file_is_whole_or_absent(mined: Path, tmp_path: Path) -> None:
    dest = tmp_path / "dest"
    with pytest.raises(ArithmeticError):
        export(str(mined), SELECTION, Halting(), str(dest))
    assert not (dest / "halves.txt").exists()
    assert not (dest / ".lpff_ray" / "done.json").exists()
    again = export(str(mined), SELECTION, Halting(), str(dest))
    assert again.made == again.made_before == CLIPS * FACES
    assert (dest / "halves.txt").read_bytes().startswith(b"first half, [")
    assert not list(dest.rglob("*.tmp"))


@pytest.fixture
def whole(mined: Path, undisturbed: dict[str, bytes], tmp_path: Path) -> Path:
    """A finished export that may be damaged."""
    for name, content in undisturbed.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    return tmp_path


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-5])


@pytest.mark.parametrize(
    ("lost", "units"),
    [
        (["dataset.json"], 0),
        (["PROVENANCE.jsonl", "SHEET.svg"], 0),
        (["00000/img00000003.png", "dataset.json"], 1),
        ([".lpff_ray/done.json"], 0),
    ],
)
def test_what_was_deleted_comes_back(
    mined: Path, undisturbed: dict[str, bytes], whole: Path, lost: list[str], units: int
) -> None:
    for name in lost:
        (whole / name).unlink()
    summary = export(str(mined), SELECTION, StyleGan(size=512), str(whole), workers=1)
    assert (summary.made, summary.made_before) == (CLIPS * FACES, (CLIPS - units) * FACES)
    assert tree(whole) == undisturbed
    public = [content for name, content in undisturbed.items() if not name.startswith(".")]
    assert (summary.files, summary.size_bytes) == (len(public), sum(map(len, public)))


def test_a_note_that_is_gone_or_damaged_is_a_unit_not_made(
    mined: Path, undisturbed: dict[str, bytes], whole: Path
) -> None:
    first, second, third, *_ = sorted((whole / ".lpff_ray" / "units").iterdir())
    first.unlink()
    cut(second)
    third.write_text("[]")
    summary = export(str(mined), SELECTION, StyleGan(size=512), str(whole), workers=1)
    assert (summary.made, summary.made_before) == (CLIPS * FACES, (CLIPS - 3) * FACES)
    assert tree(whole) == undisturbed


@pytest.mark.parametrize(
    ("name", "mend"),
    [("export", "give --dest a new folder"), ("done", "remove it and run the same command again")],
)
@pytest.mark.parametrize("damage", [cut, lambda path: path.write_text("[]")])
def test_a_damaged_mark_is_one_line(
    mined: Path, whole: Path, name: str, mend: str, damage: Callable[[Path], None]
) -> None:
    damage(whole / ".lpff_ray" / f"{name}.json")
    with pytest.raises(UserError, match=rf"{name}.json: damaged; {mend}"):
        export(str(mined), SELECTION, StyleGan(size=512), str(whole))


def test_a_packed_product_comes_back_too(mined: Path, tmp_path: Path) -> None:
    dest = tmp_path / "dest"
    export_format = Numbered(packs=True)
    export(str(mined), SELECTION, export_format, str(dest))
    first = tree(dest)
    again = export(str(mined), SELECTION, export_format, str(dest))
    assert again.made_before == CLIPS * FACES, "that what was staged is gone is as it should be"
    (dest / "all.bin").unlink()
    again = export(str(mined), SELECTION, export_format, str(dest))
    assert (again.made, again.made_before) == (CLIPS * FACES, 0)
    assert tree(dest) == first


def test_what_was_deleted_in_an_object_store_comes_back(mined: Path) -> None:
    dest, store = "memory://resumed/dest", fsspec.filesystem("memory")
    export(str(mined), SELECTION, Numbered(), dest)
    first = {name: store.cat_file(name) for name in store.find("/resumed/dest")}
    for name in ("seen.json", "0005.png"):
        store.rm_file(f"/resumed/dest/{name}")
    again = export(str(mined), SELECTION, Numbered(), dest)
    assert again.made_before == (CLIPS - 1) * FACES
    assert {name: store.cat_file(name) for name in store.find("/resumed/dest")} == first


@pytest.mark.parametrize("export_format", [StyleGan(zip=True), Eg3d(zip=True, mirror=False)])
def test_no_zip_is_made_of_pictures_that_are_gone(tmp_path: Path, export_format: StyleGan | Eg3d) -> None:
    (archive,) = export_format.finish(
        Folder(str(tmp_path)),
        [{"files": ["00000/img00000000.png"], "label": [0.0] * 25, "condition": 1, "copies": 1}],
    )
    with pytest.raises(UserError, match=r"img00000000.png: was made and is gone"):
        list(archive.content)
