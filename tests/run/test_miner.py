"""What the miner writes: the same rows however the work is split and shared, and counts that add up."""

from __future__ import annotations

import csv
import errno
import gc
import os
import shutil
from fractions import Fraction
from pathlib import Path

import av
import cv2
import fsspec
import numpy as np
import polars as pl
import pytest
from clips import DEMO_EVERY, paint, portrait, write_clip
from fsspec.implementations.memory import MemoryFileSystem
from PIL import Image
from tablecheck import assert_same_faces

import lpff_ray
from lpff_ray.cli.demo_clip import FPS, HEIGHT, WIDTH, DemoClip
from lpff_ray.config import MineConfig
from lpff_ray.errors import UserError
from lpff_ray.measure import measurer as faces_module
from lpff_ray.measure.identity.measures import DlibEmbedding
from lpff_ray.run import miner as miner_module
from lpff_ray.run.mine import MineSummary, mine
from lpff_ray.storage.local_copy import drop_idle_copies
from lpff_ray.tables import schema


def faces_of(src: Path | list[str], out: Path, workers: int = 1, **settings: object) -> pl.DataFrame:
    mine_into(src, out, workers, **settings)
    return lpff_ray.scan(str(out)).collect()


def mine_into(src: Path | list[str], out: Path, workers: int = 1, **settings: object) -> MineSummary:
    sources = src if isinstance(src, list) else [str(src)]
    return mine(sources, str(out), MineConfig.model_validate(settings), workers=workers)


def write_manifest(path: Path, columns: str, *rows: tuple[object, ...]) -> Path:
    with open(path, "w", newline="") as file:
        csv.writer(file).writerows([columns.split(), *rows])
    return path


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """12 frames of 480 x 320 pixels, at 25 fps, with one face."""
    path = tmp_path_factory.mktemp("clips") / "clip.mp4"
    return write_clip(path, 12, size=(480, 320), picture_of=portrait)


# --- the same rows -----------------------------------------------------------------------------------------


def test_rows_do_not_depend_on_the_cutting_nor_on_the_threads(
    demo_clip: DemoClip, demo_faces: pl.DataFrame, tmp_path: Path
) -> None:
    cut = faces_of(demo_clip.path, tmp_path / "cut", workers=3, every=DEMO_EVERY, segment_seconds=1)
    assert cut["segment_id"].n_unique() >= 3
    assert_same_faces(demo_faces, cut, but=["segment_id", "track_id"])


def test_rows_do_not_depend_on_the_batches(
    demo_clip: DemoClip, demo_faces: pl.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(miner_module, "FRAMES_PER_BATCH", 3)
    monkeypatch.setattr(DlibEmbedding, "batch", 5)
    assert_same_faces(demo_faces, faces_of(demo_clip.path, tmp_path / "small", every=DEMO_EVERY))


def test_decord_and_pyav_give_the_same_table(
    demo_clip: DemoClip, demo_run: Path, demo_faces: pl.DataFrame, tmp_path: Path
) -> None:
    pytest.importorskip("decord")
    decord = faces_of(demo_clip.path, tmp_path / "decord", every=DEMO_EVERY, decoder="decord")
    assert lpff_ray.segments(str(tmp_path / "decord"))["decoder"].to_list() == ["decord"]
    assert lpff_ray.segments(str(demo_run))["decoder"].to_list() == ["pyav"]
    assert_same_faces(demo_faces, decord)


def test_sparse_sampling_takes_rows_out_of_dense_sampling(demo_faces: pl.DataFrame, clip: Path) -> None:
    dense = faces_of(clip, clip.parent / "dense")
    sparse = faces_of(clip, clip.parent / "sparse", every=4)
    assert sparse["frame_index"].to_list() == [0, 4, 8]
    assert_same_faces(dense.filter(pl.col("frame_index") % 4 == 0), sparse, but=["track_id"])


def test_analyze_equals_mine(tmp_path: Path) -> None:
    pictures = [portrait(0, 320, 240), paint(5, 200, 200), portrait(9, 401, 303)]
    for number, picture in enumerate(pictures):
        Image.fromarray(picture).save(tmp_path / f"{number}.png")
    mined = faces_of(tmp_path, tmp_path / "out")
    names = pl.col("uri").str.extract(r"(\d)\.png").cast(pl.Int64)
    mined = mined.with_columns(names.alias("frame_index")).sort("frame_index")
    analyzed = lpff_ray.analyze(pictures)
    assert analyzed["frame_index"].to_list() == [0, 2]
    assert_same_faces(mined.select(analyzed.columns), analyzed)


# --- spans, crops, duplicates ------------------------------------------------------------------------------


def test_crops_are_given_in_the_full_frame(clip: Path, tmp_path: Path) -> None:
    manifest = write_manifest(
        tmp_path / "crops.csv",
        "uri clip_id x0 y0 x1 y1",
        (clip, "whole", "", "", "", ""),
        (clip, "pixels", 101, 40, 410, 301),
        (clip, "fractions", 0.2, 0.1, 0.9, 0.95),
        (clip, "without", 0, 0, 120, 320),
    )
    faces = faces_of(manifest, tmp_path / "out", every=4)
    whole = faces.filter(pl.col("clip_id") == "whole")
    assert len(whole) == 3
    for name in ("pixels", "fractions"):
        cropped = faces.filter(pl.col("clip_id") == name)
        assert cropped["frame_index"].equals(whole["frame_index"])
        assert set(cropped["frame_width"]) == {480}, "of the frame, not of the crop"
        # A crop moves the detector's grid by parts of a pixel: boxes and points by about one.
        for column, most in (("bbox", 2.5), ("keypoints", 2.0), ("landmarks", 2.5)):
            moved = np.abs(cropped[column].to_numpy() - whole[column].to_numpy())[..., :2]
            assert moved.max() <= most, (name, column, moved.max())
        away = np.abs(cropped["translation"].to_numpy() / whole["translation"].to_numpy()[:, 2:] * 100)
        near = np.abs(whole["translation"].to_numpy() / whole["translation"].to_numpy()[:, 2:] * 100)
        assert np.abs(away - near).max() < 3, "the same camera: within 3% of the distance"
    assert not len(faces.filter(pl.col("clip_id") == "without")), "the face lies outside of this crop"
    assert len(lpff_ray.segments(str(tmp_path / "out"))) == 4


@pytest.mark.parametrize(
    ("settings", "expected"), [({"every": 3}, [3, 6, 9]), ({"fps": 10}, [3, 6, 8]), ({}, list(range(3, 10)))]
)
def test_a_span_has_its_own_grid(
    clip: Path, tmp_path: Path, settings: dict[str, object], expected: list[int]
) -> None:
    # At 25 fps the span from 0.12 s to 0.4 s holds frames 3 to 9; its grid starts at its start.
    manifest = write_manifest(tmp_path / "spans.csv", "uri start_s end_s clip_id", (clip, 0.12, 0.4, "c"))
    faces = faces_of(manifest, tmp_path / "out", **settings)
    assert faces["frame_index"].to_list() == expected
    assert faces["pts_ns"].to_list() == [index * 40_000_000 for index in expected]
    assert set(faces["clip_id"]) == {"c"}
    assert faces["video_id"].str.contains("-").all(), "a clip's id is not the video's"


def test_the_same_bytes_are_mined_once_and_recorded_twice(clip: Path, tmp_path: Path) -> None:
    shutil.copy(clip, tmp_path / "a.mp4")
    shutil.copy(clip, tmp_path / "b.mp4")
    summary = mine_into(tmp_path, tmp_path / "out", every=4)
    assert (summary.planned, summary.mined) == (1, 1)
    videos = lpff_ray.videos(str(tmp_path / "out"))
    assert videos["status"].to_list() == ["done", "duplicate"]
    assert videos["duplicate_of"].to_list() == ["", str(tmp_path / "a.mp4")]
    assert videos["video_id"].n_unique() == 1
    faces = lpff_ray.scan(str(tmp_path / "out")).collect()
    assert set(faces["uri"]) == {str(tmp_path / "a.mp4")}


# --- remote videos -----------------------------------------------------------------------------------------


def test_a_remote_video_is_fetched_once_for_all_its_segments_and_clips(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LPFF_RAY_CACHE", str(tmp_path / "cache"))
    fetched: list[str] = []
    get_file = MemoryFileSystem.get_file

    def counted(self: MemoryFileSystem, rpath: str, lpath: str, *args: object, **options: object) -> None:
        fetched.append(rpath)
        get_file(self, rpath, lpath, *args, **options)

    monkeypatch.setattr(MemoryFileSystem, "get_file", counted)
    rows: list[tuple[object, ...]] = []
    for number in range(3):
        local = write_clip(tmp_path / f"{number}.mp4", 60, fps=5, gop=10, noise=number + 1)
        fsspec.filesystem("memory").pipe_file(f"/remote/{number}.mp4", local.read_bytes())
        rows += [(f"memory://remote/{number}.mp4", "", ""), (f"memory://remote/{number}.mp4", 2, 7)]
    manifest = write_manifest(tmp_path / "list.csv", "uri start_s end_s", *rows)
    summary = mine_into(manifest, tmp_path / "out", workers=2, every=10, segment_seconds=2)
    assert summary.planned == summary.mined >= 3 * 6
    assert sorted(fetched) == [f"/remote/{number}.mp4" for number in range(3)]
    assert list((tmp_path / "cache").iterdir()) == []
    gc.collect()
    assert not drop_idle_copies(), "gone with the miner"


def test_no_room_for_copies_ends_the_run(clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: object, **options: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setenv("LPFF_RAY_CACHE", str(tmp_path / "cache"))
    fsspec.filesystem("memory").pipe_file("/full/clip.mp4", clip.read_bytes())
    with monkeypatch.context() as patch:
        patch.setattr(MemoryFileSystem, "get_file", full)
        with pytest.raises(UserError, match=r"no room for a copy .* set LPFF_RAY_CACHE"):
            mine_into(["memory://full/clip.mp4"], tmp_path / "out", every=4)
    assert not len(lpff_ray.quarantine(str(tmp_path / "out")))
    assert mine_into(["memory://full/clip.mp4"], tmp_path / "out", every=4).faces == 3


def test_pixels_that_are_not_square_do_not_squeeze_faces(tmp_path: Path) -> None:
    for name, width, aspect in (("square.mp4", 640, Fraction(1)), ("oblong.mp4", 480, Fraction(4, 3))):
        with av.open(str(tmp_path / name), "w") as container:
            stream = container.add_stream("libx264", rate=25)
            stream.width, stream.height, stream.pix_fmt = width, 480, "yuv420p"
            stream.codec_context.sample_aspect_ratio = aspect
            picture = cv2.resize(portrait(0, 640, 480), (width, 480), interpolation=cv2.INTER_AREA)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
            container.mux(stream.encode())
    faces = faces_of(tmp_path, tmp_path / "out")
    assert faces["frame_width"].to_list() == [640, 640]
    assert np.ptp(faces["bbox"].to_numpy(), axis=0).max() < 6
    assert np.ptp(faces["yaw"].to_numpy()) < 3
    videos = lpff_ray.videos(str(tmp_path / "out"))
    assert set(videos["width"]) == {640}


# --- counts ------------------------------------------------------------------------------------------------


def test_a_segment_without_faces_commits_a_part(tmp_path: Path) -> None:
    write_clip(tmp_path / "numbers.mp4", 12, size=(320, 240))
    summary = mine_into(tmp_path / "numbers.mp4", tmp_path / "out", every=4)
    assert (summary.mined, summary.faces, summary.frames) == (1, 0, 3)
    assert len(list((tmp_path / "out" / "parts").glob("*.parquet"))) == 1
    empty = lpff_ray.scan(str(tmp_path / "out")).collect()
    assert empty.shape == (0, len(schema.FACES))
    assert empty.schema == schema.FACES
    record = lpff_ray.segments(str(tmp_path / "out")).row(0, named=True)
    assert (record["frames_wanted"], record["frames_looked_at"], record["faces"]) == (3, 3, 0)
    assert mine_into(tmp_path / "numbers.mp4", tmp_path / "out", every=4).done_before == 1


def test_a_picture_that_a_model_can_not_take_does_not_end_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """OpenCV's error on a panorama did, and so did every attempt to resume."""
    for name in ("bad", "good"):
        Image.fromarray(portrait(3, 320, 240 if name == "good" else 200)).save(tmp_path / f"{name}.png")
    measure = faces_module.FaceMeasurer.measure

    def refuse(self, frames, *rest):  # type: ignore[no-untyped-def]
        if frames[0].rgb.shape[0] == 200:
            cv2.warpAffine(np.zeros((4, 40_000, 3), np.uint8), np.eye(2, 3), (4, 4))
        measure(self, frames, *rest)

    monkeypatch.setattr(faces_module.FaceMeasurer, "measure", refuse)
    summary = mine_into(tmp_path, tmp_path / "out")
    assert (summary.mined, summary.quarantined) == (1, 1)
    row = lpff_ray.quarantine(str(tmp_path / "out")).row(0, named=True)
    assert (row["stage"], row["kind"]) == ("measure", "error")
    assert "dst.cols < SHRT_MAX" in row["message"]


def test_counts_of_the_demo(demo_run: Path, demo_faces: pl.DataFrame) -> None:
    record = lpff_ray.segments(str(demo_run)).row(0, named=True)
    assert record["frames_wanted"] == record["frames_looked_at"] == 100 // DEMO_EVERY
    assert record["frames_missing"] == 0
    assert record["faces"] == len(demo_faces)
    assert record["shots"] >= 4, "at every 5th frame the fast turning may look like cuts"
    assert record["attempt"] == 1
    stages = [record[name] for name in record if name.startswith("seconds_") and name != "seconds_total"]
    assert all(seconds > 0 for seconds in stages)
    assert sum(stages) <= record["seconds_total"]
    video = lpff_ray.videos(str(demo_run)).row(0, named=True)
    assert (video["status"], video["faces"], video["frames_looked_at"]) == ("done", len(demo_faces), 20)
    assert (video["codec"], video["width"], video["height"], video["fps"]) == ("h264", WIDTH, HEIGHT, FPS)


def test_faces_below_a_gate_are_counted_not_kept(clip: Path, tmp_path: Path) -> None:
    faces = faces_of(clip, tmp_path / "out", every=4, min_face_px=130)
    record = lpff_ray.segments(str(tmp_path / "out")).row(0, named=True)
    assert len(faces) == 0
    assert record["faces_rejected"] >= 3
