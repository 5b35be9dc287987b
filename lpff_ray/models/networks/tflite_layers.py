"""TensorFlow Lite operators that mediapipe's face models use, as torch modules on float32 [n, c, h, w]."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class Convolution(nn.Module):
    """CONV_2D and, with groups = channels, DEPTHWISE_CONV_2D.

    weight: [out, in / groups, h, w]; bias: [out]; same: SAME padding, else VALID.
    """

    def __init__(
        self, weight: Tensor, bias: Tensor, stride: tuple[int, int], same: bool, groups: int = 1
    ) -> None:
        super().__init__()
        self.register_buffer("weight", weight.contiguous())
        self.register_buffer("bias", bias)
        self.weight: Tensor
        self.bias: Tensor
        self.stride = stride
        self.same = same
        self.groups = groups

    def forward(self, x: Tensor) -> Tensor:
        padding = (0, 0)
        if self.same:
            kernel = (self.weight.shape[2], self.weight.shape[3])
            top, bottom, left, right = same_padding((x.shape[2], x.shape[3]), kernel, self.stride)
            if top == bottom and left == right:
                padding = (top, left)
            else:
                x = functional.pad(x, (left, right, top, bottom))
        return functional.conv2d(x, self.weight, self.bias, self.stride, padding, groups=self.groups)


class MaxPool(nn.Module):
    """MAX_POOL_2D."""

    def __init__(self, kernel: tuple[int, int], stride: tuple[int, int], same: bool) -> None:
        super().__init__()
        self.kernel = kernel
        self.stride = stride
        self.same = same

    def forward(self, x: Tensor) -> Tensor:
        if self.same:
            top, bottom, left, right = same_padding((x.shape[2], x.shape[3]), self.kernel, self.stride)
            if top or bottom or left or right:
                x = functional.pad(x, (left, right, top, bottom), value=float("-inf"))
        return functional.max_pool2d(x, self.kernel, self.stride)


class Pad(nn.Module):
    """PAD with zeros; before_after: [4, 2] for n, h, w, c."""

    def __init__(self, before_after: list[list[int]]) -> None:
        super().__init__()
        _, rows, columns, channels = before_after
        self.padding = (*columns, *rows, *channels)  # torch begins with the last dimension

    def forward(self, x: Tensor) -> Tensor:
        return functional.pad(x, self.padding)


class Prelu(nn.Module):
    """PRELU with one slope per channel; slopes: [c]."""

    def __init__(self, slopes: Tensor) -> None:
        super().__init__()
        self.register_buffer("slopes", slopes)
        self.slopes: Tensor

    def forward(self, x: Tensor) -> Tensor:
        return functional.prelu(x, self.slopes)


class Add(nn.Module):
    """ADD of two values of one shape."""

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        return a + b


class Concatenate(nn.Module):
    """CONCATENATION along a torch dimension."""

    def __init__(self, dimension: int) -> None:
        super().__init__()
        self.dimension = dimension

    def forward(self, *values: Tensor) -> Tensor:
        return torch.cat(values, self.dimension)


class ToAnchors(nn.Module):
    """RESHAPE of a map into a list of anchors: [n, k, h, w] -> [n, h * w * k / numbers, numbers]."""

    def __init__(self, numbers: int) -> None:
        super().__init__()
        self.numbers = numbers

    def forward(self, x: Tensor) -> Tensor:
        n, k, h, w = x.shape
        return x.permute(0, 2, 3, 1).reshape(n, h * w * k // self.numbers, self.numbers)


class Enlarge(nn.Module):
    """RESIZE_BILINEAR with half-pixel centres by a whole factor per axis."""

    def __init__(self, factors: tuple[int, int]) -> None:
        super().__init__()
        self.factors = factors

    def forward(self, x: Tensor) -> Tensor:
        size = (x.shape[2] * self.factors[0], x.shape[3] * self.factors[1])
        return functional.interpolate(x, size, mode="bilinear", align_corners=False)


class DepthToSpace(nn.Module):
    """DEPTH_TO_SPACE: channel (i * block + j) * c + k goes to channel k of row i, column j of its block."""

    def __init__(self, block: int) -> None:
        super().__init__()
        self.block = block

    def forward(self, x: Tensor) -> Tensor:
        n, channels, h, w = x.shape
        b, c = self.block, channels // self.block**2
        return x.reshape(n, b, b, c, h, w).permute(0, 3, 4, 1, 5, 2).reshape(n, c, h * b, w * b)


def same_padding(
    size: tuple[int, int], kernel: tuple[int, int], stride: tuple[int, int]
) -> tuple[int, int, int, int]:
    """TensorFlow's SAME padding (top, bottom, left, right): ceil(size / stride) results, odd pixel last."""
    sides: list[int] = []
    for length, window, step in zip(size, kernel, stride, strict=True):
        total = max((-(-length // step) - 1) * step + window - length, 0)
        sides += (total // 2, total - total // 2)
    return sides[0], sides[1], sides[2], sides[3]
