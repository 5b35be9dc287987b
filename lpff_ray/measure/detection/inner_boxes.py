"""BlazeFace's box of a face out of that of another detector: the networks behind detection were made for it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# BlazeFace's box against those of detectors trained on WIDER FACE (YuNet, CenterFace): its side over their longer one,
# and how much lower its centre is, in such sides. Evidence: docs/evidence/detection.md#yunets-boxes
BOX_SHARE, BOX_DROP = 0.79, 0.095


def inner_boxes(boxes: NDArray, turns: NDArray | None = None) -> NDArray:
    """The squares [n, 4] that BlazeFace would put around the faces in boxes [n, 4] as WIDER FACE's; of their dtype.

    turns: quarter turns anticlockwise after which each face is upright [n]; None: all are.
    """
    centres, longer = (boxes[:, :2] + boxes[:, 2:]) / 2, longer_side(boxes)
    angle = np.zeros(len(boxes)) if turns is None else np.asarray(turns) * np.pi / 2
    chinwards = np.stack([-np.sin(angle), np.cos(angle)], 1)
    centres = (centres + BOX_DROP * longer[:, None] * chinwards).astype(boxes.dtype)
    half = (BOX_SHARE * longer / 2)[:, None]
    return np.concatenate([centres - half, centres + half], 1)


def longer_side(rows: NDArray) -> NDArray:
    """Longer sides [n] of boxes [n, 4 and more], pixels."""
    return (rows[:, 2:4] - rows[:, :2]).max(1)
