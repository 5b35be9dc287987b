"""Reading a run: from anywhere, and no more of it than is asked for."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from random_faces import CONFIG, commit, video

import lpff_ray
from lpff_ray.storage.folder import Folder
from lpff_ray.tables.compact import compact
from lpff_ray.tables.run import Run


def test_a_remote_output_reads_as_a_local_one(tmp_path: Path) -> None:
    run = Run(f"memory://{tmp_path.name}-run", CONFIG).begin()
    run.commit_plan([video("a")])
    commit(run, "a", 0, 5)
    commit(run, "a", 1, 5)
    assert len(lpff_ray.scan(run.folder.root).collect()) == 10
    assert lpff_ray.videos(run.folder.root)["status"].to_list() == ["done"]
    compact(run.folder.root)
    assert len(lpff_ray.scan(run.folder.root).collect()) == 10


def test_counting_faces_by_video_reads_one_column_and_each_footer_once(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    for index in range(60):
        commit(run, f"v{index:02d}", 0, 30)
    footer, footers = pl.read_parquet_metadata, []
    monkeypatch.setattr(pl, "read_parquet_metadata", lambda at: footers.append(at) or footer(at))
    whole, wholes = Folder.read, []
    monkeypatch.setattr(Folder, "read", lambda self, name: wholes.append(name) or whole(self, name))
    query = lpff_ray.scan(run.folder.root).group_by("uri").len()
    assert len(footers) == len(set(footers)) == 60
    assert not [name for name in wholes if name.endswith(".parquet")], "no table is read as a whole"
    assert len(wholes) <= 4, "and what is read does not grow with the parts"
    plan = query.explain()
    assert plan.count("Parquet SCAN") == 1
    assert "PROJECT 1/" in plan, plan
    assert "SORT" not in plan
    counts = query.collect()
    assert (len(counts), counts["len"].sum()) == (60, 1800)
