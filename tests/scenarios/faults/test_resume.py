"""Killed, interrupted, resumed: what counts is on disk, whole, once."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import threading
import time
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from clips import portrait, write_clip
from command import call, run, start, wait_until
from PIL import Image
from tablecheck import assert_same_faces

import lpff_ray
from lpff_ray.config import MineConfig
from lpff_ray.errors import Failure
from lpff_ray.monitoring.progress import MiningProgress
from lpff_ray.plan.manifest import Source
from lpff_ray.plan.planner import plan_videos
from lpff_ray.plan.segment import Segment, segments
from lpff_ray.plan.video import Video
from lpff_ray.run import retry as attempts
from lpff_ray.run.executors import work_pool
from lpff_ray.run.lease import Lease
from lpff_ray.run.mine import POLICY, mine
from lpff_ray.run.miner import SegmentMiner
from lpff_ray.run.segment_result import SegmentResult
from lpff_ray.tables.run import Run

SEGMENTS = 8
SETTINGS = ("--every", "3", "--segment-seconds", "1", "--workers", "1")


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """8 s of one face, a keyframe every second."""
    path = tmp_path_factory.mktemp("resume") / "long.mp4"
    return write_clip(path, 25 * SEGMENTS, size=(320, 240), picture_of=to_and_fro, gop=25)


def to_and_fro(index: int, width: int, height: int) -> np.ndarray:
    return portrait(abs(index % 50 - 25), width, height)


@pytest.fixture(scope="module")
def undisturbed(clip: Path) -> pl.DataFrame:
    """The faces of a run that nothing disturbed."""
    assert run("mine", clip, "--out", clip.parent / "whole", *SETTINGS).returncode == 0
    return lpff_ray.scan(str(clip.parent / "whole")).collect()


def parts_of(out: Path) -> set[str]:
    """Names of finished parts; what starts with a dot is not finished."""
    return {path.name for path in out.glob("parts/*.parquet") if not path.name.startswith(".")}


def wait_for_parts(process: subprocess.Popen[str], out: Path, count: int) -> None:
    """Until the run has committed so many parts."""
    wait_until(process, lambda: len(parts_of(out)) >= count, patience_s=90)


def kill(process: subprocess.Popen[str]) -> None:
    """SIGKILL to the driver alone, as the kernel does when memory ends."""
    process.kill()
    process.communicate()


def test_killed_at_several_moments_then_resumed(
    clip: Path, undisturbed: pl.DataFrame, tmp_path: Path
) -> None:
    out, command = tmp_path / "out", ("mine", clip, "--out", tmp_path / "out", *SETTINGS)
    seen: set[str] = set()
    for parts in (0, 2, 4):
        process = start(*command)
        if parts == 0:
            time.sleep(1.0)  # somewhere in the plan, or while models load
        wait_for_parts(process, out, parts)
        kill(process)
        assert seen <= parts_of(out), "what was committed stays"
        seen = parts_of(out)
        readable = lpff_ray.scan(str(out)).collect() if (out / "run.json").exists() else undisturbed
        assert readable["face_id"].is_unique().all()
    assert len(seen) < SEGMENTS, "the run was not over yet"
    # What a writer leaves that is killed between its write and its rename.
    (out / "parts" / ".torn.parquet.0123.tmp").write_bytes(b"PAR1")
    assert len(lpff_ray.scan(str(out)).collect()) < len(undisturbed)
    done = run(*command)
    assert done.returncode == 0
    assert f"{len(seen)} before, of {SEGMENTS}" in done.stdout
    assert_same_faces(undisturbed, lpff_ray.scan(str(out)).collect())
    assert len(lpff_ray.segments(str(out))) == len(parts_of(out)) == SEGMENTS
    assert not list(out.rglob("*.tmp"))


@pytest.mark.ray
def test_a_killed_ray_driver_resumes(clip: Path, undisturbed: pl.DataFrame, tmp_path: Path) -> None:
    out = tmp_path / "out"
    command = ("mine", clip, "--out", out, *SETTINGS)
    process = start(*command, "--executor", "ray")
    wait_for_parts(process, out, 2)
    kill(process)
    assert len(parts_of(out)) < SEGMENTS, "the run was not over yet"
    # At once, while the miners may not have noticed yet; and here, for either executor may go on with the other's.
    done = run(*command)
    assert done.returncode == 0, done.stderr
    assert_same_faces(undisturbed, lpff_ray.scan(str(out)).collect())
    assert len(lpff_ray.segments(str(out))) == SEGMENTS
    assert not list(out.rglob("*.tmp"))
    assert lpff_ray.videos(str(out))["status"].to_list() == ["done"]


def test_interrupted_drains_with_exit_code_130(clip: Path, undisturbed: pl.DataFrame, tmp_path: Path) -> None:
    out = tmp_path / "out"
    command = ("mine", clip, "--out", out, *SETTINGS)
    process = start(*command)
    wait_for_parts(process, out, 2)
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == 130, stderr
    assert "Traceback" not in stdout + stderr
    assert "run the same command to go on" in stdout
    seen = parts_of(out)
    left = SEGMENTS - len(seen)
    assert left > 0
    assert f"interrupted with {left} segments left" in stdout
    assert len(lpff_ray.segments(str(out))) == len(seen)
    assert lpff_ray.videos(str(out))["status"].to_list() == ["pending"]
    assert call(*command).returncode == 0
    assert_same_faces(undisturbed, lpff_ray.scan(str(out)).collect())


def test_draining_says_what_it_waits_for() -> None:
    class SlowWorker:
        def __init__(self, device: str) -> None:
            pass

        def run(self, lease: Lease[Segment]) -> SegmentResult:
            os.kill(os.getpid(), signal.SIGINT)
            assert stream.said.wait(60), "draining is said while an item is in flight"
            return SegmentResult()

    class Listening(io.StringIO):
        said = threading.Event()

        def write(self, text: str) -> int:
            if "stopping" in text:
                self.said.set()
            return super().write(text)

    video = Video(video_id="v", uri="/v.mp4", kind="video", size_bytes=1, status="planned")
    waiting = [Segment(f"v-0000{index}", video, index, None, None) for index in range(3)]
    stream = Listening()
    with (
        work_pool("local", workers=1) as pool,
        MiningProgress(len(waiting), stream=stream) as progress,
    ):
        ended = list(pool.map(waiting, SlowWorker, POLICY, progress))
    assert (len(ended), pool.report.unfinished, pool.report.interrupted) == (1, 2, True)
    assert (
        "stopping: 1 segments in flight will finish; Ctrl-C again ends at once and abandons them"
        in stream.getvalue()
    )


def test_interrupted_while_planning(tmp_path: Path) -> None:
    original = write_clip(tmp_path / "clip.mkv", 60)  # has no index: all of it is read
    (tmp_path / "many").mkdir()
    for number in range(2000):
        (tmp_path / "many" / f"{number}.mkv").symlink_to(original)
    process = start("mine", tmp_path / "many", "--out", tmp_path / "out")
    assert process.stderr is not None
    assert process.stderr.readline().startswith("planning 0/2000")
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=30)
    assert process.returncode == 130, stderr
    assert "Traceback" not in stdout + stderr
    assert stderr.splitlines()[-1] == "lpff-ray: interrupted; run the same command to go on"
    assert not (tmp_path / "out").exists()


def test_a_second_run_with_more_sources_adds_only_them(clip: Path, tmp_path: Path) -> None:
    folder, out = tmp_path / "sources", tmp_path / "out"
    folder.mkdir()
    write_clip(folder / "b.mp4", 12, size=(320, 240), picture_of=portrait)
    assert call("mine", folder, "--out", out, "--every", "4").returncode == 0
    before = lpff_ray.scan(str(out)).collect()
    times = {path: path.stat().st_mtime_ns for path in out.glob("parts/*")}
    Image.fromarray(portrait(3, 320, 240)).save(folder / "a.png")
    again = call("mine", folder, "--out", out, "--every", "4")
    assert "1 segments mined now, 1 before, of 2" in again.stdout
    assert {path: path.stat().st_mtime_ns for path in times} == times
    after = lpff_ray.scan(str(out)).collect()
    assert len(after) == len(before) + 1
    assert_same_faces(before, after.filter(pl.col("uri").str.ends_with("b.mp4")), floats=0)
    assert sorted(Path(uri).name for uri in lpff_ray.videos(str(out))["uri"]) == ["a.png", "b.mp4"]
    # Fewer sources take nothing away.
    less = call("mine", folder / "a.png", "--out", out, "--every", "4")
    assert "0 segments mined now, 1 before, of 1" in less.stdout
    assert len(lpff_ray.videos(str(out))) == 2


def test_a_half_that_is_done_is_not_mined_again(tmp_path: Path) -> None:
    """Its rows stood in the table twice, whether the other half had been given up or the run was killed before it."""
    clip = write_clip(tmp_path / "clip.mp4", 40, size=(320, 240), picture_of=portrait)
    config = MineConfig(every=4)
    for given_up in (True, False):
        out = str(tmp_path / f"out{given_up}")
        run_of, videos = Run(out, config).begin(), plan_videos([Source(str(clip))])
        run_of.commit_plan(videos)
        whole = segments(videos[0], config.segment_seconds)[0]
        first, second = whole.halves(attempts.middle_ns(whole))
        SegmentMiner(config, out, "cpu").run(Lease(second, 4, "pyav"))
        if given_up:
            run_of.commit_quarantine(first, Failure("process", "Timeout", "not done after 60 s", "pyav"), 4)
        mine([str(clip)], out, config, device="cpu", retry_quarantined=given_up)
        assert lpff_ray.scan(out).collect()["frame_index"].to_list() == list(range(0, 40, 4))
        assert lpff_ray.segments(out)["segment_id"].to_list() == [first.segment_id, second.segment_id]
        assert lpff_ray.videos(out)["status"].to_list() == ["done"]


@pytest.mark.parametrize("compacted", [False, True])
def test_retry_quarantined(tmp_path: Path, compacted: bool) -> None:
    clip = write_clip(tmp_path / "clip.mp4", 12, size=(320, 240), picture_of=portrait)
    command = ("mine", clip, "--out", tmp_path / "out", "--every", "4")
    run_of = Run(str(tmp_path / "out"), MineConfig(every=4)).begin()
    videos = plan_videos([Source(str(clip))])
    run_of.commit_plan(videos)
    failure = Failure("process", "Timeout", "not done after 60 s", "decord")
    run_of.commit_quarantine(segments(videos[0], 30)[0], failure, 4)
    # Given up stays given up, and the exit code says so, until asked for.
    left = call(*command)
    assert left.returncode == 1
    assert "0 segments mined now, 1 before, of 1" in left.stdout
    assert "1 segments in quarantine" in left.stdout
    assert lpff_ray.videos(str(tmp_path / "out"))["status"].to_list() == ["failed"]
    assert "not done after 60 s" in call("status", tmp_path / "out").stdout
    if compacted:
        assert call("compact", tmp_path / "out").returncode == 0
    again = call(*command, "--retry-quarantined")
    assert again.returncode == 0
    assert "in quarantine" not in again.stdout
    assert not len(lpff_ray.quarantine(str(tmp_path / "out")))
    assert lpff_ray.videos(str(tmp_path / "out"))["status"].to_list() == ["done"]
    assert len(lpff_ray.scan(str(tmp_path / "out")).collect()) == 3
