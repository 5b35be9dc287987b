"""dlib's networks as torch modules, for a GPU."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from lpff_ray.models.networks.dlib_layers import MEAN_RGB, SCALE
from lpff_ray.models.networks.dlib_resnet import DlibResNet, ResNetBlock
from lpff_ray.models.networks.openvino_layers import ConvolutionLayer


def conv2d(layer: ConvolutionLayer) -> nn.Conv2d:
    """The module of a convolution."""
    out, channels, height, width = layer.weight.shape
    module = nn.Conv2d(
        channels * layer.groups, out, (height, width), layer.stride, layer.padding, groups=layer.groups
    )
    module.weight.data = torch.from_numpy(layer.weight)
    module.bias = nn.Parameter(torch.from_numpy(layer.bias))
    return module


class TorchDlibResNet(nn.Module):
    """`DlibResNet`, on any device."""

    def __init__(self, network: DlibResNet) -> None:
        super().__init__()
        self.stem, self.stem_pool = conv2d(network.stem), network.stem_pool
        self.blocks = nn.ModuleList(_TorchBlock(block) for block in network.blocks)
        self.register_buffer("projection", torch.from_numpy(network.projection))
        self.register_buffer("mean", torch.tensor(MEAN_RGB).reshape(1, 3, 1, 1))
        self.projection: Tensor
        self.mean: Tensor
        self.requires_grad_(False)
        self.eval()

    def forward(self, x: Tensor) -> Tensor:
        """float32 [n, 3, 150, 150], RGB 0..255 -> [n, 128], as dlib gives it (not of unit length)."""
        x = functional.max_pool2d(self.stem((x - self.mean) / SCALE).relu(), *self.stem_pool)
        for block in self.blocks:
            x = block(x)
        return x.mean(dim=(2, 3)) @ self.projection


class _TorchBlock(nn.Module):
    def __init__(self, block: ResNetBlock) -> None:
        super().__init__()
        self.first, self.second = conv2d(block.first), conv2d(block.second)
        self.shortcut_pool = block.shortcut_pool

    def forward(self, x: Tensor) -> Tensor:
        y = self.second(self.first(x).relu())
        if self.shortcut_pool is None:
            return (x + y).relu()
        shortcut = functional.avg_pool2d(x, *self.shortcut_pool)
        # dlib adds tensors of different sizes as if the missing channels, rows and columns were zero.
        shape = [max(a, b) for a, b in zip(shortcut.shape, y.shape, strict=True)]
        return (_zero_padded(shortcut, shape) + _zero_padded(y, shape)).relu()


def _zero_padded(x: Tensor, shape: list[int]) -> Tensor:
    _, channels, rows, columns = (want - have for want, have in zip(shape, x.shape, strict=True))
    return functional.pad(x, (0, columns, 0, rows, 0, channels)) if channels or rows or columns else x
