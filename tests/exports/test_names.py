"""Names of files and folders made of ids."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from clips import write_clip
from hypothesis import given
from hypothesis import strategies as st
from tracked import SELECTION, Track, tracked_run

from lpff_ray.exports.job import export
from lpff_ray.exports.names import LONGEST, clip_names, plain_names
from lpff_ray.exports.registry import make_format


@given(
    st.lists(st.text(max_size=8) | st.text(min_size=LONGEST - 2, max_size=300), unique=True, max_size=20),
    st.randoms(),
)
def test_every_id_has_a_name_of_its_own_whatever_their_order(ids: list[str], rng) -> None:  # type: ignore[no-untyped-def]
    names = plain_names({key: key for key in ids})
    assert len({name.lower() for name in names.values()}) == len(ids)
    assert all(re.fullmatch(r"[A-Za-z0-9_+-][A-Za-z0-9._+-]*", name) for name in names.values())
    assert all(len(name.encode()) <= LONGEST + 9 for name in names.values())
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


def test_long_names_are_cut_and_stay_apart_and_short_ones_stay_as_they_were() -> None:
    long = "Ä talk, told at length " * 12
    names = plain_names({"a": f"{long} 1", "b": f"{long} 2", "c": "talk", "d": "x" * LONGEST})
    assert re.fullmatch(r"__talk__told_at_length.*-[0-9a-f]{8}", names["a"])
    assert len(names["a"]) == LONGEST + 9
    assert names["a"] != names["b"]
    assert (names["c"], names["d"]) == ("talk", "x" * LONGEST)
    assert plain_names({"a": f"{long} 1"})["a"] == names["a"], "whatever else there is"


@pytest.mark.parametrize(
    ("format", "settings"),
    [
        ("clips", []),
        ("reenactment", ["size=16", "min_frames=8", "min_size=8"]),
        ("reenactment", ["size=16", "min_frames=8", "min_size=8", "image=mp4"]),
    ],
)
def test_a_video_with_the_longest_name_that_a_disk_takes_is_exported(
    tmp_path: Path, format: str, settings: list[str]
) -> None:
    clip = write_clip(tmp_path / "short.mp4", 24, size=(64, 64)).rename(tmp_path / f"{'n' * 251}.mp4")
    identity = "Wer auch immer das ist, " * 10
    run = tracked_run(tmp_path / "run", [Track(clip, [0, 20], identity=identity)])
    summary = export(str(run), SELECTION, make_format(format, {}, settings), str(tmp_path / "made"))
    assert (summary.made, summary.failures) == (2, {})
