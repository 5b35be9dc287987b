"""The clips that are cut out: the right frames at the right times, copied where that is exact, and with their sound."""

from __future__ import annotations

import json
from pathlib import Path

import av
import numpy as np
import polars as pl
import pytest
from clips import overwrite, read_index, write_clip
from numbered import tree
from PIL import Image
from tracked import SELECTION, Track, tracked_run

from lpff_ray.decode import open_source
from lpff_ray.decode.frame_table import read_frame_table
from lpff_ray.errors import UserError
from lpff_ray.exports.formats.clips import Clips
from lpff_ray.exports.imaging.mp4 import can_copy
from lpff_ray.exports.job import export
from lpff_ray.exports.registry import make_format

pytestmark = pytest.mark.timeout(120)

UNEVEN = [0.0, *np.cumsum(np.random.default_rng(1).integers(1, 9, 59) / 100).tolist()]
SPANS = [(0, 11), (12, 35), (5, 20), (24, 40), (48, 59)]
# How each span is to be made: keyframes are at 0, 12, 24, 36 and 48.
PLAIN = ["copied", "copied", "encoded", "copied", "copied"]
ENCODED = ["encoded"] * 5
CLIPS: dict[str, tuple[dict[str, object], list[str]]] = {
    "plain.mp4": ({}, PLAIN),
    "b_frames.mp4": ({"b_frames": 2}, ["copied", "copied", "encoded", "encoded", "copied"]),
    "open_gop.mp4": ({"b_frames": 3, "open_gop": True}, ENCODED),
    "uneven.mp4": ({"times": UNEVEN}, PLAIN),
    "late.mkv": ({"start_s": 3.5}, PLAIN),
    "late.ts": ({"start_s": 3.5}, ENCODED),
    "vp9.webm": ({"codec": "vp9"}, PLAIN),
    "hevc.mp4": ({"codec": "hevc"}, PLAIN),
    "turned.mp4": ({"rotation": 90}, PLAIN),
    "odd.mp4": ({"size": (61, 47), "pix_fmt": "yuv444p"}, PLAIN),
    "hidden.mp4": ({"start_s": -0.4, "muxer_options": {"avoid_negative_ts": "disabled"}}, ENCODED),
}


def cut(tracks: list[Track], folder: Path, export_format: Clips | None = None) -> list[dict[str, object]]:
    """Export; the provenance of each clip, in the order of `clips.csv`, with that line's columns."""
    run = tracked_run(folder / "run", tracks)
    summary = export(str(run), SELECTION, export_format or Clips(), str(folder / "made"), workers=1)
    assert not summary.failures
    told = pl.read_csv(folder / "made" / "clips.csv").to_dicts()
    lines = [json.loads(line) for line in (folder / "made" / "PROVENANCE.jsonl").read_text().splitlines()]
    sources = {line["files"][0]: line for line in lines}
    assert len(sources) == len(lines)
    return [{**sources[line["file"]], **line} for line in told]


@pytest.mark.parametrize("name", CLIPS)
def test_frames_and_times_are_the_videos_own(tmp_path: Path, name: str) -> None:
    options, how = CLIPS[name]
    clip = write_clip(tmp_path / name, 70 if name == "hidden.mp4" else 60, **options)  # type: ignore[arg-type]
    # Faces were looked at here and there; the clip has all frames from the first to the last.
    tracks = [Track(clip, [first, (first + last) // 2, last]) for first, last in SPANS]
    made = cut(tracks, tmp_path)
    table = read_frame_table(str(clip))
    with open_source(str(clip), "video", "pyav") as source:
        before = {frame.index: frame.rgb for frame in source.frames(range(60))}
    by_start = sorted(made, key=lambda line: str(line["track"]))
    ways = []
    for line, (first, last) in zip(by_start, SPANS, strict=True):
        assert (line["first_frame"], line["last_frame"]) == (first, last)
        assert line["frame_index"] == list(range(first, last + 1))
        assert line["pts_ns"] == table.pts_ns[first : last + 1].tolist()
        ways.append(line["how"])
        path = str(tmp_path / "made" / str(line["file"]))
        with open_source(path, "video", "pyav") as source:
            frames = list(source.frames(range(len(source.table))))
            times = source.table.pts_ns - source.table.pts_ns[0]
        assert [read_index(frame.rgb) for frame in frames] == [
            read_index(before[index]) for index in range(first, last + 1)
        ]
        expected = table.pts_ns[first : last + 1] - table.pts_ns[first]
        assert np.abs(times - expected).max() <= 1_000_000  # whole milliseconds in Matroska
        for frame, index in zip(frames, range(first, last + 1), strict=True):
            height, width = frame.rgb.shape[:2]
            original = before[index][:height, :width].astype(int)
            if line["how"] == "copied":
                assert np.array_equal(frame.rgb, before[index])
            else:
                assert np.abs(frame.rgb - original).mean() < 6
    assert ways == how


def test_can_copy_is_the_truth_about_b_frames(tmp_path: Path) -> None:
    """Wherever it says yes, the packets of the span alone decode to the span's frames."""
    clip = write_clip(tmp_path / "b.mp4", 30, b_frames=2)
    table = read_frame_table(str(clip))
    can = [last for last in range(12, 24) if can_copy(table, 12, last)]
    assert 0 < len(can) < 12
    made = cut([Track(clip, [12, last]) for last in range(13, 24)], tmp_path)
    assert {line["last_frame"] for line in made if line["how"] == "copied"} == {n for n in can if n > 12}
    for line in made:
        with open_source(str(tmp_path / "made" / str(line["file"])), "video") as source:
            seen = [read_index(frame.rgb) for frame in source.frames(range(len(source.table)))]
        assert seen == line["frame_index"]


def with_sound(clip: Path, path: Path, beep_s: float) -> Path:
    """The clip with a second stream: silence, and a tone from `beep_s` on."""
    with av.open(str(clip)) as source, av.open(str(path), "w") as output:
        video = source.streams.video[0]
        copy = output.add_stream_from_template(video)
        aac = output.add_stream("aac", rate=16_000, layout="mono")
        for packet in source.demux(video):
            if packet.size:
                packet.stream = copy
                output.mux(packet)
        for start in range(0, 16_000 * 12 // 5, 1024):
            times = np.arange(start, start + 1024) / 16_000
            tone = np.where(times >= beep_s, 0.5 * np.sin(2 * np.pi * 440 * times), 0).astype(np.float32)
            frame = av.AudioFrame.from_ndarray(tone[None], format="fltp", layout="mono")
            frame.sample_rate, frame.pts = 16_000, start
            output.mux(aac.encode(frame))
        output.mux(aac.encode())
    return path


def heard_from(path: Path) -> float:
    """The time, in seconds of the clip, at which the tone begins."""
    with av.open(str(path)) as container:
        for frame in container.decode(audio=0):
            loud = np.flatnonzero(np.abs(frame.to_ndarray()[0]) > 0.2)
            if len(loud):
                return float(frame.pts * frame.time_base) + loud[0] / frame.sample_rate
    raise AssertionError("silence")


def test_sound_stays_with_its_tree(tmp_path: Path) -> None:
    clip = with_sound(write_clip(tmp_path / "silent.mp4"), tmp_path / "sound.mp4", beep_s=1.2)
    made = cut([Track(clip, [12, 47]), Track(clip, [20, 47])], tmp_path)
    assert [line["how"] for line in made] == ["copied", "encoded"]
    for line, start_s in zip(made, (12 / 25, 20 / 25), strict=True):
        assert line["start_s"] == pytest.approx(start_s)
        path = tmp_path / "made" / str(line["file"])
        assert heard_from(path) == pytest.approx(1.2 - start_s, abs=0.03)
        with av.open(str(path)) as container:
            assert container.duration / 1e6 == pytest.approx((48 / 25) - start_s, abs=0.08)
    run = str(tmp_path / "run")
    export(run, SELECTION, Clips(sound=False), str(tmp_path / "mute"), workers=1)
    for path in (tmp_path / "mute").glob("*.mp4"):
        with av.open(str(path)) as container:
            assert [stream.type for stream in container.streams] == ["video"]


def test_the_same_clips_every_time_and_nothing_copied_on_demand(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "a.mp4")
    run = str(
        tracked_run(tmp_path / "run", [Track(clip, [0, 20]), Track(clip, [7, 40]), Track(clip, [50, 52])])
    )
    for name in ("one", "two"):
        export(run, SELECTION, Clips(), str(tmp_path / name), workers=1)
    assert tree(tmp_path / "one") == tree(tmp_path / "two")
    export(run, SELECTION, Clips(copy_packets=False, min_frames=10), str(tmp_path / "anew"), workers=1)
    table = pl.read_csv(tmp_path / "anew" / "clips.csv")
    assert table["how"].to_list() == ["encoded"] * 2
    assert table["frames"].to_list() == [21, 34]
    assert table["faces"].to_list() == [2, 2]


def test_photos_are_no_clips_and_damage_leaves_a_gap(tmp_path: Path) -> None:
    Image.new("RGB", (64, 48)).save(tmp_path / "photo.png")
    whole = write_clip(tmp_path / "whole.mp4", size=(160, 120), noise=20)
    clip = overwrite(whole, tmp_path / "hole.mp4", 0.5, 0.53, fill=0)
    (line,) = cut([Track(tmp_path / "photo.png", [0]), Track(clip, [1, 30, 59])], tmp_path)
    assert line["how"] == "encoded"
    shown = line["frame_index"]
    assert isinstance(shown, list)
    assert 30 < len(shown) < 59
    with open_source(str(tmp_path / "made" / str(line["file"])), "video") as source:
        assert [read_index(frame.rgb) for frame in source.frames(range(len(source.table)))] == shown
        times = (source.table.pts_ns - source.table.pts_ns[0]) // 1000
    assert times.tolist() == [(index - shown[0]) * 40_000 for index in shown]


def test_it_is_a_format_and_needs_the_tracks(tmp_path: Path) -> None:
    assert make_format("clips", {"size": None}, ["crf=20"]) == Clips(crf=20)
    run = tracked_run(tmp_path / "run", [Track(write_clip(tmp_path / "a.mp4", 3), [0, 2])])
    (run / "tables" / "dedupe.parquet").unlink()
    with pytest.raises(UserError, match="lpff-ray dedupe"):
        export(str(run), SELECTION, Clips(), str(tmp_path / "made"))


def test_the_summary_says_whose_faces_and_which_tracks_are_left_out(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "a.mp4")
    run = tracked_run(tmp_path / "run", [Track(clip, [3, 9, 20], selected=2), Track(clip, [5, 13])])
    summary = export(str(run), SELECTION, Clips(min_frames=10), str(tmp_path / "made"), workers=1)
    assert summary.notes == [
        "5 faces: all that were measured of the 2 tracks of 3 selected ones",
        "left out: 1 tracks shorter than min_frames 10",
    ]
