"""The plan of a run that is added to: sources planned again, moved, or seen under two names."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import fsspec
import polars as pl
from clips import write_clip
from random_faces import commit, video

import lpff_ray
from lpff_ray.plan.planner import plan_videos
from lpff_ray.plan.sources import expand
from lpff_ray.tables.run import Run


def test_two_runs_that_meet_one_content_under_two_names_agree_on_one(run: Run, tmp_path: Path) -> None:
    """Each called its own name the original: the video counted twice."""
    commit(run, "a", 0, 5), commit(run, "a", 1, 5)
    other = Run(run.folder.root, run.config).begin()
    original, copied = (replace(video("a"), uri=str(tmp_path / name)) for name in ("a.mp4", "copy.mp4"))
    for one in (original, copied):
        Path(one.uri).touch()  # else it would be one that has moved
    run.commit_plan([original])
    other.commit_plan([copied])
    for _ in range(2):
        table = lpff_ray.videos(run.folder.root)
        assert dict(zip(table["uri"], table["status"], strict=True)) == {
            original.uri: "done",
            copied.uri: "duplicate",
        }
        copy = table.filter(pl.col("uri") == copied.uri).row(0, named=True)
        assert (copy["duplicate_of"], copy["reason"]) == (original.uri, f"same content as {original.uri}")
        other.commit_plan([copied])


def test_planning_again_replaces_rows_and_keeps_those_of_other_sources(run: Run) -> None:
    run.commit_plan([video("a"), video("b")])
    run.commit_plan([video("b", 90.0), video("c")])
    table = lpff_ray.videos(run.folder.root).sort("video_id")
    assert table["video_id"].to_list() == ["a", "b", "c"]
    assert table["duration_s"].to_list() == [60.0, 90.0, 60.0]


def test_sources_that_moved_are_listed_once(run: Run, tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    old.mkdir()
    write_clip(old / "a.mp4", 5)
    shutil.copy(old / "a.mp4", old / "b.mp4")
    (old / "notes.txt").write_text("x")

    def listed(folder: Path) -> list[tuple[str, str]]:
        run.commit_plan(plan_videos(expand([str(folder)])))
        return lpff_ray.videos(run.folder.root).select("uri", "status").sort("uri").rows()

    statuses = {"a.mp4": "pending", "b.mp4": "duplicate", "notes.txt": "not_media"}
    assert listed(old) == [(str(old / name), status) for name, status in statuses.items()]
    old.rename(new)
    assert listed(new) == [(str(new / name), status) for name, status in statuses.items()]
    shutil.copytree(new, old)
    assert len(listed(old)) == 6, "a copy that is there under both names is no source that moved"
    shutil.rmtree(old)
    assert listed(new) == [(str(new / name), status) for name, status in statuses.items()]


def test_sources_that_moved_on_an_object_store_are_listed_once(run: Run, tmp_path: Path) -> None:
    memory = fsspec.filesystem("memory")
    for place in ("old", "new"):
        memory.pipe(f"/{tmp_path.name}/{place}/a.txt", b"x")
        run.commit_plan(plan_videos(expand([f"memory://{tmp_path.name}/{place}"])))
        memory.rm(f"/{tmp_path.name}/{place}", recursive=True)
    assert lpff_ray.videos(run.folder.root)["uri"].to_list() == [f"memory:///{tmp_path.name}/new/a.txt"]
