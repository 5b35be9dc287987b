"""The operators of mediapipe's own in `face_landmark_with_attention.tflite`: they look again at lips and eyes.

The network finds 468 points, cuts squares around lips and eyes out of its own feature map, upright and 16 cells wide,
and finds the points there anew. Source: google/mediapipe, util/tflite/operations/{landmarks_to_transform_matrix,
transform_tensor_bilinear,transform_landmarks}.cc, version 2 of each.
"""

from __future__ import annotations

from typing import Any

import torch
from flatbuffers import flexbuffers
from torch import Tensor, nn
from torch.nn import functional


def custom_options(data: bytes) -> dict[str, Any]:
    """The options of a custom operator, a FlexBuffers map."""
    found = flexbuffers.Loads(data) if data else {}
    if not isinstance(found, dict):
        raise ValueError("the options of a custom operator are no map")
    return found


class TransformMatrix(nn.Module):
    """Landmarks2TransformMatrix: from points [n, k, 3] to matrices [n, 4, 4] from the square's cells to those points'.

    options: `subset_idxs`, the points that the square is around; `left_rotation_idx` and `right_rotation_idx`, whose
    line becomes level; `scale_x`, `scale_y`, the square's sides over those of the points' box.
    """

    def __init__(self, options: dict[str, Any]) -> None:
        super().__init__()
        self.register_buffer("subset", torch.tensor(list(options["subset_idxs"])))
        self.subset: Tensor
        self.ends = int(options["left_rotation_idx"]), int(options["right_rotation_idx"])
        self.target = float(options["target_rotation_radians"])
        self.scale = float(options["scale_x"]), float(options["scale_y"])
        self.size = int(options["output_width"]), int(options["output_height"])

    def forward(self, points: Tensor) -> Tensor:
        flat = points[..., :2]
        along = flat[:, self.ends[1]] - flat[:, self.ends[0]]
        turn = self.target - torch.atan2(along[:, 1], along[:, 0])
        turn = torch.where((along != 0).all(1), turn, torch.full_like(turn, self.target))
        cos, sin = torch.cos(turn), torch.sin(turn)
        x, y = flat[:, self.subset, 0], flat[:, self.subset, 1]
        level = torch.stack([x * cos[:, None] - y * sin[:, None], x * sin[:, None] + y * cos[:, None]], -1)
        high, low = level.amax(1), level.amin(1)
        middle = (high + low) / 2
        centre = torch.stack(
            [cos * middle[:, 0] + sin * middle[:, 1], cos * middle[:, 1] - sin * middle[:, 0]], -1
        )
        step_x, step_y = ((high - low)[:, axis] * self.scale[axis] / self.size[axis] for axis in (0, 1))
        matrix = torch.zeros(len(points), 4, 4, dtype=points.dtype, device=points.device)
        matrix[:, 0, 0], matrix[:, 0, 1] = cos * step_x, sin * step_y
        matrix[:, 1, 0], matrix[:, 1, 1] = -sin * step_x, cos * step_y
        half = torch.tensor(self.size, dtype=points.dtype, device=points.device) / 2
        matrix[:, :2, 3] = centre - matrix[:, :2, :2] @ half
        matrix[:, 2, 2] = matrix[:, 3, 3] = 1
        return matrix


class TransformTensor(nn.Module):
    """TransformTensorBilinear: the square of a map [n, c, h, w] that a matrix [n, 4, 4] leads to; 0 outside of it."""

    def __init__(self, options: dict[str, Any]) -> None:
        super().__init__()
        self.size = int(options["output_height"]), int(options["output_width"])

    def forward(self, x: Tensor, matrix: Tensor) -> Tensor:
        height, width = x.shape[2:]
        rows, columns = (torch.arange(side, dtype=x.dtype, device=x.device) + 0.5 for side in self.size)
        v, u = torch.meshgrid(rows, columns, indexing="ij")
        cells = torch.stack([u, v], -1).reshape(-1, 2)
        at = cells @ matrix[:, :2, :2].transpose(1, 2) + matrix[:, None, :2, 3] - 0.5
        edge = torch.tensor([width - 1, height - 1], dtype=x.dtype, device=x.device)
        outside = ((at < 0) | (at > edge)).any(-1)
        grid = (at / edge * 2 - 1).reshape(len(x), *self.size, 2)
        seen = functional.grid_sample(x, grid, mode="bilinear", padding_mode="zeros", align_corners=True)
        return seen.masked_fill(outside.reshape(len(x), 1, *self.size), 0.0)


class TransformPoints(nn.Module):
    """TransformLandmarks: points [n, k, 2] by matrices [n, 4, 4]."""

    def forward(self, points: Tensor, matrix: Tensor) -> Tensor:
        return points @ matrix[:, :2, :2].transpose(1, 2) + matrix[:, None, :2, 3]


class Scale(nn.Module):
    """MUL with a constant that broadcasts."""

    def __init__(self, factors: Tensor) -> None:
        super().__init__()
        self.register_buffer("factors", factors)
        self.factors: Tensor

    def forward(self, x: Tensor) -> Tensor:
        return x * self.factors


class ToVector(nn.Module):
    """RESHAPE of lists of points [n, k, m] into a vector per picture, as a map [n, k * m, 1, 1]."""

    def forward(self, x: Tensor) -> Tensor:
        return x.reshape(len(x), -1, 1, 1)
