"""Batches of a fixed size, in which networks are run."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

# A batch costs its full size however few images are in it, so on the CPU it is as small as speed allows.
CPU_FACES_PER_BATCH = 8
CPU_CROPS_PER_BATCH = 4
CUDA_FACES_PER_BATCH = 64
CUDA_IMAGES_PER_BATCH = 32
# Fewer of large images: the miner gives ten frames of 1080p at once, two of 4K
CUDA_PIXELS_PER_BATCH = 2 << 20


OnArrays = Callable[[np.ndarray], list[np.ndarray]]
"""A network that takes a batch of a fixed size, and gives its outputs."""


def in_fixed_batches(run: OnArrays, batch: np.ndarray, size: int) -> list[np.ndarray]:
    """`run` on every `size` items of the batch, the last ones padded with zeros, and its outputs for the real items.

    So an item is computed by the same kernels whatever it is batched with, and its result is the same bit for bit.
    """
    parts: list[list[np.ndarray]] = []
    for start in range(0, max(len(batch), 1), size):
        items = np.ascontiguousarray(batch[start : start + size])
        count = len(items)
        if count < size:
            items = np.concatenate([items, np.zeros((size - count, *batch.shape[1:]), batch.dtype)])
        parts.append([output[:count] for output in run(items)])
    return [np.concatenate(part) for part in zip(*parts, strict=True)]
