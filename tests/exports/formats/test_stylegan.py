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
from command import call
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
