"""Every column of the faces table means what DESIGN says of it, on the demo's clip."""

from __future__ import annotations

import numpy as np
import polars as pl
from scipy.spatial.transform import Rotation

from lpff_ray.cli.demo_clip import FPS, HEIGHT, WIDTH, DemoClip
from lpff_ray.geometry.rotation import angles_from_matrix, matrix_from_direction
from lpff_ray.tables import schema


def test_no_column_is_null(demo_faces: pl.DataFrame) -> None:
    assert demo_faces.schema == schema.FACES
    nulls = {name: count for name, count in demo_faces.null_count().row(0, named=True).items() if count}
    assert set(nulls) <= {"iqa"}
    for name, kind in demo_faces.schema.items():
        if isinstance(kind, pl.Array) or (kind.is_float() and name != "iqa"):
            assert np.isfinite(demo_faces[name].to_numpy()).all(), name


def test_keys(demo_faces: pl.DataFrame, demo_clip: DemoClip) -> None:
    assert demo_faces["face_id"].is_unique().all()
    assert demo_faces.equals(demo_faces.sort(schema.SORT_KEY))
    row = demo_faces.row(-1, named=True)
    assert row["face_id"] == f"{row['video_id']}:{row['frame_index']}:{row['face_index']}"
    assert row["uri"] == str(demo_clip.path)
    assert row["segment_id"] == f"{row['video_id']}-00000"
    assert demo_faces["track_id"].str.starts_with(f"{row['segment_id']}:").all()
    assert (demo_faces["pts_ns"] == demo_faces["frame_index"] * 1_000_000_000 // FPS).all()
    # A cut ends all tracks.
    shots = demo_faces.with_columns(shot=pl.col("frame_index") // 25)
    assert shots.group_by("track_id").agg(pl.col("shot").n_unique())["shot"].max() == 1
    moving = shots.filter(pl.col("shot") == 0).sort("face_px", descending=True)
    assert moving.unique("frame_index", keep="first")["track_id"].n_unique() == 1


def test_places_are_pixels_of_the_frame(demo_faces: pl.DataFrame) -> None:
    assert set(demo_faces["frame_width"]) == {WIDTH}
    assert set(demo_faces["frame_height"]) == {HEIGHT}
    x0, y0, x1, y1 = demo_faces["bbox"].to_numpy().T
    assert (x0 >= 0).all()
    assert (y0 >= 0).all()
    assert (x1 <= WIDTH).all()
    assert (y1 <= HEIGHT).all()
    # From brows to chin; the box reaches from the hair to the chin.
    np.testing.assert_allclose(demo_faces["face_px"].to_numpy(), 0.86 * (y1 - y0), rtol=0.1)
    keypoints, landmarks = demo_faces["keypoints"].to_numpy(), demo_faces["landmarks"].to_numpy()
    size = demo_faces["face_px"].to_numpy()
    middle = np.stack([x0 + x1, y0 + y1], -1) / 2
    for points in (keypoints, landmarks[..., :2]):
        off = np.linalg.norm(points - middle[:, None], axis=-1).max(1)
        assert (off < 1.3 * size).all()
    # Image-left eye, image-right eye, nose, image-left and image-right mouth corner, on an upright face.
    upright = keypoints[np.abs(demo_faces["roll"].to_numpy()) < 15]
    assert (upright[:, 0, 0] < upright[:, 1, 0]).all()
    assert (upright[:, 3, 0] < upright[:, 4, 0]).all()
    assert (upright[:, :2, 1].max(1) < upright[:, 2, 1]).all()
    assert (upright[:, 2, 1] < upright[:, 3:, 1].min(1)).all()
    # The 68-point scheme says the same: outer eye corners 36 and 45, nose tip 30, mouth corners 48 and 54.
    eyes = landmarks[:, [36, 37, 38, 39, 40, 41]].mean(1)[:, :2], landmarks[:, 42:48].mean(1)[:, :2]
    scheme = np.stack([*eyes, *(landmarks[:, index, :2] for index in (30, 48, 54))], 1)
    assert (np.linalg.norm(scheme - keypoints, axis=-1).max(1) < 0.12 * size).all()


def test_pose(demo_faces: pl.DataFrame) -> None:
    rotation = Rotation.from_rotvec(demo_faces["rotvec"].to_numpy()).as_matrix()
    translation = demo_faces["translation"].to_numpy().astype(np.float64)
    angles = demo_faces.select("yaw", "pitch", "roll").to_numpy()
    # Seen along the ray to the head, rotvec is what yaw, pitch and roll say.
    ray = translation / np.linalg.norm(translation, axis=1, keepdims=True)
    turn = Rotation.from_rotvec(
        np.stack([-ray[:, 1], ray[:, 0], np.zeros(len(ray))], -1)
        / np.maximum(np.linalg.norm(ray[:, :2], axis=1, keepdims=True), 1e-12)
        * np.arccos(ray[:, 2:])
    )
    np.testing.assert_allclose(angles_from_matrix(turn.inv().as_matrix() @ rotation), angles, atol=0.05)
    # Projected by the pinhole camera of run.json, the head's origin lies within the box.
    focal = float(WIDTH)
    seen = translation[:, :2] / translation[:, 2:] * focal + [WIDTH / 2, HEIGHT / 2]
    boxes = demo_faces["bbox"].to_numpy()
    assert ((seen > boxes[:, :2]) & (seen < boxes[:, 2:])).all()
    # Centimetres: a grown head is about 15 cm wide, so its distance follows from its size in pixels.
    distance = focal * 15 / demo_faces["face_px"].to_numpy()
    assert (np.abs(np.log(translation[:, 2] / distance)) < np.log(1.4)).all()
    assert np.abs(demo_faces["yaw"].to_numpy()).max() < 20
    # Azimuth, elevation and tilt are the same rotation, said in another way.
    again = matrix_from_direction(*demo_faces.select("azimuth", "elevation", "tilt").to_numpy().T)
    np.testing.assert_allclose(angles_from_matrix(again), angles, atol=0.05)
    assert set(demo_faces["pose_bin"]) == {"frontal"}
    votes = demo_faces["pose_votes"].to_list()
    assert all({"facemesh", "centerface"} <= {vote["estimator"] for vote in ballot} for ballot in votes)
    assert demo_faces["pose_spread"].is_between(0, 30).all()


def test_quality(demo_faces: pl.DataFrame) -> None:
    for column, low, high in (("det_score", 0.5, 1), ("sharpness", 0, 1), ("brightness", 20, 235)):
        assert demo_faces[column].is_between(low, high).all(), column
    blurring = demo_faces.filter(pl.col("frame_index") >= 75).sort("frame_index")["sharpness"].to_numpy()
    assert (np.diff(blurring) < 0.02).all(), "more blur is less sharp"
    assert blurring[-1] < 0.6 * blurring[0]


def test_identity(demo_faces: pl.DataFrame) -> None:
    embedding = demo_faces["embedding"].to_numpy()
    np.testing.assert_allclose(np.linalg.norm(embedding, axis=1), 1, atol=1e-5)
    sharp = embedding[demo_faces["frame_index"].to_numpy() < 75]
    assert np.linalg.norm(sharp[:, None] - sharp, axis=-1).max() < 0.35, "one person throughout"
    hashes = demo_faces.filter(pl.col("frame_index") < 25)["phash"].to_list()
    differing = [bin(first ^ other).count("1") for first in hashes for other in hashes]
    assert max(differing) <= 12, "the same picture of the same face, moved"
    assert len({bin(value).count("1") for value in hashes} & {0, 64}) == 0
