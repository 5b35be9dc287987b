"""Bad input, and what it gets: good rows, one row with a reason, or one line and exit code 2; never worse.

All bad files lie in one folder with a good clip, and are mined together by the real command line.
"""

from __future__ import annotations

import csv
import re
import resource
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from clips import (
    overwrite,
    portrait,
    truncate,
    write_audio_only,
    write_clip,
    write_empty_video,
)
from command import call, complaint, run
from PIL import Image
from tablecheck import assert_same_faces

import lpff_ray

WIDTH, HEIGHT = SIZE = (320, 240)
ODD_NAME = 'it\'s "100%" süß 日本 %41.mp4'

FACES = {
    "good.mp4": 6,
    "av1.mp4": 3,
    "ten_bit.mov": 3,
    "phone.mp4": 3,
    "tiny.mp4": 0,
    "exif.jpg": 1,
    "grey.jpg": 1,
    "cmyk.jpg": 1,
    ODD_NAME: 3,
}
"""Files that are as good as any, and how many faces they hold."""

REASONS = {
    "text.mp4": "not a video",
    "empty.mp4": "empty",
    "truncated.mp4": "cut off, fetch it again",
    "sound_only.mp4": "no video stream",
    "zero_frames.mp4": "no video stream with frames",
    "text.jpg": "not a photo",
    "dangling.mp4": "no such file",
}
"""Files of which nothing can be had, and what their reason must say."""


@dataclass(frozen=True)
class Mined:
    """A run over all of it, and its tables with `name` in place of the path."""

    done: subprocess.CompletedProcess[str]
    out: Path
    faces: pl.DataFrame
    videos: pl.DataFrame

    def video(self, name: str, clip_id: str = "") -> dict[str, object]:
        rows = self.videos.filter((pl.col("name") == name) & (pl.col("clip_id") == clip_id))
        assert len(rows) == 1, f"{name}: every source has exactly one row"
        return rows.row(0, named=True)

    def of(self, name: str, clip_id: str = "") -> pl.DataFrame:
        return self.faces.filter((pl.col("name") == name) & (pl.col("clip_id") == clip_id))


@pytest.fixture(scope="module")
def pile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`bad/` with every kind of bad file and a good clip, and `spans.csv` with spans of the good clip."""
    home = tmp_path_factory.mktemp("pile")
    bad = home / "bad"
    bad.mkdir()

    def clip(path: Path, frames: int = 12, **options: object) -> Path:
        return write_clip(path, frames, size=SIZE, picture_of=portrait, gop=6, **options)  # type: ignore[arg-type]

    clip(bad / "good.mp4", 24)
    index_last = clip(home / "index_last.mp4", 24, noise=9)
    index_first = clip(home / "index_first.mp4", 24, noise=9, muxer_options={"movflags": "faststart"})
    (bad / "text.mp4").write_text("This is not a video.\n" * 40)
    (bad / "text.jpg").write_text("This is not a photo.\n")
    (bad / "empty.mp4").touch()
    truncate(index_last, bad / "truncated.mp4", 0.7)
    truncate(index_first, bad / "truncated_after_index.mp4", 0.5)
    overwrite(index_first, bad / "corrupt_middle.mp4", 0.4, 0.6)
    write_audio_only(bad / "sound_only.mp4")
    write_empty_video(bad / "zero_frames.mp4")
    clip(bad / "av1.mp4", codec="av1")
    clip(bad / "ten_bit.mov", codec="hevc", pix_fmt="yuv420p10le")
    clip(bad / "phone.mp4", rotation=90)
    write_clip(bad / "tiny.mp4", 12, size=(4, 4))
    shutil.copy(clip(home / "odd.mp4", fps=30), bad / ODD_NAME)
    photo = Image.fromarray(portrait(0, WIDTH, HEIGHT))
    turned = Image.Exif()
    turned[0x0112] = 6  # orientation: shown turned by 90 degrees clockwise
    photo.rotate(90, expand=True).save(bad / "exif.jpg", exif=turned, quality=95)
    photo.convert("L").save(bad / "grey.jpg", quality=95)
    photo.convert("CMYK").save(bad / "cmyk.jpg", quality=95)
    (bad / "dangling.mp4").symlink_to(bad / "nowhere.mp4")
    (bad / "folder.mp4").mkdir()
    with open(home / "spans.csv", "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["uri", "start_s", "end_s", "clip_id"])
        writer.writerow(["bad/good.mp4", 0.48, 99, "ends_late"])
        writer.writerow(["bad/good.mp4", 20, 30, "starts_late"])
    return home


def mine(pile: Path, out: Path, *options: str) -> Mined:
    done = run("mine", pile / "bad", pile / "spans.csv", "--out", out, "--every", "4", *options)
    name = pl.col("uri").str.split("/").list.last().alias("name")
    return Mined(
        done,
        out,
        lpff_ray.scan(str(out)).with_columns(name).collect(),
        lpff_ray.videos(str(out)).with_columns(name),
    )


@pytest.fixture(scope="module")
def mined(pile: Path) -> Mined:
    return mine(pile, pile / "local", "--executor", "local")


def test_the_run_ends_well_and_says_what_it_left_out(mined: Mined) -> None:
    assert mined.done.returncode == 1, "unreadable files are failures too, and these are more than 1%"
    # The unreadable ones, and the span that starts past the end.
    assert f"{len(REASONS) + 1} unreadable" in mined.done.stdout
    assert re.search(r"\d+ of \d+ .*could not be mined .* exit code 1", mined.done.stdout)
    assert not len(lpff_ray.quarantine(str(mined.out)))
    assert not list(mined.out.rglob("*.tmp"))


def test_every_file_has_a_row(mined: Mined, pile: Path) -> None:
    files = {path.name for path in (pile / "bad").iterdir() if not path.is_dir()}
    assert set(mined.videos.filter(pl.col("clip_id") == "")["name"]) == files


@pytest.mark.parametrize("name", list(FACES))
def test_good_rows(mined: Mined, name: str) -> None:
    video = mined.video(name)
    assert (video["status"], video["reason"], video["frames_missing"]) == ("done", "", 0)
    assert video["faces"] == len(mined.of(name)) == FACES[name]


@pytest.mark.parametrize("name", list(REASONS))
def test_one_row_with_a_reason(mined: Mined, name: str) -> None:
    video = mined.video(name)
    assert video["status"] == "unreadable"
    reason = str(video["reason"])
    assert REASONS[name] in reason
    assert "\n" not in reason
    assert not len(mined.of(name))


@pytest.mark.parametrize("name", ["good.mp4", "av1.mp4", "ten_bit.mov", "phone.mp4", ODD_NAME])
def test_boxes_lie_on_the_face_of_the_picture_a_player_shows(mined: Mined, name: str) -> None:
    # The portrait's face stands in the middle of the first frame and drifts by 2 pixels a frame.
    width, height = (HEIGHT, WIDTH) if name == "phone.mp4" else SIZE
    faces = mined.of(name)
    assert set(faces["frame_width"]) == {width}
    assert set(faces["frame_height"]) == {height}
    boxes = faces["bbox"].to_numpy()
    middle = (boxes[:, :2] + boxes[:, 2:]) / 2
    expected_x = width / 2 + 2 * faces["frame_index"].to_numpy()
    assert np.abs(middle[:, 0] - expected_x).max() < 8
    assert np.abs(middle[:, 1] - height / 2).max() < 8
    assert faces["roll"].abs().max() < 10, "the face stands upright"


@pytest.mark.parametrize("name", ["exif.jpg", "grey.jpg", "cmyk.jpg"])
def test_photos_are_seen_as_a_viewer_shows_them(mined: Mined, name: str) -> None:
    row, first = mined.of(name), mined.of("good.mp4").filter(pl.col("frame_index") == 0)
    assert (row["frame_width"][0], row["frame_height"][0]) == SIZE
    assert np.abs(row["bbox"].to_numpy() - first["bbox"].to_numpy()).max() < 4
    assert mined.video(name)["decoder"] == "photo"


def test_a_corrupt_middle_costs_its_frames_alone(mined: Mined) -> None:
    video = mined.video("corrupt_middle.mp4")
    assert video["status"] == "done"
    assert int(str(video["frames_missing"])) >= 1
    frames = mined.of("corrupt_middle.mp4")["frame_index"].to_list()
    assert 0 in frames
    assert 20 in frames
    assert int(str(video["frames_looked_at"])) == len(frames) == 6 - int(str(video["frames_missing"]))
    assert "frames missing" in call("status", mined.out).stdout


def test_a_file_cut_off_after_its_index_gives_what_it_has_and_says_so(mined: Mined) -> None:
    video = mined.video("truncated_after_index.mp4")
    assert video["status"] == "done"
    assert "cut off" in str(video["reason"])
    assert 1 <= len(mined.of("truncated_after_index.mp4")) < 6
    assert str(video["reason"]) in call("status", mined.out).stdout


def test_a_span_past_the_end(mined: Mined) -> None:
    late = mined.video("good.mp4", "starts_late")
    assert late["status"] == "unreadable"
    assert "starts at 20.0 s but the video lasts 1.0 s" in str(late["reason"])
    assert mined.of("good.mp4", "ends_late")["frame_index"].to_list() == [12, 16, 20]


@pytest.mark.ray
def test_ray_gives_the_same_tables(mined: Mined, pile: Path) -> None:
    ray = mine(pile, pile / "ray", "--executor", "ray")
    assert ray.done.returncode == 1, ray.done.stderr
    assert_same_faces(mined.faces, ray.faces)
    columns = ["uri", "clip_id", "status", "reason", "decoder", "frames_looked_at", "frames_missing", "faces"]
    assert ray.videos.select(columns).equals(mined.videos.select(columns))
    assert not list(ray.out.rglob(".visible-*")), "markers are removed"


def test_what_turns_out_to_be_damaged_is_quarantined(pile: Path, tmp_path: Path) -> None:
    Image.fromarray(portrait(0, WIDTH, HEIGHT)).save(tmp_path / "whole.jpg")
    truncate(tmp_path / "whole.jpg", tmp_path / "half.jpg", 0.5)
    done = call("mine", tmp_path, "--out", tmp_path / "out")
    assert done.returncode == 1, "one of two is more than --max-quarantine"
    assert "1 segments in quarantine" in done.stdout
    row = lpff_ray.quarantine(str(tmp_path / "out")).row(0, named=True)
    assert (Path(row["uri"]).name, row["stage"], row["decoder"]) == ("half.jpg", "decode", "photo")
    assert "truncated" in row["message"]
    assert len(lpff_ray.scan(str(tmp_path / "out")).collect()) == 1, "the neighbour"
    videos = lpff_ray.videos(str(tmp_path / "out"))
    assert videos["status"].to_list() == ["failed", "done"]
    assert videos["reason"].to_list() == [row["message"], ""]


def test_nothing_that_can_be_mined_is_no_success(tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("no video")
    said = complaint(call("mine", tmp_path, "--out", tmp_path / "out"))
    assert "not one of the sources can be mined" in said
    assert "not a video" in call("status", tmp_path / "out").stdout


def test_a_manifest_with_a_missing_column(pile: Path) -> None:
    manifest = pile / "headless.csv"
    manifest.write_text("path,start_s\nbad/good.mp4,0\n")
    said = complaint(run("mine", manifest, "--out", pile / "never"))
    assert str(manifest) in said
    assert "no column 'uri'" in said
    assert not (pile / "never").exists()


def test_an_output_folder_of_another_configuration(mined: Mined, pile: Path) -> None:
    before = sorted(path.name for path in mined.out.rglob("*"))
    said = complaint(call("mine", pile / "bad", "--out", mined.out, "--every", "2"))
    assert "every = 4 there, 2 now" in said
    assert sorted(path.name for path in mined.out.rglob("*")) == before


def small_files_only() -> None:
    # A write past this many bytes fails with EFBIG, as one on a full disk fails with ENOSPC.
    resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, 30_000))


def test_a_full_disk_ends_in_one_line_and_resumes(pile: Path, tmp_path: Path) -> None:
    command = ("mine", pile / "bad", "--out", tmp_path / "out", "--every", "1", "--executor", "local")
    full = run(*command, preexec_fn=small_files_only)
    assert "free some space and run the same command to resume" in complaint(full)
    assert not list((tmp_path / "out").rglob("*.tmp"))
    assert len(lpff_ray.scan(str(tmp_path / "out")).collect()) < 100
    again = call(*command, "--max-quarantine", "1")
    assert again.returncode == 0
    whole = lpff_ray.videos(str(tmp_path / "out"))
    assert set(whole["status"]) == {"done", "unreadable"}
    good = lpff_ray.scan(str(tmp_path / "out")).filter(pl.col("uri").str.ends_with("/good.mp4")).collect()
    assert good["frame_index"].to_list() == list(range(24))
