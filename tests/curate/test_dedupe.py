"""Identities and duplicates of whole runs: what must not change them, and what is written."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest
from command import call, complaint
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic import joined, video

import lpff_ray
from lpff_ray.config import MineConfig
from lpff_ray.curate.config import DedupeConfig
from lpff_ray.curate.dedupe import dedupe_faces
from lpff_ray.curate.dedupe_tables import DedupeTables
from lpff_ray.tables import schema
from lpff_ray.tables.parts import commit_part
from lpff_ray.tables.run import Run

DLIB = "dlib-resnet"
CONFIG = DedupeConfig(duplicate_bits=20).resolved(DLIB)


def deduped(table: pl.DataFrame, before: pl.DataFrame | None = None) -> DedupeTables:
    return dedupe_faces(table, CONFIG, DLIB, before)


@st.composite
def casts(draw: st.DrawFn) -> list[tuple[str, tuple[int, ...], int]]:
    """Videos: name, who is in it, how they move."""
    people = st.lists(st.integers(0, 3), min_size=1, max_size=3, unique=True)
    seeds = st.integers(0, 50)
    return [
        (name, tuple(draw(people)), draw(seeds))
        for name in draw(st.permutations("abcd"))[: draw(st.integers(1, 4))]
    ]


def shot(cast: list[tuple[str, tuple[int, ...], int]], segment_frames: int = 10_000) -> pl.DataFrame:
    return joined(
        *(video(name, who, 24, seed=seed, segment_frames=segment_frames) for name, who, seed in cast)
    )


def people_of(found: DedupeTables, cast: list[tuple[str, tuple[int, ...], int]]) -> dict[int, set[str]]:
    """The identities that the faces of each true person got."""
    who = {
        (name, str(position)): number for name, people, _ in cast for position, number in enumerate(people)
    }
    identities: dict[int, set[str]] = {}
    for face, identity in found.marks.select("face_id", "identity_id").iter_rows():
        name, _, position = face.split(":")
        identities.setdefault(who[name, position], set()).add(identity)
    return identities


@settings(deadline=None, max_examples=8)
@given(casts(), st.integers(0, 1000), st.integers(1, 23))
def test_neither_the_order_of_rows_nor_the_segments_matter(
    cast: list[tuple[str, tuple[int, ...], int]], seed: int, segment_frames: int
) -> None:
    whole = deduped(shot(cast))
    people = people_of(whole, cast)
    assert all(len(identities) == 1 for identities in people.values()), "one person, one identity"
    assert len(set.union(*people.values())) == len(people), "no two people in one"
    shuffled = deduped(shot(cast).sample(fraction=1, shuffle=True, seed=seed))
    assert shuffled.marks.equals(whole.marks)
    assert shuffled.identities.equals(whole.identities)
    assert shuffled.video_duplicates.equals(whole.video_duplicates)
    divided = deduped(shot(cast, segment_frames))
    named_by_segment = ["stitched_track_id", "similarity"]
    assert divided.marks.drop(named_by_segment).equals(whole.marks.drop(named_by_segment))
    assert divided.identities.drop("spread").equals(whole.identities.drop("spread"))
    assert divided.video_duplicates.equals(whole.video_duplicates)
    assert divided.stitched == sum(len(who) for _, who, _ in cast) * (-(-24 // segment_frames) - 1)


@settings(deadline=None, max_examples=5)
@given(casts(), casts())
def test_identities_keep_their_ids_when_a_run_grows(
    first: list[tuple[str, tuple[int, ...], int]], more: list[tuple[str, tuple[int, ...], int]]
) -> None:
    small = deduped(shot(first))
    cast = first + [(f"{name}2", who, seed) for name, who, seed in more]
    grown = deduped(shot(cast), small.marks)
    was, now = people_of(small, first), people_of(grown, cast)
    assert {number: now[number] for number in was} == was
    assert len(set.union(*now.values())) == len(now)
    assert grown.known == len(was)
    again = deduped(shot(cast), grown.marks)
    assert again.marks.equals(grown.marks)
    fresh = deduped(shot(cast))
    assert fresh.marks.drop("identity_id").equals(grown.marks.drop("identity_id")), "only names remember"


def test_a_crowd_of_unclear_faces_is_not_glued_together() -> None:
    near = [video(name, [1], 4, seed=seed) for name, seed in zip("abcdef", range(6), strict=True)]
    clear = deduped(joined(*near))
    assert len(clear.identities) == 1
    profiles = [table.with_columns(pl.lit(85.0, pl.Float32).alias("yaw")) for table in near]
    strict = CONFIG.model_copy(update={"identity_distance": 0.15})
    assert len(dedupe_faces(joined(*profiles), strict, DLIB).identities) == 6


# --- a run's folder ----------------------------------------------------------------------------------------


def run_of(out: Path, table: pl.DataFrame) -> None:
    """Put faces into an output folder as `mine` would."""
    run = Run(str(out), MineConfig()).begin()
    for (segment,), faces in table.group_by("segment_id", maintain_order=True):
        columns = {name: faces[name] for name in faces.columns}
        whole = schema.frame(columns, schema.FACES).with_columns(uri=pl.format("/clips/{}.mp4", "video_id"))
        commit_part(run.folder, str(segment), whole, "segment", {}, run.config.hash())


def test_dedupe_writes_tables_and_says_what_it_found(tmp_path: Path) -> None:
    out = tmp_path / "run"
    run_of(out, joined(video("a", [1, 2], segment_frames=20), video("b", [1], quality=60.0)))
    with pytest.raises(lpff_ray.UserError, match="run lpff-ray dedupe"):
        lpff_ray.identities(str(out))
    done = call("dedupe", out, "--duplicate-bits", "20")
    assert done.returncode == 0, done.stderr
    assert "120 faces in 3 tracks, 2 of them joined across segment borders" in done.stdout
    assert "2 identities\n" in done.stdout
    assert "b.mp4 repeats a.mp4: 7.8 s, at +0.0 s, 100% of 40 faces agree" in done.stdout
    marks = lpff_ray.dedupe_marks(str(out))
    assert (
        marks["face_id"].to_list() == lpff_ray.scan(str(out)).select("face_id").collect()["face_id"].to_list()
    )
    assert set(lpff_ray.identities(str(out))["identity_id"]) == set(marks["identity_id"])
    assert lpff_ray.video_duplicates(str(out)).select("video_id", "duplicate_of").rows() == [("b", "a")]
    record = json.loads((out / "tables" / "dedupe.json").read_text())
    assert record["settings"]["duplicate_bits"] == 20
    assert record["settings"]["identity_distance"] == 0.31
    assert (record["embedding"], record["schema_version"]) == (DLIB, schema.SCHEMA_VERSION)
    again = call("dedupe", out, "--duplicate-bits", "20")
    assert "2 identities, 2 of them known before" in again.stdout
    assert lpff_ray.dedupe_marks(str(out)).equals(marks)


def test_a_run_without_faces(tmp_path: Path) -> None:
    out = tmp_path / "run"
    Run(str(out), MineConfig()).begin()
    done = call("dedupe", out)
    assert done.returncode == 0, done.stderr
    assert "no faces" in done.stdout
    assert lpff_ray.identities(str(out)).schema == schema.IDENTITIES
    assert lpff_ray.dedupe_marks(str(out)).schema == schema.DEDUPE
    assert lpff_ray.video_duplicates(str(out)).schema == schema.VIDEO_DUPLICATES


def test_users_mistakes(tmp_path: Path) -> None:
    assert "no run here" in done_wrong("dedupe", tmp_path)
    run_of(tmp_path / "run", video("a", [1], 3))
    assert "identity_distance" in done_wrong("dedupe", tmp_path / "run", "--identity-distance", "3")
    assert "device gpu: unknown" in done_wrong("dedupe", tmp_path / "run", "--device", "gpu")
    settings_file = tmp_path / "run.toml"
    assert "no such configuration file" in done_wrong("dedupe", tmp_path / "run", "--config", settings_file)
    settings_file.write_text("[dedupe]\nduplicate_bytes = 3\n")
    wrong = done_wrong("dedupe", tmp_path / "run", "--config", settings_file)
    assert str(settings_file) in wrong
    assert "duplicate_bytes" in wrong
    # A misspelt table, none, and none of this verb: nothing of the file would be read.
    for content in ("dedupe = 3\n", "[dedup]\nduplicate_bits = 3\n", "", "[select]\nmin_iqa = 3\n"):
        settings_file.write_text(content)
        message = done_wrong("dedupe", tmp_path / "run", "--config", settings_file)
        assert f"{settings_file}: holds no [dedupe] table" in message


def done_wrong(*arguments: object) -> str:
    """The complaint, with steps of progress before it forgiven."""
    return complaint(call(*arguments))
