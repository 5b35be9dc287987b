"""`lpff-ray demo`, as a person runs it."""

from __future__ import annotations

import json
from pathlib import Path

from command import run

import lpff_ray


def test_demo_shows_known_beside_measured(tmp_path: Path) -> None:
    done = run("demo", tmp_path / "demo", "--executor", "local")
    assert done.returncode == 0, done.stderr
    rows = {line.split()[0]: line.split()[1:] for line in done.stdout.splitlines() if line.strip()}
    for shot in ("moving", "growing", "turning", "blurring"):
        assert rows[shot][0] == "25/25", "the face is found in every frame"
    # Columns are mean and largest error: of position and size in percent of the face, of roll in degrees.
    assert all(float(rows[shot][5].rstrip(",")) < 2 for shot in ("moving", "growing", "turning"))
    assert "shots: 4 known, 4 found; tracks: 4" in done.stdout
    assert "First of 100 faces" in done.stdout
    assert "…" not in done.stdout, "nothing is cut off"
    assert (tmp_path / "demo" / "astronaut.mp4").exists()
    page = tmp_path / "demo" / "run" / "report.html"
    assert f"page:  {page}" in done.stdout
    assert page.stat().st_size > 1e6
    assert len(lpff_ray.scan(str(tmp_path / "demo" / "run")).collect()) == 100


def test_demo_again_goes_on_with_its_run(tmp_path: Path) -> None:
    """The clip of a second demo is the same video: it was encoded anew, and mined beside the first one."""
    assert run("demo", tmp_path, "--executor", "local").returncode == 0
    done = run("demo", tmp_path, "--executor", "local", "--json")
    result = json.loads(done.stdout)
    assert (result["run"]["done_before"], result["run"]["mined"]) == (1, 0)
    assert (result["faces"], result["tracks"], result["shots_found"]) == (100, 4, 4)
    assert {shot["shot"]: shot["frames"] for shot in result["shots"]}["moving"] == 25
