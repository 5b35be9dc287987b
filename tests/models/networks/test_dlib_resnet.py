from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from skimage.data import astronaut

from lpff_ray.errors import UserError
from lpff_ray.models.cards import load_cards
from lpff_ray.models.networks.dlib_resnet import DlibResNet
from lpff_ray.models.networks.torch_dlib import TorchDlibResNet
from lpff_ray.models.openvino_network import OpenVinoNetwork
from lpff_ray.models.precision import Precision, precision
from lpff_ray.models.runtimes import EmbeddingModel

MODEL = load_cards()["dlib-resnet"].path()
REFERENCE = json.loads(Path(__file__).with_name("dlib_embeddings.json").read_text())


def chip(x: int, y: int, size: int) -> np.ndarray:
    """The crop of the reference's note: uint8 [150, 150, 3]."""
    k = np.arange(150) * size // 150
    return astronaut()[y + k][:, x + k]


def on_torch(network: DlibResNet, faces: np.ndarray) -> np.ndarray:
    with torch.inference_mode():
        return TorchDlibResNet(network)(torch.from_numpy(faces).permute(0, 3, 1, 2).float()).numpy()


def on_openvino(network: DlibResNet, faces: np.ndarray) -> np.ndarray:
    return OpenVinoNetwork(network.openvino_model(len(faces)), Precision.EXACT)(faces)[0]


@pytest.mark.parametrize("run", [on_torch, on_openvino])
def test_equals_dlib(run: Callable[[DlibResNet, np.ndarray], np.ndarray]) -> None:
    chips = REFERENCE["chips"]
    faces = np.stack([chip(entry["x"], entry["y"], entry["size"]) for entry in chips])
    ours = run(DlibResNet(MODEL), faces)
    np.testing.assert_allclose(ours, [entry["embedding"] for entry in chips], rtol=0, atol=1e-5)


def test_bfloat16_hardly_moves_it() -> None:
    chips = REFERENCE["chips"]
    faces = np.stack([chip(entry["x"], entry["y"], entry["size"]) for entry in chips])
    with precision(Precision.FAST):
        ours = EmbeddingModel(MODEL)(faces)
    dlibs = np.array([entry["embedding"] for entry in chips])
    assert ((ours * dlibs).sum(1) / np.linalg.norm(dlibs, axis=1)).min() > 0.9995


@pytest.mark.parametrize("kept", [0.0, 0.001, 0.5, 0.99])
def test_a_truncated_file_is_one_clear_line(tmp_path: Path, kept: float) -> None:
    data = MODEL.read_bytes()
    path = tmp_path / "cut.dat"
    path.write_bytes(data[: int(len(data) * kept)])
    with pytest.raises(UserError, match=r"cut\.dat: not dlib's face recognition ResNet, or damaged"):
        DlibResNet(path)


def test_another_network_of_dlib_is_refused() -> None:
    detector = MODEL.with_name("mmod_human_face_detector.dat")
    with pytest.raises(UserError, match="not dlib's face recognition ResNet"):
        DlibResNet(detector)


def test_a_missing_file_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"absent\.dat: can not be read"):
        DlibResNet(tmp_path / "absent.dat")
