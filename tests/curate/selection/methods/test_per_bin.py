"""The most turned faces of every identity and bin."""

from __future__ import annotations

from pathlib import Path

from handmade import GATES_OPEN, face, handmade_run, ids

import lpff_ray
from lpff_ray.tables import schema


def test_efhq_takes_the_most_turned_of_every_identity_and_bin(tmp_path: Path) -> None:
    out = handmade_run(
        tmp_path,
        [
            face("less", "a", 50),
            face("most", "a", -80),  # another bin
            face("turned", "a", 70),
            face("pitched", "a", 60, 12),
            face("level", "a", 60, -3, iqa=90),
            face("sharper", "a", 60, -3, iqa=99),
            face("other", "b", 50),
            face("front", "a", 10),
            face("unclear", "a", 55, pose_bin="confused"),
        ],
    )
    done = lpff_ray.select(out, "s", "efhq", {**GATES_OPEN, "per_identity_bin": 3})
    assert ids(done) == ["turned", "pitched", "sharper", "other", "most"]
    assert done.table["rank"].to_list() == [0, 1, 2, 3, 4]
    assert done.table.schema == schema.SELECTION
    with_frontal = lpff_ray.select(
        out, "s", "efhq", {**GATES_OPEN, "per_identity_bin": 3, "with_frontal": True}
    )
    assert set(ids(with_frontal)) - set(ids(done)) == {"front"}
