"""Small stand-ins of models whose weights nobody here has: the same layers under the same names, a few channels wide.

Written as plain torch modules after the originals' layouts, so that what the product computes from their checkpoints
has something independent to be compared with. The ONNX file is written byte by byte: exporting one needs one more
package.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

# --- insightface's iresnet ---------------------------------------------------------------------------------------


class SmallIResNet(nn.Module):
    """RGB, standardised to -1..1 [n, 3, 112, 112] -> [n, features]."""

    def __init__(self, features: int = 512, widths: tuple[int, ...] = (4, 4, 6, 8), blocks: int = 2) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 4, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(4)
        self.prelu = nn.PReLU(4)
        before = 4
        for number, width in enumerate(widths, 1):
            stage = [_IBlock(before if i == 0 else width, width, 2 if i == 0 else 1) for i in range(blocks)]
            self.add_module(f"layer{number}", nn.Sequential(*stage))
            before = width
        self.bn2 = nn.BatchNorm2d(before)
        self.fc = nn.Linear(before * 49, features)
        self.features = nn.BatchNorm1d(features)

    def forward(self, x: Tensor) -> Tensor:
        x = self.prelu(self.bn1(self.conv1(x)))
        for number in range(1, 5):
            x = getattr(self, f"layer{number}")(x)
        return self.features(self.fc(self.bn2(x).flatten(1)))


class _IBlock(nn.Module):
    def __init__(self, before: int, width: int, stride: int) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(before)
        self.conv1 = nn.Conv2d(before, width, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.prelu = nn.PReLU(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(width)
        self.downsample = (
            nn.Sequential(nn.Conv2d(before, width, 1, stride, bias=False), nn.BatchNorm2d(width))
            if stride > 1
            else None
        )

    def forward(self, x: Tensor) -> Tensor:
        y = self.bn3(self.conv2(self.prelu(self.bn2(self.conv1(self.bn1(x))))))
        return y + (x if self.downsample is None else self.downsample(x))


# --- 6DRepNet ----------------------------------------------------------------------------------------------------


class SmallSixDRepNet(nn.Module):
    """RGB, standardised as ImageNet [n, 3, 224, 224] -> six numbers [n, 6]; every other layer in two groups."""

    def __init__(self) -> None:
        super().__init__()
        self.layer0 = _RepBlock(3, 4, 2, 1)
        before, layer = 4, 1
        for number, width in enumerate((4, 6, 8, 8), 1):
            stage = []
            for i in range(2):
                stage.append(_RepBlock(before, width, 1 if i else 2, 1 if layer % 2 else 2))
                before, layer = width, layer + 1
            self.add_module(f"layer{number}", nn.Sequential(*stage))
        self.linear_reg = nn.Linear(before, 6)

    def forward(self, x: Tensor) -> Tensor:
        for number in range(5):
            x = getattr(self, f"layer{number}")(x)
        return self.linear_reg(x.mean((2, 3)))


class _RepBlock(nn.Module):
    def __init__(self, before: int, width: int, stride: int, groups: int) -> None:
        super().__init__()
        self.rbr_reparam = nn.Conv2d(before, width, 3, stride, 1, groups=groups)

    def forward(self, x: Tensor) -> Tensor:
        return self.rbr_reparam(x).relu()


# --- HyperIQA ----------------------------------------------------------------------------------------------------


class SmallHyperIqa(nn.Module):
    """RGB, standardised as ImageNet [1, 3, 224, 224] -> quality [1]. Vector 10, written layers 14, 7, 7, 7."""

    VECTOR, SIZES, HYPER = 14, (14, 7, 7, 7), 5

    def __init__(self) -> None:
        super().__init__()
        self.res = _Backbone(self.VECTOR)
        self.conv1 = nn.Sequential(
            *(
                nn.Conv2d(8, 8, 1),
                nn.ReLU(),
                nn.Conv2d(8, 6, 1),
                nn.ReLU(),
                nn.Conv2d(6, self.HYPER, 1),
                nn.ReLU(),
            )
        )
        before = self.VECTOR
        for number, size in enumerate(self.SIZES, 1):
            self.add_module(f"fc{number}w_conv", nn.Conv2d(self.HYPER, before * size // 49, 3, padding=1))
            self.add_module(f"fc{number}b_fc", nn.Linear(self.HYPER, size))
            before = size
        self.fc5w_fc = nn.Linear(self.HYPER, before)
        self.fc5b_fc = nn.Linear(self.HYPER, 1)

    def forward(self, x: Tensor) -> Tensor:
        features, vector = self.res(x)
        features = self.conv1(features)
        pooled = nn.functional.adaptive_avg_pool2d(features, 1).flatten(1)[0]
        q = vector.reshape(1, self.VECTOR, 1, 1)
        for number, size in enumerate(self.SIZES, 1):
            weight = getattr(self, f"fc{number}w_conv")(features).view(size, q.shape[1], 1, 1)
            q = torch.sigmoid(nn.functional.conv2d(q, weight, getattr(self, f"fc{number}b_fc")(pooled)))
        return nn.functional.conv2d(q, self.fc5w_fc(pooled).view(1, -1, 1, 1), self.fc5b_fc(pooled)).flatten()


class _Backbone(nn.Module):
    def __init__(self, vector: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 4, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(4)
        before = 4
        for number, width in enumerate((4, 4, 6, 8), 1):
            stage = [_Bottleneck(before, width, 1 if number == 1 else 2), _Bottleneck(width, width, 1)]
            self.add_module(f"layer{number}", nn.Sequential(*stage))
            before = width
        for number, (width, cells) in enumerate(((4, 64), (4, 16), (6, 4)), 1):
            pool = nn.Sequential(nn.Conv2d(width, 2, 1, bias=False), nn.AvgPool2d(7, 7))
            self.add_module(f"lda{number}_pool", pool)
            self.add_module(f"lda{number}_fc", nn.Linear(2 * cells, 3))
        self.lda4_pool = nn.AvgPool2d(7, 7)
        self.lda4_fc = nn.Linear(8, vector - 9)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        x = nn.functional.max_pool2d(self.bn1(self.conv1(x)).relu(), 3, 2, 1)
        local = []
        for number in range(1, 5):
            x = getattr(self, f"layer{number}")(x)
            cells = getattr(self, f"lda{number}_pool")(x).flatten(1)
            local.append(getattr(self, f"lda{number}_fc")(cells))
        return x, torch.cat(local, 1)


class _Bottleneck(nn.Module):
    def __init__(self, before: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(before, 3, 1, bias=False), nn.BatchNorm2d(3)
        self.conv2, self.bn2 = nn.Conv2d(3, 3, 3, stride, 1, bias=False), nn.BatchNorm2d(3)
        self.conv3, self.bn3 = nn.Conv2d(3, width, 1, bias=False), nn.BatchNorm2d(width)
        self.downsample = None
        if stride != 1 or before != width:
            self.downsample = nn.Sequential(
                nn.Conv2d(before, width, 1, stride, bias=False), nn.BatchNorm2d(width)
            )

    def forward(self, x: Tensor) -> Tensor:
        y = self.bn2(self.conv2(self.bn1(self.conv1(x)).relu())).relu()
        y = self.bn3(self.conv3(y))
        return (y + (x if self.downsample is None else self.downsample(x))).relu()


def randomised(network: nn.Module, seed: int) -> nn.Module:
    """The network in eval mode with every parameter and statistic drawn at random, none of them trivial."""
    generator = torch.Generator().manual_seed(seed)
    for name, tensor in network.state_dict().items():
        if name.endswith("num_batches_tracked"):
            continue
        draw = torch.rand(tensor.shape, generator=generator)
        if tensor.ndim == 1:
            tensor.copy_(0.5 + draw if name.endswith(("running_var", ".weight")) else draw - 0.5)
        else:
            tensor.copy_((draw - 0.5) * (5 / tensor[0].numel() ** 0.5))
    return network.eval().requires_grad_(False)


# --- ONNX --------------------------------------------------------------------------------------------------------


def onnx_of_means(path: Path, weight: np.ndarray, bias: np.ndarray, side: int, batch: int | None) -> None:
    """Write an ONNX file: images [n, 3, side, side] -> their channels' means times `weight` [3, k], plus `bias` [k].

    batch: the n that it is made for, None for any.
    """
    images = _value("images", [batch or "n", 3, side, side])
    answers = _value("answers", [batch or "n", len(bias)])
    nodes = [
        _node("GlobalAveragePool", ["images"], "pooled"),
        _node("Flatten", ["pooled"], "means"),
        _node("Gemm", ["means", "weight", "bias"], "answers"),
    ]
    tensors = [_tensor("weight", weight), _tensor("bias", bias)]
    graph = b"".join(_field(1, node) for node in nodes) + _field(2, b"means")
    graph += b"".join(_field(5, tensor) for tensor in tensors) + _field(11, images) + _field(12, answers)
    path.write_bytes(_number(1, 8) + _field(7, graph) + _field(8, _number(2, 13)))


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _field(field: int, content: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(content)) + content


def _node(operation: str, inputs: list[str], output: str) -> bytes:
    return (
        b"".join(_field(1, name.encode()) for name in inputs)
        + _field(2, output.encode())
        + _field(4, operation.encode())
    )


def _tensor(name: str, values: np.ndarray) -> bytes:
    sizes = b"".join(_number(1, size) for size in values.shape)
    return sizes + _number(2, 1) + _field(8, name.encode()) + _field(9, values.astype("<f4").tobytes())


def _value(name: str, shape: list[int | str]) -> bytes:
    sizes = b"".join(
        _field(1, _number(1, size) if isinstance(size, int) else _field(2, size.encode())) for size in shape
    )
    return _field(1, name.encode()) + _field(2, _field(1, _number(1, 1) + _field(2, sizes)))
