"""The demo's clip: the same file when the demo is run again."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from lpff_ray.cli.demo_clip import FRAMES_PER_SHOT, SHOTS, DemoClip, known_against_measured, make_clip


def test_a_clip_that_is_there_is_kept_and_another_file_replaced(tmp_path: Path) -> None:
    """Made anew, its bytes differed now and then, and a second demo mined it a second time."""
    path = tmp_path / "demo" / "clip.mp4"
    path.parent.mkdir()
    path.write_bytes(b"another file")
    made = make_clip(path)
    written = path.stat()
    assert written.st_size > 100_000
    assert [file.name for file in path.parent.iterdir()] == ["clip.mp4"], "no unfinished file is left"
    again = make_clip(path)
    assert path.stat().st_mtime_ns == written.st_mtime_ns
    assert (again.transforms == made.transforms).all()
    assert len(again.shots) == FRAMES_PER_SHOT * len(SHOTS)


def test_errors_of_a_run_are_small_and_those_of_no_face_are_none(
    demo_clip: DemoClip, demo_faces: pl.DataFrame
) -> None:
    moving, *_ = known_against_measured(demo_clip, demo_faces)
    assert (moving.shot, moving.frames, moving.of) == ("moving", 5, FRAMES_PER_SHOT)
    assert moving.position is not None
    assert moving.position[0] <= moving.position[1] < 3
    nothing = known_against_measured(demo_clip, demo_faces.clear())
    assert [(shot.frames, shot.position) for shot in nothing] == [(0, None)] * len(SHOTS)
    later = known_against_measured(demo_clip, demo_faces.filter(pl.col("frame_index") >= FRAMES_PER_SHOT))
    assert later[0].frames == 0
    assert later[1].position is not None
    assert later[1].position[1] < 5, "errors are relative to the first frame with a face"
