"""Faces that make another face are no duplicates."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from command import call
from numpy.typing import NDArray
from synthetic import video

import lpff_ray
from lpff_ray.config import MineConfig
from lpff_ray.curate.duplicates.expressions import KNOWN_YAW, MEASURES, expression_column
from lpff_ray.geometry.rotation import matrix_from_angles
from lpff_ray.tables import schema
from lpff_ray.tables.parts import commit_part
from lpff_ray.tables.run import Run

NAMES = list(MEASURES)
# x, y, z of the landmarks that matter, in units between the outer eye corners; y is down.
FACE = {
    **{36: (-0.5, 0, 0.1), 39: (-0.2, 0, 0), 42: (0.2, 0, 0), 45: (0.5, 0, 0.1)},
    **{37: (-0.4, -0.04, 0), 38: (-0.3, -0.04, 0), 40: (-0.3, 0.04, 0), 41: (-0.4, 0.04, 0)},
    **{43: (0.3, -0.04, 0), 44: (0.4, -0.04, 0), 46: (0.4, 0.04, 0), 47: (0.3, 0.04, 0)},
    **{19: (-0.35, -0.25, 0), 24: (0.35, -0.25, 0)},
    **{48: (-0.3, 0.8, 0), 54: (0.3, 0.8, 0), 62: (0, 0.79, -0.1), 66: (0, 0.81, -0.1)},
}
CHANGES = {
    "mouth open": ("gap", {66: (0, 0.9, -0.1)}),
    "mouth pursed": ("width", {48: (-0.2, 0.8, 0), 54: (0.2, 0.8, 0)}),
    "right eye shut": ("right_lids", {37: (-0.4, 0.03, 0), 38: (-0.3, 0.03, 0)}),
    "left eye shut": ("left_lids", {43: (0.3, 0.03, 0), 44: (0.4, 0.03, 0)}),
    "brows raised": ("brows", {19: (-0.35, -0.32, 0), 24: (0.35, -0.32, 0)}),
}


def landmarks(change: str | None = None, yaw: float = 0.0, size: float = 100.0) -> NDArray[np.float32]:
    """A face of 68 points, float32 [68, 3], pixels, turned."""
    points = np.zeros((68, 3))
    for index, point in (FACE | (CHANGES[change][1] if change else {})).items():
        points[index] = point
    turned = points @ matrix_from_angles(np.array([yaw]), np.array([8.0]), np.array([20.0]))[0].T
    return (turned * size + 300).astype(np.float32)


def expressions(points: list[NDArray[np.float32] | None], yaw: float = 0.0) -> NDArray[np.float32]:
    columns = {"landmarks": points, "yaw": [yaw] * len(points)}
    return schema.frame(columns, schema.FACES).select(expression_column())["expression"].to_numpy()


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_shows_in_its_own_measure(change: str) -> None:
    away = np.abs(np.diff(expressions([landmarks(), landmarks(change)]), axis=0))[0]
    assert [name for name, value in zip(NAMES, away, strict=True) if value > 1] == [CHANGES[change][0]]


@pytest.mark.parametrize("change", [None, *CHANGES])
def test_neither_turning_nor_size_matters(change: str | None) -> None:
    straight = expressions([landmarks(change)])
    for yaw in (-KNOWN_YAW, -20.0, 35.0):
        assert expressions([landmarks(change, yaw, 37.0)], yaw) == pytest.approx(straight, abs=0.01)


def test_what_knows_no_expression_says_so() -> None:
    assert np.isnan(expressions([landmarks()], KNOWN_YAW + 1)).all(), "a mean head's"
    assert np.isnan(expressions([None])).all(), "none measured"
    assert np.isnan(expressions([np.full((68, 3), 5, np.float32)])).all(), "no size to compare with"
    assert expressions([]).shape == (0, len(MEASURES))


def run_of(out: Path, points: list[NDArray[np.float32] | None]) -> str:
    """A run of one face, looked at so many times, that differs by nothing but its landmarks."""
    run = Run(str(out), MineConfig()).begin()
    columns = video("a", [1], len(points), still=True)
    table = schema.frame({name: columns[name] for name in columns.columns}, schema.FACES)
    faces = table.with_columns(
        pl.Series("landmarks", points, schema.FACES["landmarks"]), uri=pl.lit("/a.mp4")
    )
    commit_part(run.folder, faces["segment_id"][0], faces, "segment", {}, run.config.hash())
    return str(out)


def kept(out: str) -> int:
    return int(lpff_ray.dedupe_marks(out)["keep"].sum())


def test_a_run_keeps_every_expression_once(tmp_path: Path) -> None:
    out = run_of(tmp_path, [landmarks(change) for change in [None, *CHANGES] * 2])
    lpff_ray.dedupe(out)
    assert kept(out) == 1 + len(CHANGES)
    assert call("dedupe", out, "--duplicate-expression", "100").returncode == 0
    assert kept(out) == 1


def test_faces_without_landmarks_are_compared_by_the_rest(tmp_path: Path) -> None:
    out = run_of(tmp_path, [None, None, None])
    lpff_ray.dedupe(out)
    assert kept(out) == 1


def without(out: str, column: str) -> None:
    """Take a column out of a run's only part, as if an older version had mined it."""
    (part,) = Path(out, "parts").glob("*.parquet")
    footer = {
        name: text for name, text in pl.read_parquet_metadata(part).items() if not name.startswith("ARROW")
    }
    pl.read_parquet(part).drop(column).write_parquet(part, metadata=footer)


def test_an_older_table_without_landmarks_is_compared_by_the_rest(tmp_path: Path) -> None:
    out = run_of(tmp_path, [landmarks(), landmarks("mouth open")])
    without(out, "landmarks")
    lpff_ray.dedupe(out)
    assert kept(out) == 1


@pytest.mark.parametrize("column", ["embedding", "phash", "track_id"])
def test_an_older_table_without_what_is_needed_is_one_clear_line(tmp_path: Path, column: str) -> None:
    out = run_of(tmp_path, [landmarks(), landmarks()])
    without(out, column)
    with pytest.raises(
        lpff_ray.UserError, match=rf"^{out}: not the faces of this version.*without {column}\).*$"
    ):
        lpff_ray.dedupe(out)
    assert not Path(out, "tables", "dedupe.parquet").exists()


def test_duplicates_of_a_real_clip_make_the_same_face(shared_data: Path, tmp_path: Path) -> None:
    clips = [str(shared_data / "videos" / f"liveportrait_{name}.mp4") for name in ("d13", "d20")]
    lpff_ray.mine(clips, str(tmp_path), MineConfig(every=10))
    lpff_ray.dedupe(str(tmp_path), lpff_ray.DedupeConfig(duplicate_expression=100))
    assert different(str(tmp_path)) > 0, "rotation, embedding and hash do not see it"
    lpff_ray.dedupe(str(tmp_path))
    assert different(str(tmp_path)) == 0
    assert kept(str(tmp_path)) < len(lpff_ray.dedupe_marks(str(tmp_path))), "but duplicates are found"


def different(out: str) -> int:
    """Duplicates with another expression than the face that they repeat, by limits drawn from an audit by eye."""
    faces = lpff_ray.scan(out).select("face_id", "yaw", "landmarks").collect()
    shape = dict(zip(faces["face_id"], faces["landmarks"].to_numpy()[..., :2], strict=True))
    marks = lpff_ray.dedupe_marks(out).join(faces.select("face_id", "yaw"), on="face_id")
    repeats = marks.filter(~pl.col("keep") & (pl.col("yaw").abs() < 30))
    pairs = repeats.select("face_id", "duplicate_of").iter_rows()
    away = np.array(
        [np.abs(measures_by_eye(shape[face]) - measures_by_eye(shape[other])) for face, other in pairs]
    )
    return int((away > [0.10, 0.12, 0.06, 0.06]).any(axis=1).sum())


def measures_by_eye(points: NDArray[np.float32]) -> NDArray[np.float64]:
    """Inner-lip gap, mouth width, gaps of the lids, in the picture, over the distance between the eyes' middles."""
    unit = np.linalg.norm(points[36:42].mean(axis=0) - points[42:48].mean(axis=0))
    ends = np.array([[62, 66], [48, 54], [37, 41], [43, 47]])
    return np.linalg.norm(points[ends[:, 0]] - points[ends[:, 1]], axis=1) / unit
