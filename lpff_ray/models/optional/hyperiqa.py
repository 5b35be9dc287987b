"""HyperIQA image quality (Su et al., CVPR 2020): a ResNet-50 that makes the weights of the network that scores."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from lpff_ray.models.optional.checkpoint import CheckpointNetwork, as_imagenet


class HyperIqa(CheckpointNetwork):
    """Quality of patches, about 0..100. The file determines widths and depths."""

    name = "HyperIQA"
    side = 224

    def forward(self, x: Tensor) -> Tensor:
        """float32 [n, 3, 224, 224], RGB 0..255 -> [n]."""
        features, vector = self._backbone(as_imagenet(x))
        for layer in ("conv1.0", "conv1.2", "conv1.4"):
            features = self.weights.convolution(features, layer).relu()
        pooled = features.mean((2, 3))
        for number in range(1, 5):
            bias = self.weights.linear(pooled, f"fc{number}b_fc")
            made = self.weights.convolution(features, f"fc{number}w_conv")
            weight = made.reshape(len(x), bias.shape[1], vector.shape[1])
            vector = ((weight * vector[:, None]).sum(2) + bias).sigmoid()
        weight, bias = (self.weights.linear(pooled, name) for name in ("fc5w_fc", "fc5b_fc"))
        return (weight * vector).sum(1) + bias[:, 0]

    def _backbone(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Features [n, c, 7, 7], and the vector [n, k] that is the input of the network that scores."""
        weights = self.weights
        x = weights.norm(weights.convolution(x, "res.conv1", 2), "res.bn1").relu()
        x = functional.max_pool2d(x, 3, 2, 1)
        local = []
        for stage in range(1, 5):
            for block in range(weights.count(f"res.layer{stage}")):
                stride = 1 if block or stage == 1 else 2
                x = self._bottleneck(x, f"res.layer{stage}.{block}", stride)
            squeezed = weights.convolution(x, f"res.lda{stage}_pool.0") if stage < 4 else x
            cells = functional.avg_pool2d(squeezed, 7, 7).flatten(1)
            local.append(weights.linear(cells, f"res.lda{stage}_fc"))
        return x, torch.cat(local, 1)

    def _bottleneck(self, x: Tensor, name: str, stride: int) -> Tensor:
        weights = self.weights
        y = weights.norm(weights.convolution(x, f"{name}.conv1"), f"{name}.bn1").relu()
        y = weights.norm(weights.convolution(y, f"{name}.conv2", stride), f"{name}.bn2").relu()
        y = weights.norm(weights.convolution(y, f"{name}.conv3"), f"{name}.bn3")
        if f"{name}.downsample.0.weight" in weights:
            x = weights.norm(weights.convolution(x, f"{name}.downsample.0", stride), f"{name}.downsample.1")
        return (x + y).relu()
