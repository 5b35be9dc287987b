"""Plug-ins' networks against independent modules with the same weights, and what is refused."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from small_weights import SmallHyperIqa, SmallIResNet, SmallSixDRepNet, onnx_of_means, randomised
from torch import Tensor, nn

from lpff_ray.errors import UserError
from lpff_ray.models.optional.arcface import ArcFaceOnnx, IResNet, load_arcface
from lpff_ray.models.optional.checkpoint import CheckpointNetwork, read_checkpoint
from lpff_ray.models.optional.hyperiqa import HyperIqa
from lpff_ray.models.optional.onnx_file import OnnxFile
from lpff_ray.models.optional.sixdrepnet import SixDRepNet

RANDOM = np.random.default_rng(3)


def crops(count: int, side: int) -> np.ndarray:
    small = RANDOM.integers(0, 256, (count, 8, 8, 3))
    return np.ascontiguousarray(small.repeat(side // 8, 1).repeat(side // 8, 2).astype(np.uint8))


def imagenet(x: np.ndarray) -> Tensor:
    scaled = torch.from_numpy(x).permute(0, 3, 1, 2).float() / 255
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    return ((scaled - mean[:, None, None]) / std[:, None, None]).contiguous()


def arcface_reference(network: nn.Module, x: np.ndarray) -> np.ndarray:
    out = network((torch.from_numpy(x).permute(0, 3, 1, 2).float() / 255 - 0.5) / 0.5)
    return nn.functional.normalize(out).numpy()


def sixd_reference(network: nn.Module, x: np.ndarray) -> np.ndarray:
    found = []
    for six in network(imagenet(x)).double().numpy():
        first = six[:3] / np.linalg.norm(six[:3])
        second = six[3:] - first * (first @ six[3:])
        second /= np.linalg.norm(second)
        found.append(np.stack([first, second, np.cross(first, second)], axis=1))
    return np.array(found)


def hyperiqa_reference(network: nn.Module, x: np.ndarray) -> np.ndarray:
    return np.concatenate([network(imagenet(x[i : i + 1])).numpy() for i in range(len(x))])


CASES = [
    (SmallIResNet, IResNet, arcface_reference),
    (SmallSixDRepNet, SixDRepNet, sixd_reference),
    (SmallHyperIqa, HyperIqa, hyperiqa_reference),
]


@pytest.fixture(params=CASES, ids=["iresnet", "6drepnet", "hyperiqa"])
def case(
    request: pytest.FixtureRequest, tmp_path: Path
) -> tuple[nn.Module, CheckpointNetwork, Callable[[nn.Module, np.ndarray], np.ndarray]]:
    small, made, reference = request.param
    network = randomised(small(), seed=5)
    torch.save(network.state_dict(), tmp_path / "weights.pth")
    return network, made(tmp_path / "weights.pth", "cpu"), reference


def test_a_network_equals_its_module_whatever_the_batch(case) -> None:
    module, network, reference = case
    images = crops(5, network.side)
    found = network(images)
    expected = reference(module, images)
    assert np.ptp(expected, axis=0).max() > 1e-2, (
        "the small weights must give different results for different pictures"
    )
    np.testing.assert_allclose(found, expected, atol=2e-5, rtol=1e-4)
    np.testing.assert_array_equal(network(images[3:4])[0], found[3])
    assert len(network(images[:0])) == 0


def test_other_names_for_the_same_tensors_are_read(tmp_path: Path) -> None:
    module = randomised(SmallIResNet(), seed=1)
    stored = {f"module.{name}": value for name, value in module.state_dict().items()}
    torch.save({"state_dict": stored, "epoch": 3}, tmp_path / "a.pth")
    torch.save(module.state_dict(), tmp_path / "b.pth")
    images = crops(2, 112)
    a, b = (IResNet(tmp_path / name, "cpu")(images) for name in ("a.pth", "b.pth"))
    np.testing.assert_array_equal(a, b)


class Malice:
    """What a hostile pickle does: it runs a command when it is read."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple:
        return (Path.touch, (self.target,))


@pytest.mark.parametrize("how", ["torch", "pickle"])
def test_a_pickle_that_runs_code_is_refused_and_does_not_run(tmp_path: Path, how: str) -> None:
    path, ran = tmp_path / "weights.pkl", tmp_path / "ran"
    if how == "torch":
        torch.save({"fc.weight": torch.zeros(3), "x": Malice(ran)}, path)
    else:
        path.write_bytes(pickle.dumps({"x": Malice(ran)}, protocol=2))
    with pytest.raises(UserError, match=r"weights\.pkl: not a PyTorch checkpoint of plain tensors") as caught:
        read_checkpoint(path)
    assert "\n" not in str(caught.value)
    assert not ran.exists()


@pytest.mark.parametrize("content", [b"", b"<html>Not found</html>", b"PK\x03\x04 torn"])
def test_what_is_no_checkpoint_is_one_clear_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "weights.pth"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"weights\.pth: ") as caught:
        read_checkpoint(path)
    assert "\n" not in str(caught.value)


def test_another_networks_checkpoint_is_refused(tmp_path: Path) -> None:
    torch.save(randomised(SmallSixDRepNet(), seed=1).state_dict(), tmp_path / "weights.pth")
    with pytest.raises(UserError, match=r"weights\.pth: not an iresnet's weights"):
        IResNet(tmp_path / "weights.pth", "cpu")


@pytest.mark.parametrize("batch", [None, 1, 4])
def test_onnx_files_run_on_any_number_of_images(tmp_path: Path, batch: int | None) -> None:
    weight, bias = RANDOM.normal(size=(3, 512)).astype(np.float32), RANDOM.normal(size=512).astype(np.float32)
    onnx_of_means(tmp_path / "w.onnx", weight, bias, 112, batch)
    network = load_arcface(tmp_path / "w.onnx", "cpu", 512)
    assert isinstance(network, ArcFaceOnnx)
    images = crops(6, 112)
    means = (images.reshape(6, -1, 3).astype(np.float64).mean(1) - 127.5) / 127.5
    expected = means @ weight + bias
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    found = network(images)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    np.testing.assert_array_equal(network(images[4:5])[0], found[4])
    assert OnnxFile(tmp_path / "w.onnx", "cpu", (3, 112, 112)).batch_size == (batch or 1)


def test_embeddings_of_another_width_are_refused(tmp_path: Path) -> None:
    torch.save(randomised(SmallIResNet(features=256), seed=1).state_dict(), tmp_path / "b.pth")
    with pytest.raises(UserError, match=r"b\.pth: gives \[256\] numbers per face, not 512"):
        load_arcface(tmp_path / "b.pth", "cpu", 512)


def test_onnx_files_of_other_images_or_none_are_refused(tmp_path: Path) -> None:
    onnx_of_means(tmp_path / "w.onnx", np.eye(3), np.zeros(3), 100, 1)
    with pytest.raises(UserError, match=r"w\.onnx: takes .*100, 100.*not float images of \[3, 112, 112\]"):
        OnnxFile(tmp_path / "w.onnx", "cpu", (3, 112, 112))
    (tmp_path / "x.onnx").write_bytes(b"<html>")
    with pytest.raises(UserError, match=r"x\.onnx: onnxruntime can not run it") as caught:
        OnnxFile(tmp_path / "x.onnx", "cpu", (3, 112, 112))
    assert "\n" not in str(caught.value)


def test_wrong_arrays_are_refused(tmp_path: Path) -> None:
    torch.save(randomised(SmallIResNet(), seed=1).state_dict(), tmp_path / "b.pth")
    with pytest.raises(ValueError, match="crops are float32"):
        IResNet(tmp_path / "b.pth", "cpu")(np.zeros((1, 112, 112, 3), np.float32))
