"""Clips of faces: one steady square each, all frames, split by identity, in the layout that published loaders read."""

from __future__ import annotations

import glob
import json
import os
import random
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from clips import read_index, write_clip
from numbered import tree
from PIL import Image
from tracked import SELECTION, Track, tracked_run

from lpff_ray.decode import open_source
from lpff_ray.errors import UserError
from lpff_ray.exports.formats.reenactment import Reenactment
from lpff_ray.exports.imaging.squares import face_boxes, square_crop, steady_square
from lpff_ray.exports.job import ExportSummary, export
from lpff_ray.exports.registry import make_format

pytestmark = pytest.mark.timeout(120)

ANN, BEN, CYD = "id-00000000000a", "id-00000000000b", "id-00000000000c"
WHOLE = (8, 2, 56, 46)  # of 64 x 48 pixels: its square is the frame's whole width
EVERYTHING = {"size": 64, "min_frames": 10, "min_size": 16, "increase": 1 / 6}


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """60 numbered frames of 64 x 64."""
    return write_clip(tmp_path_factory.mktemp("clip") / "a.b c.mp4", size=(64, 64))


def made_of(tracks: list[Track], folder: Path, **options: object) -> tuple[ExportSummary, pl.DataFrame]:
    run = tracked_run(folder / "run", tracks)
    export_format = Reenactment(**{**EVERYTHING, **options})  # type: ignore[arg-type]
    summary = export(str(run), SELECTION, export_format, str(folder / "made"), workers=1)
    assert not summary.failures
    return summary, pl.read_csv(folder / "made" / "metadata.csv")


def numbers(path: Path) -> list[int]:
    return [read_index(np.asarray(Image.open(name))) for name in sorted(path.iterdir())]


def test_all_frames_between_a_tracks_faces_in_folders_that_say_who_and_where(
    tmp_path: Path, clip: Path
) -> None:
    tracks = [
        Track(clip, range(0, 31, 5), WHOLE, identity=BEN, split="test"),
        Track(clip, range(10, 60, 7), WHOLE, identity=ANN),
    ]
    summary, table = made_of(tracks, tmp_path)
    assert (summary.faces, summary.made) == (15, 15)
    assert table["file"].to_list() == [
        f"test/{BEN}#a.b_c-00000-0#000000#000030.mp4",
        f"train/{ANN}#a.b_c-00000-1#000010#000059.mp4",
    ]
    assert numbers(tmp_path / "made" / table["file"][0]) == list(range(31))
    assert numbers(tmp_path / "made" / table["file"][1]) == list(range(10, 60))
    assert (tmp_path / "made" / "train.txt").read_text() == f"{ANN}#a.b_c-00000-1#000010#000059.mp4\n"
    assert (tmp_path / "made" / "test.txt").read_text() == f"{BEN}#a.b_c-00000-0#000000#000030.mp4\n"


def test_provenance_leads_from_every_picture_to_its_frame(tmp_path: Path, clip: Path) -> None:
    made_of([Track(clip, [3, 10, 30], (20, 20, 40, 36))], tmp_path, size=32, increase=0.1)
    (text,) = (tmp_path / "made" / "PROVENANCE.jsonl").read_text().splitlines()
    line = json.loads(text)
    assert len(line["files"]) == len(line["frame_index"]) == len(line["pts_ns"]) == 28
    assert len(line["face_id"]) == 3
    with open_source(str(clip), "video") as source:
        frames = {frame.index: frame for frame in source.frames(line["frame_index"])}
    scale, left, top = line["transform"][0][0], -line["transform"][0][2], -line["transform"][1][2]
    side = round(32 / scale)
    square = (round(left / scale), round(top / scale), side)
    for name, index, pts_ns in zip(line["files"], line["frame_index"], line["pts_ns"], strict=True):
        assert frames[index].pts_ns == pts_ns
        expected = square_crop(frames[index].rgb, square, 32)
        assert np.array_equal(np.asarray(Image.open(tmp_path / "made" / name)), expected)


def test_a_face_reaches_from_the_forehead_to_the_chin_however_it_is_turned() -> None:
    points = np.zeros((2, 68, 3))
    points[..., :2] = 50, 60
    points[:, [0, 16], 0] = 20, 80
    points[:, 17:27, :2] = np.stack([np.linspace(28, 72, 10), [40.0] * 10], 1)
    points[:, 8] = 50, 100, -7
    points[1, :, :2] = points[1, :, [1, 0]].T * [-1, 1] + [
        200,
        0,
    ]  # lying: a quarter turn, its brows to the right
    assert np.allclose(face_boxes(points), [[20, 20, 80, 100], [100, 20, 180, 80]])


@pytest.mark.parametrize(
    ("union", "expected"),
    [
        ((100, 50, 200, 130), (90, 30, 120)),  # 1.2 times the longer side, around the middle
        ((0, 0, 100, 100), (0, 0, 120)),  # moved inside
        ((300, 140, 400, 240), (280, 120, 120)),
        ((50, -10, 300, 260), (13, -42, 324)),  # higher than the frame: as far beyond it above as below
    ],
)
def test_the_square(union: tuple[float, ...], expected: tuple[int, int, int]) -> None:
    assert steady_square(np.array(union), 0.1, height=240, width=400) == expected


def test_the_crop_puts_known_pixels_where_they_belong() -> None:
    frame = np.zeros((48, 64, 3), np.uint8)
    frame[..., 0], frame[..., 1] = np.arange(64) * 3, np.arange(48)[:, None] * 4
    assert np.array_equal(square_crop(frame, (10, 6, 32), 32), frame[6:38, 10:42])
    half = square_crop(frame, (10, 6, 32), 16).astype(float)
    assert np.abs(half - frame[6:38, 10:42].reshape(16, 2, 16, 2, 3).mean((1, 3))).max() <= 0.5
    double = square_crop(frame, (10, 6, 32), 64)
    assert np.abs(double[2:-2:2, 2:-2:2].astype(float) - frame[7:37, 11:41] + 0.9).max() <= 2
    # Beyond the edge it is mirrored: row -1 is row 1.
    beyond = square_crop(frame, (0, -8, 64), 64)
    assert np.array_equal(beyond[8:56], frame)
    assert np.array_equal(beyond[7], frame[1])
    assert np.array_equal(beyond[56], frame[-2])


def test_one_box_holds_for_the_whole_clip_and_a_face_that_leaves_it_begins_another(
    tmp_path: Path, clip: Path
) -> None:
    frames = [0, 10, 20, 30, 45]
    boxes = [(4, 4, 24, 24), (6, 4, 26, 24), (8, 6, 28, 26), (36, 30, 56, 50), (38, 30, 58, 50)]
    summary, table = made_of([Track(clip, frames, boxes)], tmp_path, increase=0.0)
    assert table["first_frame"].to_list() == [0, 30]
    assert table["last_frame"].to_list() == [20, 45]
    assert table["bbox"].to_list() == ["4 3 28 27", "36 29 58 51"]
    assert (summary.faces, summary.made) == (5, 5)


def test_short_and_small_clips_are_left_out_and_long_ones_cut(tmp_path: Path, clip: Path) -> None:
    Image.new("RGB", (64, 48)).save(tmp_path / "photo.png")
    tracks = [
        Track(clip, range(0, 60, 3), WHOLE, identity=ANN),
        Track(clip, [5, 13], WHOLE, identity=BEN),  # 9 frames
        Track(clip, [5, 25], (10, 10, 20, 25), identity=CYD),  # 15 pixels
        Track(tmp_path / "photo.png", [0], WHOLE),
    ]
    summary, table = made_of(tracks, tmp_path, max_frames=25)
    assert table["identity"].to_list() == [ANN] * 2
    assert table["first_frame"].to_list() == [0, 27]
    assert table["frames"].to_list() == [25, 25]
    assert (summary.faces, summary.made) == (25, 18)
    assert summary.notes == [
        "25 faces: all that were measured of the 4 tracks of 4 selected ones",
        "left out of 6 stretches of tracks: 3 shorter than min_frames 10, 1 smaller than min_size 16: "
        "lower them with --set",
        "no clip in test/: TPS's and FOMM's loaders assert that both folders exist; select with another --test-share "
        "or --seed, or lower the limits above",
        "train_frames.txt: 0 of 2 clips, those with an extreme frame: EFHQ's loaders fail on others",
    ]


def test_limits_that_leave_no_length_are_refused() -> None:
    with pytest.raises(UserError, match="min_frames 2000 is more than max_frames 1024"):
        make_format("reenactment", {}, ["min_frames=2000"])


def test_tags_tell_frontal_from_extreme_clips(tmp_path: Path, clip: Path) -> None:
    tracks = [
        Track(clip, [0, 5, 10], WHOLE, ["frontal", "frontal", "profile_left"], ANN),
        Track(clip, [0, 5, 10], WHOLE, ["frontal", "profile_up", "profile_extreme"], BEN),
        Track(clip, [0, 5, 10], WHOLE, ["confused", "confused", "profile_left"], CYD),
    ]
    _, table = made_of(tracks, tmp_path)
    assert table["tag"].to_list() == ["frontal", "extreme", "extreme"]
    assert table["extreme_share"].to_list() == [0.333, 0.667, 0.333]
    assert table["frontal_share"].to_list() == [0.667, 0.333, 0.0]
    assert table.select("yaw_min", "yaw_max", "pitch_min", "pitch_max").row(0) == (0.0, 2.0, -2.0, -2.0)


@pytest.fixture(scope="module", params=["png", "mp4"])
def dataset(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, clip: Path) -> Path:
    """Two identities to train with, one of them in two clips, and one to test with."""
    folder = tmp_path_factory.mktemp(request.param)
    tracks = [
        Track(clip, [0, 20], WHOLE, identity=ANN),
        Track(clip, [30, 59], WHOLE, identity=ANN),
        Track(clip, [2, 30], WHOLE, identity=BEN, split=None),  # a selection without a split: to train with
        Track(clip, [4, 40], WHOLE, identity=CYD, split="test"),
    ]
    made_of(tracks, folder, image=request.param)
    return folder / "made"


def test_fomm_and_tps_load_it(dataset: Path) -> None:
    """What frames_dataset.py does with root_dir, id_sampling and without; both read folders and videos alike."""
    assert os.path.exists(dataset / "train")
    assert os.path.exists(dataset / "test")
    people = {os.path.basename(video).split("#")[0] for video in os.listdir(dataset / "train")}
    assert people == {ANN, BEN}
    assert people.isdisjoint(video.split("#")[0] for video in os.listdir(dataset / "test"))
    found = {name: glob.glob(os.path.join(dataset / "train", name + "*.mp4")) for name in people}
    assert {name: len(paths) for name, paths in found.items()} == {ANN: 2, BEN: 1}
    for path in (*found[ANN], *found[BEN], *glob.glob(str(dataset / "test" / "*"))):
        if os.path.isdir(path):
            video = np.array([Image.open(os.path.join(path, name)) for name in sorted(os.listdir(path))])
        else:
            with open_source(path, "video") as source:
                video = np.array([frame.rgb for frame in source.frames(range(len(source.table)))])
        assert video.shape[1:] == (64, 64, 3)
        first, last = (int(number) for number in path.removesuffix(".mp4").split("#")[-2:])
        assert [read_index(frame) for frame in video] == list(range(first, last + 1))


def test_lia_loads_it(dataset: Path) -> None:
    """What Vox256 in dataset.py does; it reads pictures only."""
    videos = os.listdir(dataset / "train")
    paths = sorted(glob.glob(os.path.join(dataset / "train", videos[0]) + "/*.png"))
    if os.path.isfile(dataset / "train" / videos[0]):
        assert not paths
        assert not (dataset / "train_frames.txt").exists()
        return
    source, target = random.Random(0).sample(range(len(paths)), 2)
    for path in (paths[source], paths[target]):
        assert Image.open(path).convert("RGB").size == (64, 64)


def test_the_same_bytes_every_time(tmp_path: Path, clip: Path) -> None:
    run = str(tracked_run(tmp_path / "run", [Track(clip, [0, 20], WHOLE), Track(clip, [7, 40], WHOLE)]))
    for image in ("png", "mp4"):
        for name in ("one", "two"):
            export_format = make_format(
                "reenactment", {"size": 32, "image": image}, ["min_frames=8", "min_size=8"]
            )
            export(run, SELECTION, export_format, str(tmp_path / image / name), workers=1)
        assert tree(tmp_path / image / "one") == tree(tmp_path / image / "two")
        assert len(tree(tmp_path / image / "one")) > 5
