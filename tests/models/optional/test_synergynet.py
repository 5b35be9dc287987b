"""SynergyNet's pose part against a module of its layout: a small stand-in, since nobody here has its weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from small_weights import SmallSixDRepNet, randomised
from torch import Tensor, nn

from lpff_ray.errors import UserError
from lpff_ray.models.optional.synergynet import SynergyNet


class SmallSynergyNet(nn.Module):
    """BGR, (x - 127.5) / 128 [n, 3, 120, 120] -> 62 standardised parameters; MobileNetV2, a few channels wide."""

    def __init__(self) -> None:
        super().__init__()
        self.I2P = nn.Module()
        self.I2P.backbone = _MobileNetV2()
        self.register_buffer("param_mean", torch.linspace(-1, 1, 62))
        self.register_buffer("param_std", torch.linspace(0.5, 2, 62))

    def forward(self, x: Tensor) -> Tensor:
        return self.I2P.backbone(x)


class _MobileNetV2(nn.Module):
    # Expansion, width, blocks, stride of the first: torchvision's table, narrower. Widths are multiples of 8, as there:
    # with others, torch's convolutions round a picture otherwise by its place in the batch.
    TABLE = (
        *((1, 8, 1, 1), (6, 16, 2, 2), (6, 24, 3, 2), (6, 32, 4, 2)),
        *((6, 40, 3, 1), (6, 48, 3, 2), (6, 56, 1, 1)),
    )

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = [_conv_bn(3, 16, 3, 2)]
        before = 16
        for expansion, width, blocks, stride in self.TABLE:
            for number in range(blocks):
                layers.append(_InvertedResidual(before, width, 1 if number else stride, expansion))
                before = width
        layers.append(_conv_bn(before, 64, 1))
        self.features = nn.Sequential(*layers)
        self.classifier_ori, self.classifier_shape, self.classifier_exp = (
            nn.Sequential(nn.Dropout(0.2), nn.Linear(64, count)) for count in (12, 40, 10)
        )

    def forward(self, x: Tensor) -> Tensor:
        x = self.features(x).mean((2, 3))
        return torch.cat([self.classifier_ori(x), self.classifier_shape(x), self.classifier_exp(x)], 1)


class _InvertedResidual(nn.Module):
    def __init__(self, before: int, width: int, stride: int, expansion: int) -> None:
        super().__init__()
        self.adds, inner = stride == 1 and before == width, before * expansion
        widening = [_conv_bn(before, inner, 1)] if expansion != 1 else []
        self.conv = nn.Sequential(
            *widening,
            _conv_bn(inner, inner, 3, stride, inner),
            nn.Conv2d(inner, width, 1, bias=False),
            nn.BatchNorm2d(width),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv(x) if self.adds else self.conv(x)


def _conv_bn(before: int, width: int, side: int, stride: int = 1, groups: int = 1) -> nn.Sequential:
    convolution = nn.Conv2d(before, width, side, stride, (side - 1) // 2, groups=groups, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(width), nn.ReLU6())


def test_it_equals_its_module_whatever_the_batch(tmp_path: Path) -> None:
    module = randomised(SmallSynergyNet(), seed=5)
    stored = {
        f"module.{name}": value for name, value in module.state_dict().items()
    }  # as its authors store it
    torch.save({"epoch": 80, "state_dict": stored}, tmp_path / "best.pth.tar")
    network = SynergyNet(tmp_path / "best.pth.tar", "cpu")
    small = np.random.default_rng(3).integers(0, 256, (5, 8, 8, 3))
    crops = np.ascontiguousarray(small.repeat(15, 1).repeat(15, 2).astype(np.uint8))
    bgr = torch.from_numpy(crops[..., ::-1].copy()).permute(0, 3, 1, 2).float()
    whole = module((bgr - 127.5) / 128) * module.param_std + module.param_mean
    expected = whole[:, :12].reshape(-1, 3, 4).numpy()  # `parse_param_62` of model_building.py
    assert np.ptp(expected, axis=0).max() > 1e-2, "different results for different pictures"
    found = network(crops)
    np.testing.assert_allclose(found, expected, atol=2e-5, rtol=1e-4)
    np.testing.assert_array_equal(network(crops[3:4])[0], found[3])


def test_another_networks_checkpoint_is_refused(tmp_path: Path) -> None:
    torch.save(randomised(SmallSixDRepNet(), seed=1).state_dict(), tmp_path / "weights.pth")
    with pytest.raises(UserError, match=r"weights\.pth: not SynergyNet's weights"):
        SynergyNet(tmp_path / "weights.pth", "cpu")
