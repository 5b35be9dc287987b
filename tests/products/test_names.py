"""Names of files and folders made of ids."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from lpff_ray.products.names import clip_names, plain_names


@given(st.lists(st.text(max_size=8), unique=True, max_size=20), st.randoms())
def test_every_id_has_a_name_of_its_own_whatever_their_order(ids: list[str], rng) -> None:  # type: ignore[no-untyped-def]
    names = plain_names({key: key for key in ids})
    assert len({name.lower() for name in names.values()}) == len(ids)
    assert all(re.fullmatch(r"[A-Za-z0-9_+-][A-Za-z0-9._+-]*", name) for name in names.values())
    rng.shuffle(ids)
    assert plain_names({key: key for key in ids}) == names


def test_clips_are_named_by_their_id_or_file() -> None:
    names = clip_names(
        [
            ("v1", "/data/a/talk.mp4", ""),
            ("v2", "/data/b/talk.mp4", ""),
            ("v3", "s3://bucket/x.tar.gz", ""),
            ("v4", "/data/a/talk.mp4", "M2Ohb0FAaJU_1"),
            ("v5", "/data/a/Ünïcode name", ""),
        ]
    )
    assert re.fullmatch(r"talk-[0-9a-f]{8}", names["v1"])
    assert re.fullmatch(r"talk-[0-9a-f]{8}", names["v2"])
    assert names["v1"] != names["v2"]
    assert (names["v3"], names["v4"], names["v5"]) == ("x.tar", "M2Ohb0FAaJU_1", "_n_code_name")
