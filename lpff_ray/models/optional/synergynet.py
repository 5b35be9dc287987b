"""SynergyNet (Wu et al., 3DV 2021) with its MobileNetV2: parameters of a morphable face model, pose among them.

EFHQ's own first estimator, by whose angles it sorts. Layout and names of the weights: github.com/choyingw/SynergyNet,
`model_building.py`, `backbone_nets/mobilenetv2_backbone.py`.
"""

from __future__ import annotations

from torch import Tensor

from lpff_ray.models.optional.checkpoint import CheckpointNetwork

BACKBONE = "I2P.backbone"
STRIDE_2 = (2, 4, 7, 14)
"""Blocks that halve the picture; the first convolution does, too."""
LAST = 18


class SynergyNet(CheckpointNetwork):
    """The pose part: a scaled rotation with a translation, from the model to the crop. The widths are the file's."""

    name = "SynergyNet"
    side = 120

    def forward(self, x: Tensor) -> Tensor:
        """float32 [n, 3, 120, 120], RGB 0..255 -> [n, 3, 4]; x right, y up, z towards the camera."""
        x = self._activated((x.flip(1) - 127.5) / 128, f"{BACKBONE}.features.0", 2)
        for block in range(1, LAST):
            x = self._block(x, f"{BACKBONE}.features.{block}.conv", 2 if block in STRIDE_2 else 1)
        x = self._activated(x, f"{BACKBONE}.features.{LAST}")
        pose = self.weights.linear(x.mean((2, 3)), f"{BACKBONE}.classifier_ori.1")
        whole = pose * self.weights["param_std"][:12] + self.weights["param_mean"][:12]
        return whole.reshape(-1, 3, 4)

    def _block(self, x: Tensor, name: str, stride: int) -> Tensor:
        """An inverted residual; the first one has no convolution that widens it."""
        widens = f"{name}.3.weight" in self.weights
        inner = self._activated(x, f"{name}.0") if widens else x
        inner = self._activated(inner, f"{name}.{int(widens)}", stride)
        inner = self.weights.convolution(inner, f"{name}.{int(widens) + 1}")
        inner = self.weights.norm(inner, f"{name}.{int(widens) + 2}")
        return x + inner if stride == 1 and x.shape == inner.shape else inner

    def _activated(self, x: Tensor, name: str, stride: int = 1) -> Tensor:
        return self.weights.norm(self.weights.convolution(x, f"{name}.0", stride), f"{name}.1").clamp(0, 6)
