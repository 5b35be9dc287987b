"""PoseNet as a torch module: what is trained, and what runs on a GPU. See `posenet` for the network itself."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from lpff_ray.errors import UserError
from lpff_ray.models.networks.posenet import FEATURES, INPUT, MIRRORED, STAGES, not_posenet, read_posenet


class PoseNet(nn.Module):
    """Rotation and position of a head, and the expected error of the rotation, from a crop of its face."""

    def __init__(self) -> None:
        super().__init__()
        width, side = STAGES[0][0], INPUT // 2
        self.stem = nn.Conv2d(3, width, 3, stride=2)
        self.stem_activation = nn.PReLU(width)
        blocks = []
        for channels, count, halves in STAGES:
            side //= 2 if halves else 1
            for index in range(count):
                blocks.append(_Block(width, channels, halve=halves and index == 0))
                width = channels
        self.blocks = nn.Sequential(*blocks)
        self.widen = nn.Conv2d(width, FEATURES, 1)
        self.widen_activation = nn.PReLU(FEATURES)
        self.pool = nn.Conv2d(FEATURES, FEATURES, side, groups=FEATURES)
        self.pool_activation = nn.PReLU(FEATURES)
        self.head = nn.Linear(FEATURES, len(MIRRORED))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """float32 [n, 3, INPUT, INPUT], RGB 0..1 -> rotations [n, 3, 3], expected errors [n], positions [n, 3].

        The rotation takes head to camera as the face looks in its own surroundings (weak perspective); frames as in
        `lpff_ray.geometry.rotation`. The expected error is of the geodesic to the true rotation, in degrees. The
        position is that of the middle of eyes, nose tip and mouth corners: x and y from the crop's middle in shares of
        its side, and the natural logarithm of the share that 10 cm of the head take. In eval mode the network runs on
        the mirror image too, so a mirrored face has exactly the mirrored pose.
        """
        return unpacked(self.numbers(x))

    def numbers(self, x: Tensor) -> Tensor:
        """What `unpacked` makes the results of, [n, 10]; in eval mode the mean of both images'."""
        numbers = self._numbers(x)
        if not self.training:
            numbers = (numbers + self._numbers(x.flip(3)) * numbers.new_tensor(MIRRORED)) / 2
        return numbers

    def _numbers(self, x: Tensor) -> Tensor:
        x = self.stem_activation(self.stem(_padded(x)))
        x = self.widen_activation(self.widen(self.blocks(x)))
        return self.head(self.pool_activation(self.pool(x)).flatten(1))


class _Block(nn.Module):
    """Depthwise 3 x 3, pointwise, a shortcut, PReLU. Where it halves, the shortcut is a maximum of 2 x 2."""

    def __init__(self, channels: int, out: int, halve: bool) -> None:
        super().__init__()
        self.halve = halve
        self.added = out - channels
        self.depthwise = nn.Conv2d(
            channels, channels, 3, stride=2 if halve else 1, padding=0 if halve else 1, groups=channels
        )
        self.pointwise = nn.Conv2d(channels, out, 1)
        self.activation = nn.PReLU(out)

    def forward(self, x: Tensor) -> Tensor:
        y = self.pointwise(self.depthwise(_padded(x) if self.halve else x))
        if self.halve:
            x = functional.max_pool2d(x, 2)
        if self.added:
            x = functional.pad(x, (0, 0, 0, 0, 0, self.added))
        return self.activation(x + y)


def unpacked(numbers: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """`posenet.unpacked` on tensors."""
    return rotation_from_6d(numbers[:, :6]), numbers[:, 6].clamp(-2.0, 5.0).exp(), numbers[:, 7:]


def rotation_from_6d(x: Tensor) -> Tensor:
    """[n, 6] -> rotations [n, 3, 3]: two rows made orthonormal by Gram-Schmidt, and their cross product.

    Source: Zhou et al., "On the Continuity of Rotation Representations in Neural Networks" (CVPR 2019).
    """
    first = functional.normalize(x[:, :3], dim=1)
    second = functional.normalize(x[:, 3:] - (first * x[:, 3:]).sum(1, keepdim=True) * first, dim=1)
    return torch.stack([first, second, torch.linalg.cross(first, second)], dim=1)


def load_posenet(path: Path | None = None) -> PoseNet:
    """The network with the weights of `path`, by default those of the package, float32, in eval mode on the CPU.

    Raises UserError if the file is missing or does not hold this network.
    """
    weights, network = read_posenet(path), PoseNet()
    try:
        network.load_state_dict({name: torch.from_numpy(value) for name, value in weights.items()})
    except RuntimeError as error:
        raise UserError(not_posenet(path, error)) from None
    # Faster on a CPU; torch's stubs do not know the argument. Evidence: docs/evidence/speed.md#channels-last-memory
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network.requires_grad_(False).eval()


def _padded(x: Tensor) -> Tensor:
    """One more row and column, right and below, before a convolution that halves (TensorFlow's SAME for even sides)."""
    return functional.pad(x, (0, 1, 0, 1))
