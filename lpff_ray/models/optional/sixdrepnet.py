"""6DRepNet head pose (Hempel et al., ICIP 2022): a RepVGG, folded for inference, and two columns of a rotation."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from lpff_ray.models.optional.checkpoint import CheckpointNetwork, as_imagenet

FOLDED = "rbr_reparam"


class SixDRepNet(CheckpointNetwork):
    """RepVGG of any width and depth, which the file determines."""

    name = "6DRepNet"
    side = 224

    def forward(self, x: Tensor) -> Tensor:
        """float32 [n, 3, 224, 224], RGB 0..255 -> rotations [n, 3, 3].

        In the file's own convention: Rz(roll) Ry(yaw) Rx(pitch) of 300W-LP's angles, all right-handed.
        """
        weights = self.weights
        x = weights.convolution(as_imagenet(x), f"layer0.{FOLDED}", 2).relu()
        for stage in range(1, 5):
            for block in range(weights.count(f"layer{stage}")):
                stride = 1 if block else 2
                x = weights.convolution(x, f"layer{stage}.{block}.{FOLDED}", stride).relu()
        six = weights.linear(x.mean((2, 3)), "linear_reg")
        first = functional.normalize(six[:, :3])
        third = functional.normalize(torch.linalg.cross(first, six[:, 3:]))
        return torch.stack([first, torch.linalg.cross(third, first), third], dim=2)
