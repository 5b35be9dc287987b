"""`--format stylegan` of a mined clip, opened as NVlabs' `training/dataset.py` opens it, and rebuilt from its lines."""

from __future__ import annotations

import io
import json
import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from command import call, complaint
from image_folder import ImageFolder
from numpy.typing import NDArray
from PIL import Image
from selecting import SELECTION, export_command, with_selection

import lpff_ray


@pytest.fixture(scope="module")
def run(demo_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return with_selection(demo_run, tmp_path_factory.mktemp("stylegan") / "run")


@pytest.fixture(scope="module")
def folder(run: Path) -> Path:
    dest = run.parent / "folder"
    done = call(*export_command(run, "stylegan", "--size", 512, "--dest", dest))
    assert done.returncode == 0, done.stderr
    assert "time of work: open" in done.stdout
    return dest


def load(path: Path) -> tuple[NDArray[np.uint8], object]:
    """What `ImageFolderDataset(path)` of stylegan2-ada-pytorch and stylegan3 asks of a data set, stated again.

    Every picture below the folder or in the zip, in the order of the names, of one square shape whose side is a power
    of two; `dataset.json` at the top with "labels".
    """
    if path.is_dir():
        names = {
            os.path.relpath(os.path.join(root, name), path) for root, _, ns in os.walk(path) for name in ns
        }
        read: Callable[[str], bytes] = lambda name: (path / name).read_bytes()  # noqa: E731
    else:
        archive = zipfile.ZipFile(path)
        assert all(entry.compress_type == zipfile.ZIP_STORED for entry in archive.infolist())
        names, read = set(archive.namelist()), archive.read
    Image.init()
    pictures = sorted(name for name in names if os.path.splitext(name)[1].lower() in Image.EXTENSION)
    images = np.stack([np.array(Image.open(io.BytesIO(read(name)))) for name in pictures])
    assert images.ndim == 4
    assert images.shape[1] == images.shape[2] == 2 ** int(np.log2(images.shape[1]))
    assert images.shape[3] == 3
    return images, json.loads(read("dataset.json"))["labels"]


def test_the_loaders_open_folder_and_zip_alike(run: Path, folder: Path) -> None:
    images, labels = load(folder)
    assert images.shape == (len(lpff_ray.scan(str(run)).collect()), 512, 512, 3)
    assert labels is None
    dest = run.parent / "zip"
    command = export_command(run, "stylegan", "--set", "size=512", "--zip")
    assert call(*command, "--dest", dest).returncode == 0
    zipped, labels = load(dest / "dataset.zip")
    assert np.array_equal(zipped, images)
    assert labels is None
    beside = {"PROVENANCE.jsonl", "SHEET.png", "README.md", ".lpff_ray"}
    assert {path.name for path in dest.iterdir()} == {"dataset.zip", *beside}


def test_names_are_those_of_dataset_tool(folder: Path) -> None:
    names = sorted(path.relative_to(folder).as_posix() for path in folder.glob("*/*.png"))
    assert names == [f"00000/img{index:08d}.png" for index in range(len(names))]


def test_every_crop_can_be_rebuilt_from_its_line(run: Path, folder: Path) -> None:
    faces = {row["face_id"]: row for row in lpff_ray.scan(str(run)).collect().iter_rows(named=True)}
    lines = [json.loads(line) for line in (folder / "PROVENANCE.jsonl").read_text().splitlines()]
    with av.open(lines[0]["uri"]) as container:
        frames = {
            index: frame.to_ndarray(format="rgb24") for index, frame in enumerate(container.decode(video=0))
        }
    for line in lines:
        transform, frame = np.array(line["transform"]), frames[line["frame_index"]]
        crop = np.asarray(Image.open(folder / line["files"][0])).astype(float)
        shift = transform.copy()
        shift[:, 2] += shift[:, :2] @ [0.5, 0.5] - 0.5  # OpenCV's pixel centres are whole numbers
        rebuilt = cv2.warpAffine(frame, shift, (512, 512), flags=cv2.INTER_CUBIC)
        inside = cv2.warpAffine(np.ones(frame.shape[:2], np.uint8), shift, (512, 512)) == 1
        inside = (
            cv2.erode(inside.astype(np.uint8), np.ones((99, 99))) > 0
        )  # padding blurs what is near the edge
        assert inside.mean() > 0.1
        assert np.abs(crop - rebuilt)[inside].mean() < 3.0, line["face_id"]
        eye_left, eye_right, _, mouth_left, mouth_right = (
            np.array(faces[line["face_id"]]["keypoints"]) @ transform[:, :2].T + transform[:, 2]
        )
        eyes, mouth = (eye_left + eye_right) / 2, (mouth_left + mouth_right) / 2
        # The crop's middle lies a tenth of the way from eyes to mouth below the eyes (FFHQ's script).
        assert np.allclose(eyes + 0.1 * (mouth - eyes), 256, atol=0.1)
        assert abs((eye_right - eye_left)[1]) < 40 < (eye_right - eye_left)[0]
        assert mouth[1] - eyes[1] > 60


def test_jpegs_if_asked_for(run: Path, folder: Path) -> None:
    dest = run.parent / "jpg"
    options = ("--format", "stylegan", "--size", 512, "--image", "jpg")
    assert call("export", run, "--selection", SELECTION, *options, "--dest", dest).returncode == 0
    images, _ = load(dest)
    lossless, _ = load(folder)
    assert np.abs(images.astype(float) - lossless).mean() < 2.0
    size = sum(path.stat().st_size for path in dest.glob("*/*.jpg"))
    assert size < sum(path.stat().st_size for path in folder.glob("*/*.png")) / 2


@pytest.fixture(scope="module")
def ffhq(folder: Path) -> Path:
    """An old set as `dataset_tool.py` packs FFHQ: no labels."""
    path = folder.parent / "ffhq.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for picture in sorted(folder.glob("*/*.png"))[:4]:
            archive.write(picture, picture.relative_to(folder).as_posix())
        archive.writestr("dataset.json", '{"labels": null}')
    return path


def test_a_joined_zip_opens_in_lpffs_modes_with_efhqs_condition(
    run: Path, ffhq: Path, tmp_path: Path
) -> None:
    rows = ((0, 3, -44), (1, "None", 10), (2, -31, 0), (3, 0, 46))
    text = "image_number,head_pitch,head_roll,head_yaw\n" + "".join(f"{n},{p},0,{y}\n" for n, p, y in rows)
    (tmp_path / "aging.csv").write_text(text)
    options = {"base": str(ffhq), "zip": True, "join": True, "size": 512}
    condition = {"labels": "extreme", "aging": str(tmp_path / "aging.csv")}
    summary = lpff_ray.export(
        str(run), SELECTION, "stylegan", str(tmp_path / "both"), {**options, **condition}
    )
    assert not summary.failures
    path = tmp_path / "both" / "dataset.zip"
    count = len(lpff_ray.scan(str(run)).collect())
    old, new = ([f"00000/img{n:08d}.png" for n in r] for r in (range(4), range(4, 4 + count)))
    modes = {mode: ImageFolder(path, mode) for mode in ("FFHQ", "LPFF", "FFHQ_LPFF", "FFHQ_LPFF_rebalanced")}
    assert modes["FFHQ"].names == old
    assert modes["LPFF"].names == new
    both = modes["FFHQ_LPFF"]
    assert both.names == old + new
    assert both.labels is not None
    assert both.labels.tolist() == [0, 0, 1, 1] + [1] * count
    assert np.array_equal(both.picture(2), both.picture(6)), "the same face"
    assert ImageFolder(path).names == old + new
    frontal = lpff_ray.export(
        str(run), SELECTION, "stylegan", str(tmp_path / "bin"), {"size": 512, "labels": "bin", "mirror": True}
    )
    assert not frontal.failures
    pairs = ImageFolder(tmp_path / "bin")
    assert pairs.labels is not None
    assert pairs.labels.tolist() == [0] * 2 * count
    assert np.array_equal(pairs.picture(0)[..., ::-1], pairs.picture(1))


def test_names_are_those_that_the_lpff_format_lists(run: Path, tmp_path: Path) -> None:
    lpff_ray.export(str(run), SELECTION, "lpff", str(tmp_path / "lpff"), {"realign": 0})
    lpff_ray.export(str(run), SELECTION, "stylegan", str(tmp_path / "gan"), {"size": 512, "start": 70_000})
    listed = json.loads((tmp_path / "lpff" / "lists" / "stylegan" / "LPFF.json").read_text())
    assert ImageFolder(tmp_path / "gan", "LPFF").names == listed == ImageFolder(tmp_path / "gan").names


def test_a_condition_that_is_not_known_is_said_before_any_work(run: Path, ffhq: Path, tmp_path: Path) -> None:
    command = export_command(
        run, "stylegan", "--size", 512, "--dest", tmp_path / "dest", "--set", f"base={ffhq}"
    )
    assert "is no class (a whole number); give --set aging=CSV" in complaint(
        call(*command, "--set", "labels=bin")
    )
    (tmp_path / "aging.csv").write_text("image_number,head_pitch,head_yaw\n0,1,1\n")
    aging = ("--set", "labels=bin", "--set", f"aging={tmp_path / 'aging.csv'}")
    assert "has no row of 00000/img00000001.png" in complaint(call(*command, *aging))
    (tmp_path / "aging.csv").write_text("a,b\n0,1\n")
    assert "needed is FFHQ-Aging's CSV" in complaint(call(*command, *aging))
    assert not (tmp_path / "dest").exists()
