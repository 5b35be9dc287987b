"""EFHQ's tables, opened as EFHQ's scripts open them."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from command import call
from PIL import Image
from selecting import SELECTION, export_command, with_selection

import lpff_ray
from lpff_ray.exports.formats import efhq
from lpff_ray.exports.formats.efhq import EFHQ_COLUMNS, EfhqTables, efhq_table, surroundings_inside
from lpff_ray.exports.imaging.alignment import face_quad, quad_transform
from lpff_ray.exports.registry import FORMATS, make_format
from lpff_ray.geometry.transforms import apply
from lpff_ray.measure.pose.bins import bin_of, majority_bin, unanimous_bin
from lpff_ray.tables.curated import selection


@pytest.fixture(scope="module")
def run(demo_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    moved = pl.when(pl.col("frame_index") == 0).then(pl.lit("profile_up")).otherwise("pose_bin")
    return with_selection(demo_run, tmp_path_factory.mktemp("efhq") / "run", bin=moved)


@pytest.fixture(scope="module")
def tables(run: Path) -> Path:
    dest = run.parent / "tables"
    done = call(*export_command(run, "efhq", "--dest", dest))
    assert done.returncode == 0, done.stderr
    return dest


def efhqs_five_points(text: str) -> np.ndarray:
    """EFHQ's `get_lmk` (3_align_sample/cli_face_verification.py): a list in a text, three rows of 68."""
    numbers = ast.literal_eval(text)
    assert isinstance(numbers, list)
    assert len(numbers) == 68 * 3
    points = np.array(numbers).reshape(3, 68)[:2].T
    nose, eye, eye_end, other, other_end, mouth, mouth_end = np.array([31, 37, 40, 43, 46, 49, 55]) - 1
    eyes = (points[[eye, eye_end]].mean(0), points[[other, other_end]].mean(0))
    return np.stack([*eyes, points[nose], points[mouth], points[mouth_end]])


def test_the_clips_csv_is_read_as_efhqs(tables: Path, run: Path) -> None:
    csv = pl.read_csv(tables / "csv" / "astronaut.csv")
    assert tuple(csv.columns[: len(EFHQ_COLUMNS)]) == EFHQ_COLUMNS
    faces = lpff_ray.scan(str(run)).collect()
    assert csv["face_id"].to_list() == faces["face_id"].to_list()
    assert csv["frameid"].to_list() == faces["frame_index"].to_list()
    assert np.allclose(csv.select("x1", "y1", "x2", "y2").to_numpy(), faces["bbox"].to_numpy(), atol=0.006)
    five = faces["keypoints"].to_numpy()
    for row, wanted in zip(csv.iter_rows(named=True), five, strict=True):
        assert np.allclose(np.reshape(ast.literal_eval(row["lmks5pts"]), (5, 2)), wanted, atol=0.006)
        # Where FaceMesh is sure, as here, the same eyes and mouth; its nose tip is another point.
        assert np.abs(efhqs_five_points(row["lmks68pts"]) - wanted)[[0, 1, 3, 4]].max() < 0.1 * (
            row["x2"] - row["x1"]
        )


def test_bins_follow_from_the_measured_votes(tables: Path, run: Path) -> None:
    merged = pl.read_parquet(tables / "merged.parquet")
    measured = lpff_ray.scan(str(run)).select("face_id", "pose_votes").collect()
    votes_of = dict(measured.iter_rows())
    for row in merged.iter_rows(named=True):
        votes = [bin_of(vote["yaw"], vote["pitch"]) for vote in votes_of[row["face_id"]]]
        assert votes == [row[f"{slot}_bin"] for slot in ("synergy", "poseanh", "mhp")]
        assert row["hardbin"] == unanimous_bin(votes)
        assert row["softbin"] == ("profile_up" if row["frameid"] == 0 else majority_bin(votes))


@pytest.mark.parametrize(
    ("yaw", "written", "wanted"),
    [(44.997, 45.0, "frontal"), (45.003, 45.0, "profile_left"), (-44.997, -45.0, "frontal")],
)
def test_an_angle_that_rounding_moves_to_the_limit_stays_in_its_bin(
    run: Path, yaw: float, written: float, wanted: str
) -> None:
    rows = EfhqTables().rows(str(run), selection(str(run), SELECTION))
    vote = pl.element().struct.with_fields(
        yaw=pl.lit(yaw, pl.Float32), pitch=pl.lit(10.0, pl.Float32), roll=pl.lit(0.0, pl.Float32)
    )
    bins = {"bin": wanted, "pose_bin": wanted, "pose_bin_strict": wanted}
    rows = rows.with_columns(pl.col("pose_votes").list.eval(vote), **{k: pl.lit(v) for k, v in bins.items()})
    table = efhq_table(rows)
    assert table["synergy_yaw"].unique().to_list() == [written]
    names = ("synergy_bin", "poseanh_bin", "mhp_bin", "softbin", "hardbin")
    assert table.select(names).unique().rows() == [(wanted,) * len(names)]


def test_merged_parquet_and_csv_hold_the_same(tables: Path) -> None:
    merged = pl.read_parquet(tables / "merged.parquet")
    clip = pl.read_parquet(tables / "parquet" / "astronaut.parquet")
    assert merged.equals(clip)
    assert pl.read_csv(tables / "csv" / "astronaut.csv", schema=clip.schema).equals(clip)
    # EFHQ's `cli_sample_gan.py vfhq`: the best of a clip's bin, and the name of its frame.
    best = merged.filter(pl.col("iqa") >= 0).sort(pl.col("synergy_yaw").abs(), descending=True)
    kept = best.group_by("video_id", "softbin").head(3)
    assert kept.height == 4
    assert str(kept["frameid"][0]).zfill(8).isdigit()


def test_columns_json_says_who_stands_for_whom(tables: Path) -> None:
    told = json.loads((tables / "columns.json").read_text())
    assert told["estimators"] == {"synergy": "posenet", "poseanh": "facemesh", "mhp": "centerface"}
    columns = pl.read_parquet_schema(tables / "merged.parquet")
    assert list(columns) == told["efhq"] + told["added"]


def test_a_folder_per_bin_as_after_efhqs_review(run: Path, tmp_path: Path) -> None:
    call(*export_command(run, "efhq", "--dest", tmp_path, "--set", "by_bin=true"))
    found = {path.parent.name: len(pl.read_csv(path)) for path in (tmp_path / "csv").rglob("*.csv")}
    assert found == {"frontal": 19, "profile_up": 1}
    assert len(pl.read_parquet(tmp_path / "merged.parquet")) == 20


def test_it_holds_the_frames_that_other_formats_hold(run: Path) -> None:
    chosen = selection(str(run), SELECTION)
    ours = set(EfhqTables().rows(str(run), chosen)["face_id"])
    for name in {"lpff", "stylegan", "eg3d", "controlnet", "webdataset"} & set(FORMATS):
        assert set(make_format(name, {}).rows(str(run), chosen)["face_id"]) == ours


def test_efhqs_sampler_finds_its_aligned_pictures(run: Path, tmp_path: Path) -> None:
    """`cli_sample_gan.py vfhq`: of every (video_id, softbin) the first by angles, and its picture, FRAME_0.png."""
    lpff_ray.dedupe(str(run), executor="local", device="cpu")  # whose tracks they are
    options = {"aligned": 128, "clips": "track", "inside": False}
    summary = lpff_ray.export(str(run), SELECTION, "efhq", str(tmp_path), options)
    faces = lpff_ray.scan(str(run)).collect()
    assert (summary.made, summary.faces) == (len(faces), len(faces))
    table = pl.read_parquet(tmp_path / "merged.parquet")
    assert table["video_id"].n_unique() == faces["track_id"].n_unique() > 1
    order = [pl.col("synergy_yaw").abs(), pl.col("synergy_pitch").abs(), "iqa"]
    sampled = table.sort(order, descending=True).group_by("video_id", "softbin", maintain_order=True).head(10)
    points = dict(faces.select("face_id", "keypoints").iter_rows())
    for row in sampled.iter_rows(named=True):
        original = tmp_path / "aligned" / row["video_id"] / f"{str(row['frameid']).zfill(8)}_0.png"
        assert original == tmp_path / "aligned" / row["aligned_path"]
        assert Image.open(original).size == (128, 128)
        lines = original.with_suffix(".txt").read_text().splitlines()
        five = np.array([[float(number) for number in line.split()] for line in lines])
        quad = face_quad(np.array(points[row["face_id"]]))
        assert five == pytest.approx(apply(quad_transform(quad, 128), points[row["face_id"]]) - 0.5, abs=0.01)
    repeated = lpff_ray.export(str(run), SELECTION, "efhq", str(tmp_path), options)
    assert repeated.made_before == len(faces)


def test_faces_whose_surroundings_leave_the_frame_have_no_row(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(efhq, "WIDENED", (3.2,) * 4)  # of EFHQ's, all surroundings of the demo lie inside
    lpff_ray.export(str(run), SELECTION, "efhq", str(tmp_path), {"aligned": 64}, executor="local", workers=1)
    faces = lpff_ray.scan(str(run)).collect()
    inside = [
        face
        for face, points, height, width in faces.select(
            "face_id", "landmarks", "frame_height", "frame_width"
        ).iter_rows()
        if surroundings_inside(np.array(points), height, width)
    ]
    assert 0 < len(inside) < len(faces)
    assert pl.read_parquet(tmp_path / "merged.parquet")["face_id"].to_list() == inside
    monkeypatch.undo()
    points = np.full((68, 3), 50.0)
    points[:2, :2] = (40, 40), (60, 60)  # a square of 20: 14.255, 20.591, 16.423 and 13.087 about its middle
    assert surroundings_inside(points, 63, 66)
    assert not surroundings_inside(points, 62, 66)
    assert not surroundings_inside(points - [37, 0, 0], 63, 66)
