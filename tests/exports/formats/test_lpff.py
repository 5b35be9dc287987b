"""LPFF's release layout, and its way into the numbered set that training reads."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from fewer import SELECTION, every_third
from image_folder import ImageFolder
from PIL import Image
from selecting import with_selection

from lpff_ray.curate.dataset_json import read_dataset_json
from lpff_ray.exports.formats.eg3d import Eg3d
from lpff_ray.exports.formats.lpff import Lpff
from lpff_ray.exports.formats.stylegan import StyleGan
from lpff_ray.exports.imaging.alignment import quad_transform
from lpff_ray.exports.job import export
from lpff_ray.geometry.transforms import apply

REALIGN = 300


@pytest.fixture(scope="module")
def run(demo_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return every_third(with_selection(demo_run, tmp_path_factory.mktemp("lpff") / "run"), "all")


@pytest.fixture(scope="module")
def made(run: Path) -> Path:
    summary = export(str(run), SELECTION, Lpff(realign=REALIGN), str(run.parent / "made"), workers=1)
    assert not summary.failures
    assert not summary.lost
    return run.parent / "made"


def read(made: Path, name: str) -> Any:
    return json.loads((made / name).read_text())


def test_every_face_is_in_every_part(made: Path, demo_faces: pl.DataFrame) -> None:
    ids = set(read(made, "camera_parameters.json"))
    assert len(ids) == -(-len(demo_faces) // 3)
    for name in ("raw_lm.json", "realign2400_lm.json", "info.json"):
        assert set(read(made, name)) == ids
    for folder, size in (("eg3d", 512), ("stylegan", 1024), ("realign2400", REALIGN)):
        # LPFF's scripts cut the name at its first dot.
        assert {path.name.split(".")[0] for path in (made / folder).iterdir()} == ids
        assert Image.open(next((made / folder).iterdir())).size == (size, size)


def test_landmarks_lie_where_the_quads_put_them(made: Path) -> None:
    raw, realigned, info = (read(made, name) for name in ("raw_lm.json", "realign2400_lm.json", "info.json"))
    for image, told in info.items():
        assert np.shape(raw[image]) == (68, 2)
        transform = quad_transform(np.array(told["quads"]["realign2400"]), REALIGN)
        placed = apply(transform, np.array(raw[image]) + 0.5) - 0.5
        assert placed == pytest.approx(np.array(realigned[image]), abs=0.03)
        eyes = placed[36:48].mean(0) / REALIGN
        assert eyes == pytest.approx([0.5, 0.48], abs=0.04), "FFHQ's crop, at 1.8 of its size, about the eyes"


def test_provenance_has_the_transform_of_each_of_the_three_pictures(made: Path) -> None:
    quads = {image: told["quads"] for image, told in read(made, "info.json").items()}
    sizes = {"eg3d": 512, "stylegan": 1024, "realign2400": REALIGN}
    for line in (made / "PROVENANCE.jsonl").read_text().splitlines():
        told = json.loads(line)
        assert len(told["files"]) == 3
        for file, transform in zip(told["files"], told["transforms"], strict=True):
            folder, _, name = file.partition("/")
            quad, size = np.array(quads[name.removesuffix(".png")][folder]), sizes[folder]
            corners = np.array([[0, 0], [0, size], [size, size], [size, 0]])
            assert apply(np.array(transform), quad) == pytest.approx(corners, abs=0.05)


def test_pictures_and_cameras_are_those_of_the_eg3d_format(run: Path, made: Path, tmp_path: Path) -> None:
    export(str(run), SELECTION, Eg3d(start=139_914), str(tmp_path / "eg3d"), workers=1)
    folder, cameras = ImageFolder(tmp_path / "eg3d"), read(made, "camera_parameters.json")
    assert folder.labels is not None
    names = read(made, "lists/eg3d/LPFF.json")
    assert names == folder.names
    for image, told in read(made, "info.json").items():
        number = told["number"]["eg3d"]
        place = folder.names.index(f"{number // 1000:05d}/img{number:08d}.png")
        assert folder.labels[place] == pytest.approx(cameras[image], abs=1e-6)
        own = np.array(Image.open(made / "eg3d" / f"{image}.png")).transpose(2, 0, 1)
        assert np.array_equal(own, folder.picture(place))
    assert len(read_dataset_json(str(made))) == len(cameras)


def test_rebalanced_lists_name_faces_as_often_as_selected(run: Path, made: Path) -> None:
    copies = pl.read_parquet(run / "selections" / f"{SELECTION}.parquet").sort("rank")["copies"].to_list()
    for folder, first, pair in (("eg3d", 139_914, 2), ("stylegan", 70_000, 1)):
        once, often = (read(made, f"lists/{folder}/{name}.json") for name in ("LPFF", "LPFF_rebalanced"))
        assert once == [f"{n // 1000:05d}/img{n:08d}.png" for n in range(first, first + pair * len(copies))]
        assert [often.count(name) for name in once] == [count for count in copies for _ in range(pair)]
        assert often == sorted(often)


def test_without_realigned_pictures(run: Path, tmp_path: Path) -> None:
    export(str(run), SELECTION, Lpff(realign=0), str(tmp_path / "small"), workers=1)
    assert not (tmp_path / "small" / "realign2400").exists()
    assert not (tmp_path / "small" / "realign2400_lm.json").exists()
    assert "realign2400" not in next(iter(read(tmp_path / "small", "info.json").values()))["quads"]


def test_it_holds_the_same_crop_as_the_stylegan_format_from_the_front(
    run: Path, made: Path, tmp_path: Path
) -> None:
    export(str(run), SELECTION, StyleGan(), str(tmp_path / "stylegan"), workers=1)
    folder = ImageFolder(tmp_path / "stylegan")
    for image, told in read(made, "info.json").items():
        number = told["number"]["stylegan"] - 70_000
        own = np.array(Image.open(made / "stylegan" / f"{image}.png").resize((64, 64))).astype(float)
        other = Image.fromarray(folder.picture(number).transpose(1, 2, 0)).resize((64, 64))
        assert np.abs(own - np.array(other)).mean() < 8
