"""Contact sheets of a mined run, from its thumbnails and from its frames."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from command import call, complaint
from PIL import Image

import lpff_ray
from lpff_ray.errors import UserError
from lpff_ray.exports.imaging.contact_sheet import GAP, TITLE_LINE
from lpff_ray.reports.sheets.choice import Choice
from lpff_ray.reports.sheets.pictures import pictures_of
from lpff_ray.reports.sheets.sheet import Layout, write_sheets


def test_a_notebooks_sheet_shows_the_faces_of_a_table_in_its_order(
    demo_run: Path, demo_faces: pl.DataFrame
) -> None:
    table = demo_faces.select("face_id").head(3).reverse()
    picture = lpff_ray.sheet(table, str(demo_run), columns=3, size=128, plain=True)
    pixels = np.asarray(picture)
    pictures = pictures_of(str(demo_run), demo_faces, 128)
    for place, face_id in enumerate(table["face_id"]):
        x = GAP + place * (128 + GAP + GAP // 2)
        assert np.array_equal(pixels[GAP : GAP + 128, x : x + 128], pictures.by_face[face_id].pixels)
    drawn = lpff_ray.sheet(table.lazy(), str(demo_run), columns=3, size=128)
    assert drawn.size[0] == picture.size[0]
    assert drawn.size[1] > picture.size[1], "with numbers"
    few = lpff_ray.sheet(demo_faces, str(demo_run), limit=2, size=64, plain=True)
    assert few.size[1] == GAP + TITLE_LINE + 64 + GAP + GAP, "a title says that there are more"


def test_pictures_from_sources_show_what_thumbnails_do(demo_run: Path, demo_faces: pl.DataFrame) -> None:
    some = demo_faces.head(4)
    thumbnails, frames = (pictures_of(str(demo_run), some, 128, sources) for sources in (False, True))
    assert thumbnails.by_face.keys() == frames.by_face.keys() == set(some["face_id"])
    for name, picture in frames.by_face.items():
        assert picture.region == thumbnails.by_face[name].region
        difference = picture.pixels.astype(int) - thumbnails.by_face[name].pixels
        assert np.abs(difference).mean() < 4, "JPEG"


def test_pages(demo_run: Path, demo_faces: pl.DataFrame, tmp_path: Path) -> None:
    layout = Layout(columns=3, size=40, per_page=6)
    done = write_sheets(str(demo_run), str(tmp_path / "s.png"), layout=layout, limit=15)
    assert (done.found, done.shown, done.notes) == (len(demo_faces), 15, [])
    assert [Path(file).name for file in done.files] == ["s-001.png", "s-002.png", "s-003.png"]
    sizes = [Image.open(file).size for file in done.files]
    assert sizes[0] == sizes[1]
    assert sizes[2][1] < sizes[0][1]
    by_bin = write_sheets(str(demo_run), str(tmp_path / "bins.png"), Choice(by="bin"), Layout(size=40))
    assert [Path(file).name for file in by_bin.files] == ["bins.png"]


def test_a_run_without_thumbnails_says_what_to_do(demo_run: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    shutil.copytree(demo_run, out, ignore=shutil.ignore_patterns("thumbnails"))
    assert "mined without thumbnails" in complaint(call("sheet", str(out)))
    faces = lpff_ray.scan(str(out)).head(2).collect()
    with pytest.raises(UserError, match="add --from-sources to decode"):
        lpff_ray.sheet(faces, str(out))
    assert lpff_ray.sheet(faces, str(out), from_sources=True, size=64).size[0] > 64
    lost = faces.with_columns(pl.lit("/nowhere.mp4").alias("uri"), pl.lit("0" * 16).alias("video_id"))
    assert pictures_of(str(out), lost, 64, from_sources=True).notes == ["/nowhere.mp4: no such file"]


def test_the_command(demo_run: Path, tmp_path: Path) -> None:
    dest = tmp_path / "turned.png"
    done = call(
        "sheet", str(demo_run), "--dest", str(dest), "--where", "iqa >= 0", "--top", "iqa", "--limit", "5"
    )
    assert done.returncode == 0, done.stderr
    assert "5 of" in done.stdout
    assert "--limit N shows more" in done.stdout
    assert Image.open(dest).size[0] > 8 * 160
    assert "name a file that ends in .png" in complaint(call("sheet", str(demo_run), "--dest", "x.jpg"))
    assert "no face is left to show" in complaint(call("sheet", str(demo_run), "--where", "iqa > 1000"))
