"""A run that was mined by the first release stays readable for ever: `tests/fixtures/run_v1`, mined by commit a1cf2ca.

It holds a clip and a photo in compacted tables, a photo in a part, a video whose only segment was given up, a broken
video, a file that is no media, `dedupe`'s tables and a selection. `run_v1_faces.json` is its faces table as that commit
read it.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import polars as pl
import pytest

import lpff_ray
from lpff_ray.config import MineConfig
from lpff_ray.errors import UserError
from lpff_ray.tables import schema
from lpff_ray.tables.compact import compact
from lpff_ray.tables.run import Run

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures"
CONFIG = MineConfig(every=4, segment_seconds=1, detector="blazeface", precision="exact")  # then the defaults


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A copy of the run, for tests that write."""
    return Path(shutil.copytree(FIXTURES / "run_v1", tmp_path / "run"))


def assert_as_it_was(out: Path) -> None:
    then = pl.read_json(FIXTURES / "run_v1_faces.json")
    now = lpff_ray.scan(str(out)).collect()
    assert now.schema == schema.FACES
    for name in then.columns:
        if now.schema[name].is_float():
            assert now[name].to_list() == pytest.approx(then[name].to_list(), rel=1e-6, abs=1e-6), name
        else:
            assert now[name].to_list() == then[name].to_list(), name


def test_its_faces_read_as_they_did() -> None:
    assert_as_it_was(FIXTURES / "run_v1")


def test_its_other_tables_read_with_nulls_for_what_came_later() -> None:
    out = str(FIXTURES / "run_v1")
    assert sorted(lpff_ray.videos(out)["status"]) == [
        "done",
        "done",
        "done",
        "failed",
        "not_media",
        "unreadable",
    ]
    assert lpff_ray.segments(out)["faces"].to_list() == [3, 1, 1]
    given_up = lpff_ray.quarantine(out)
    assert given_up.schema == schema.QUARANTINE
    assert given_up["message"].unique().to_list() == ["not done after 60 s"]
    assert given_up["log"].to_list() == [None] * len(given_up), "this column came with minor version 1"
    assert len(lpff_ray.identities(out)) == 1
    assert len(lpff_ray.dedupe_marks(out)) == 5
    chosen = lpff_ray.selection(out, "all")
    assert chosen.schema == schema.SELECTION
    assert lpff_ray.selection_rules(out, "all")["preset"] == "uniform"


def test_it_is_gone_on_with_by_the_same_configuration_alone(old: Path) -> None:
    run = Run(str(old), CONFIG).begin()
    assert len(run.done()) == 3 + len(lpff_ray.quarantine(str(old)))
    assert CONFIG.hash() == json.loads((old / "run.json").read_text())["config_hash"]
    with pytest.raises(UserError, match="every = 4 there, 2 now"):
        Run(str(old), MineConfig(every=2, segment_seconds=1, detector="blazeface", precision="exact"))
    with pytest.raises(UserError, match="precision = 'exact' there, 'fast' now"):
        Run(str(old), CONFIG.model_copy(update={"precision": "fast"}))


def test_it_is_compacted_deduped_and_selected_from(old: Path) -> None:
    compact(str(old))
    assert not list((old / "parts").glob("*.parquet"))
    assert_as_it_was(old)
    assert lpff_ray.quarantine(str(old)).schema == schema.QUARANTINE
    assert lpff_ray.dedupe(str(old), device="cpu").faces == 5
    assert len(lpff_ray.select(str(old), "again", "uniform", {"min_area": 4096}).table) >= 1


def test_a_newer_minor_version_is_read_without_what_it_has_besides(old: Path) -> None:
    for path in [*old.glob("parts/*.parquet"), *old.glob("tables/faces-*.parquet")]:
        metadata = {k: v for k, v in pl.read_parquet_metadata(path).items() if k == "lpff_ray"}
        pl.read_parquet(path).with_columns(pl.lit(0.5).alias("later")).write_parquet(path, metadata=metadata)
    assert_as_it_was(old)


def test_a_newer_major_version_is_refused_in_one_line(old: Path) -> None:
    path = old / "run.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "schema_version": 2}))
    with pytest.raises(
        UserError, match=r"made by a newer lpff_ray \(table version 2, this release reads up to 1\)"
    ):
        lpff_ray.scan(str(old))
