"""Names of identities: made from faces, and kept from one `dedupe` to the next."""

from __future__ import annotations

import hashlib

import numpy as np
import polars as pl
from numpy.typing import NDArray


def identity_names(
    label: NDArray[np.int64], face_ids: pl.Series, before: pl.DataFrame | None
) -> tuple[list[str], int]:
    """Ids of identities that stay the same when a run grows, and how many of them were known before.

    label: int64 [faces], numbers 0, 1, ... of the faces' identities. face_ids: of the faces, in the order of the
    tables. before: face_id and identity_id of the last `dedupe`, or None.

    An identity keeps the id of an earlier one with which it shares most faces; each id goes to one identity. One that
    is new is named after its first face, so that the name depends on nothing else.
    """
    count = int(label.max(initial=-1)) + 1
    names: list[str | None] = [None] * count
    inherited: set[str] = set()
    if before is not None:
        shared = (
            pl.DataFrame({"face_id": face_ids, "label": label})
            .join(before.select("face_id", "identity_id"), on="face_id")
            .group_by("label", "identity_id")
            .len()
            .sort(["len", "identity_id", "label"], descending=[True, False, False])
        )
        for number, name in shared.select("label", "identity_id").iter_rows():
            if names[number] is None and name not in inherited:
                names[number] = name
                inherited.add(name)
    first_face = np.full(count, len(label))
    np.minimum.at(first_face, label, np.arange(len(label)))
    taken = inherited | (set() if before is None else set(before["identity_id"].unique()))
    for number, face in enumerate(first_face):
        if names[number] is None:
            names[number] = _new_name(face_ids[int(face)], taken)
            taken.add(str(names[number]))
    return [str(name) for name in names], len(inherited)


def _new_name(face_id: str, taken: set[str]) -> str:
    """A name made from a face's id that no other identity has: after one was divided, the other part may have it."""
    for attempt in range(1_000_000):
        text = face_id if not attempt else f"{face_id}#{attempt}"
        name = f"id-{hashlib.sha256(text.encode()).hexdigest()[:12]}"
        if name not in taken:
            return name
    raise AssertionError("a million hashes are taken")
