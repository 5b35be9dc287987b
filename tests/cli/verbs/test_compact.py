"""`lpff-ray compact`, as a person runs it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from command import call

import lpff_ray


def test_compact_then_resume(clip: Path, out: Path, tmp_path: Path) -> None:
    out = shutil.copytree(out, tmp_path / "run")
    before = lpff_ray.scan(str(out)).collect()
    done = call("compact", out)
    assert done.returncode == 0
    assert "gathered 2 parts; 10 faces in 1 files" in done.stdout
    assert not list((out / "parts").glob("*.parquet"))
    assert lpff_ray.scan(str(out)).collect().equals(before)
    again = call("mine", clip, "--out", out, "--every", "10", "--segment-seconds", "2")
    assert "0 segments mined now, 2 before, of 2" in again.stdout


def test_compact_as_json(out: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(out, tmp_path / "run")
    result = json.loads(call("compact", copy, "--json").stdout)
    assert result == {"out": str(copy), "parts_gathered": 2, "faces": 10, "files": 1}
