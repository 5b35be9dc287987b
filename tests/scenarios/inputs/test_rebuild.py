"""A published data set of frames made again: exactly its frames, by the rules of VFHQ and CelebV-HQ, and its faces."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import av
import cv2
import numpy as np
import polars as pl
import pytest
from clips import paint, portrait, read_index, write_clip
from command import call
from numbered import Numbered

import lpff_ray
from lpff_ray.exports.job import export

SIZE, FRAMES = (480, 384), 60
VIDEO, GONE = "abcdefghijk", "-zzzzzzzzzz"
VFHQ = f"Clip+{VIDEO}+P0+C0+F9-41"
CELEBV = f"{VIDEO}_0"
BOX = {"top": 0.1, "bottom": 0.95, "left": 0.2, "right": 0.85}
START = 0.81  # as a binary number a little less than 81 hundredths, which the script cuts to 0.81
FIRST = 21  # 21 / 25 s is the first time at or after START
# The square of CelebV-HQ's script: the box widened by 0.02 in whole pixels, then the square about its middle.
TOP, BOTTOM, LEFT, RIGHT = round(0.08 * 384), round(0.97 * 384), round(0.18 * 480), round(0.87 * 480)
HALF = min(BOTTOM - TOP, RIGHT - LEFT) // 2
SQUARE = (LEFT + RIGHT) // 2 - HALF, (TOP + BOTTOM) // 2 - HALF


def picture(index: int, width: int, height: int) -> np.ndarray:
    """A face that drifts by two pixels a frame, and the frame's number in the lower left corner."""
    drawn = portrait(index, width, height)
    drawn[-64:, :64] = paint(index, 64, 64)
    return drawn


def face_box(frame: int) -> np.ndarray:
    """Where the face is, in pixels of the frame."""
    centre, side = np.array([SIZE[0] / 2 + 2 * frame, SIZE[1] / 2 - 4]), SIZE[1] * 0.36
    return np.concatenate([centre - side / 2, centre + side / 2])


def rows(
    clip: str, numbers: dict[int, int], origin: tuple[float, float], scale: float, bin: str
) -> pl.DataFrame:
    """Published rows: frameids by the frames of the video that they mean, boxes in published pixels."""
    boxes = np.array([(face_box(frame) - np.tile(origin, 2)) / scale for frame in numbers.values()])
    corners = {name: boxes[:, place] for place, name in enumerate(("x1", "y1", "x2", "y2"))}
    return pl.DataFrame(
        {
            "frameid": list(numbers),
            "idx": 0,
            **corners,
            "iqa": 50.0,
            "lmks5pts": "[1, 2]",
            "user_id": f"{VIDEO} person",
        }
    ).with_columns(pl.lit(clip).alias("video_id"), pl.lit(bin).alias("softbin"), pl.lit(bin).alias("hardbin"))


VFHQ_FRAMES = {frame: frame for frame in (10, 11, 25, 40)}
CELEBV_FRAMES = {frameid: FIRST + frameid - 1 for frameid in (1, 2, 14)}


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """EFHQ's metadata, annotations of both sets, and a folder with one of the two videos."""
    folder = tmp_path_factory.mktemp("published")
    (folder / "videos" / "deep").mkdir(parents=True)
    write_clip(folder / "videos" / "deep" / f"A title [{VIDEO}].mp4", FRAMES, size=SIZE, picture_of=picture)
    vfhq, celebv = folder / "meta" / "vfhq", folder / "meta" / "celebv" / "profile_left"
    vfhq.mkdir(parents=True)
    celebv.mkdir(parents=True)
    # VFHQ's video was annotated at twice the size.
    of_vfhq = rows(VFHQ, VFHQ_FRAMES | {999: 59}, (0, 0), 0.5, "profile_up")
    elsewhere = rows(f"Clip+{GONE}+P0+C0+F1-9", {5: 5}, (0, 0), 1, "frontal")
    pl.concat([of_vfhq, elsewhere]).write_parquet(vfhq / "merged.parquet")
    table = rows(CELEBV, CELEBV_FRAMES, SQUARE, 1, "profile_left").drop("video_id", "softbin", "hardbin")
    table.write_csv(celebv / f"{CELEBV}.csv")
    pl.DataFrame({"unrelated": [1]}).write_csv(folder / "meta" / "other.csv")
    (folder / "annotations").mkdir()
    (folder / "annotations" / f"{VFHQ}.txt").write_text("H 768\nW 960\nFPS 25.0\nCROP 0 0 900 700\n")
    span = {"start_sec": START, "end_sec": 1.9}
    clips = {CELEBV: {"ytb_id": VIDEO, "duration": span, "bbox": BOX}}
    (folder / "celebvhq_info.json").write_text(json.dumps({"clips": clips}))
    return folder


@pytest.fixture(scope="module")
def run(published: Path) -> Path:
    done = lpff_ray.rebuild(
        str(published / "meta"),
        str(published / "videos"),
        str(published / "run"),
        annotations=[str(published / "annotations"), str(published / "celebvhq_info.json")],
        workers=1,
    )
    assert (done.published, done.clips, done.frames) == (9, 3, 8)
    assert done.outcomes == {"matched": 7, "no such frame": 1, "no video": 1}
    assert (done.missing, done.unreadable, done.selection) == ((GONE,), (), "published")
    assert (published / "run" / "missing.txt").read_text() == f"{GONE}\n"
    return published / "run"


def test_exactly_the_published_frames_are_mined(run: Path) -> None:
    faces = lpff_ray.scan(str(run)).collect()
    for clip, frames in ((VFHQ, VFHQ_FRAMES), (CELEBV, CELEBV_FRAMES)):
        of_clip = faces.filter(clip_id=clip)
        assert of_clip["frame_index"].to_list() == list(frames.values())
        middles = of_clip["bbox"].to_numpy()[:, [0, 2]].mean(1)  # the face drifts by two pixels a frame
        assert np.abs(np.diff(middles) - 2 * np.diff(list(frames.values()))).max() < 2
    looked = lpff_ray.segments(str(run))
    assert sorted(looked["frames_looked_at"]) == [3, 4]
    assert sorted(looked["first_frame"]) == [0, FIRST]


def test_marks_and_selection_are_the_published_ones(run: Path) -> None:
    table = lpff_ray.rebuilt(str(run))
    assert table is not None
    found = table.filter(outcome="matched")
    assert found["iou"].min() > 0.5  # type: ignore[operator]
    selection = lpff_ray.selection(str(run), "published")
    assert selection["face_id"].to_list() == found["face_id"].to_list()
    assert set(selection["identity_id"]) == {f"{VIDEO} person"}
    bins = dict(selection.select("face_id", "bin").iter_rows())
    marks = pl.read_parquet(run / "tables" / "review.parquet")
    assert dict(marks.select("face_id", "bin").iter_rows()) == bins
    assert set(marks["decision"]) == {"accept"}
    assert sorted(bins.values()) == ["profile_left"] * 3 + ["profile_up"] * 4


def test_an_export_has_the_published_frames(run: Path, tmp_path: Path) -> None:
    class Corner(Numbered):
        def make(self, frame, row):  # type: ignore[no-untyped-def]
            return super().make(np.ascontiguousarray(frame[-64:, :64]), row)

    export(str(run), "published", Corner(), str(tmp_path / "made"), workers=1)
    seen = json.loads((tmp_path / "made" / "seen.json").read_text())
    numbers = {face_id: number for face_id, number, _ in seen}
    assert sorted(numbers.values()) == sorted([*VFHQ_FRAMES.values(), *CELEBV_FRAMES.values()])
    table = lpff_ray.rebuilt(str(run))
    assert table is not None
    for row in table.filter(outcome="matched").iter_rows(named=True):
        assert numbers[row["face_id"]] == row["frame_index"]


def test_the_efhq_export_joins_the_published_tables(run: Path, published: Path, tmp_path: Path) -> None:
    export(str(run), "published", "efhq", str(tmp_path / "efhq"), workers=1)
    ours = pl.read_parquet(tmp_path / "efhq" / "merged.parquet")
    assert len(ours) == 7
    vfhq = pl.read_parquet(published / "meta" / "vfhq" / "merged.parquet")
    celebv = pl.read_csv(published / "meta" / "celebv" / "profile_left" / f"{CELEBV}.csv").with_columns(
        pl.lit(CELEBV).alias("video_id"), pl.lit("profile_left").alias("softbin")
    )
    for theirs, count in ((vfhq, 4), (celebv, 3)):
        joined = ours.join(theirs, on=["video_id", "frameid", "idx"], suffix="_theirs")
        assert len(joined) == count
        assert joined["softbin"].equals(joined["softbin_theirs"], check_names=False)
        for low, high in (("x1", "x2"), ("y1", "y2")):  # the same face in the same pixels
            overlap = np.minimum(joined[high], joined[f"{high}_theirs"]) - np.maximum(
                joined[low], joined[f"{low}_theirs"]
            )
            assert (overlap / (joined[f"{high}_theirs"] - joined[f"{low}_theirs"])).min() > 0.6
        assert joined.select("video_id").n_unique() == 1
    assert (tmp_path / "efhq" / "csv" / f"{VFHQ}.csv").exists()


def test_what_is_missing_is_listed_and_nothing_is_fatal(published: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    done = call("rebuild", published / "meta", "--videos", tmp_path / "empty", "--out", tmp_path / "run")
    assert done.returncode == 1
    assert "2 videos missing" in done.stdout
    assert (tmp_path / "run" / "missing.txt").read_text() == f"{GONE}\n{VIDEO}\n"
    # Without its annotation, a clip of CelebV-HQ can not be found in its video.
    meta, videos = published / "meta" / "celebv", published / "videos"
    done = call("rebuild", meta, "--videos", videos, "--out", tmp_path / "other")
    assert done.returncode == 1
    assert "3 no annotation" in done.stdout
    assert f"1 clip without span and box, such as {CELEBV}" in done.stdout.replace("\n", " ")


def test_a_second_run_mines_nothing_and_keeps_what_a_person_decided(
    run: Path, published: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    shutil.copytree(run, out)
    marks = pl.read_parquet(out / "tables" / "review.parquet")
    mine = marks.with_columns(pl.lit("reject").alias("decision"))[:1]
    mine.write_parquet(out / "tables" / "review.parquet")
    done = lpff_ray.rebuild(
        [str(published / "meta"), str(published / "celebvhq_info.json")],
        str(published / "videos"),
        str(out),
        annotations=[str(published / "annotations")],
        workers=1,
    )
    assert done.mined is not None
    assert (done.mined.mined, done.mined.done_before) == (0, 2)
    after = pl.read_parquet(out / "tables" / "review.parquet")
    assert after[:1].equals(mine)
    assert len(after) == len(marks)


def test_frames_of_clips_on_disk_are_found_by_their_numbers(published: Path, tmp_path: Path) -> None:
    (tmp_path / "frames" / VFHQ).mkdir(parents=True)
    with av.open(str(published / "videos" / "deep" / f"A title [{VIDEO}].mp4")) as file:
        for number, frame in enumerate(file.decode(video=0)):
            if 10 <= number <= 40:
                shown = frame.to_ndarray(format="bgr24")
                cv2.imwrite(str(tmp_path / "frames" / VFHQ / f"{number:08d}.png"), shown)
    done = lpff_ray.rebuild(
        str(published / "meta" / "vfhq"),
        str(tmp_path / "frames"),
        str(tmp_path / "run"),
        annotations=[str(published / "annotations")],
        workers=1,
    )
    assert done.outcomes == {"matched": 4, "no such frame": 1, "no video": 1}
    assert lpff_ray.scan(str(tmp_path / "run")).collect()["frame_index"].to_list() == [0, 1, 15, 30]
    assert read_index(picture(12, *SIZE)[-64:, :64]) == 12
