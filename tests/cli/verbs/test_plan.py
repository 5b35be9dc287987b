"""`lpff-ray plan`, as a person runs it."""

from __future__ import annotations

import json
from pathlib import Path

from command import call
from PIL import Image


def test_plan_writes_nothing(clip: Path, tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("no video")
    done = call("plan", clip, tmp_path, "--every", "10", "--segment-seconds", "2", cwd=tmp_path)
    assert done.returncode == 0
    assert "1 video, 2 segments, about 10 frames to look at" in done.stdout
    assert "320x240" in done.stdout
    assert "unreadable: not a video" in done.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["text.mp4"]


def test_plan_as_json(clip: Path) -> None:
    done = call("plan", clip, "--every", "10", "--segment-seconds", "2", "--json")
    result = json.loads(done.stdout)
    assert (result["videos"], result["segments"], result["frames"]) == (1, 2, 10)
    (source,) = result["sources"]
    assert (source["uri"], source["width"], source["status"]) == (str(clip), 320, "planned")


def test_many_sources_are_summed_up_and_the_odd_ones_shown(tmp_path: Path) -> None:
    for number in range(60):
        Image.new("RGB", (32, 24), (number, 0, 0)).save(tmp_path / f"{number:03d}.png")
    (tmp_path / "text.mp4").write_text("no video")
    done = call("plan", tmp_path)
    assert "text.mp4" in done.stdout
    assert "007.png" not in done.stdout
    assert "61 sources: 60 planned, 1 unreadable; 1 of 1 with something to say are shown" in done.stdout
    assert len(json.loads(call("plan", tmp_path, "--json").stdout)["sources"]) == 61
