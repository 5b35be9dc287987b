"""Names of identities that stay."""

from __future__ import annotations

import numpy as np
import polars as pl

from lpff_ray.curate.identity.names import identity_names


def test_names_come_from_the_first_face_and_are_inherited_by_most_faces() -> None:
    faces = pl.Series([f"v:{i}:0" for i in range(6)])
    names, known = identity_names(np.array([0, 0, 0, 0, 1, 1]), faces, None)
    assert known == 0
    assert identity_names(np.array([1, 1, 1, 1, 0, 0]), faces, None)[0] == names[::-1], (
        "numbers do not matter"
    )
    before = pl.DataFrame({"face_id": faces, "identity_id": [names[0]] * 4 + [names[1]] * 2})
    # The first identity splits, and its larger half lacks the face that it was named after.
    after, known = identity_names(np.array([2, 0, 0, 0, 1, 1]), faces, before)
    assert known == 2
    assert after[:2] == names
    assert after[2] not in names, "the rest does not take the name again that its first face once gave"
    # The two join: the name of the larger one stays.
    assert identity_names(np.zeros(6, np.int64), faces, before) == ([names[0]], 1)
