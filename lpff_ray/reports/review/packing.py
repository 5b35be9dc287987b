"""Columns of numbers as one binary message: the page reads them as typed arrays, without parsing.

Layout: the length of the head (uint32, little-endian), the head (JSON, UTF-8, blanks behind it up to a multiple of 8),
then every column from an offset that is a multiple of 8. The head's `columns` says name, type, offset and length of
each; types are NumPy's, little-endian: "u1", "u2", "u4", "f4".
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

ALIGNMENT = 8
TYPES = ("u1", "u2", "u4", "f4")


def packed(meta: Mapping[str, Any], columns: Mapping[str, NDArray[Any]]) -> bytes:
    """A message with the JSON values `meta` and the columns [n], each of one of TYPES."""
    described, offset = [], 0
    for name, column in columns.items():
        kind = column.dtype.str[1:]
        assert kind in TYPES, (name, kind)
        described.append({"name": name, "type": kind, "offset": offset, "length": len(column)})
        offset += _padded(column.nbytes)
    head = json.dumps({**meta, "columns": described}, separators=(",", ":")).encode()
    head += b" " * (_padded(len(head) + 4) - len(head) - 4)
    parts = [len(head).to_bytes(4, "little"), head]
    for column in columns.values():
        content = np.ascontiguousarray(column, column.dtype.newbyteorder("<")).tobytes()
        parts += [content, b"\0" * (_padded(len(content)) - len(content))]
    return b"".join(parts)


def unpacked(message: bytes) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """The head and the columns of a message."""
    length = int.from_bytes(message[:4], "little")
    head = json.loads(message[4 : 4 + length])
    body = message[4 + length :]
    columns = {
        one["name"]: np.frombuffer(body, f"<{one['type']}", one["length"], one["offset"])
        for one in head["columns"]
    }
    return head, columns


def _padded(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT
