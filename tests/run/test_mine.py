"""A run from sources to summary: what is refused before work begins, and what could not be mined."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from clips import portrait, write_clip
from command import call

import lpff_ray
from lpff_ray.config import MineConfig
from lpff_ray.errors import Failure, UserError
from lpff_ray.models.runtimes import PoseModel
from lpff_ray.plan.manifest import Source
from lpff_ray.plan.planner import plan_videos
from lpff_ray.plan.segment import Segment, segments
from lpff_ray.run import mine as mine_module
from lpff_ray.run.lease import Lease
from lpff_ray.run.mine import MineSummary
from lpff_ray.run.retry import next_leases
from lpff_ray.tables.run import Run

FAILURE = Failure("process", "ActorDied", "the worker died", "decord")


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """100 frames, 4 seconds, of 480 x 320 pixels, with one face."""
    path = tmp_path_factory.mktemp("clips") / "clip.mp4"
    return write_clip(path, 100, size=(480, 320), picture_of=portrait)


# --- what could not be mined ---------------------------------------------------------------------------------


def halves(segment: Segment) -> list[Segment]:
    """The two halves that the last retry step makes of a segment."""
    leases = [Lease(segment)]
    while len(leases) == 1:
        leases = next_leases(leases[0], FAILURE)
    return [lease.item for lease in leases]


def test_the_share_counts_halves_as_halves_and_unreadable_sources_as_one(clip: Path, tmp_path: Path) -> None:
    """Halves counted as wholes, so the share could be 2; unreadable sources did not count."""
    config, out = MineConfig(every=25, segment_seconds=1), tmp_path / "out"
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(clip.read_bytes()[:500])
    run = Run(str(out), config).begin()
    videos = plan_videos([Source(str(clip)), Source(str(broken))])
    run.commit_plan(videos)
    whole, both, one, _ = segments(videos[0], 1)
    for segment in (whole, *halves(both), halves(one)[0]):
        run.commit_quarantine(segment, FAILURE, 4)
    summary = lpff_ray.mine([clip, broken], out, config, workers=1)
    assert (summary.planned, summary.unreadable) == (4, 1)
    assert (summary.quarantined, summary.quarantined_segments) == (4, 2.5)
    assert summary.quarantined_share == (1 + 1 + 0.5 + 1) / (4 + 1)
    command = ("mine", clip, broken, "--out", out, "--every", "25", "--segment-seconds", "1")
    assert call(*command, "--max-quarantine", "0.7").returncode == 0
    above = call(*command, "--max-quarantine", "0.69")
    assert above.returncode == 1
    assert "3.5 of 5 segments and unreadable files could not be mined (70.0%)" in above.stdout + above.stderr


@pytest.mark.parametrize(
    ("summary", "share"),
    [
        (MineSummary("out", planned=0, done_before=0), 0.0),
        (MineSummary("out", planned=4, done_before=0), 0.0),
        (MineSummary("out", planned=4, done_before=0, quarantined=8, quarantined_segments=4.0), 1.0),
        (MineSummary("out", planned=0, done_before=0, videos={"unreadable": 2}), 1.0),
        (MineSummary("out", planned=13, done_before=0, videos={"planned": 13, "unreadable": 3}), 3 / 16),
        (MineSummary("out", planned=2, done_before=0, videos={"duplicate": 3, "not_media": 3}), 0.0),
    ],
)
def test_shares(summary: MineSummary, share: float) -> None:
    assert summary.quarantined_share == share


# --- refused before work begins ------------------------------------------------------------------------------


def a_file(out: Path) -> None:
    out.write_text("in the way")


def below_a_file(out: Path) -> None:
    out.parent.rmdir()
    out.parent.write_text("in the way")


def of_another_configuration(out: Path) -> None:
    config = MineConfig(every=7)
    run = Run(str(out), config).begin()
    named = {"video_id": "v", "uri": "v.mp4", "kind": "video", "size_bytes": 1, "status": "planned"}
    run.commit_quarantine(Segment("v-00000", mine_module.Video(**named), 0, None, None), FAILURE, 4)


def of_a_newer_version(out: Path) -> None:
    Run(str(out), MineConfig()).begin()
    path = out / "run.json"
    path.write_text(path.read_text().replace('"schema_version": 1', '"schema_version": 2'))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (a_file, "out"),
        (below_a_file, "out"),
        (of_another_configuration, "every = 7 there, None now"),
        (of_a_newer_version, "newer lpff_ray"),
    ],
)
def test_a_wrong_out_is_said_before_any_source_is_looked_at(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Any, message: str
) -> None:
    calls: list[Sequence[Source]] = []
    monkeypatch.setattr(mine_module, "plan_videos", lambda sources, **options: calls.append(sources) or [])
    monkeypatch.setattr(mine_module, "expand", lambda sources, videos: calls.append(sources) or [])
    out = tmp_path / "below" / "out"
    out.parent.mkdir()
    make(out)
    with pytest.raises(UserError, match=message):
        lpff_ray.mine(clip, out, MineConfig())
    assert calls == []


def test_a_read_only_out_is_said_before_any_source_is_looked_at(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[Any] = []
    monkeypatch.setattr(mine_module, "plan_videos", lambda sources, **options: calls.append(sources) or [])
    monkeypatch.setattr(mine_module, "expand", lambda sources, videos: calls.append(sources) or [])
    # Root, as whom tests may run, can write everywhere: the system's refusal is made here.
    monkeypatch.setattr("os.access", lambda path, mode: False)
    with pytest.raises(UserError, match="can not be written: no permission, or a read-only disk"):
        lpff_ray.mine(clip, tmp_path / "out", MineConfig())
    assert calls == []


def test_the_output_folder_may_lie_among_the_sources(clip: Path, tmp_path: Path) -> None:
    shutil.copy(clip, tmp_path / "a.mp4")
    for _ in range(2):
        summary = lpff_ray.mine(tmp_path, tmp_path / "out", MineConfig(every=25), workers=1)
        assert summary.videos == {"planned": 1}, "its own tables are no sources"
    assert len(lpff_ray.videos(str(tmp_path / "out"))) == 1


# --- a broken worker -------------------------------------------------------------------------------------------


def test_a_model_that_fails_on_every_call_costs_no_segment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each segment was decoded four times and quarantined, although the device was to blame."""
    (tmp_path / "clips").mkdir()
    for number in range(4):
        write_clip(tmp_path / "clips" / f"{number}.mp4", 8 + number, size=(320, 240), picture_of=portrait)

    def broken(self: PoseModel, crops: np.ndarray) -> None:
        raise RuntimeError("CUDA error: device-side assert triggered")

    out = str(tmp_path / "out")
    with monkeypatch.context() as patched:
        patched.setattr(PoseModel, "__call__", broken)
        with pytest.raises(
            UserError,
            match=r"cpu is taken out of the pool: 2 miners failed their self-test on it.*CUDA error",
        ):
            lpff_ray.mine(tmp_path / "clips", out, MineConfig(every=4), workers=1, device="cpu")
    assert not len(lpff_ray.quarantine(out))
    assert len(lpff_ray.failures(out)) == 0, "no segment failed"
    log = "".join(path.read_text() for path in (tmp_path / "out" / "logs").glob("run-*.log"))
    assert "device-side assert triggered" in log
    assert "in learned_pose" in log, "the traceback is kept"
    summary = lpff_ray.mine(tmp_path / "clips", out, MineConfig(every=4), workers=1, device="cpu")
    assert (summary.mined, summary.quarantined) == (4, 0)
