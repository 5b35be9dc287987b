"""The questions of docs/questions.md have answers, also for other tools than Polars."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

import lpff_ray
from benchmarks.scale import questions


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A compacted run of 12,000 made-up faces of 12 videos."""
    out = str(tmp_path_factory.mktemp("questions") / "run")
    questions.synthetic_run(out, 12, 1000)
    return out


def test_every_question_of_the_page_can_be_asked(run: str) -> None:
    asked = questions.questions()
    assert [question.title.split(".")[0] for question in asked] == [str(i) for i in range(1, 11)]
    answers = {question.title.split(".")[0]: question.ask(run) for question in asked}
    faces = lpff_ray.scan(run).select("face_id", "yaw", "sharpness", "pose_bin", "pose_spread").collect()
    assert answers["1"]["faces"].sum() == faces.filter(pl.col("yaw").abs() > 60).height
    assert len(answers["2"]) == 12
    sharpest = faces.filter(pl.col("pose_bin").is_in(["profile_left", "profile_right"]))["sharpness"].max()
    assert answers["2"]["sharpness"].max() == sharpest
    assert answers["3"].is_empty()
    assert answers["4"]["pose_spread"].max() == faces["pose_spread"].max()
    assert answers["5"]["faces"].sum() == answers["6"]["faces"].sum() == 12_000
    assert answers["9"]["likeness"].is_between(-1.001, 1.001).all()
    assert len(answers["9"]) == 3
    assert answers["10"]["face_id"].to_list() == [faces["face_id"][-1]]


def test_the_page_holds_an_answer_to_each(run: str) -> None:
    page = questions.PAGE.read_text("utf-8")
    anew = questions.answered(page, run)
    assert questions.answered(anew, run) == anew
    assert page.count("\n|---") >= 10


def test_duckdb_reads_compacted_tables(run: str) -> None:
    duckdb = pytest.importorskip("duckdb", reason="duckdb is not installed")
    files = f"'{Path(run)}/tables/faces-*.parquet'"
    faces = lpff_ray.scan(run).sort("face_id").collect()
    rows = duckdb.sql(
        f"select face_id, bbox[1], landmarks[68][3], embedding[128], pose_votes[2].estimator, pose_votes[1].yaw, phash "
        f"from {files} order by face_id"
    ).fetchall()
    assert len(rows) == 12_000
    ours = faces.select(
        "face_id",
        pl.col("bbox").arr.get(0),
        pl.col("landmarks").arr.get(67).arr.get(2).alias("z"),
        pl.col("embedding").arr.get(127),
        pl.col("pose_votes").list.get(1).struct.field("estimator"),
        pl.col("pose_votes").list.get(0).struct.field("yaw").alias("vote"),
        "phash",
    )
    assert rows == ours.rows()
    count = duckdb.sql(f"select count(*) from {files} where list_inner_product(embedding, embedding) > 0.999")
    assert count.fetchall() == [(12_000,)]


def test_one_face_is_read_from_one_small_group_of_rows(run: str) -> None:
    duckdb = pytest.importorskip("duckdb", reason="duckdb is not installed")
    groups = duckdb.sql(
        "select row_group_id, row_group_num_rows, stats_min_value, stats_max_value "
        f"from parquet_metadata('{Path(run)}/tables/faces-0001-00000.parquet') "
        "where path_in_schema = 'face_id' order by 1"
    ).fetchall()
    assert [rows for _, rows, _, _ in groups] == [5000, 5000, 2000]
    assert all(low is not None and high is not None for _, _, low, high in groups)
