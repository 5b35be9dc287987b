"""EG3D's training set, opened as its own loader opens it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from command import call, complaint
from fewer import SELECTION, every_third
from image_folder import ImageFolder
from scipy.stats import gaussian_kde
from selecting import with_selection

from lpff_ray.curate.dataset_json import read_dataset_json
from lpff_ray.errors import UserError
from lpff_ray.exports.formats.eg3d import Eg3d
from lpff_ray.exports.job import export
from lpff_ray.geometry.eg3d_camera import mirrored
from lpff_ray.geometry.rotation import geodesic_degrees, matrix_from_angles
from lpff_ray.geometry.transforms import apply

MODES = ("FFHQ", "LPFF", "FFHQ_LPFF", "FFHQ_rebalanced", "FFHQ_LPFF_rebalanced")


@pytest.fixture(scope="module")
def run(demo_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return every_third(with_selection(demo_run, tmp_path_factory.mktemp("eg3d") / "run"), "all")


@pytest.fixture(scope="module")
def made(run: Path) -> Path:
    summary = export(str(run), SELECTION, Eg3d(start=139_998), str(run.parent / "made"), workers=1)
    assert not summary.failures
    assert not summary.lost
    return run.parent / "made"


def test_the_loader_finds_a_camera_for_every_picture(made: Path, demo_faces: pl.DataFrame) -> None:
    folder = ImageFolder(made)
    assert len(folder.names) == 2 * -(-len(demo_faces) // 3)
    assert folder.shape == (3, 512, 512)
    assert folder.labels is not None
    assert (folder.labels.shape, folder.labels.dtype) == ((len(folder.names), 25), np.float32)
    assert folder.names[:3] == ["00139/img00139998.png", "00139/img00139999.png", "00140/img00140000.png"]


def test_pairs_are_mirror_images_with_mirrored_cameras(made: Path) -> None:
    folder = ImageFolder(made)
    assert folder.labels is not None
    for index in range(0, len(folder.names), 2):
        assert np.array_equal(folder.picture(index)[..., ::-1], folder.picture(index + 1))
        assert folder.labels[index + 1] == pytest.approx(mirrored(folder.labels[index]), abs=1e-6)
    assert np.linalg.norm(folder.labels[:, [3, 7, 11]], axis=1) == pytest.approx(2.7, abs=1e-5)


def test_read_back_the_poses_are_those_that_were_mined(made: Path, demo_faces: pl.DataFrame) -> None:
    table = read_dataset_json(str(made))[::2]
    rows = [json.loads(line) for line in (made / "PROVENANCE.jsonl").read_text().splitlines()]
    faces = pl.DataFrame({"face_id": [row["face_id"] for row in rows]}).join(demo_faces, "face_id", "left")
    read, mined = (
        matrix_from_angles(*(angles[name].to_numpy() for name in ("yaw", "pitch", "roll")))
        for angles in (table, faces)
    )
    # Less the roll that the crop took out of the picture, and which its transform tells.
    for place, row in enumerate(rows):
        turn = np.eye(3)
        linear = np.array(row["transforms"][0])[:, :2]
        turn[:2, :2] = linear / np.sqrt(np.linalg.det(linear))
        assert geodesic_degrees(read[place], turn @ mined[place]) < 0.01
    assert (table["roll"].abs() < 12).all(), "though the clip turns its face by far more"
    assert faces["roll"].abs().max() > 15


def test_a_zip_holds_the_same(run: Path, made: Path) -> None:
    export(str(run), SELECTION, Eg3d(start=139_998, zip=True), str(run.parent / "zipped"), workers=1)
    folder, packed = ImageFolder(made), ImageFolder(run.parent / "zipped" / "dataset.zip")
    assert packed.names == folder.names
    assert np.array_equal(packed.labels, folder.labels)
    assert np.array_equal(packed.picture(4), folder.picture(4))
    assert read_dataset_json(str(run.parent / "zipped" / "dataset.zip")).equals(read_dataset_json(str(made)))


def test_an_older_sets_labels_come_first(run: Path, made: Path, tmp_path: Path) -> None:
    faces = len(ImageFolder(made).names) // 2
    export_format = Eg3d(size=256, mirror=False, start=7, base=str(made))
    export(str(run), SELECTION, export_format, str(tmp_path / "more"), workers=1)
    labels = json.loads((tmp_path / "more" / "dataset.json").read_text())["labels"]
    assert labels[: 2 * faces] == json.loads((made / "dataset.json").read_text())["labels"]
    assert [name for name, _ in labels[2 * faces :]] == [f"00000/img{7 + i:08d}.png" for i in range(faces)]


def test_numbers_go_on_behind_the_base_and_both_are_one_set(run: Path, made: Path, tmp_path: Path) -> None:
    first, more = len(ImageFolder(made).names), tmp_path / "more"
    old = shutil.copytree(made, tmp_path / "old")
    summary = export(str(run), SELECTION, Eg3d(base=str(old)), str(more), workers=1)
    assert "dataset.json and the lists are those of" in summary.notes[0]
    for name in sorted(path.relative_to(made) for path in made.glob("0*/*.png")):
        assert not (more / name).exists(), "a picture of the base would be replaced"
        (more / name).parent.mkdir(exist_ok=True)
        (more / name).symlink_to(made / name)
    both = ImageFolder(more)
    assert both.names == [f"{n // 1000:05d}/img{n:08d}.png" for n in range(139_998, 139_998 + 2 * first)]
    assert both.labels is not None
    assert np.array_equal(both.labels[:first], both.labels[first:]), (
        "the same faces again: every camera its own"
    )
    listed = [name for name, _ in json.loads((more / "dataset.json").read_text())["labels"]]
    assert len(set(listed)) == len(listed)
    # With the base grown, the pictures that are still to be made would have other numbers.
    shutil.copy(more / "dataset.json", old / "dataset.json")
    with pytest.raises(UserError, match=r"another export \(start = \d+ there, \d+ now\)"):
        export(str(run), SELECTION, Eg3d(base=str(old)), str(more), workers=1)


def test_a_name_that_would_occur_twice_is_refused(run: Path, made: Path, tmp_path: Path) -> None:
    last = ImageFolder(made).names[-1]
    export_format = Eg3d(base=str(made), start=int(last[-12:-4]))
    with pytest.raises(UserError, match=f"has {last} already; leave start out"):
        export(str(run), SELECTION, export_format, str(tmp_path / "dest"), workers=1)
    labels = json.loads((made / "dataset.json").read_text())["labels"]
    (tmp_path / "dataset.json").write_text(json.dumps({"labels": [*labels, labels[0]]}))
    with pytest.raises(UserError, match=f"names {labels[0][0]} twice"):
        Eg3d(base=str(tmp_path))
    assert not (tmp_path / "dest").exists()


def test_lpffs_own_folder_is_no_base(run: Path, made: Path, tmp_path: Path) -> None:
    labels = json.loads((made / "dataset.json").read_text())["labels"]
    bare = {f"raw_image_{number}": label for number, (_, label) in enumerate(labels)}
    (tmp_path / "camera_parameters.json").write_text(json.dumps(bare))
    assert len(read_dataset_json(str(tmp_path))) == len(labels), "it serves as a reference"
    for options in ({}, {"start": 7}):
        with pytest.raises(UserError, match=r"without an ending \(raw_image_0\)"):
            export(str(run), SELECTION, Eg3d(base=str(tmp_path), **options), str(tmp_path / "dest"))


def test_transforms_lead_to_the_picture_and_to_its_mirror_image(
    run: Path, made: Path, tmp_path: Path
) -> None:
    corners = np.array([[100.0, 50.0], [300.0, 90.0], [220.0, 240.0]])
    export(str(run), SELECTION, Eg3d(mirror=False), str(tmp_path / "single"), workers=1)
    texts = ((folder / "PROVENANCE.jsonl").read_text() for folder in (made, tmp_path / "single"))
    pairs, singles = ([json.loads(line) for line in text.splitlines()] for text in texts)
    for pair, single in zip(pairs, singles, strict=True):
        assert len(pair["transforms"]) == len(pair["files"]) == 2
        assert pair["transforms"][0] == single["transform"]
        plain, mirror = (apply(np.array(transform), corners) for transform in pair["transforms"])
        assert mirror == pytest.approx(np.column_stack([512 - plain[:, 0], plain[:, 1]]))
        assert "transform" not in pair
        assert "transforms" not in single


def test_a_base_without_cameras_is_refused_before_any_work(run: Path, tmp_path: Path) -> None:
    (tmp_path / "dataset.json").write_text('{"labels": [["a.png", 3], ["b.png", 1]]}')
    with pytest.raises(UserError, match="no cameras"):
        export(str(run), SELECTION, Eg3d(base=str(tmp_path)), str(tmp_path / "dest"), workers=1)
    assert not (tmp_path / "dest").exists()


def test_options_that_it_does_not_take_are_said_in_one_line(run: Path, tmp_path: Path) -> None:
    command = ("export", run, "--selection", SELECTION, "--format", "eg3d", "--dest", tmp_path / "dest")
    assert "size" in complaint(call(*command, "--size", "300"))
    assert "start" in complaint(call(*command, "--set", "start=-2"))


def test_lpffs_loader_opens_every_mode_of_one_zip(run: Path, made: Path, tmp_path: Path) -> None:
    """LPFF-eg3d's loader opens the list of the mode in the root of the zip; a missing one is an error there."""
    export_format = Eg3d(base=str(made), zip=True, join=True)
    export(str(run), SELECTION, export_format, str(tmp_path / "both"), workers=1)
    path = tmp_path / "both" / "dataset.zip"
    old, count = ImageFolder(made), len(ImageFolder(made).names)
    modes = {mode: ImageFolder(path, mode) for mode in MODES}
    assert modes["FFHQ"].names == old.names
    assert np.array_equal(modes["FFHQ"].labels, old.labels)
    new = [f"{n // 1000:05d}/img{n:08d}.png" for n in range(140_012, 140_012 + count)]
    assert modes["LPFF"].names == new
    assert modes["FFHQ_LPFF"].names == old.names + new
    assert np.array_equal(modes["FFHQ_LPFF"].picture(3), modes["FFHQ_LPFF"].picture(count + 3))
    # `2_eg3d_FFHQ_LPFF_rebalanced.py`, over the labels of the joint set.
    labels = np.array(modes["FFHQ_LPFF"].labels, np.float64)
    x, y, z = labels[:, 3], labels[:, 7], labels[:, 11]
    phi = np.arctan2(z, y)
    cameras = np.stack([np.arctan2(y / np.cos(phi), x), phi])
    wanted = []
    for name, density in zip(old.names + new, gaussian_kde(cameras)(cameras), strict=True):
        copies = int(min(max(round(4 * 0.06 / density), 1), 4))
        wanted += [name] * (6 if density < 0.02 else 5 if density < 0.03 else copies)
    assert modes["FFHQ_LPFF_rebalanced"].names == wanted
    assert len(modes["FFHQ_rebalanced"].names) >= count


def test_a_bases_own_table_of_repeats_is_kept(run: Path, made: Path, tmp_path: Path) -> None:
    old = shutil.copytree(made, tmp_path / "old")
    names = ImageFolder(old).names
    (old / "num_replicas.json").write_text(
        json.dumps({str(int(name[-12:-4])): 1 + i for i, name in enumerate(names)})
    )
    export(str(run), SELECTION, Eg3d(base=str(old)), str(tmp_path / "more"), workers=1)
    listed = json.loads((tmp_path / "more" / "FFHQ_rebalanced.json").read_text())
    assert [listed.count(name) for name in names] == list(range(1, len(names) + 1))


def test_what_can_not_be_joined_is_said_before_any_work(run: Path, made: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="set base and zip too"):
        Eg3d(join=True)
    with pytest.raises(UserError, match="holds no pictures to join"):
        Eg3d(base=str(made / "dataset.json"), zip=True, join=True)
    small = Eg3d(base=str(made), zip=True, join=True, size=256)
    with pytest.raises(UserError, match="its pictures are 512 x 512 RGB, the new ones 256 x 256"):
        export(str(run), SELECTION, small, str(tmp_path / "dest"), workers=1)
    assert not (tmp_path / "dest").exists()
