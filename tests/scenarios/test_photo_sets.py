"""Data sets of photos, such as LPFF's and FFHQ's, as sources: folders in folders with a dataset.json, and zips."""

from __future__ import annotations

import json
import os
import zipfile
from pathlib import Path

import polars as pl
import pytest
from clips import portrait
from command import call, complaint
from PIL import Image
from polars.testing import assert_frame_equal

import lpff_ray
from lpff_ray.plan.sources import expand
from lpff_ray.storage import archives, opening

pytestmark = pytest.mark.timeout(120)

NAMES = [f"{index // 1000:05d}/img{index:08d}.png" for index in (0, 1, 1000)]


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """NVlabs' layout: three portraits and their labels."""
    folder = tmp_path / "set"
    for place, name in enumerate(NAMES):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(portrait(20 * place, 256, 256)).save(folder / name)
    labels = [[name, [0.0] * 25] for name in NAMES]
    (folder / "dataset.json").write_text(json.dumps({"labels": labels}))
    return folder


def packed(folder: Path, name: str, compression: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(folder.parent / name, "w", compression) as archive:
        for path in sorted(folder.rglob("*")):
            archive.write(path, path.relative_to(folder))
    return folder.parent / name


def test_a_zip_is_read_as_a_folder_of_what_is_in_it(photos: Path) -> None:
    archive = packed(photos, "set.zip")
    expected = [f"zip://{name}::{archive}" for name in [*NAMES, "dataset.json"]]
    assert [source.uri for source in expand([str(archive)])] == expected
    assert [source.uri for source in expand([f"zip://00001/*.png::{archive}"])] == expected[2:3]
    # One found in a folder is a file like any other.
    assert str(archive) in [source.uri for source in expand([str(photos.parent)])]


def test_a_damaged_zip_is_said(tmp_path: Path) -> None:
    (tmp_path / "set.zip").write_bytes(b"PK\3\4 and no more")
    said = complaint(call("plan", tmp_path / "set.zip"))
    assert said.startswith(f"{tmp_path / 'set.zip'}: ")
    assert "not a zip file" in said
    assert "no such file" in complaint(call("plan", tmp_path / "none.zip"))


def test_folder_and_zip_give_the_same_rows_under_their_names(photos: Path, tmp_path: Path) -> None:
    archive = packed(photos, "set.zip", zipfile.ZIP_DEFLATED)
    tables = []
    for place, src in enumerate((photos, archive)):
        out = str(tmp_path / f"run{place}")
        done = call("mine", src, "--out", out, "--workers", 1)
        assert done.returncode == 0, done.stderr
        videos = lpff_ray.videos(out)
        assert dict(videos.group_by("status").len().iter_rows()) == {"done": 3, "not_media": 1}
        tables.append(lpff_ray.scan(out).collect())
    folder, members = tables
    root, tail = f"{photos}/", f"::{archive}"
    names = folder["uri"].str.strip_prefix(root)
    assert sorted(names) == NAMES
    assert members["uri"].str.strip_prefix("zip://").str.strip_suffix(tail).to_list() == names.to_list()
    assert_frame_equal(folder.drop("uri"), members.drop("uri"))
    assert folder.select((pl.col("yaw").abs() < 20).all()).item()


def test_an_archive_is_opened_once_and_again_when_it_has_changed(photos: Path) -> None:
    archive = packed(photos, "set.zip")
    sizes = {path: (photos / path).stat().st_size for path in NAMES}
    before = archives.opened_archive.cache_info().misses
    for name, size in sizes.items():
        with opening.opened(f"zip://{name}::{archive}") as (file, length):
            assert length == size
            assert file.read(4) == b"\x89PNG"
    assert archives.opened_archive.cache_info().misses == before + 1
    (photos / NAMES[0]).write_bytes(b"another")
    packed(photos, "set.zip")
    os.utime(archive, ns=(0, 0))
    with opening.opened(f"zip://{NAMES[0]}::{archive}") as (file, _):
        assert file.read() == b"another"
