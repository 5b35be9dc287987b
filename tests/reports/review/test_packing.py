"""Columns of numbers as one message."""

from __future__ import annotations

import numpy as np
import pytest

from lpff_ray.reports.review.packing import ALIGNMENT, packed, unpacked


@pytest.mark.parametrize("count", [0, 1, 5, 8])
def test_what_is_packed_comes_out_aligned(count: int) -> None:
    columns = {
        "small": np.arange(count, dtype=np.uint8),
        "middle": np.arange(count, dtype=np.uint16),
        "large": (np.arange(count) + 2**32 - 8).astype(np.uint32),
        "real": np.linspace(-1, 1, count, dtype=np.float32),
    }
    message = packed({"name": "ü ☃", "list": [1, None]}, columns)
    head, found = unpacked(message)
    assert (head["name"], head["list"]) == ("ü ☃", [1, None])
    assert all(np.array_equal(found[name], column) for name, column in columns.items())
    start = 4 + int.from_bytes(
        message[:4], "little"
    )  # what the page makes typed arrays of, which must be aligned
    assert start % ALIGNMENT == 0
    assert all(one["offset"] % ALIGNMENT == 0 for one in head["columns"])
    assert len(message) % ALIGNMENT == 0
