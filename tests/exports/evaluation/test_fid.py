"""FID and KID between folders, zips and exports, with a small network in place of Inception."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from command import call, complaint
from PIL import Image
from scipy import linalg

import lpff_ray
from lpff_ray.errors import UserError
from lpff_ray.exports.evaluation.feature_network import load_features, resized
from lpff_ray.geometry.eg3d_camera import camera_label
from lpff_ray.geometry.rotation import matrix_from_angles

RANDOM = np.random.default_rng(0)
COUNT, WIDTH = 24, 5


class StandIn(torch.nn.Module):
    """Features [n, 5] of pictures [n, 3, 299, 299], 0..255."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.convolution = torch.nn.Conv2d(3, WIDTH, 7, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.convolution(x / 127.5 - 1)).mean((2, 3))


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("network") / "standin.pt"
    torch.jit.script(StandIn().eval()).save(str(path))
    return str(path)


def pictures(folder: Path, level: int, labels: list | None = None) -> Path:
    """COUNT pictures of smoothed noise, as a trainer's folder has them."""
    names = [f"00000/img{number:08d}.png" for number in range(COUNT)]
    (folder / "00000").mkdir(parents=True)
    for number, name in enumerate(names):
        small = RANDOM.integers(0, 255 - level, (6, 6, 3)) + level * (number % 2)
        Image.fromarray(small.astype(np.uint8)).resize((64, 64)).save(folder / name)
    index = None if labels is None else [[name, label] for name, label in zip(names, labels, strict=True)]
    (folder / "dataset.json").write_text(json.dumps({"labels": index}))
    return folder


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("sets")
    return pictures(folder / "a", 40), pictures(folder / "b", 90)


def pytorch_fids(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """`calculate_activation_statistics` of mseitzer/pytorch-fid, its network's resizing included."""
    activations = np.empty((COUNT, WIDTH))
    for row, file in enumerate(sorted(folder.rglob("*.png"))):
        x = torch.from_numpy(
            np.asarray(Image.open(file).convert("RGB"), np.float32).transpose(2, 0, 1) / 255
        )[None]
        x = torch.nn.functional.interpolate(x, size=(299, 299), mode="bilinear", align_corners=False)
        with torch.no_grad():
            activations[row] = StandIn()(x * 255).numpy()
    return np.mean(activations, axis=0), np.cov(activations, rowvar=False)


def test_the_numbers_are_pytorch_fids(sets: tuple[Path, Path], network: str, tmp_path: Path) -> None:
    (m1, s1), (m2, s2) = (pytorch_fids(folder) for folder in sets)
    wanted = (
        (m1 - m2) @ (m1 - m2) + np.trace(s1) + np.trace(s2) - 2 * np.trace(np.real(linalg.sqrtm(s1 @ s2)))
    )
    a, b = map(str, sets)
    found = lpff_ray.evaluate_fid(a, b, network, "cpu", resize="pytorch")["all"]
    assert found["fid"] == pytest.approx(wanted, rel=1e-4)
    assert (found["a"], found["b"]) == (COUNT, COUNT)
    np.savez(tmp_path / "b.npz", mu=m2, sigma=s2)  # as `pytorch_fid --save-stats`
    saved = lpff_ray.evaluate_fid(a, str(tmp_path / "b.npz"), network, "cpu", resize="pytorch")["all"]
    assert saved["fid"] == pytest.approx(wanted, rel=1e-4)
    assert saved["kid"] is None
    clean = lpff_ray.evaluate_fid(a, b, network, "cpu")["all"]
    assert clean["fid"] != pytest.approx(wanted, rel=1e-4)
    assert lpff_ray.evaluate_fid(a, a, network, "cpu")["all"]["fid"] == pytest.approx(0, abs=1e-6)


def test_clean_resizing_is_clean_fids() -> None:
    """`make_resizer("PIL", False, "bicubic", (299, 299))`: planes in floating point, clipped, not rounded."""
    picture = RANDOM.integers(0, 256, (700, 700, 3)).astype(np.uint8)
    found = resized(picture, "clean")
    for channel in range(3):
        plane = Image.fromarray(picture[..., channel].astype(np.float32), mode="F").resize(
            (299, 299), Image.BICUBIC
        )
        assert np.array_equal(found[channel], np.asarray(plane).clip(0, 255))
    aliased = resized(picture, "pytorch")
    assert aliased.std() > 1.5 * found.std(), "of noise, what is not antialiased keeps its noise"


def test_a_zip_a_list_and_repeats(sets: tuple[Path, Path], network: str, tmp_path: Path) -> None:
    a, b = sets
    names = [f"00000/img{number:08d}.png" for number in range(COUNT)]
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for name in names:
            archive.write(a / name, name)
        archive.writestr("dataset.json", '{"labels": null}')
        archive.writestr("LPFF.json", json.dumps(names[:10]))
        archive.writestr("LPFF_rebalanced.json", json.dumps(names[:10] * 2 + names[:2]))
    whole = lpff_ray.evaluate_fid(str(a), str(b), network, "cpu")["all"]
    zipped = str(tmp_path / "a.zip")
    assert lpff_ray.evaluate_fid(zipped, str(b), network, "cpu")["all"] == whole
    found = lpff_ray.evaluate_fid(zipped, str(b), network, "cpu", a_list="LPFF_rebalanced")["all"]
    assert found["a"] == 22
    once = lpff_ray.evaluate_fid(zipped, str(b), network, "cpu", a_list="LPFF")["all"]
    assert once["a"] == 10
    assert once["fid"] != found["fid"] != whole["fid"]
    with pytest.raises(UserError, match=r"no list FFHQ\.json in its root"):
        lpff_ray.evaluate_fid(zipped, str(b), network, "cpu", a_list="FFHQ")


def test_by_pose_bin_of_cameras_and_by_class(network: str, tmp_path: Path) -> None:
    yaw = np.where(np.arange(COUNT) < 9, 0.0, 60.0)
    cameras = camera_label(matrix_from_angles(yaw, 0 * yaw, 0 * yaw)).tolist()
    a, b = pictures(tmp_path / "a", 40, cameras), pictures(tmp_path / "b", 90, cameras)
    found = lpff_ray.evaluate_fid(str(a), str(b), network, "cpu", by_label=True)
    assert {name: part["a"] for name, part in found["divisions"].items()} == {
        "frontal": 9,
        "profile_left": 15,
    }
    classes = [int(number < 6) for number in range(COUNT)]
    c, d = pictures(tmp_path / "c", 40, classes), pictures(tmp_path / "d", 90, classes)
    found = lpff_ray.evaluate_fid(str(c), str(d), network, "cpu", by_label=True)
    assert {name: part["b"] for name, part in found["divisions"].items()} == {"label 0": 18, "label 1": 6}
    shown = call("evaluate", "fid", c, d, "--network", network, "--by-label", "--device", "cpu")
    assert "label 1" in shown.stdout, shown.stderr
    assert "KID x 1000" in shown.stdout


def test_what_can_not_be_used_is_said(sets: tuple[Path, Path], network: str, tmp_path: Path) -> None:
    a, b = sets
    (tmp_path / "wrong.pt").write_bytes(b"PK torn")
    torch.save({"weights": torch.zeros(2)}, tmp_path / "pickle.pt")
    (tmp_path / "empty").mkdir()
    for words, said in (
        ((a, b), "model inception: .*inception-2015-12-05.pt is missing: lpff-ray models pull inception"),
        ((a, b, "--network", "arcface-r50"), "its task is embedding"),
        ((a, b, "--network", tmp_path / "none.pt"), "no such file"),
        ((a, b, "--network", tmp_path / "wrong.pt"), "no TorchScript file"),
        ((a, b, "--network", tmp_path / "pickle.pt"), "no TorchScript file"),
        ((a, b, "--network", network, "--resize", "soft"), "there are clean, pytorch"),
        ((a, tmp_path / "empty", "--network", network), "holds neither pictures"),
        ((a, b, "--network", network, "--by-label"), "has no labels"),
    ):
        assert __import__("re").search(said, complaint(call("evaluate", "fid", *words, "--device", "cpu"))), (
            said
        )


def test_an_onnx_file_serves_too(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    path = tmp_path / "standin.onnx"
    try:
        torch.onnx.export(StandIn().eval(), torch.zeros(1, 3, 299, 299), str(path), dynamo=False)
    except Exception as error:  # noqa: BLE001  # whatever torch lacks for it
        pytest.skip(f"torch can not write ONNX here: {error}")
    batch = RANDOM.uniform(0, 255, (2, 3, 299, 299)).astype(np.float32)
    with torch.no_grad():
        wanted = StandIn()(torch.from_numpy(batch)).numpy()
    assert load_features(str(path), "cpu")(batch) == pytest.approx(wanted, abs=1e-5)
