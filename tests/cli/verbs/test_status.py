"""`lpff-ray status`, as a person runs it."""

from __future__ import annotations

import json
from pathlib import Path

from command import call

from lpff_ray.config import MineConfig
from lpff_ray.errors import Failure
from lpff_ray.plan.manifest import Source
from lpff_ray.plan.planner import plan_videos
from lpff_ray.plan.segment import segments
from lpff_ray.tables.run import Run


def test_status(out: Path) -> None:
    done = call("status", out)
    assert done.returncode == 0
    assert "2 of 2 segments mined, 0 in quarantine; 1 video done" in done.stdout
    assert "10 faces in 10 frames" in done.stdout
    assert "embed" in done.stdout
    assert "What failed" not in done.stdout


def test_status_as_json(out: Path) -> None:
    result = json.loads(call("status", out, "--json").stdout)
    assert (result["segments_planned"], result["segments_done"], result["faces"]) == (2, 2, 10)
    assert result["videos"] == {"done": 1}
    assert "failures" not in result
    assert json.loads(call("status", out, "--json", "--failures").stdout)["failures"] == []


def test_failures_by_cause_say_where_the_traceback_is(clip: Path, tmp_path: Path) -> None:
    run = Run(str(tmp_path / "out"), MineConfig(every=10, segment_seconds=2)).begin()
    videos = plan_videos([Source(str(clip))])
    run.commit_plan(videos)
    first, second = segments(videos[0], 2)
    run.commit_quarantine(second, Failure("process", "ActorDied", "the worker died", "decord"), 4)
    logged = {
        **{"item": first.segment_id, "uri": str(clip), "stage": "measure", "kind": "KeyError"},
        **{"attempt": 1, "decoder": "decord", "worker": "w", "outcome": "retried", "traceback": "Traceback"},
    }
    lines = [
        json.dumps({**logged, "time": f"2026-01-01T00:00:0{second}Z", "message": f"face {second}"})
        for second in range(3)
    ]
    run.folder.commit("logs/failures-1.jsonl", "\n".join(lines).encode())
    done = call("status", tmp_path / "out", "--failures")
    shown = done.stdout.splitlines()
    (often,) = (place for place, line in enumerate(shown) if line.startswith("3 failures of 1 segment: "))
    assert shown[often].endswith("measure: KeyError: face N")
    assert shown[often + 1].endswith(f"for example {clip}")
    assert shown[often + 2] == f"    traceback: {tmp_path}/out/logs/failures-1.jsonl"
    assert shown[often + 3] == "1 failure of 1 segment: process: ActorDied: the worker died"
    result = json.loads(call("status", tmp_path / "out", "--failures", "--json").stdout)
    assert [cause["count"] for cause in result["failures"]] == [3, 1]
    assert result["failures"][0]["example"] == "face 0"
